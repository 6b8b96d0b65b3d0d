"""Whose a connection is: the kernel's answer to a question about one, and its tables where it takes no questions, are
what fstat says of the socket.
"""

from __future__ import annotations

import os
import socket

import pytest

from weir import sockets
from weir.sockets import connected, connections_to, listening_at

NO_SUCH_PROTOCOL = 31


@pytest.fixture(params=["asked", "tables"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Both ways to know; a kernel without the first says that it has no such protocol."""
    if request.param == "tables":
        monkeypatch.setattr(sockets, "_NETLINK_SOCK_DIAG", NO_SUCH_PROTOCOL)
    return str(request.param)


@pytest.mark.usefixtures("way")
@pytest.mark.parametrize(("family", "address"), [(socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::ffff:127.0.0.1")])
def test_the_socket_of_a_connection(family: socket.AddressFamily, address: str) -> None:
    """The caller's end, not the listener's, nor that of another connection; none once the caller has closed it."""
    with socket.create_server(("127.0.0.1", 0)) as server, socket.socket(family) as one, socket.socket(family) as other:
        port = server.getsockname()[1]
        for caller in (one, other):
            caller.connect((address, port))
        assert listening_at(port) == os.fstat(server.fileno()).st_ino
        assert connections_to(port) == 2
        for caller in (one, other):
            assert connected(caller.getsockname()[1], port) == os.fstat(caller.fileno()).st_ino
        theirs = one.getsockname()[1]
        one.close()
        assert connected(theirs, port) == 0
        assert connected(port, port) == 0


def test_the_kernel_is_asked_where_it_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the tables: to read them takes hundreds of times as long, before every answer to the engine."""
    monkeypatch.setattr(sockets, "_connections", lambda: iter(()))
    with socket.create_server(("127.0.0.1", 0)) as server, socket.create_connection(server.getsockname()) as caller:
        known = connected(caller.getsockname()[1], server.getsockname()[1])
        if not known:
            pytest.skip("this kernel has no inet_diag")
        assert known == os.fstat(caller.fileno()).st_ino
