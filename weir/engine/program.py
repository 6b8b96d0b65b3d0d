"""The project's program, served to the engine from a process that is warm: no language host to start, no imports to wait for.

`pulumi up --client=ADDRESS` asks an address for the program, as it asks the Automation API's server for an inline one. `weir.engine.server`
answers there. It is started before anything else and imports on the other core while this process sees to the config; a process that makes
several changes keeps it.
"""

from __future__ import annotations

import atexit
import os
import subprocess
import sys
from functools import cache
from pathlib import Path

from weir import yamlfile

_END_SECONDS = 5.0


class ProgramServer:
    """The process that serves the program of a project, from now until this process ends."""

    def __init__(self, project: Path) -> None:
        """Start it. Nothing is waited for."""
        self._process = subprocess.Popen(
            [sys.executable, "-m", "weir.engine.server", str(project)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            bufsize=0,
            # Ctrl-C is for the engine, which ends the program's update in good order.
            start_new_session=True,
            # What the program asks the cluster it asks through kubectl, and gRPC would remark on every new process.
            env={"GRPC_VERBOSITY": "ERROR", **os.environ},
        )
        self._address = ""
        atexit.register(self.close)

    @property
    def pid(self) -> int:
        """The process."""
        return self._process.pid

    @property
    def address(self) -> str:
        """What to give the engine as `--client`; empty where the process has ended."""
        self._address = self._address or self._line()
        return self._address if self._process.poll() is None else ""

    def updates(self) -> int | None:
        """For how many updates, previews not counted, the program was run; None where the process has ended and nobody knows."""
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(b"\n")
        except OSError:
            return None
        line = self._line()
        return int(line) if line else None

    def close(self) -> None:
        """End it."""
        self._process.kill()
        self._process.wait(_END_SECONDS)
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None:
                stream.close()

    def _line(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline().decode().strip()


@cache
def server(project: Path) -> ProgramServer:
    """The server of a project's program: started the first time it is asked for."""
    return ProgramServer(project)


def can_serve(project: Path) -> bool:
    """Whether this Python is the one that Pulumi.yaml names for the program: another may lack what the program imports."""
    settings = yamlfile.load((project / "Pulumi.yaml").read_text(encoding="utf-8"))
    options = settings.get("runtime", {}).get("options", {}) if isinstance(settings.get("runtime"), dict) else {}
    environment = options.get("virtualenv")
    return environment is not None and Path(sys.prefix).resolve() == (project / environment).resolve()
