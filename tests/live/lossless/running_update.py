"""An update that is looked at while it runs, and whose processes are killed."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Self

from tests.live.harness import until
from tests.live.lossless.lab_stack import LabStack, Update

CLI, LANGUAGE, PROGRAM, PROVIDER = (
    "pulumi",
    "pulumi-language-python",
    "pulumi-language-python-exec",
    "pulumi-resource-kubernetes",
)
"""The processes of an update."""


class RunningUpdate:
    """A `pulumi up` under way, or another command, in a session of its own; its output goes to a file.

    At the end of the block it is killed if it still runs: the lock it holds would fail the tests after the one that
    failed.
    """

    def __init__(self, stack: LabStack, command: str = "", *, env: Mapping[str, str] | None = None) -> None:
        self._file = stack.project.directory / f"{stack.name}.update.log"
        command = command or "pulumi up --yes --skip-preview --non-interactive --color never"
        with self._file.open("w") as output:
            self.process = stack.start(f"{command} --stack {stack.name}", stdout=output, env=env)
        self._start = time.monotonic()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()

    @property
    def said(self) -> str:
        return self._file.read_text()

    def until_said(self, text: str) -> None:
        """Return when it has said this, or has ended."""
        until(lambda: text in self.said or self.process.poll() is not None, 120, f"the update says {text}")

    def kill(self, name: str) -> bool:
        """kill -9 of its processes of this name; False where there is none any more."""
        pids = [pid for pid in _descendants(self.process.pid) if name in _names(pid)]
        for pid in pids:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        return bool(pids)

    def kill_once_there(self, name: str) -> bool:
        """The same, as soon as there is one: at the start of an update some are still to come. False where it ends
        without.
        """
        found = [False]

        def killed() -> bool:
            found[0] = self.kill(name)
            return found[0] or self.process.poll() is not None

        until(killed, 60, f"a process {name}")
        return found[0]

    def wait(self) -> Update:
        code = self.process.wait(timeout=240)
        return Update(code, self.said, time.monotonic() - self._start)


def _names(pid: int) -> list[str]:
    """The names of a process's program and, where that is an interpreter, its script."""
    with suppress(OSError):
        return [Path(word.decode()).name for word in Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")[:2]]
    return []


def _descendants(pid: int) -> list[int]:
    found = [pid]
    for known in found:
        for task in Path(f"/proc/{known}/task").glob("*/children"):
            with suppress(OSError):
                found += [int(child) for child in task.read_text().split()]
    return found
