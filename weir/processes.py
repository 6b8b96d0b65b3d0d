"""Child processes that must not outlive this one."""

from __future__ import annotations

import shutil
import sys


def until_killed() -> list[str]:
    """What to put before a command that must not outlive this process, not even if that is killed; empty where nothing does it.

    util-linux has it, and so has every Debian. It is no function for the child, which would make it a real fork: gRPC, whose threads that
    copies, remarks on each. The kernel counts the thread that starts the child as its parent.
    """
    setpriv = shutil.which("setpriv") if sys.platform == "linux" else None
    return [setpriv, "--pdeathsig", "KILL", "--"] if setpriv else []
