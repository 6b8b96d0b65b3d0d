"""The project's program, served to the engine from a process that is warm: no language host to start, no imports to wait for.

`pulumi up --client=ADDRESS` asks an address for the program, as it asks the Automation API's server for an inline one. `weir.engine.server`
answers there. It is started before anything else and imports on the other core while this process sees to the config; a process that makes
several changes keeps it.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from weir import yamlfile
from weir.engine.kept import Kept


class ProgramServer(Kept):
    """The process that serves the program of a project; its `place` is what `--client` takes."""

    def __init__(self, project: Path) -> None:
        """Start it. Nothing is waited for."""
        # What the program asks the cluster it asks through kubectl, and gRPC would remark on every new process.
        super().__init__([sys.executable, "-m", "weir.engine.server", str(project)], {"GRPC_VERBOSITY": "ERROR", **os.environ})

    def updates(self) -> int | None:
        """For how many updates, previews not counted, the program was run; None where the process has ended and nobody knows."""
        line = self.line() if self.place and self.tell("") else ""
        return int(line) if line else None


_servers: dict[Path, ProgramServer] = {}


def server(project: Path) -> ProgramServer:
    """The server of a project's program: started the first time it is asked for, and again where it has ended."""
    found = _servers.get(project)
    if found is None or found.ended:
        found = _servers[project] = ProgramServer(project)
    return found


def can_serve(project: Path) -> bool:
    """Whether this Python is the one that Pulumi.yaml names for the program: another may lack what the program imports."""
    settings = yamlfile.load((project / "Pulumi.yaml").read_text(encoding="utf-8"))
    options = settings.get("runtime", {}).get("options", {}) if isinstance(settings.get("runtime"), dict) else {}
    environment = options.get("virtualenv")
    return environment is not None and Path(sys.prefix).resolve() == (project / environment).resolve()
