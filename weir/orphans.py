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

from weir.processes import ancestors, family, processes
from weir.sockets import descriptor_of, listening_at

_ENGINE = "--engine"


def end_with_engine() -> None:
    """Have this process, which runs a program, end with the engine that has it run, and with it what both have started."""
    if address := _address():
        found = engine()
        if found or not _listening(address):
            _watch(found, address, whole=True)


def engine() -> int:
    """The process of the engine that has this one run a program; 0 where none has, or it cannot be told which."""
    listening = _listening(_address())
    return next((pid for pid in ancestors(os.getppid()) if descriptor_of(pid, listening) is not None), 0) if listening else 0


def _address() -> str:
    """Where the engine listens."""
    arguments = _arguments(os.getpid())
    # Only a language host starts a program so. Where weir serves it, the server sees to what is to be seen to.
    return arguments[arguments.index(_ENGINE) + 1] if _ENGINE in arguments[:-1] and sys.platform == "linux" else ""


def _listening(address: str) -> int:
    """The socket that listens there; 0 where none does any more."""
    return listening_at(int(address.rpartition(":")[2])) if address else 0


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
