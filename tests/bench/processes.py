"""How long a command takes and how much memory it holds, as a process of its own."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Cost:
    """Time on the clock, time on a processor, and the most memory at once."""

    seconds: float
    processor_seconds: float
    mebibytes: float

    def best(self, other: Cost | None) -> Cost:
        """The lower of both in each: others use the machine as well, and only ever add."""
        if other is None:
            return self
        return Cost(
            min(self.seconds, other.seconds),
            min(self.processor_seconds, other.processor_seconds),
            min(self.mebibytes, other.mebibytes),
        )


class BenchError(Exception):
    """A command did not do what it was measured for."""


def cost(command: Sequence[str], out: Path, exit_code: int = 0) -> Cost:
    """Run the command, its output into the file; BenchError when it ends otherwise than it should.

    A process's peak memory begins at that of the process it was started from, so this one must stay small.
    """
    with out.open("wb") as stream:
        began = time.perf_counter()
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=stream, stderr=subprocess.STDOUT)
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - began
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != exit_code:
        said = out.read_bytes()[-2000:].decode(errors="replace")
        raise BenchError(f"{' '.join(command)} ended with {process.returncode} and not {exit_code}:\n{said}")
    return Cost(seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024)
