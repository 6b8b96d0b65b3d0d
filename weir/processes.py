"""Processes of this machine: whether one lives, what it has started, who listens, and how to start one that does not outlive whoever started it."""

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
    # One that was killed stays, as a zombie, until its parent asks for it; where that was killed as well, this may take a while.
    fields = _stat(pid)
    return fields[0] not in ("Z", "X") if fields else sys.platform != "linux"


def until_killed(signal: str = "KILL") -> list[str]:
    """What to put before a command that must not outlive the thread that starts it, not even one that is killed; nothing where that cannot be had.

    `signal` is what the command gets then. util-linux has it, and so has every Debian. Not a function for the child, which would make it a
    real fork: gRPC, whose threads that copies, remarks on each.
    """
    setpriv = shutil.which("setpriv") if sys.platform == "linux" else None
    return [setpriv, "--pdeathsig", signal, "--"] if setpriv else []


def family(root: int) -> list[int]:
    """A process and all that it has started, and what these have; what has lost its parent is nobody's, and not among them."""
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
    """What no other process is called, before or after: its number, the moment it was started, the boot of the machine; nothing where this is not known."""
    fields = _stat(pid)
    try:
        return f"{pid}-{fields[19]}-{Path('/proc/sys/kernel/random/boot_id').read_text().strip()}" if fields else ""
    except OSError:
        return ""


def processes() -> Iterator[int]:
    """All of this machine, where the system says (proc(5))."""
    with suppress(OSError):
        yield from (int(path.name) for path in Path("/proc").iterdir() if path.name.isdecimal())


def socket_of(local: int, remote: int = 0) -> int:
    """The socket (its inode) of 127.0.0.1 with this port, connected to that other port or, with 0, listening; 0 where there is none."""
    theirs = (0, 0) if remote == 0 else (_LOOPBACK, remote)
    # Of a connection that nobody holds any more, the inode is 0.
    return next((inode for mine, other, _, inode in _connections() if mine == (_LOOPBACK, local) and other == theirs), 0)


def connections_to(port: int) -> int:
    """How many connections a port of 127.0.0.1 has, whoever is at the other end."""
    return sum(mine == (_LOOPBACK, port) and state not in _NONE_YET for mine, _, state, _ in _connections())


# As the kernel writes 127.0.0.1 there, on a machine of this byte order. States (net/tcp_states.h): time-wait, listening, half open.
_LOOPBACK = int.from_bytes(bytes((127, 0, 0, 1)), sys.byteorder)
_NONE_YET = ("06", "0A", "03", "0C")


def _connections() -> Iterator[tuple[tuple[int, int], tuple[int, int], str, int]]:
    """Own address and port, those of the other end, state and inode of each TCP socket of this machine."""
    # Of IPv4, and those of it that a program has made with a socket for both.
    for table in ("tcp", "tcp6"):
        try:
            lines = Path(f"/proc/net/{table}").read_text().splitlines()[1:]
        except OSError:
            continue
        for line in lines:
            fields = line.split()
            yield _end(fields[1]), _end(fields[2]), fields[3], int(fields[9])


def _end(text: str) -> tuple[int, int]:
    address, _, port = text.partition(":")
    # ::ffff:127.0.0.1 ends with the address of IPv4, and :: is nobody's, as 0.0.0.0 is.
    mapped = address[:24] in ("", "0000000000000000FFFF0000", "0" * 24) or len(address) == 8
    return (int(address[-8:], 16) if mapped else -1), int(port, 16)


def descriptor_of(pid: int, inode: int) -> int | None:
    """The number under which a process holds a socket; None where it does not, or where it is somebody else's process."""
    with suppress(OSError):
        for descriptor in Path(f"/proc/{pid}/fd").iterdir():
            with suppress(OSError):  # closed meanwhile
                if str(descriptor.readlink()) == f"socket:[{inode}]":
                    return int(descriptor.name)
    return None


def _stat(pid: int) -> list[str]:
    """State, parent and so on: what stands after the command's name, in which there may be anything. Nothing where there is no such process."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return []
