"""What runs in a namespace beside what a stack has made, and who writes rules there by itself."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.recorded import Recorded, one, recorded
from weir.cluster.errors import DeniedError
from weir.cluster.found import controllers, found
from weir.model.manifests.annotations import OWNER

ROUTE = ("VirtualService", "rollouts-demo-vsvc")
RULE = ("DestinationRule", "rollout-destrule")


def cluster(*items: dict[str, Any], denied: str = "") -> Recorded:
    return Recorded("kubectl", "test", items=items, denied=frozenset({denied} - {""}))


def rollout(**istio: Any) -> dict[str, Any]:
    """A Rollout of Argo's documentation that routes by this."""
    [item] = [each for each in recorded("argo_rollouts") if each["kind"] == "Rollout"]
    item["spec"]["strategy"]["canary"]["trafficRouting"] = {"istio": istio}
    return item


def test_what_there_is_is_found_without_what_weir_has_made() -> None:
    """And with the ports of all Services, and of hosts of ServiceEntries, of which routes may leave them out."""
    items = recorded("flagger")
    entry = {
        "kind": "ServiceEntry",
        "metadata": {"name": "legacy", "namespace": "test"},
        "spec": {"hosts": ["legacy.example.com"], "ports": [{"number": 443, "name": "tls", "protocol": "TLS"}]},
    }
    one(items, "DestinationRule", "podinfo-canary")["metadata"]["annotations"] = {OWNER: "organization/weir/dev"}
    there = found(cluster(*items, entry), ["podinfo", "missing"], "cluster.local")
    assert list(there.services) == ["podinfo"]
    assert [each["metadata"]["name"] for each in there.workloads] == ["podinfo", "podinfo-primary"]
    assert [each["metadata"]["name"] for each in (*there.routes, *there.rules)] == ["podinfo", "podinfo-primary"]
    ports: dict[str, list[int]] = {
        f"{name}.test.svc.cluster.local": [9898] for name in ("podinfo", "podinfo-primary", "podinfo-canary")
    }
    assert there.ports == {**ports, "legacy.example.com": [443]}


def test_an_account_without_the_right_to_service_entries_finds_the_rest() -> None:
    """`weir rbac` gives it to few; all else must be seen."""
    items = recorded("flagger")
    entries = "serviceentries.networking.istio.io"
    assert found(cluster(*items, denied=entries), ["podinfo"], "cluster.local").routes
    with pytest.raises(DeniedError):
        found(cluster(*items, denied="services"), ["podinfo"], "cluster.local")


def test_flagger_is_named_for_what_it_makes() -> None:
    """By the name of the Service, which is that of the target where none is given, and the two rules beside it."""
    items = recorded("flagger")
    line = (
        "Canary podinfo: Flagger writes its rules unless spec.suspend is true: set that first, and do not delete the "
        "Canary while its Services get requests, since Kubernetes would delete them and their pods with it"
    )
    for made in [("VirtualService", "podinfo"), ("DestinationRule", "podinfo-primary")]:
        assert list(controllers(cluster(*items), {made})) == [line]
    assert list(controllers(cluster(*items), {("VirtualService", "shop"), ("DestinationRule", "podinfo")})) == []
    one(items, "Canary", "podinfo")["spec"]["service"]["name"] = "shop"
    assert list(controllers(cluster(*items), {("VirtualService", "shop")})) == [line]
    assert list(controllers(cluster(*items), {("VirtualService", "podinfo")})) == []


@pytest.mark.parametrize(
    ("item", "written"),
    [
        (rollout(virtualService={"name": ROUTE[1], "routes": ["http-primary"]}), {ROUTE}),
        (rollout(virtualServices=[{"name": "rollouts-demo-vsvc1"}, {"name": ROUTE[1]}]), {ROUTE}),
        (
            rollout(
                virtualService={"name": ROUTE[1]},
                destinationRule={"name": RULE[1], "canarySubsetName": "canary", "stableSubsetName": "stable"},
            ),
            {ROUTE, RULE},
        ),
    ],
    ids=["one route", "several routes", "subsets"],
)
def test_argo_rollouts_is_named_for_what_a_rollout_refers_to(
    item: dict[str, Any], written: set[tuple[str, str]]
) -> None:
    """Whichever of the rules it writes is taken over."""
    line = "Rollout rollouts-demo: Argo Rollouts writes its rules; take out spec.strategy.canary.trafficRouting first"
    for each in written:
        assert list(controllers(cluster(item), {each})) == [line]
    assert list(controllers(cluster(item), {ROUTE, RULE} - written)) == []


def test_a_rollout_without_istio_writes_no_rules() -> None:
    """Blue and green go by the selectors of Services, and another router has no rules of Istio."""
    item = rollout()
    others: list[dict[str, Any]] = [
        {"blueGreen": {"activeService": "a"}},
        {"canary": {"trafficRouting": {"nginx": {}}}},
        {},
    ]
    for strategy in others:
        item["spec"]["strategy"] = strategy
        assert list(controllers(cluster(item), {ROUTE, RULE})) == []


def test_nobody_is_named_where_neither_is_installed_or_to_be_seen() -> None:
    """kubectl knows no such resource then, or the account has no right to it; the other one is still named."""
    assert list(controllers(cluster(), {ROUTE})) == []
    items = (rollout(virtualService={"name": ROUTE[1]}), *recorded("flagger"))
    both = {ROUTE, ("VirtualService", "podinfo")}
    assert len(list(controllers(cluster(*items), both))) == 2
    [line] = controllers(cluster(*items, denied="rollouts.argoproj.io"), both)
    assert line.startswith("Canary podinfo")
