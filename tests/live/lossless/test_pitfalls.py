"""The pitfalls of changing Istio traffic into which the peers fell, each under load; the numbers are those of the
notes on the field.

Every test leaves the stack as `STANDING` has it, with traffic as it was, and the load goes through all of them.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from tests.live.harness import until
from tests.live.lossless.conftest import restores_services, soak, under_load
from tests.live.lossless.event_order import changes, number_of
from tests.live.lossless.lab_stack import LabStack, backend
from tests.live.lossless.load import Load
from tests.live.lossless.running_update import RunningUpdate

pytestmark = soak
READY_SECONDS = 20
HTTP_ECHO = "hashicorp/http-echo:1.0.0"


def config(service: dict[str, Any], /, services: dict[str, Any] | None = None, **keys: Any) -> dict[str, Any]:
    return {"services": {"backend": service, **(services or {})}, "readyTimeout": f"{READY_SECONDS}s", **keys}


STANDING = config(backend("v1", v1={}))
OTHER = {"image": HTTP_ECHO, "port": 80, "targetPort": 5678, "versions": {"v1": {"args": ["-text=hi"]}}, "stable": "v1"}


@pytest.fixture(scope="module")
def load(pitfalls: LabStack) -> Iterator[Load]:
    """The load goes through all tests."""
    with under_load(pitfalls, STANDING) as running:
        yield running


@pytest.fixture(autouse=True)
def standing(pitfalls: LabStack, load: Load, request: pytest.FixtureRequest) -> Iterator[None]:
    """Each test finds `STANDING`."""
    with restores_services(pitfalls, STANDING, request):
        yield


@contextmanager
def unharmed(stack: LabStack, load: Load, *versions: str) -> Iterator[None]:
    """Within the block no request fails, and none goes to any version but these."""
    before, since = load.read(), stack.run("date -u +%Y-%m-%dT%H:%M:%SZ").strip()
    yield
    after = load.read()
    assert load.failures(since) == []
    assert set(after.versions_since(before)) <= set(versions)
    assert after.requests() > before.requests()


def specs(stack: LabStack) -> Any:
    """The traffic as the cluster has it."""
    items = json.loads(stack.kubectl("get virtualservice,destinationrule -o json"))["items"]
    return {(item["kind"], item["metadata"]["name"]): item["spec"] for item in items}


def test_pitfalls_1_and_3_order_of_subset_route_and_pods(pitfalls: LabStack, load: Load) -> None:
    """One update swaps v1 for v2: ready pods, subset, route, and only then the old subset and pods go
    (argo-rollouts#4195, istio#26861).
    """
    with unharmed(pitfalls, load, "v1", "v2"), changes(pitfalls) as found:
        pitfalls.up(config(backend("v2", v2={})))
    ready = number_of(found, "MODIFIED", "Deployment", "backend-v2", '"readyReplicas": 1')
    subset = number_of(found, "ADDED", "DestinationRule", "backend-v2")
    route = number_of(found, "MODIFIED", "VirtualService", "backend", '"subset": "v2"')
    assert ready < subset < route
    assert route < number_of(found, "DELETED", "DestinationRule", "backend-v1")
    assert route < number_of(found, "DELETED", "Deployment", "backend-v1")
    with unharmed(pitfalls, load, "v1", "v2"):
        pitfalls.up(STANDING)


def test_pitfall_2_subset_with_no_ready_pod(pitfalls: LabStack, load: Load) -> None:
    """An image that cannot be had gets no request (argo-rollouts#2507, #4775): the update says why in time, and the
    corrected one goes on.
    """
    with unharmed(pitfalls, load, "v1"):
        pitfalls.write(config(backend("v1", {"v2": 50}, v1={}, v2={"image": "nowhere.invalid/none:1"})))
        update = pitfalls.pulumi("up --yes")
        assert update.code != 0
        assert update.seconds < READY_SECONDS + 60, update.seconds
        assert "version v2 of backend did not become ready:" in update.said
        assert "container backend: ImagePullBackOff" in update.said or "container backend: ErrImagePull" in update.said
        assert "nowhere.invalid/none:1" in update.said
        assert "Traffic is unchanged; the next pulumi up continues from here." in update.said
        assert "v2" not in str(specs(pitfalls)["VirtualService", "backend"])
    with unharmed(pitfalls, load, "v1", "v2"):
        pitfalls.up(config(backend("v1", {"v2": 50}, v1={}, v2={})))
        pitfalls.up(STANDING)


def test_pitfall_2_crashing_pod_tells_its_last_words(pitfalls: LabStack, load: Load) -> None:
    """A version that crashes gets no request; the message has its exit code and its last log lines, and other
    arguments fix it.
    """
    broken = config(backend("v1", {"v2": 50}, v1={}, v2={"image": HTTP_ECHO, "args": ["-listen=:8080"]}))
    with unharmed(pitfalls, load, "v1"):
        pitfalls.write(broken)
        update = pitfalls.pulumi("up --yes")
        assert update.code != 0
        assert "version v2 of backend did not become ready:" in update.said
        # Between a crash and the wait for the next start the pod's reason is that of the crash.
        assert re.search(r"container backend: (CrashLoopBackOff|Error) \(exit code 127\)", update.said), update.said
        assert "log: Missing -text option or ECHO_TEXT env var!" in update.said
        again = pitfalls.refused(broken)
        assert "backend: v2 would get requests and none of its pods is ready: container backend: " in again
        assert "log: Missing -text option or ECHO_TEXT env var!" in again
        assert "fix it first (weir:force: true goes on anyway)" in again
    with unharmed(pitfalls, load, "v1", "v2"):
        pitfalls.up(
            config(backend("v1", {"v2": 50}, v1={}, v2={"image": HTTP_ECHO, "args": ["-listen=:8080", "-text=v2"]}))
        )
        pitfalls.up(STANDING)


def test_pitfall_2_quota_that_forbids_pods(pitfalls: LabStack, load: Load) -> None:
    """A quota that leaves no room for a version's pods is named with the version, and traffic stays; without it the
    update goes on.
    """
    wanted = config(backend("v1", {"v2": 50}, v1={}, v2={}))
    with unharmed(pitfalls, load, "v1"):
        pods = json.loads(pitfalls.kubectl("get pods -o json"))["items"]
        pitfalls.kubectl(f"create quota full --hard=pods={len(pods)}")
        until(lambda: '"used"' in pitfalls.kubectl("get quota full -o json"), 20, "the quota counts")
        pitfalls.write(wanted)
        update = pitfalls.pulumi("up --yes")
        pitfalls.kubectl("delete quota full")
        assert update.code != 0
        assert "version v2 of backend did not become ready:" in update.said
        assert "exceeded quota: full" in update.said
    with unharmed(pitfalls, load, "v1", "v2"):
        # A controller that was refused tries again at growing intervals.
        until(
            lambda: pitfalls.kubectl("get deployment backend-v2 -o jsonpath={.status.readyReplicas}") == "1",
            120,
            "v2 has its pod",
        )
        pitfalls.up(wanted)
        pitfalls.up(STANDING)


def test_pitfall_2_canary_to_a_version_without_pods(pitfalls: LabStack, load: Load) -> None:
    """A preview refuses to send requests to a version that has no pods, by name; where somebody took them away, a
    refresh puts them back.
    """
    pitfalls.up(config(backend("v1", v1={}, v2={})))
    with unharmed(pitfalls, load, "v1"):
        pitfalls.kubectl("scale deployment backend-v2 --replicas=0")
        until(
            lambda: not pitfalls.kubectl("get deployment backend-v2 -o jsonpath={.status.readyReplicas}"),
            60,
            "v2 has no pod",
        )
        said = pitfalls.refused(config(backend("v1", {"v2": 50}, v1={}, v2={})))
        # The API server keeps no field manager of what is changed through the subresource scale.
        assert (
            "backend: v2 would get requests, but somebody has scaled it to 0 pods (no other field manager is recorded)"
            in said
        )
        assert "to undo that and go on: pulumi up --refresh" in said
        said = pitfalls.refused(config(backend("v1", {"v2": 50}, v1={}, v2={"replicas": 0})))
        assert (
            "backend: v2 gets requests and would have 0 replicas: they would be answered 503; send it nothing in the "
            "same update"
        ) in said
        assert "(weir:force: true goes on anyway)" in said
    with unharmed(pitfalls, load, "v1", "v2"):
        pitfalls.up(config(backend("v1", {"v2": 50}, v1={}, v2={})), "--refresh")
        pitfalls.up(STANDING)


def test_what_is_being_deleted_is_not_taken_for_there(pitfalls: LabStack) -> None:
    """An object on its way out is waited for: what is written into it would be reported as made, and go."""
    held = {"name": "leaving", "namespace": pitfalls.namespace, "finalizers": ["example.com/held"]}
    wanted = config(backend("v1", v1={}), {"leaving": OTHER})
    let_go = 'patch serviceaccount leaving --type=merge -p \'{"metadata":{"finalizers":null}}\''
    pitfalls.apply({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": held})
    pitfalls.kubectl("delete --wait=false serviceaccount leaving")
    try:
        told = f"ServiceAccount {pitfalls.namespace}/leaving is being deleted"
        pitfalls.write(wanted)
        assert f"{told}: the update waits until it is gone" in pitfalls.pulumi("preview").said
        said = pitfalls.refused({**wanted, "readyTimeout": "5s"}, "up --yes --skip-preview")
        assert (
            f"ServiceAccount {pitfalls.namespace}/leaving is still being deleted after 5s (weir:readyTimeout; its "
            "finalizers: example.com/held)"
        ) in said
        pitfalls.write(wanted)
        with RunningUpdate(pitfalls) as running:
            running.until_said(f"{told}: waiting until it is gone")
            pitfalls.kubectl(let_go)
            assert running.wait().code == 0
        assert pitfalls.succeeds(f"kubectl -n {pitfalls.namespace} get serviceaccount leaving")
    finally:
        pitfalls.call(f"kubectl -n {pitfalls.namespace} {let_go}")
        pitfalls.up(STANDING)


def test_pitfall_3_pods_that_still_get_requests(pitfalls: LabStack, load: Load) -> None:
    """A version that gets requests cannot be scaled to 0 or left out: the preview says which, and nothing changes
    (argo-rollouts#4195).
    """
    before = specs(pitfalls)
    with unharmed(pitfalls, load, "v1"):
        said = pitfalls.refused(config(backend("v1", v1={"replicas": 0})))
        assert (
            "backend: v1 gets requests and would have 0 replicas: they would be answered 503; send it nothing in the "
            "same update"
        ) in said
        assert "(weir:force: true goes on anyway)" in said
        said = pitfalls.refused(config(backend("v1", v2={})))
        assert 'weir:services.backend.stable: no such version "v1" (versions: v2)' in said
        assert specs(pitfalls) == before
        pitfalls.write(config(backend("v1", v1={"replicas": 0}), force=True))
        forced = pitfalls.pulumi("preview")
        assert forced.code == 0, forced.said
        assert "weir:force is on: requests may be lost" in forced.said


def test_pitfall_10_adoption_is_asked_for(pitfalls: LabStack, load: Load) -> None:
    """An object that somebody else made is refused by name at preview, not taken over in silence, and taken over with
    weir:adopt.
    """
    rule = {
        "host": f"other.{pitfalls.namespace}.svc.cluster.local",
        "trafficPolicy": {"loadBalancer": {"simple": "RANDOM"}},
    }
    metadata = {"name": "other-v1", "namespace": pitfalls.namespace}
    pitfalls.apply(
        {"apiVersion": "networking.istio.io/v1", "kind": "DestinationRule", "metadata": metadata, "spec": rule}
    )
    with unharmed(pitfalls, load, "v1"):
        wanted = config(backend("v1", v1={}), {"other": OTHER})
        said = pitfalls.refused(wanted)
        assert f"DestinationRule {pitfalls.namespace}/other-v1 exists and this stack did not create it" in said
        assert "(field manager kubectl-client-side-apply)" in said
        assert "remove it, choose another name, or take it over with weir:adopt: true" in said
        assert specs(pitfalls)["DestinationRule", "other-v1"] == rule
        pitfalls.write(wanted | {"adopt": True})
        assert "weir:adopt is on: objects that weir did not create are taken over" in pitfalls.pulumi("preview").said
        pitfalls.up()
        assert specs(pitfalls)["DestinationRule", "other-v1"]["subsets"] == [
            {"name": "v1", "labels": {"version": "v1"}}
        ]
        pitfalls.up(STANDING)
        assert ("DestinationRule", "other-v1") not in specs(pitfalls)


def test_pitfall_10_route_edited_by_hand(pitfalls: LabStack, load: Load) -> None:
    """An edited VirtualService is not overwritten unseen: the update names who edited it, and
    --refresh puts it back.
    """
    before = specs(pitfalls)
    with unharmed(pitfalls, load, "v1"):
        edit = json.dumps({"spec": {"http": [{**before["VirtualService", "backend"]["http"][0], "timeout": "7s"}]}})
        pitfalls.kubectl(f"patch virtualservice backend --type merge --field-manager=somebody -p '{edit}'")
        said = pitfalls.refused(config({**backend("v1", v1={}), "timeout": "9s"}), "up --yes")
        assert (
            f"VirtualService {pitfalls.namespace}/backend was edited since the last update (field manager somebody)"
            in said
        )
        assert "To undo it and go on: pulumi up --refresh" in said
        assert specs(pitfalls)["VirtualService", "backend"]["http"][0]["timeout"] == "7s"
        pitfalls.up(STANDING, "--refresh")
        assert specs(pitfalls) == before
        pitfalls.assert_converged()
