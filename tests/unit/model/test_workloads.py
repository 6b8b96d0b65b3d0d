"""Pods, and a Service, that somebody else makes: what weir makes beside them, and what it refuses."""

from __future__ import annotations

from typing import Any

from weir.model import load, mesh
from weir.model.manifests.diff import differences
from weir.model.manifests.hazards import hazards
from weir.model.manifests.rbac import rbac
from weir.model.routing.words import describe

OWNER = "organization/weir/dev"
THEIRS = {"workload": "deployment/shop"}


def config(**keys: Any) -> Any:
    settings = {"versions": {"v1": THEIRS, "v2": {"image": "shop:2"}}, "stable": "v1", "canary": {"v2": 5}, **keys}
    return load({"namespace": "demo", "services": {"shop": settings}})


def objects(**keys: Any) -> dict[tuple[str, str], dict[str, Any]]:
    """What is made, by kind and name, marked as made by this stack."""
    made = {(each["kind"], each["metadata"]["name"]): each for each in mesh(config(**keys), "demo").objects()}
    for each in made.values():
        each["metadata"].setdefault("annotations", {})["weir.dev/stack"] = OWNER
    return made


def test_pods_of_both_kinds_stand_side_by_side() -> None:
    """weir makes the Deployment of the version that has an image, and none for the other; its image of the service
    is for those that it makes.
    """
    for made in (objects(), objects(image="shop:2", versions={"v1": THEIRS, "v2": {}})):
        assert [name for kind, name in made if kind == "Deployment"] == ["shop-v2"]
        assert ("Service", "shop") in made
        assert made["DestinationRule", "shop-v1"]["metadata"]["annotations"]["weir.dev/workload"] == "deployment/shop"


def test_a_service_may_be_somebody_elses() -> None:
    """Nor does weir make the account then; pods of weir's have Kubernetes' default, or what the config says."""
    made = objects(createService=False)
    assert not {("Service", "shop"), ("ServiceAccount", "shop")} & made.keys()
    assert "serviceAccountName" not in made["Deployment", "shop-v2"]["spec"]["template"]["spec"]
    named = {"deployment": {"spec": {"template": {"spec": {"serviceAccountName": "shop"}}}}}
    made = objects(createService=False, kubernetes=named)
    assert made["Deployment", "shop-v2"]["spec"]["template"]["spec"]["serviceAccountName"] == "shop"
    assert ("Service", "shop") in objects(createService=True, versions={"v1": THEIRS}, canary={})


def test_what_weir_made_is_not_given_away() -> None:
    """A Service, or pods, that weir made would be deleted at the end of the update."""
    before = objects(versions={"v1": {"image": "shop:1"}, "v2": {"image": "shop:2"}})
    for keys, said in (
        (
            {},
            "shop: v1 would have the pods of deployment/shop, and those that weir made would be deleted; add a version",
        ),
        ({"createService": False}, "shop: with createService: false its Service would be deleted, and every request"),
    ):
        after = config(**keys)
        told = hazards(after.services, mesh(after, "demo").services, before, OWNER)
        assert any(line.startswith(said) for line in told), told


def test_the_diff_names_who_runs_the_pods() -> None:
    """In one line."""
    sides = (
        [(kind, made) for (kind, _), made in objects(versions={"v1": v1}, canary={}).items()] for v1 in ({}, THEIRS)
    )
    assert [describe(change) for change in differences(*sides)["shop"]] == ["pods of v1 are those of deployment/shop"]


def test_the_account_may_look_at_workloads() -> None:
    """At each kind that the config names; at Deployments it may anyway."""
    kinds = ("deployment", "statefulset", "daemonset", "rollouts.argoproj.io")
    versions = {f"v{number}": {"workload": f"{kind}/shop"} for number, kind in enumerate(kinds)}
    stack = config(versions=versions, stable="v0", canary={})
    rules = [rule for each in rbac(stack, OWNER, verify=False) for rule in each.get("rules", [])]
    assert [
        (rule["apiGroups"], rule["resources"])
        for rule in rules
        if (rule["verbs"] == ["get"] and "apps" in str(rule)) or "argo" in str(rule)
    ] == [
        (["apps"], ["daemonsets"]),
        (["apps"], ["statefulsets"]),
        (["argoproj.io"], ["rollouts"]),
    ]
