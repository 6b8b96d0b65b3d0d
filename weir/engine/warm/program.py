"""The project's program, served to the engine from a process that is warm: no language host to start, no imports to
wait for.

`pulumi up --client=ADDRESS` asks an address for the program, as it asks the Automation API's server for an inline one.
`weir.engine.warm.server` answers there. It imports on the other core while the engine starts; a process that makes
several changes keeps it.
"""

from __future__ import annotations

import atexit
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import asdict
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from weir.engine.shown import Shown
from weir.processes import until_killed
from weir.stack import yaml_reader

if TYPE_CHECKING:
    from weir.cluster.kubectl import Kubectl

ATTACHED = "PULUMI_DEBUG_PROVIDERS"
"""Environment variable of Pulumi's that names providers which run already, and their ports."""

GO = {"GOGC": "400"}
"""Environment for Pulumi's processes: for as long as they run, collecting garbage as often as Go does by itself is a
tenth of it.
"""

_PLUGIN = "pulumi-resource-kubernetes"
_END_SECONDS = 5.0


class ProgramServer:
    """The process that serves the program of a project, from now until this process ends."""

    def __init__(self, project: Path) -> None:
        """Start it. Nothing is waited for."""
        self._shown = Shown(2)
        self._process = subprocess.Popen(
            [sys.executable, "-m", "weir.engine.warm.server", str(project)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            # What the program prints, and a provider that is kept.
            stderr=self._shown.end,
            bufsize=0,
            # Ctrl-C is for the engine, which ends the update in good order and needs the program for that.
            start_new_session=True,
            # What the program asks the cluster it asks through kubectl, and gRPC would remark on every new process.
            env={"GRPC_VERBOSITY": "ERROR", **GO, **os.environ},
        )
        self._shown.started()

    @property
    def ended(self) -> bool:
        """Whether it is gone."""
        return self._process.poll() is not None

    @property
    def pid(self) -> int:
        """The process."""
        return self._process.pid

    @property
    def address(self) -> str:
        """What to give the engine as `--client`; empty where the process has ended."""
        return "" if self.ended else self._address

    @cached_property
    def _address(self) -> str:
        return self._line()

    def updates(self) -> int | None:
        """For how many updates, previews not counted, the program was run; None where the process has ended and nobody
        knows.
        """
        found: int | None = self._asked("")
        return found

    def look_ahead(self, kubectl: Kubectl) -> None:
        """Have it read what the next run will ask the cluster, while the engine starts."""
        self._tell(json.dumps({"ask": asdict(kubectl)}))

    def give(self, environment: Mapping[str, str]) -> None:
        """Have the program find this in its environment from now on."""
        self._tell(json.dumps({"environment": dict(environment)}))

    def let(self, may: bool) -> None:
        """Have the program know whether it may write the rules that are held."""
        self._tell(json.dumps({"may": may}))

    def keep(self, plugin: Path) -> bool:
        """Have it run a provider, and answer for it at its own address: this time, and as long as it lives. Whether it
        does.
        """
        return self._asked(json.dumps({"keep": str(plugin)})) is True

    def close(self) -> None:
        """End it."""
        self._process.kill()
        self._process.wait(_END_SECONDS)
        self._shown.rest()
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None:
                stream.close()

    def _asked(self, text: str) -> Any:
        """Its answer; None where it has ended."""
        # What it says first is where it listens.
        line = self._line() if self._address and self._tell(text) else ""
        return json.loads(line) if line else None

    def _tell(self, text: str) -> bool:
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(f"{text}\n".encode())
        except OSError:
            return False
        return True

    def _line(self) -> str:
        assert self._process.stdout is not None
        line: bytes = self._process.stdout.readline()
        return line.decode().strip()


_servers: dict[Path, ProgramServer] = {}


def server(project: Path) -> ProgramServer:
    """The server of a project's program: started the first time it is asked for, and again where it has ended."""
    found = _servers.get(project)
    if found is None or found.ended:
        found = _servers[project] = ProgramServer(project)
    return found


def let_go() -> None:
    """End every server: after an update that failed its program may still be at work on what
    the engine has given up.
    """
    while _servers:
        _servers.popitem()[1].close()


atexit.register(let_go)


def can_serve(project: Path) -> bool:
    """Whether this Python is the one that Pulumi.yaml names for the program: another may lack what the program
    imports.
    """
    settings = _settings(project)
    options = settings.get("runtime", {}).get("options", {}) if isinstance(settings.get("runtime"), dict) else {}
    environment = options.get("virtualenv")
    return environment is not None and Path(sys.prefix).resolve() == (project / environment).resolve()


def plugin_to_keep(project: Path) -> Path | None:
    """The Kubernetes provider that the engine would start by itself; None where this is not certain, or where it could
    outlive this process.
    """
    # Not above, where weir history would import it: a twelfth of its time.
    from importlib import metadata

    settings = _settings(project)
    # Whoever says which provider is to run, in any of the ways that Pulumi knows, has it.
    named = ATTACHED in os.environ or "plugins" in settings or "packages" in settings or shutil.which(_PLUGIN)
    if named or not until_killed():
        return None
    home = Path(os.environ.get("PULUMI_HOME") or Path.home() / ".pulumi")
    found = home / "plugins" / f"resource-kubernetes-v{metadata.version('pulumi-kubernetes')}" / _PLUGIN
    return found if found.is_file() else None


def _settings(project: Path) -> dict[str, Any]:
    found: dict[str, Any] = yaml_reader.load((project / "Pulumi.yaml").read_text(encoding="utf-8"))
    return found
