"""Processes of this machine: whether one lives, what it has started, and how to start one that does not outlive
whoever started it.
"""

from __future__ import annotations

import os
import shutil
import sys
from collections import defaultdict
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path


def alive(pid: int) -> bool:
    """Whether the process runs. One that was killed and that nobody has asked for yet does not."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    # One that was killed stays, as a zombie, until its parent asks for it; where that was killed as well, this may take
    # a while.
    fields = _stat(pid)
    return fields[0] not in ("Z", "X") if fields else sys.platform != "linux"


def until_killed(signal: str = "KILL") -> list[str]:
    """What to put before a command that must not outlive the thread that starts it, not even one that is killed;
    nothing where that cannot be had.

    `signal` is what the command gets then. util-linux has it, and so has every Debian. Not a function for the child,
    which would make it a real fork: gRPC, whose threads that copies, remarks on each.
    """
    setpriv = shutil.which("setpriv") if sys.platform == "linux" else None
    return [setpriv, "--pdeathsig", signal, "--"] if setpriv else []


def family(root: int) -> list[int]:
    """A process and all that it has started, and what these have; what has lost its parent is nobody's, and not among
    them.
    """
    children: dict[int, list[int]] = defaultdict(list)
    for pid in processes():
        children[parent(pid)].append(pid)
    found = [root]
    for pid in found:
        found += children[pid]
    return found


def ancestors(pid: int) -> Iterator[int]:
    """A process, who has started it, and so on up to the machine's first."""
    while pid:
        yield pid
        pid = parent(pid)


def parent(pid: int) -> int:
    """Who has started a process, or has taken it over; 0 where there is none, or no such process."""
    fields = _stat(pid)
    return int(fields[1]) if fields else 0


def identity(pid: int) -> str:
    """What no other process is called, before or after: its number, the moment it was started, the boot of the
    machine; nothing where this is not known.
    """
    fields = _stat(pid)
    try:
        return f"{pid}-{fields[19]}-{Path('/proc/sys/kernel/random/boot_id').read_text().strip()}" if fields else ""
    except OSError:
        return ""


def processes() -> Iterator[int]:
    """All of this machine, where the system says (proc(5))."""
    with suppress(OSError):
        yield from (int(path.name) for path in Path("/proc").iterdir() if path.name.isdecimal())


def _stat(pid: int) -> list[str]:
    """State, parent and so on: what stands after the command's name, in which there may be anything. Nothing where
    there is no such process.
    """
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return []
