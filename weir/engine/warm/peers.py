"""Who asks, told by the kernel's tables before a question is answered: an address of 127.0.0.1 can be asked by every
user of the machine.
"""

from __future__ import annotations

import ctypes
import os
import socket
import struct
from collections.abc import Iterator
from threading import Lock

from weir.processes import ancestors, family
from weir.sockets import connected, connections_to, descriptor_of, listening_at

# Linux: a system call (of every architecture), and an option of sockets.
_PIDFD_GETFD = 438
_SO_ATTACH_FILTER = 26
_TAKE_NOTHING = struct.pack("HBBI", 0x06, 0, 0, 0)
"""A program of classic BPF: return 0."""


class Peers:
    """Tells `root` and the processes that it has started from all others, by their end of a connection."""

    def __init__(self, root: int) -> None:
        self._root = root
        self._lock = Lock()
        # By socket: its number is not given again, however soon its port is.
        self._known: dict[int, int] = {}
        self._last = root

    def find(self, peer: str, port: int) -> int:
        """The process of them that has connected to `port`; 0 where it is another. `peer` as gRPC has it:
        ipv4:127.0.0.1:PORT.
        """
        inode = connected(int(peer.rpartition(":")[2]), port)
        if not inode:
            return 0
        with self._lock:
            if inode not in self._known:
                found = next((pid for pid in self._candidates() if descriptor_of(pid, inode) is not None), 0)
                if not found:
                    return 0
                self._known[inode] = self._last = found
            return self._known[inode]

    def _candidates(self) -> Iterator[int]:
        # Nearly always it is the one that asked before. To look at every process of a machine is a hundredth of an
        # update.
        if self._root in ancestors(self._last):
            yield self._last
        yield from family(self._root)


def can_tell(port: int) -> bool:
    """Whether this system says whose a connection is. `port`: one of this process's own, that listens."""
    with socket.create_connection(("127.0.0.1", port)) as connection:
        inode = connected(connection.getsockname()[1], port)
        return bool(inode) and descriptor_of(os.getpid(), inode) is not None


def close_to_others(pid: int, port: int) -> bool:
    """Have a port at which a process listens take no connection any more but the one that it has. Whether that could
    be done.

    For a program that answers whoever connects, and cannot be told not to. The process must be one that this one has
    started.
    """
    listening = descriptor_of(pid, listening_at(port))
    if listening is None:
        return False
    program = ctypes.create_string_buffer(_TAKE_NOTHING)
    try:
        process = os.pidfd_open(pid)
        try:
            taken = ctypes.CDLL(None).syscall(_PIDFD_GETFD, process, listening, 0)
        finally:
            os.close(process)
        if taken < 0:
            return False
        # The same socket, not another: what is set here holds there.
        with socket.socket(fileno=taken) as there:
            there.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, struct.pack("HP", 1, ctypes.addressof(program)))
    except OSError:
        return False
    # From here on none is added.
    return connections_to(port) == 1
