"""Pulumi itself with a program of a test's own: the real engine and language host, a state in
a directory, no cluster.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.live.shared import tools
from tests.unit.engine.warm.test_program import project

STACK = "dev"
UP = (
    f"import sys; from pathlib import Path; from weir.engine.stack import Stack; Stack({STACK!r}, "
    "Path.cwd()).up(sys.argv[1], preview=True)"
)


@dataclass(frozen=True)
class Engine:
    """A project whose stack is initialised. `environment`: that of a shell there."""

    directory: Path
    environment: Mapping[str, str]

    @classmethod
    def create(cls, directory: Path, program: str, config: str = "") -> Engine:
        """With this text as its program and this one below `config:` of its stack file."""
        # Found where the lab has them, and built first where they are missing.
        bin, state = directory / "bin", directory / "state"
        tools().link(bin)
        state.mkdir()
        project(directory, program)
        made = cls(
            directory,
            {
                **os.environ,
                "PATH": f"{bin}:{os.environ['PATH']}",
                "PULUMI_HOME": str(directory / "home"),
                "PULUMI_BACKEND_URL": f"file://{state}",
                "PULUMI_CONFIG_PASSPHRASE": "test",
                "PULUMI_SKIP_UPDATE_CHECK": "true",
                "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",
            },
        )
        made.run("pulumi", "stack", "init", STACK)
        if config:
            file = directory / f"Pulumi.{STACK}.yaml"
            file.write_text(file.read_text() + f"config:\n{config}")
        return made

    def run(self, *command: str) -> str:
        """What a command says, on both streams; it has to succeed. Bytes that are no UTF-8 are
        lone surrogates in it.
        """
        done = subprocess.run(
            command,
            cwd=self.directory,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=120,
            check=False,
        )
        said = done.stdout.decode(errors="surrogateescape")
        assert done.returncode == 0, said
        return said

    def weir_up(self, message: str) -> str:
        """What an update as weir's releases make it says."""
        return self.run(sys.executable, "-c", UP, message)

    def begin(self, message: str) -> subprocess.Popen[bytes]:
        """Start such an update, as a shell starts it: with all that it starts it is a group of its own. What it says
        is in the file `said`.
        """
        with (self.directory / "said").open("wb") as said:
            return subprocess.Popen(
                [sys.executable, "-c", UP, message],
                cwd=self.directory,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=said,
                process_group=0,
            )
