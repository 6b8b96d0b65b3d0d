"""Bringing a node into being, and ending it: namespaces, the veth pair to the host, the cgroup.

The node lives in PID, mount, network, UTS and IPC namespaces of its own. They have no names: they last as long as the
node's first process, and end with it.
"""

from __future__ import annotations

import ctypes
import fcntl
import ipaddress
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from lab.errors import LabError, last_lines
from lab.host import command_path
from lab.node.layout import cgroup_directories
from lab.node.supervisor import Plan
from lab.paths import LabPaths

# linux/sched.h
_NEW_NS, _NEW_UTS, _NEW_IPC, _NEW_PID, _NEW_NET = 0x00020000, 0x04000000, 0x08000000, 0x20000000, 0x40000000
# Host-side addresses: pairs from the upper half of the benchmark range, away from the node's pods and services.
_LINKS = ipaddress.ip_network("198.19.128.0/17")
_END_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Launch:
    """A node that was started: its first process (and when that began, so that a reused number is not taken for it),
    the host's end of the veth pair, both addresses, and the key of the tools and images it was started with.
    """

    pid: int
    started: int
    link: str
    host_address: str
    node_address: str
    key: str

    @classmethod
    def read(cls, path: Path) -> Launch | None:
        """What was written down at `path`; None when nothing was, or not the whole of it."""
        try:
            return cls(**json.loads(path.read_text()))
        except (FileNotFoundError, ValueError, TypeError):
            return None

    @property
    def alive(self) -> bool:
        """Whether the first process still runs, and is the one that was started."""
        return process_started(self.pid) == self.started

    @property
    def server(self) -> str:
        """The URL of the API server, as the host reaches it."""
        return f"https://{self.node_address}:6443"


def process_started(pid: int) -> int | None:
    """When process ``pid`` began, in clock ticks since boot (proc(5), field 22 of stat); None when there is none that
    lives.
    """
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return None if fields[0] in "ZX" else int(fields[19])


def launch(paths: LabPaths, plan: Plan, key: str) -> Launch:
    """Start the node's first process in fresh namespaces and connect it to the host."""
    plan_file = paths.lab / "plan.json"
    plan.write(plan_file)
    paths.logs.mkdir(parents=True, exist_ok=True)
    log = paths.logs / "supervisor.log"
    spawned = subprocess.run(
        [sys.executable, "-m", "lab.node.launch", str(plan_file), str(log)], capture_output=True, text=True, check=False
    )
    if spawned.returncode:
        raise LabError(f"the lab's namespaces cannot be made: {spawned.stderr.strip()}")
    pid = int(spawned.stdout)
    started = process_started(pid)
    if started is None:
        raise LabError(f"the node's first process ended at once:\n{last_lines(log)}")
    with _link_lock():
        host, node = _free_addresses(paths.identity)
        link = f"weir{paths.identity}"
        node_launch = Launch(pid, started, link, str(host), str(node), key)
        # Written before the link is made: from here on `lab down` knows what to end.
        paths.launch.write_text(json.dumps(asdict(node_launch)))
        _connect(node_launch)
    return node_launch


@contextmanager
def _link_lock() -> Iterator[None]:
    # Two labs that start at once must not choose the same addresses: the kernel's table is the register, this the queue
    # for it.
    with Path("/run/weir-links.lock").open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def _free_addresses(identity: str) -> tuple[ipaddress.IPv4Address, ipaddress.IPv4Address]:
    """Two addresses of a /30 that nothing on this machine uses, starting the search at a place
    of the checkout's own.
    """
    shown = _ip("-json", "-4", "address", "show") or "[]"
    taken = [
        ipaddress.ip_network(f"{address['local']}/{address['prefixlen']}", strict=False)
        for device in json.loads(shown)
        for address in device.get("addr_info", [])
    ]
    count = _LINKS.num_addresses // 4
    first = int(identity, 16) % count
    for step in range(count):
        network = ipaddress.ip_network((int(_LINKS.network_address) + 4 * ((first + step) % count), 30))
        if not any(network.overlaps(other) for other in taken) and isinstance(network, ipaddress.IPv4Network):
            return network[1], network[2]
    raise LabError(
        f"every /30 of {_LINKS} is in use on this machine: take down a lab that is not needed (weir lab down)."
    )


def _connect(node: Launch) -> None:
    _ip("link", "add", node.link, "type", "veth", "peer", "name", "host0", "netns", str(node.pid))
    inside = ("nsenter", f"--net=/proc/{node.pid}/ns/net")
    _close_to_the_node(node, inside)
    _ip("address", "add", f"{node.host_address}/30", "dev", node.link)
    _ip("link", "set", node.link, "up")
    _ip("address", "add", f"{node.node_address}/30", "dev", "host0", command=(*inside, "ip"))
    _ip("link", "set", "host0", "up", command=(*inside, "ip"))


def _close_to_the_node(node: Launch, inside: tuple[str, ...]) -> None:
    """Let nothing of the lab's network reach the host but answers to what the host has begun
    (docs/decisions/0018-nobody-else-drives-it.md).
    """
    # Whatever listens on all addresses of the host listens at this one too, and in IPv6 every link has an address by
    # itself.
    with suppress(FileNotFoundError):
        Path(f"/proc/sys/net/ipv6/conf/{node.link}/disable_ipv6").write_text("1")
    out = ("-o", "host0")
    for rule in (
        (*out, "-m", "conntrack", "--ctstate", "ESTABLISHED", "--ctdir", "REPLY", "-j", "ACCEPT"),
        (*out, "-j", "DROP"),
    ):
        # Where packets leave, whoever sent them; kube-proxy has its rules elsewhere.
        _ip("-t", "mangle", "-A", "POSTROUTING", *rule, command=(*inside, "iptables", "--wait"))


def _ip(*arguments: str, command: tuple[str, ...] = ("ip",)) -> str:
    result = subprocess.run(
        [*command, *arguments], capture_output=True, text=True, check=False, env={**os.environ, "PATH": command_path()}
    )
    if result.returncode:
        raise LabError(f"{' '.join((*command, *arguments))} failed: {result.stderr.strip()}")
    return result.stdout


def end(paths: LabPaths) -> None:
    """End the node, whatever is left of it: every process, mount, namespace, veth and container, then its cgroups."""
    node = Launch.read(paths.launch)
    if node is not None:
        if node.alive:
            with suppress(ProcessLookupError):
                os.kill(node.pid, signal.SIGKILL)
        _until_gone(node)
        # The pair goes with the node's network namespace; here only what a start that broke off had left.
        with suppress(LabError):
            _ip("link", "delete", node.link)
    _remove_cgroups(paths.cgroup)
    paths.launch.unlink(missing_ok=True)


def _until_gone(node: Launch) -> None:
    deadline = time.monotonic() + _END_SECONDS
    while process_started(node.pid) == node.started:
        if time.monotonic() > deadline:
            raise LabError(
                f"process {node.pid} of the lab does not end: look at /proc/{node.pid}/stack, then run weir lab down "
                "again."
            )
        time.sleep(0.02)


def _remove_cgroups(cgroup: str) -> None:
    for top in cgroup_directories(cgroup):
        deadline = time.monotonic() + _END_SECONDS
        while top.exists():
            for directory, _, _ in os.walk(top, topdown=False):
                # Busy while the kernel still takes leave of the last process in it.
                with suppress(OSError):
                    Path(directory).rmdir()
            if top.exists():
                if time.monotonic() > deadline:
                    raise LabError(
                        f"the cgroup {top} is still in use: end the processes that {top}/cgroup.procs lists, then "
                        "run weir lab down again."
                    )
                time.sleep(0.02)


def _spawn(plan_file: str, log: str) -> None:
    """Enter new namespaces and leave the supervisor running in them; prints its process id as the host sees it."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(_NEW_NS | _NEW_UTS | _NEW_IPC | _NEW_PID | _NEW_NET):
        raise SystemExit(
            f"unshare: {os.strerror(ctypes.get_errno())}. The lab needs a machine whose root may make namespaces."
        )
    # The next child is the first of the new PID namespace: process 1 there.
    child = os.fork()
    if child:
        print(child, flush=True)
        return
    os.setsid()
    with Path(log).open("ab") as output:
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.dup2(output.fileno(), 1)
        os.dup2(output.fileno(), 2)
    os.chdir("/")
    os.execv(sys.executable, [sys.executable, "-m", "lab.node.supervisor", plan_file])


if __name__ == "__main__":
    _spawn(sys.argv[1], sys.argv[2])
