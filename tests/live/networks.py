"""Networks without a way out, for processes that may listen where they like: each is gone with the process that made
it.
"""

from __future__ import annotations

import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

ADDRESS = "198.18.0.1"
"""Of the first network, on its loopback device: an API server wants one that is not loopback's, and a way out."""

_HERE, _THERE = "198.18.1.1", "198.18.1.2"


@contextmanager
def network() -> Iterator[list[str]]:
    """What to put before a command so that it runs in a network of its own, with the loopback device alone."""
    with _kept(f"ip link set lo up && ip address add {ADDRESS}/32 dev lo && ip route add default dev lo") as (enter, _):
        yield enter


@contextmanager
def network_beside(other: Sequence[str], source_port: int) -> Iterator[list[str]]:
    """The same of a network that reaches another one's ADDRESS, always from `source_port`: all other ports are free,
    whoever wants to listen there.
    """
    with _kept(f"ip link set lo up && echo {source_port} {source_port} > /proc/sys/net/ipv4/ip_local_port_range") as (
        enter,
        pid,
    ):
        link = (
            f"ip link add beside type veth peer name judge netns {pid} && ip address add {_HERE}/30 dev beside && ip "
            "link set beside up"
        )
        subprocess.run([*other, "sh", "-c", link], check=True)
        setup = f"ip address add {_THERE}/30 dev judge && ip link set judge up && ip route add {ADDRESS} via {_HERE}"
        subprocess.run([*enter, "sh", "-c", setup], check=True)
        try:
            yield enter
        finally:
            # With its network it would go as well, but later.
            subprocess.run([*other, "ip", "link", "delete", "beside"], check=True)


@contextmanager
def _kept(setup: str) -> Iterator[tuple[list[str], int]]:
    """How to enter a new network, and the process that keeps it."""
    command = ["unshare", "--net", "sh", "-c", f"{setup} && echo up && exec cat"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as keeper:
        assert keeper.stdout is not None
        assert keeper.stdin is not None
        assert keeper.stdout.readline() == "up\n"
        try:
            yield ["nsenter", f"--net=/proc/{keeper.pid}/ns/net", "--"], keeper.pid
        finally:
            keeper.stdin.close()
