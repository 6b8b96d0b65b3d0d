"""A lab of a test's own, side by side with others: gone without a trace whatever was killed; clear words when it
cannot be.
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from lab.node.launch import process_started
from lab.node.layout import cgroup_directories
from lab.paths import LabPaths
from tests.live.harness import COMMAND_SECONDS, Project, until
from tests.live.shared import project_of, tools


def left_of(project: Project) -> dict[str, object]:
    """What is on the machine of the project's lab, and what any lab could have changed there.

    Every process of a lab, pods included, is in its cgroup; mounts and named network namespaces are the whole
    machine's.
    """
    paths = LabPaths(project.directory)
    members = []
    for process in Path("/proc").glob("[0-9]*"):
        if process_started(int(process.name)) is None:
            # Ended, and not yet waited for by its parent, who is the machine's first process.
            continue
        try:
            if f"/{paths.cgroup}/" in (process / "cgroup").read_text():
                members.append(f"{process.name} {(process / 'comm').read_text().strip()}")
        except OSError:
            continue
    return {
        "namespaces": subprocess.run(["ip", "netns"], capture_output=True, text=True, check=True).stdout,
        "links": [path.name for path in Path("/sys/class/net").iterdir() if path.name.endswith(paths.identity)],
        "mounts": Path("/proc/self/mounts").read_text(),
        "cgroups": [str(path) for path in cgroup_directories(paths.cgroup) if path.exists()],
        "processes": members,
    }


@pytest.fixture
def second(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Project]:
    """A project beside that of the lab which other tests share."""
    tools()
    project = project_of(request.config, tmp_path / "second")
    yield project
    if project.weir("lab down", check=False).returncode == 0:
        shutil.rmtree(project.directory)


@pytest.mark.parametrize("victim", ["the supervisor", "etcd", "containerd"])
def test_down_leaves_no_trace_after_kill_9(second: Project, victim: str) -> None:
    """Whatever was killed: namespaces, links, mounts, cgroups and processes are as before."""
    before = left_of(second)
    second.weir("lab up")
    paths = LabPaths(second.directory)
    first = json.loads(paths.launch.read_text())["pid"]
    running = left_of(second)
    # What is compared does see a lab.
    assert len(running["processes"]) > 10  # type: ignore[arg-type]
    assert running["links"]
    assert running["cgroups"]
    if victim == "the supervisor":
        os.kill(first, signal.SIGKILL)
        until(lambda: process_started(first) is None, 30, "the first process ends")
    else:
        # Its number in the node's own PID namespace: kill it there.
        inside = json.loads(paths.node_state.read_text())[victim]["pid"]
        subprocess.run(["nsenter", f"--target={first}", "--pid", "--mount", "kill", "-9", str(inside)], check=True)
    second.weir("lab down")
    assert left_of(second) == before
    assert not paths.lab.exists()


def test_a_dead_node_is_repaired_with_its_data(second: Project) -> None:
    """After kill -9 of the node, up brings the same cluster back: what was stored in it is still there."""
    second.weir("lab up")
    second.run("kubectl create namespace kept")
    first = json.loads(LabPaths(second.directory).launch.read_text())["pid"]
    os.kill(first, signal.SIGKILL)
    until(lambda: process_started(first) is None, 30, "the first process ends")
    assert second.weir("lab status", check=False).returncode == 1
    second.weir("lab up")
    assert "kept" in second.run("kubectl get namespaces").stdout


def test_a_busy_lock_names_its_holder(second: Project) -> None:
    """While another process starts or removes the lab, down waits for a bounded time and then says who it is."""
    paths = LabPaths(second.directory)
    paths.weir.mkdir(exist_ok=True)
    with paths.lock.open("w") as handle:
        handle.write("4711")
        handle.flush()
        fcntl.flock(handle, fcntl.LOCK_EX)
        busy = second.weir("lab down", check=False)
    assert busy.returncode == 1
    assert "process 4711" in busy.stderr
    assert "Traceback" not in busy.stderr


def test_without_root_it_says_what_to_do(second: Project) -> None:
    """Anyone but root is told so, and what to do instead; nothing is started."""
    refused = second.run("unshare --user .venv/bin/weir lab up", shell=False, check=False)
    assert refused.returncode == 1
    assert "needs root" in refused.stderr
    assert not LabPaths(second.directory).lab.exists()


def test_a_full_disk_is_said_before_anything_is_built(second: Project, tmp_path: Path) -> None:
    """With a cache on a disk too small for the tools, up stops at once with both figures, and the disk is as it was."""
    small = tmp_path / "small"
    small.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", str(small)], check=True)
    try:
        full = second.weir("lab up", check=False, env={"WEIR_CACHE": str(small)})
        files = [path for path in small.rglob("*") if path.is_file()]
    finally:
        subprocess.run(["umount", str(small)], check=True)
    assert full.returncode == 1
    assert "GB" in full.stderr
    assert "WEIR_CACHE" in full.stderr
    assert files == []
    assert not LabPaths(second.directory).lab.exists()


def test_a_named_tool_that_does_not_fit_is_refused(second: Project) -> None:
    """A tool named by variable is checked: one that is none, and one of another version, are refused by name."""
    nothing = second.weir("lab up", check=False, env={"WEIR_TOOL_ETCD": "/nowhere/etcd"})
    assert (nothing.returncode, "WEIR_TOOL_ETCD" in nothing.stderr) == (1, True)
    old = second.directory / "old-etcd"
    old.write_text("#!/bin/sh\necho etcd Version: 3.4.1\n")
    old.chmod(0o755)
    wrong = second.weir("lab up", check=False, env={"WEIR_TOOL_ETCD": str(old)})
    assert wrong.returncode == 1
    assert "3.4.1" in wrong.stderr
    assert "3.6" in wrong.stderr


def test_a_process_that_dies_at_the_start_fails_at_once_with_its_log(second: Project) -> None:
    """A component that cannot run ends `lab up` with the end of its own log, and nothing half started is left."""
    before = left_of(second)
    broken = second.directory / "broken-etcd"
    broken.write_text(
        '#!/bin/sh\n[ "$1" = --version ] && echo etcd Version: 3.6.16 && exit 0\necho the disk of etcd is on fire '
        ">&2\nexit 7\n"
    )
    broken.chmod(0o755)
    failed = second.weir("lab up", check=False, env={"WEIR_TOOL_ETCD": str(broken)})
    assert failed.returncode == 1
    assert "etcd ended with exit code 7" in failed.stderr
    assert "the disk of etcd is on fire" in failed.stderr
    assert left_of(second) == before
    shutil.rmtree(second.directory / ".weir")


def test_ctrl_c_during_the_start_leaves_no_mess(second: Project) -> None:
    """Interrupted in the middle of a start, the command ends with 130 and nothing of the node is left."""
    before = left_of(second)
    paths = LabPaths(second.directory)
    process = subprocess.Popen([".venv/bin/weir", "lab", "up"], cwd=second.directory, stderr=subprocess.PIPE, text=True)
    try:
        until(
            lambda: paths.node_state.exists() and json.loads(paths.node_state.read_text())["etcd"]["state"] == "ready",
            60,
            "etcd is ready",
        )
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=COMMAND_SECONDS)
    finally:
        process.kill()
    assert process.returncode == 130
    assert "interrupted" in said
    assert "Traceback" not in said
    assert left_of(second) == before
