"""Inside the node's fresh namespaces: its mounts, its cgroup and its loopback network, before anything starts.

Everything here is seen by the node alone, and is gone with its last process.
"""

from __future__ import annotations

import os
import socket
import subprocess
from pathlib import Path

from lab.host import command_path
from lab.paths import INSIDE, NODE_ADDRESS, NODE_NAME, SERVICE_RANGE

_CGROUPS = Path("/sys/fs/cgroup")
# Kernel settings that kubelet writes when it finds other values (k8s.io/component-helpers, node/util/sysctl). They are
# the whole machine's: the node is shown the values it wants, and the machine keeps its own.
_KERNEL_SETTINGS = {
    "vm/overcommit_memory": "1",
    "vm/panic_on_oom": "0",
    "kernel/panic": "10",
    "kernel/panic_on_oops": "1",
    "kernel/keys/root_maxkeys": "1000000",
    "kernel/keys/root_maxbytes": "25000000",
}
# Places with a fixed name that Kubernetes and CNI write to; each becomes a directory of the lab's own.
_FIXED_DIRECTORIES = ("/var/lib/cni", "/var/log/containers")


def lay_out(directory: Path, cgroup: str) -> Path:
    """Prepare mounts, cgroup and network; returns where the lab's directory stands from now on."""
    os.environ["PATH"] = command_path()
    _mounts(directory)
    _join_cgroup(cgroup)
    _network()
    socket.sethostname(NODE_NAME)
    for name in ("logs", "etcd", "kubelet", "pod-logs", "ipam"):
        (INSIDE / name).mkdir(exist_ok=True, mode=0o700)
    return INSIDE


def _mounts(directory: Path) -> None:
    # Nothing mounted here may reach the machine; below that, pods' mounts may spread, as kubelet expects.
    _run("mount", "--make-rprivate", "/")
    _run("mount", "--make-rshared", "/")
    _run("mount", "-t", "proc", "proc", "/proc")
    # A private /run: container sockets, network namespaces, the iptables lock. The lab's directory is held over by its
    # descriptor.
    held = os.open(directory, os.O_PATH)
    _run("mount", "-t", "tmpfs", "-o", "mode=755", "tmpfs", "/run")
    INSIDE.mkdir(parents=True)
    _run("mount", "--no-canonicalize", "--bind", f"/proc/{os.getpid()}/fd/{held}", str(INSIDE))
    os.close(held)
    for fixed in _FIXED_DIRECTORIES:
        own = INSIDE / fixed.strip("/").replace("/", "-")
        own.mkdir(exist_ok=True)
        Path(fixed).mkdir(parents=True, exist_ok=True)
        _run("mount", "--bind", str(own), fixed)
    shown = Path("/run/kernel-settings")
    for name, value in _KERNEL_SETTINGS.items():
        file = shown / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f"{value}\n")
        _run("mount", "--bind", str(file), f"/proc/sys/{name}")


def cgroup_directories(cgroup: str) -> list[Path]:
    """The lab's cgroup in every hierarchy of this machine: one for cgroup v2, one a controller for v1."""
    if (_CGROUPS / "cgroup.controllers").exists():
        return [_CGROUPS / cgroup]
    hierarchies = [
        path
        for path in _CGROUPS.iterdir()
        if path.is_dir() and not path.is_symlink() and (path / "cgroup.procs").exists()
    ]
    return [hierarchy / cgroup for hierarchy in sorted(hierarchies)]


def _join_cgroup(cgroup: str) -> None:
    for directory in cgroup_directories(cgroup):
        # The node's own processes in a child: cgroup v2 allows none beside the pods' groups.
        own = directory / "node"
        own.mkdir(parents=True, exist_ok=True)
        if directory.parent == _CGROUPS:
            controllers = (_CGROUPS / "cgroup.controllers").read_text().split()
            for parent in (_CGROUPS, directory):
                (parent / "cgroup.subtree_control").write_text(" ".join(f"+{name}" for name in controllers))
        # cpuset groups of v1 take nobody before they are told processors and memory nodes.
        for setting in ("cpuset.cpus", "cpuset.mems"):
            for group in (directory, own):
                if (group / setting).exists() and not (group / setting).read_text().strip():
                    (group / setting).write_text((group.parent / setting).read_text())
        (own / "cgroup.procs").write_text(str(os.getpid()))


def _network() -> None:
    _run("ip", "link", "set", "lo", "up")
    _run("ip", "address", "add", f"{NODE_ADDRESS}/32", "dev", "lo")
    # Processes of the node reach service addresses too: kube-proxy rewrites them once a route lets them leave.
    _run("ip", "route", "add", SERVICE_RANGE, "dev", "lo", "src", NODE_ADDRESS)
    Path("/proc/sys/net/ipv4/ip_forward").write_text("1")


def _run(*command: str) -> None:
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    if result.returncode:
        raise SystemExit(f"{' '.join(command)}: {result.stderr.strip()}")
