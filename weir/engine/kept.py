"""Processes that are started early and kept from one update to the next, and end with this process, however it ends."""

from __future__ import annotations

import atexit
import subprocess
from collections.abc import Mapping, Sequence
from functools import cached_property

_END_SECONDS = 5.0
_kept: list[Kept] = []


def let_go() -> None:
    """End all of them: after an update that failed they may still be at work on what the engine has given up."""
    while _kept:
        _kept.pop().close()


atexit.register(let_go)


class Kept:
    """A process that says in its first line of output where it can be reached."""

    def __init__(self, command: Sequence[str], environment: Mapping[str, str]) -> None:
        """Start it. Nothing is waited for. The command sees to it that it ends with this process, or when its stdin does."""
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            bufsize=0,
            # Ctrl-C is for the engine, which ends an update in good order and needs it for that.
            start_new_session=True,
            env=environment,
        )
        _kept.append(self)

    @property
    def ended(self) -> bool:
        """Whether it is gone."""
        return self._process.poll() is not None

    @property
    def pid(self) -> int:
        """The process."""
        return self._process.pid

    @property
    def place(self) -> str:
        """Where it can be reached, in its own words; empty where it has ended. Waits for it to say so."""
        return "" if self.ended else self._place

    @cached_property
    def _place(self) -> str:
        return self.line()

    def line(self) -> str:
        """The next line of its output; empty where it has ended."""
        assert self._process.stdout is not None
        line: bytes = self._process.stdout.readline()
        return line.decode().strip()

    def tell(self, text: str) -> bool:
        """Write a line to it; whether it could be."""
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(f"{text}\n".encode())
        except OSError:
            return False
        return True

    def close(self) -> None:
        """End it."""
        self._process.kill()
        self._process.wait(_END_SECONDS)
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None:
                stream.close()
