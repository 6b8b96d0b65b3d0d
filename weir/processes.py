"""Processes of this machine: whether one lives, and how to start one that does not outlive whoever started it."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path


def alive(pid: int) -> bool:
    """Whether the process runs. One that was killed and that nobody has asked for yet does not."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    try:
        # One that was killed stays, as a zombie, until its parent asks for it; where that was killed as well, this may take a while.
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in ("Z", "X")
    except OSError:
        return sys.platform != "linux"


def until_killed() -> list[str]:
    """What to put before a command that must not outlive the thread that starts it, not even one that is killed; nothing where that cannot be had.

    util-linux has it, and so has every Debian. Not a function for the child, which would make it a real fork: gRPC, whose threads that
    copies, remarks on each.
    """
    setpriv = shutil.which("setpriv") if sys.platform == "linux" else None
    return [setpriv, "--pdeathsig", "KILL", "--"] if setpriv else []
