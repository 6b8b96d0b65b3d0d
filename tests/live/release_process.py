"""A weir process that makes one change after the other, as a release does: `python -m tests.live.release_process STACK` moves
v2 of backend to each share on stdin. `SHARE held` is prepared, and made or not as the next line says, `True` or `False`.
"""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from threading import Event

from tests.bench.steps import change
from tests.live.harness import CHECKOUT
from weir.errors import WeirError

_MADE, _FAILED = "change: made", "change: failed"


class ReleaseProcess:
    """Such a process, driven."""

    def __init__(self, directory: Path, environment: Mapping[str, str], stack: str) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.live.release_process", stack],
            cwd=directory,
            env={**environment, "PYTHONPATH": str(CHECKOUT)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        self.said = ""

    def make(self, share: int) -> bool:
        """Make a change; whether it was made."""
        self.begin(share)
        return self.end()

    def begin(self, share: int, until: str = "", *, held: bool = False) -> None:
        """Begin a change; return once it, or what it runs, prints the text. `held`: `let` says whether it is made."""
        self.said = ""
        self._tell(f"{share}{' held' * held}")
        while until not in self.said:
            self._read()

    def let(self, may: bool) -> None:
        """Say whether a change that is held is made."""
        self._tell(str(may))

    def end(self) -> bool:
        """Whether the change that was begun was made."""
        while not (done := _MADE in self.said) and _FAILED not in self.said:
            self._read()
        return done

    def interrupt(self) -> None:
        """Ctrl-C, which reaches weir and the pulumi that it runs."""
        os.killpg(self._process.pid, signal.SIGINT)

    def kill(self) -> None:
        """kill -9 of both, unless it has ended."""
        if self._process.poll() is None:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.communicate()

    def close(self) -> None:
        """Let it end by itself."""
        self._process.communicate(timeout=60)
        assert self._process.returncode == 0

    def providers(self) -> list[int]:
        """The Kubernetes providers that it has running."""
        parents: dict[int, int] = {}
        found = []
        for directory in Path("/proc").glob("[0-9]*"):
            try:
                name, _, rest = (directory / "stat").read_text().rpartition(")")
            except OSError:
                continue  # ended meanwhile
            parents[int(directory.name)] = int(rest.split()[1])
            # The kernel keeps 15 characters of a name.
            if name.endswith("(pulumi-resource"):
                found.append(int(directory.name))
        return [pid for pid in found if self._began(pid, parents)]

    def _began(self, pid: int, parents: Mapping[int, int]) -> bool:
        while pid and pid != self._process.pid:
            pid = parents.get(pid, 0)
        return pid != 0

    def _tell(self, line: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(f"{line}\n")
        self._process.stdin.flush()

    def _read(self) -> None:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        assert line, f"it ended in the middle of a change:\n{self.said}"
        self.said += line


def held(ended: Event) -> bool:
    """What the next line says, unless that is not waited for any more."""
    while not ended.wait(0.05):
        if select.select([sys.stdin], [], [], 0)[0]:
            return sys.stdin.readline().strip() == "True"
    return False


def main() -> None:
    """Until stdin ends."""
    stack = sys.argv[1]
    while line := sys.stdin.readline():
        share, _, hold = line.partition(" ")
        try:
            change(stack, Decimal(share), verbose=True, hold=held if hold else None)
            print(_MADE, flush=True)
        except WeirError as error:
            print(f"{error}\n{_FAILED}", flush=True)


if __name__ == "__main__":
    main()
