"""What an engine leaves behind that was killed, ended at once: its plugins notice by themselves only minutes later, or
never.

Pulumi starts language hosts and providers with the engine's address as an argument, and they stay in its session.
Nothing is done where the system does not say who is whose parent (proc(5)).
"""

from __future__ import annotations

import os
import re
import select
import signal
import subprocess
import sys
import threading
from contextlib import suppress
from pathlib import Path

from weir.processes import ancestors, family, processes
from weir.sockets import descriptor_of, listening_at

_ENGINE = "--engine"
_LISTENS = re.compile(r"127\.0\.0\.1:\d+")
_PLUGIN_ARGUMENTS = 4
"""python, the directory of the package, the address; what proc(5) has of them ends with a null byte."""


def end_with_engine() -> None:
    """Have this process, which runs a program, end with the engine that has it run, and with it what both have
    started.

    What watches is a process of its own: an engine goes on when the program has ended, with what the program no longer
    names.
    """
    address = _address()
    if not address:
        return
    found = engine()
    if not found:
        if not _listening(address):
            _end(os.getsid(0), address, program=os.getpid())
        return
    with suppress(OSError):
        # Taken here: by the time the other process is up, a number can be somebody else's.
        ends, session = (os.pidfd_open(found), os.pidfd_open(os.getpid())), os.getsid(found)
        subprocess.Popen(
            [sys.executable, "-m", __name__, *map(str, ends), str(os.getpid()), str(session), address],
            # From where this file was found, wherever the program runs.
            cwd=Path(__file__).parent.parent,
            pass_fds=ends,
            # Out of the reach of Ctrl-C, which the engine takes its time to answer; and a language host waits for all
            # that holds its output.
            start_new_session=True,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        for end in ends:
            os.close(end)


def engine() -> int:
    """The process of the engine that has this one run a program; 0 where none has, or it cannot be told which."""
    listening = _listening(_address())
    return (
        next((pid for pid in ancestors(os.getppid()) if descriptor_of(pid, listening) is not None), 0)
        if listening
        else 0
    )


def end_plugins_with(engine: int, address: str) -> None:
    """End the plugins of an engine when it is gone."""
    session = os.getsid(0)
    with suppress(OSError):
        session = os.getsid(engine)

    def wait() -> None:
        # Where there is no such process, it is gone already.
        with suppress(OSError):
            ended = os.pidfd_open(engine)
            _until_ended(ended)
            os.close(ended)
        _end(session, address)

    threading.Thread(target=wait, daemon=True, name="weir-engine").start()


def _address() -> str:
    """Where the engine listens; empty where no engine has this process run: where weir serves a program, the server
    sees to what is to be seen to.
    """
    arguments = _arguments(os.getpid())
    if sys.platform != "linux":
        return ""
    if _ENGINE in arguments[:-1]:
        return arguments[arguments.index(_ENGINE) + 1]
    # The component package: a plugin has the address and nothing else.
    last = arguments[-2] if len(arguments) == _PLUGIN_ARGUMENTS else ""
    return last if _LISTENS.fullmatch(last) else ""


def _listening(address: str) -> int:
    """The socket that listens there; 0 where there is none any more."""
    return listening_at(int(address.rpartition(":")[2])) if address else 0


def _until_ended(process: int) -> None:
    """Wait for the end of a process, given by a descriptor of it (pidfd_open(2))."""
    select.select([process], [], [])


def _end(session: int, address: str, program: int = 0) -> None:
    """End the plugins of an engine; then a program, with what it has started."""
    plugins = [pid for pid in processes() if pid != program and _is_plugin(pid, session, address)]
    for pid in plugins + (family(program)[::-1] if program else []):
        with suppress(OSError):
            if pid != os.getpid() or pid == program:
                os.kill(pid, signal.SIGKILL)


def _is_plugin(pid: int, session: int, address: str) -> bool:
    with suppress(OSError):
        return pid != os.getpid() and os.getsid(pid) == session and address in _arguments(pid)
    return False


def _arguments(pid: int) -> list[str]:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace").split("\0")
    except OSError:
        return []


if __name__ == "__main__":
    of_engine, of_program, number, in_session = map(int, sys.argv[1:5])
    _until_ended(of_engine)
    over = select.select([of_program], [], [], 0)[0]
    _end(in_session, sys.argv[5], program=0 if over else number)
