"""How many pods a version has, and who says so: weir, an autoscaler that weir makes, or somebody else."""

from __future__ import annotations

from typing import Any

import pytest

from weir.model import load, mesh, outputs
from weir.model.manifests.diff import differences
from weir.model.manifests.hazards import hazards
from weir.model.manifests.order import pods_first
from weir.model.routing.words import describe

OWNER = "organization/weir/dev"
CPU = {"type": "Resource", "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 60}}}


def config(**keys: Any) -> Any:
    settings = {"image": "shop:1", "versions": {"v1": {}, "v2": {}}, "stable": "v1", "canary": {"v2": 5}, **keys}
    return load({"namespace": "demo", "services": {"shop": settings}})


def objects(**keys: Any) -> dict[tuple[str, str], dict[str, Any]]:
    """What is made, by kind and name."""
    return {(each["kind"], each["metadata"]["name"]): each for each in mesh(config(**keys), "demo").objects()}


def told(before: dict[str, Any], after: dict[str, Any]) -> list[str]:
    """What is different, in words."""
    sides = ([(kind, made) for (kind, _), made in objects(**keys).items()] for keys in (before, after))
    return [describe(change) for change in differences(*sides).get("shop", ())]


@pytest.mark.parametrize("keys", [{"replicas": "external"}, {"autoscaling": {"minReplicas": 2, "maxReplicas": 5}}])
def test_a_number_that_is_somebody_elses_is_not_written(keys: dict[str, Any]) -> None:
    """Server-side apply owns what it writes: a number in the Deployment would be written back with every update. A
    drained node takes one pod at a time, however many there are.
    """
    made = objects(**keys)
    for version in ("shop-v1", "shop-v2"):
        assert "replicas" not in made["Deployment", version]["spec"]
        assert made["PodDisruptionBudget", version]["spec"]["maxUnavailable"] == 1


def test_each_version_has_its_autoscaler() -> None:
    """With what is written, of its service or its own; a number of its own goes before its service's autoscaler."""
    made = objects(
        autoscaling={"maxReplicas": 5, "metrics": [CPU], "behavior": {"scaleUp": {"selectPolicy": "Max"}}},
        versions={"v1": {}, "v2": {"autoscaling": {"minReplicas": 2, "maxReplicas": 3}}, "v3": {"replicas": 2}},
    )
    target = {"apiVersion": "apps/v1", "kind": "Deployment"}
    assert {name: each["spec"] for (kind, name), each in made.items() if kind == "HorizontalPodAutoscaler"} == {
        "shop-v1": {
            "scaleTargetRef": {**target, "name": "shop-v1"},
            "minReplicas": 1,
            "maxReplicas": 5,
            "metrics": [CPU],
            "behavior": {"scaleUp": {"selectPolicy": "Max"}},
        },
        "shop-v2": {"scaleTargetRef": {**target, "name": "shop-v2"}, "minReplicas": 2, "maxReplicas": 3},
    }
    assert made["Deployment", "shop-v3"]["spec"]["replicas"] == 2


def test_outputs_say_whose_it_is() -> None:
    """A number stands for what weir writes alone."""
    versions = {"v1": {}, "v2": {"replicas": "external"}, "v3": {"autoscaling": {"maxReplicas": 3}}}
    found = outputs(config(versions=versions), "demo")["services"]["shop"]["versions"]
    assert found == {
        "v1": {"image": "shop:1", "replicas": 1},
        "v2": {"image": "shop:1", "replicas": "external"},
        "v3": {"image": "shop:1", "autoscaling": {"minReplicas": 1, "maxReplicas": 3}},
    }


def test_the_diff_says_who_owns_the_number() -> None:
    """And what an autoscaler may do with it."""
    auto = {"autoscaling": {"minReplicas": 2, "maxReplicas": 5}}
    v1 = {"versions": {"v1": {"replicas": 3}, "v2": {}}}
    assert told(v1, {"versions": {"v1": auto, "v2": {}}}) == ["v1 pods 3 → external", "v1 pods autoscaled, 2 to 5"]
    assert told(auto, {"replicas": "external"}) == [
        "v1 pods no longer autoscaled (2 to 5 before)",
        "v2 pods no longer autoscaled (2 to 5 before)",
    ]
    more = {"autoscaling": {"minReplicas": 2, "maxReplicas": 9}}
    assert told(auto, more) == ["v1 pods autoscaled: 2 to 5 → 2 to 9", "v2 pods autoscaled: 2 to 5 → 2 to 9"]
    metrics = {"autoscaling": {"minReplicas": 2, "maxReplicas": 5, "metrics": [CPU]}}
    assert told(auto, metrics)[0] == "v1 pods autoscaled by other settings (2 to 5 as before)"


def test_a_route_does_not_wait_for_pods_that_an_update_does_not_add() -> None:
    """Whoever owns the number adds them, before or after."""
    before, after = objects(replicas="external"), config(replicas="external", canary={"v2": 50})
    wanted = mesh(after, "demo").services["shop"]
    assert pods_first("shop", wanted, before) == frozenset()
    assert hazards(after.services, {"shop": wanted}, before, OWNER) == []


@pytest.mark.parametrize("keys", [{"replicas": "external"}, {"autoscaling": {"minReplicas": 2, "maxReplicas": 5}}])
def test_requests_for_pods_that_nobody_would_add_are_refused(keys: dict[str, Any]) -> None:
    """A Deployment that stands at 0 pods stays there once its number is an autoscaler's: a HorizontalPodAutoscaler does
    nothing then (Kubernetes: "implicit maintenance-mode deactivation").
    """
    before = objects(versions={"v1": {}, "v2": {"replicas": 0}}, canary={})
    for share, refused in ((0, []), (5, ["kubectl scale -n demo deployment shop-v2 --replicas=1"])):
        after = config(versions={"v1": {}, "v2": keys}, canary={"v2": share})
        found = hazards(after.services, mesh(after, "demo").services, before, OWNER)
        assert [line.partition("scale it up first: ")[2] for line in found] == refused
    by_hand = objects(versions={"v1": {}, "v2": keys})
    by_hand["Deployment", "shop-v2"]["spec"]["replicas"] = 0
    # It gets requests already: what becomes of it is whose number it is.
    assert hazards(after.services, mesh(after, "demo").services, by_hand, OWNER) == []
