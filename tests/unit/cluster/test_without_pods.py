"""Versions that get requests and have no pods that take them, whose number is somebody else's, are told with what to do."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import pytest

from tests.unit.recorded import Recorded
from weir.cluster.live import Live
from weir.cluster.workloads import without_pods
from weir.model import load, mesh

SCALED = {"spec": {"replicas": 0}, "status": {}}
CRASHING = {"spec": {"replicas": 2}, "status": {"unavailableReplicas": 2}}
READY = {"spec": {"replicas": 2}, "status": {"readyReplicas": 1}}
HPA = {"autoscaling": {"minReplicas": 2, "maxReplicas": 4}}
BEGIN = "shop: v2 gets requests, which are answered 503: "
END = ", or send it nothing"


def shop(version: dict[str, Any], **keys: Any) -> dict[str, Any]:
    return {"image": "app:1", "versions": {"v1": {}, "v2": version}, "stable": "v1", "canary": {"v2": 20}, **keys}


def told(
    service: dict[str, Any],
    pods: dict[str, Any] | None,
    *,
    kind: str = "Deployment",
    after: Any = None,
    denied: str = "",
) -> list[str]:
    """What is said where the service stands like this and its v2 has these pods. `after`: what the config has become
    since.
    """
    config = load({"namespace": "demo", "services": {"shop": service}})
    there = [deepcopy(each) for each in mesh(config, "demo").objects()]
    reference = service["versions"]["v2"].get("workload", "deployment/shop-v2")
    name = reference.partition("/")[2]
    there = [each for each in there if (each["kind"], each["metadata"]["name"]) != ("Deployment", name)]
    if pods is not None:
        there.append({"kind": kind, "metadata": {"name": name, "namespace": "demo"}, **deepcopy(pods)})
    cluster = Recorded("kubectl", "demo", items=there, denied=frozenset({denied} - {""}))
    wanted = config if after is None else load({"namespace": "demo", "services": {"shop": after}})
    return list(without_pods(Live(cluster), mesh(wanted, "demo").services))


@pytest.mark.parametrize(
    ("version", "pods", "kind", "why"),
    [
        (
            {"replicas": "external"},
            SCALED,
            "Deployment",
            "its owner has scaled deployment/shop-v2 to 0 pods; scale it up: kubectl scale -n demo deployment/shop-v2 "
            "--replicas=1",
        ),
        (
            HPA,
            SCALED,
            "Deployment",
            "its owner has scaled deployment/shop-v2 to 0 pods; scale it up: kubectl scale -n demo deployment/shop-v2 "
            "--replicas=1",
        ),
        (
            {"workload": "statefulset/mine"},
            SCALED,
            "StatefulSet",
            "its owner has scaled statefulset/mine to 0 pods; scale it up: kubectl scale -n demo statefulset/mine "
            "--replicas=1",
        ),
        (
            {"workload": "deployment/mine"},
            CRASHING,
            "Deployment",
            "none of the 2 pods of deployment/mine is ready; fix them (weir status says why)",
        ),
        (
            HPA,
            CRASHING,
            "Deployment",
            "none of the 2 pods of deployment/shop-v2 is ready; fix them (weir status says why)",
        ),
        ({"workload": "deployment/mine"}, None, "Deployment", "deployment/mine is not there; create it"),
        ({}, SCALED, "Deployment", "somebody has scaled deployment/shop-v2 to 0 pods; undo that: pulumi up --refresh"),
    ],
    ids=["external", "autoscaled", "a workload", "not ready", "autoscaled and not ready", "gone", "by hand"],
)
def test_requests_without_pods_are_told(version: dict[str, Any], pods: Any, kind: str, why: str) -> None:
    """One line, with what to do."""
    assert told(shop(version), pods, kind=kind) == [f"{BEGIN}{why}{END}"]


@pytest.mark.parametrize(
    ("version", "pods", "keys"),
    [
        ({"replicas": "external"}, READY, {}),
        ({"workload": "deployment/mine"}, READY, {}),
        ({}, CRASHING, {}),
        ({"replicas": "external"}, SCALED, {"canary": {"v2": 0}}),
        ({"replicas": "external"}, SCALED, {"canary": {}}),
        ({"host": "shop.old.svc.cluster.local", "port": 80}, None, {}),
        ({"replicas": 0}, SCALED, {"canary": {}}),
    ],
    ids=[
        "ready",
        "a workload that is ready",
        "which an update waits for",
        "0 %",
        "no share",
        "elsewhere",
        "as written",
    ],
)
def test_nothing_else_is(version: dict[str, Any], pods: Any, keys: dict[str, Any]) -> None:
    """One ready pod is enough, and what gets no requests needs none."""
    assert told(shop(version, **keys), pods) == []


def test_what_begins_or_ends_to_get_requests_is_none_of_it() -> None:
    """An update refuses the one, and does what is asked for with the other."""
    idle, sent = (shop({"replicas": "external"}, canary={"v2": share}) for share in (0, 20))
    assert told(idle, SCALED, after=sent) == told(sent, SCALED, after=idle) == []
    assert len(told(sent, SCALED, after=sent)) == 1


def test_copies_count_and_what_may_not_be_seen_does_not() -> None:
    """A version that gets copies alone is one, too; of a kind that the account may not read, or that is not installed,
    nothing is said.
    """
    mirrored = shop({"replicas": "external"}, canary={}, mirrors=[{"version": "v2", "percentage": 1}])
    assert len(told(mirrored, SCALED)) == 1
    theirs = shop({"workload": "statefulset/mine"})
    assert told(theirs, SCALED, kind="StatefulSet", denied="statefulsets.apps") == []
    assert told(shop({"workload": "rollouts.argoproj.io/mine"}), None) == []
