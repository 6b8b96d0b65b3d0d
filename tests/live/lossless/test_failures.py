"""Whatever dies in the middle of an update, no request is lost, the state stays valid, and the next update ends what
was begun.

The load goes through all tests. Each begins with v1 alone and swaps it for v2 in one update, which adds pods, a subset
and a route to them and removes the old ones: something is killed at a moment of it.
"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from tests.live.harness import until
from tests.live.lossless.conftest import SOAKING, restores_services, soak, under_load
from tests.live.lossless.lab_stack import LabStack, backend
from tests.live.lossless.load import Load
from tests.live.lossless.running_update import CLI, LANGUAGE, PROGRAM, PROVIDER, RunningUpdate

STANDING = {"services": {"backend": backend("v1", v1={})}}
SWAPPED = {"services": {"backend": backend("v2", v2={})}}

# The moments of an update, each with a part of the output that is waited for.
MOMENTS = {
    "at the start": "Updating",
    "pods begin": "Deployment backend-v2 creating",
    "pods ready": "DestinationRule backend-v2 creating",
    "subset stands": "DestinationRule backend-v2 created",
    "route changes": "VirtualService backend updating",
    "route stands": "VirtualService backend updated",
    "rule goes": "DestinationRule backend-v1 deleting",
    "rule gone": "DestinationRule backend-v1 deleted",
    "pods go": "Deployment backend-v1 deleting",
    "pods gone": "Deployment backend-v1 deleted",
}
# One of the processes dies once; with WEIR_SOAK=1 each of the four dies at each moment, and the tests marked soak run
# too.
KILLS = (
    [(victim, moment) for victim in (CLI, LANGUAGE, PROGRAM, PROVIDER) for moment in MOMENTS]
    if SOAKING
    else [(CLI, "pods begin")]
)


@pytest.fixture(scope="module")
def load(failures: LabStack) -> Iterator[Load]:
    """The load goes through all tests."""
    with under_load(failures, STANDING, "--skip-preview") as running:
        yield running


@pytest.fixture(autouse=True)
def standing(failures: LabStack, load: Load, request: pytest.FixtureRequest) -> Iterator[None]:
    """Each test finds `STANDING`."""
    with restores_services(failures, STANDING, request):
        yield


@contextmanager
def unharmed(stack: LabStack, load: Load) -> Iterator[None]:
    """Within the block no request fails."""
    before, since = load.read(), stack.run("date -u +%Y-%m-%dT%H:%M:%SZ").strip()
    yield
    assert load.failures(since) == []
    assert load.read().requests() > before.requests()


def recover(stack: LabStack, config: Mapping[str, Any]) -> str:
    """What the next update says: it must converge, after the cure that its message names where there is one."""
    state = json.loads(stack.run(f"pulumi stack export --stack {stack.name}"))
    types = [resource["type"] for resource in state["deployment"]["resources"]]
    assert "kubernetes:core/v1:Namespace" in types, types
    said = ""
    stack.write(config)
    for _ in range(2):
        update = stack.pulumi("up --yes --skip-preview")
        said += update.said
        if update.code == 0:
            break
        assert "the stack is currently locked by" in update.said, update.said[-4000:]
        assert "pulumi cancel" in update.said, update.said[-4000:]
        stack.pulumi("cancel --yes")
    assert update.code == 0, update.said[-4000:]
    stack.assert_converged()
    assert_nothing_forgotten(stack)
    return said


def assert_nothing_forgotten(stack: LabStack, given_up: str = "") -> None:
    """What weir made in the cluster is what the state has, object by object. `given_up`: the name of objects whose
    creation was cut off and that nobody wants any more.
    """
    kinds = "deployments,services,serviceaccounts,virtualservices,destinationrules"
    items = json.loads(stack.kubectl(f"get {kinds} -l app.kubernetes.io/managed-by=weir -o json"))["items"]
    there = {
        (item["kind"], item["metadata"]["name"]) for item in items if not item["metadata"].get("deletionTimestamp")
    }
    state = json.loads(stack.run(f"pulumi stack export --stack {stack.name}"))
    # Pulumi keeps the note of a creation that was cut off until a refresh; what it made must not be unknown.
    begun = {operation["resource"]["urn"] for operation in state["deployment"].get("pending_operations", [])}
    unknown = begun - {resource["urn"] for resource in state["deployment"]["resources"]}
    assert all(given_up and urn.endswith(f"::{given_up}") for urn in unknown), unknown
    if begun:
        cleared = stack.pulumi("refresh --yes --clear-pending-creates --expect-no-changes")
        assert cleared.code == 0, cleared.said[-4000:]
    known = {
        (resource["inputs"]["kind"], resource["inputs"]["metadata"]["name"])
        for resource in state["deployment"]["resources"]
        if resource["type"].startswith("kubernetes:") and "kind" in resource.get("inputs", {})
    }
    assert there == {entry for entry in known if entry[0] != "Namespace"}, there ^ known


@pytest.mark.parametrize(("victim", "moment"), KILLS)
def test_killed_in_the_middle_of_an_update(failures: LabStack, load: Load, victim: str, moment: str) -> None:
    """kill -9 at a moment of an update costs no request; the next update ends what was begun, and a lock names its
    cure.
    """
    with unharmed(failures, load):
        failures.write(SWAPPED)
        with RunningUpdate(failures) as running:
            running.until_said(MOMENTS[moment])
            killed = running.kill_once_there(victim)
            update = running.wait()
        assert killed, f"no {victim} at {moment!r}:\n{update.said}"
        print(f"{victim} killed at {moment}: exit code {update.code} after {update.seconds:.1f} s")
    with unharmed(failures, load):
        recover(failures, SWAPPED)
        failures.up(STANDING, "--skip-preview")


@soak
@pytest.mark.parametrize("moment", MOMENTS)
def test_killed_and_taken_back(failures: LabStack, load: Load, moment: str) -> None:
    """After a kill the config is taken back: nothing is lost, and what a plain update does not make again it says.

    Pods that were being deleted go, whatever the state says, and are made again before they get requests.
    """
    with unharmed(failures, load):
        failures.write(SWAPPED)
        with RunningUpdate(failures) as running:
            running.until_said(MOMENTS[moment])
            running.kill(CLI)
            running.wait()
        failures.pulumi("cancel --yes")
        failures.write(STANDING)
        update = failures.pulumi("up --yes")
        if update.code:
            assert "To create it again: pulumi up --refresh" in update.said, update.said[-4000:]
            failures.up(STANDING, "--refresh")
        failures.assert_converged()
        # What the killed update had made of v2 and could not note, the preview names with the command that removes it.
        for command in set(re.findall(r"kubectl delete -n failures \S+ backend-v2\b", failures.pulumi("preview").said)):
            failures.run(command)
        assert_nothing_forgotten(failures, given_up="backend-v2")


def _unit(stack: LabStack, name: str) -> Mapping[str, Any]:
    return dict(json.loads((stack.project.directory / ".weir/lab/node.json").read_text())[name])


def node_process(stack: LabStack, unit: str) -> int:
    """The process of a unit of the lab's node, as the host numbers it."""
    node = json.loads((stack.project.directory / ".weir/lab/launch.json").read_text())["pid"]
    inside = _unit(stack, unit)["pid"]
    for child in Path(f"/proc/{node}/task/{node}/children").read_text().split():
        numbers = next(
            line for line in Path(f"/proc/{child}/status").read_text().splitlines() if line.startswith("NSpid:")
        )
        if int(numbers.split()[-1]) == inside:
            return int(child)
    raise AssertionError(f"no {unit} in the lab of {stack.project.directory}")


def test_a_protocol_changes_while_kubernetes_is_behind(failures: LabStack, load: Load) -> None:
    """With the controllers that write endpoints at a standstill, there and back: the port has its endpoints all the
    time.
    """
    controllers = node_process(failures, "kube-controller-manager")
    with unharmed(failures, load):
        for protocol in ({"protocol": "http2"}, {}):
            failures.write({"services": {"backend": {**STANDING["services"]["backend"], **protocol}}})
            os.kill(controllers, signal.SIGSTOP)
            try:
                update = failures.pulumi("up --yes --skip-preview")
            finally:
                os.kill(controllers, signal.SIGCONT)
            assert update.code == 0, update.said
    failures.assert_converged()


@soak
@pytest.mark.parametrize("unit", ["kube-apiserver", "etcd"])
def test_control_plane_restarts_in_the_middle(failures: LabStack, load: Load, unit: str) -> None:
    """The process dies and comes back while an update runs: no request is lost, and that update or the next one
    converges.
    """
    with unharmed(failures, load):
        failures.write(SWAPPED)
        with RunningUpdate(failures) as running:
            running.until_said(MOMENTS["pods begin"])
            restarts = _unit(failures, unit)["restarts"]
            os.kill(node_process(failures, unit), signal.SIGKILL)
            until(lambda: _unit(failures, unit)["restarts"] > restarts, 20, f"the node notices that {unit} is gone")
            until(lambda: _unit(failures, unit)["state"] == "ready", 60, f"{unit} is back")
            update = running.wait()
        print(f"{unit} restarted: exit code {update.code} after {update.seconds:.1f} s")
        recover(failures, SWAPPED)
        failures.up(STANDING, "--skip-preview")


@soak
def test_istiod_gone_for_half_a_minute(failures: LabStack, load: Load) -> None:
    """An update that adds and removes while istiod is away waits for it, and loses nothing."""
    with unharmed(failures, load):
        failures.write(SWAPPED)
        failures.run(
            "kubectl -n istio-system scale deployment istiod --replicas=0 && kubectl -n istio-system wait "
            "--for=delete pod -l app=istiod"
        )
        with RunningUpdate(failures) as running:
            gone = time.monotonic()
            until(lambda: time.monotonic() - gone >= 30 or running.process.poll() is not None, 60, "half a minute")
            failures.run(
                "kubectl -n istio-system scale deployment istiod --replicas=1 && kubectl -n istio-system rollout "
                "status deployment istiod"
            )
            update = running.wait()
        print(f"istiod gone: exit code {update.code} after {update.seconds:.1f} s")
        recover(failures, SWAPPED)
        failures.up(STANDING, "--skip-preview")


@pytest.fixture
def small_disk(failures: LabStack, tmp_path: Path) -> Iterator[Path]:
    """A file system of 2 MB for a Pulumi state of its own."""
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=2m", "weir-small-disk", str(tmp_path)], capture_output=True, check=False
    )
    assert done.returncode == 0, done.stderr
    try:
        yield tmp_path
    finally:
        subprocess.run(["umount", "--lazy", str(tmp_path)], check=True)


def fill(directory: Path) -> Path:
    """A file that leaves no room."""
    file = directory / "full"
    with suppress(OSError), file.open("wb", buffering=0) as output:
        while True:
            output.write(b"\0" * 4096)
    return file


@soak
def test_full_disk_under_the_state(failures: LabStack, load: Load, small_disk: Path) -> None:
    """The disk with the state fills up while an update runs: no request is lost, what was written stays readable, and
    with room it goes on.
    """
    move: Callable[[str, str], str] = lambda source, to: (  # noqa: E731
        f"pulumi stack export --stack failures --file {small_disk}/../exported && PULUMI_BACKEND_URL={to} sh -c"
        " 'pulumi stack init failures --no-select; pulumi stack import --stack failures --file "
        f"{small_disk}/../exported'"
    )
    original = failures.environment["PULUMI_BACKEND_URL"]
    own = LabStack(
        failures.project, {**failures.environment, "PULUMI_BACKEND_URL": f"file://{small_disk}"}, failures.name
    )
    failures.run(move(original, f"file://{small_disk}"))
    with unharmed(failures, load):
        own.write(SWAPPED)
        with RunningUpdate(own) as running:
            running.until_said(MOMENTS["pods begin"])
            full = fill(small_disk)
            update = running.wait()
        assert update.code != 0
        assert "no space left on device" in update.said, update.said[-3000:]
        full.unlink()
        recover(own, SWAPPED)
        own.up(STANDING, "--skip-preview")
    own.run(f"pulumi stack export --stack failures --file {small_disk}/../exported")
    failures.run(f"pulumi stack import --stack failures --file {small_disk}/../exported")
    failures.assert_converged()
