"""What an engine leaves behind that was killed, ended at once: its plugins notice by themselves only minutes later, or never.

Pulumi starts language hosts and providers with the engine's address as an argument, and they stay in its session. Nothing is done where the
system does not say who is whose parent (proc(5)).
"""

from __future__ import annotations

import os
import select
import signal
import sys
import threading
from contextlib import suppress
from pathlib import Path

from weir.processes import ancestors, descriptor_of, family, processes, socket_of

_ENGINE = "--engine"


def end_with_engine() -> None:
    """Have this process, which runs a program, end with the engine that has it run, and with it what both have started."""
    arguments = _arguments(os.getpid())
    # Only a language host starts a program so. Where weir serves it, the server sees to this.
    if _ENGINE in arguments[:-1] and sys.platform == "linux":
        address = arguments[arguments.index(_ENGINE) + 1]
        listening = socket_of(int(address.rpartition(":")[2]))
        engine = next((pid for pid in ancestors(os.getppid()) if descriptor_of(pid, listening) is not None), 0)
        if engine or not listening:
            _watch(engine, address, whole=True)


def end_plugins_with(engine: int, address: str) -> None:
    """End the plugins of an engine when it is gone."""
    _watch(engine, address, whole=False)


def _watch(engine: int, address: str, *, whole: bool) -> None:
    session = os.getsid(0)
    with suppress(OSError):
        session = os.getsid(engine)

    def wait() -> None:
        # Where there is no such process, it is gone already.
        with suppress(OSError):
            ended = os.pidfd_open(engine)
            select.select([ended], [], [])
            os.close(ended)
        for pid in processes():
            with suppress(OSError):
                if pid != os.getpid() and os.getsid(pid) == session and address in _arguments(pid):
                    os.kill(pid, signal.SIGKILL)
        if whole:
            for pid in reversed(family(os.getpid())):
                with suppress(OSError):
                    os.kill(pid, signal.SIGKILL)

    threading.Thread(target=wait, daemon=True, name="weir-engine").start()


def _arguments(pid: int) -> list[str]:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace").split("\0")
    except OSError:
        return []
