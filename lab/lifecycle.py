"""``weir lab up``, ``down`` and ``status``: one lab of one project, started, repaired, removed, described."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lab import environment
from lab.cluster import Cluster
from lab.errors import LabError, last_lines
from lab.host import install_packages, require_root
from lab.images.recipes import build_images
from lab.istio import manifests
from lab.node.launch import Launch, end, launch
from lab.node.pki import make_pki, write_kubeconfig
from lab.node.supervisor import Plan
from lab.node.units import units, write_files
from lab.paths import LabPaths
from lab.progress import Progress
from lab.tools.cache import content_key, require_space
from lab.tools.toolset import Toolset, find_tools

_NEED_BYTES = 2_500_000_000
_START_SECONDS = 120.0
_LOCK_SECONDS = 5.0
_POLL_SECONDS = 0.1


def up(paths: LabPaths, progress: Progress) -> bool:
    """Make the lab run: build what is missing, start it, or repair it. Returns False when it was running, healthy,
    already.

    Safe to run again at any point. A start that fails, or is interrupted, is taken down again: nothing half started is
    left.
    """
    require_root()
    paths.require_own()
    with _locked(paths):
        paths.settle()
        node = Launch.read(paths.launch)
        install_packages(progress)
        tools = find_tools(progress)
        archive = build_images(tools, progress)
        key = content_key([tools.key, str(archive)])
        if node is not None and node.alive and node.key == key and not _broken(paths, tools):
            return False
        if node is not None:
            progress.line("the lab is incomplete or runs older tools: restarting its node, with its data")
            end(paths)
        require_space(paths.weir, _NEED_BYTES, "the lab")
        try:
            with progress.task("node", "starting the node (etcd, API server, containerd, kubelet, …)"):
                _start_node(paths, tools, archive, key)
            with progress.task("istio", "starting Istio"):
                _start_istio(paths, tools)
        except BaseException:
            end(paths)
            raise
        return True


def down(paths: LabPaths) -> bool:
    """End and remove the lab, also what a crash left of it; tools and images stay. Returns
    False when there was none.
    """
    require_root()
    paths.require_own()
    with _locked(paths):
        existed = paths.lab.exists() or paths.state.exists()
        end(paths)
        for directory in (paths.lab, paths.state):
            _remove(directory)
        return existed


def _remove(directory: Path) -> None:
    if directory.exists():
        # First out of the way, so that a removal which breaks off is not taken for a lab.
        doomed = directory.with_name(f"{directory.name}.removing")
        if doomed.exists():
            shutil.rmtree(doomed)
        directory.rename(doomed)
        shutil.rmtree(doomed)


@dataclass(frozen=True, slots=True)
class Status:
    """What runs: ``processes`` as the supervisor wrote it, ``memory_bytes`` the proportional share of all processes."""

    running: bool
    server: str
    processes: dict[str, dict[str, Any]]
    missing: str
    memory_bytes: int


def status(paths: LabPaths) -> Status:
    """Describe the lab; needs no root when the lab is down."""
    paths.require_own()
    node = Launch.read(paths.launch)
    if node is None or not node.alive:
        return Status(False, "", {}, "the lab is down: weir lab up", 0)
    cluster = Cluster(paths.bin / "kubectl", paths.kubeconfig)
    try:
        missing = cluster.node_missing() or cluster.istio_missing()
    except LabError as error:
        missing = str(error)
    return Status(True, node.server, _processes(paths), missing, _memory(node.pid))


def _memory(pid: int) -> int:
    """Proportional set size of every process in the node's PID namespace, pods included."""
    total = 0
    namespace = Path(f"/proc/{pid}/root/proc")
    for process in namespace.glob("[0-9]*"):
        try:
            text = (process / "smaps_rollup").read_text()
        except OSError:
            continue
        total += sum(int(line.split()[1]) * 1024 for line in text.splitlines() if line.startswith("Pss:"))
    return total


def _processes(paths: LabPaths) -> dict[str, dict[str, Any]]:
    try:
        content: dict[str, dict[str, Any]] = json.loads(paths.node_state.read_text())
    except (FileNotFoundError, ValueError):
        return {}
    return content


def _broken(paths: LabPaths, tools: Toolset) -> bool:
    processes = _processes(paths)
    if not processes or any(entry["state"] not in ("ready", "done") for entry in processes.values()):
        return True
    cluster = Cluster(tools["kubectl"], paths.kubeconfig)
    try:
        return bool(cluster.node_missing() or cluster.istio_missing())
    except LabError:
        return True


def _start_node(paths: LabPaths, tools: Toolset, archive: Path, key: str) -> None:
    paths.lab.mkdir(parents=True, exist_ok=True)
    shutil.rmtree(paths.logs, ignore_errors=True)
    paths.node_state.unlink(missing_ok=True)
    make_pki(paths.pki)
    write_files(paths)
    environment.install(paths, tools)
    plan = Plan(
        str(paths.lab), paths.cgroup, list(units({name: str(path) for name, path in tools.paths.items()}, str(archive)))
    )
    node = launch(paths, plan, key)
    write_kubeconfig(paths.kubeconfig, paths.pki, "admin", node.server)
    _wait_for_units(paths, node, ("kube-apiserver",))


def _start_istio(paths: LabPaths, tools: Toolset) -> None:
    node = Launch.read(paths.launch)
    assert node is not None
    cluster = Cluster(tools["kubectl"], paths.kubeconfig)
    cluster.prepare()
    cluster.apply(manifests(tools))
    _wait_for_units(
        paths, node, ("coredns", "kubelet", "kube-proxy", "kube-controller-manager", "kube-scheduler", "image-import")
    )
    cluster.until(cluster.node_missing, _START_SECONDS, lambda: _require_alive(paths, node))
    cluster.until(cluster.istio_missing, _START_SECONDS, lambda: _require_alive(paths, node))


def _wait_for_units(paths: LabPaths, node: Launch, names: tuple[str, ...]) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while True:
        _require_alive(paths, node)
        processes = _processes(paths)
        waiting = [name for name in names if processes.get(name, {}).get("state") not in ("ready", "done")]
        if not waiting:
            return
        if time.monotonic() > deadline:
            log = paths.logs / f"{waiting[0]}.log"
            raise LabError(
                f"{waiting[0]} is not ready after {_START_SECONDS:.0f} s. The end of {log}:\n{last_lines(log)}"
            )
        time.sleep(_POLL_SECONDS)


def _require_alive(paths: LabPaths, node: Launch) -> None:
    if not node.alive:
        log = paths.logs / "supervisor.log"
        raise LabError(f"the lab's supervisor ended. The end of {log}:\n{last_lines(log)}")
    for name, entry in _processes(paths).items():
        if entry["state"] == "failed":
            log = paths.logs / f"{name}.log"
            raise LabError(f"{name} ended with exit code {entry['exit']}. The end of {log}:\n{last_lines(log)}")


@contextmanager
def _locked(paths: LabPaths) -> Iterator[None]:
    paths.weir.mkdir(parents=True, exist_ok=True)
    with paths.lock.open("a+") as handle:
        deadline = time.monotonic() + _LOCK_SECONDS
        while True:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > deadline:
                    handle.seek(0)
                    raise LabError(
                        f"process {handle.read().strip() or '?'} is starting or removing this lab right now "
                        f"({paths.lock}). Wait for it to end, or end it, then run the same command again."
                    ) from None
                time.sleep(_POLL_SECONDS)
        handle.seek(0)
        handle.truncate()
        handle.write(str(os.getpid()))
        handle.flush()
        yield
