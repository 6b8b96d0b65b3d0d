"""From config to Kubernetes objects: weights, subsets, faults, retries, and pods that are safe to run."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import pytest

from tests.unit.model.test_config import BACKEND, SOUND, changed
from weir.model import expectation, load, mesh, outputs, traffic


def objects(config: dict[str, Any]) -> list[dict[str, Any]]:
    return list(mesh(load(config), "demo").objects())


def one(config: dict[str, Any], kind: str, name: str) -> dict[str, Any]:
    [found] = [entry for entry in objects(config) if entry["kind"] == kind and entry["metadata"]["name"] == name]
    return found


@pytest.mark.parametrize(
    ("canary", "weights"),
    [
        ({"v2": 20}, {"v1": 80, "v2": 20}),
        ({"v2": 0}, {"v1": 100, "v2": 0}),
        ({"v2": 100}, {"v1": 0, "v2": 100}),
        ({"v2": 0.5}, {"v1": 995, "v2": 5}),
        ({"v2": 33.25}, {"v1": 6675, "v2": 3325}),
    ],
)
def test_stable_gets_what_the_canary_leaves(canary: dict[str, float], weights: dict[str, int]) -> None:
    """Weights are whole numbers in exactly the ratio of the percentages, which always add up."""
    [route] = one(changed(f"{BACKEND}.canary", canary), "VirtualService", "backend")["spec"]["http"]
    given = {entry["destination"]["subset"]: entry["weight"] for entry in route["route"]}
    total, expected_total = sum(given.values()), sum(weights.values())
    assert {name: Fraction(weight, total) for name, weight in given.items()} == {
        name: Fraction(weight, expected_total) for name, weight in weights.items()
    }


def test_the_route_names_full_hosts() -> None:
    """A short host would mean another service to a reader in another namespace."""
    spec = one(SOUND, "VirtualService", "backend")["spec"]
    host = "backend.demo.svc.cluster.local"
    assert spec["hosts"] == [host]
    assert {entry["destination"]["host"] for entry in spec["http"][0]["route"]} == {host}


def test_retries_and_faults_have_istios_names() -> None:
    """The tutorial's retries and fault stand in the VirtualService as Istio spells them."""
    config = changed(
        f"{BACKEND}.fault",
        {"delay": {"percentage": 50, "fixedDelay": "3s"}, "abort": {"percentage": 10, "httpStatus": 503}},
    )
    [route] = one(config, "VirtualService", "backend")["spec"]["http"]
    assert route["retries"] == {"attempts": 3, "perTryTimeout": "2s", "retryOn": "gateway-error,connect-failure"}
    assert route["fault"] == {
        "delay": {"percentage": {"value": 50}, "fixedDelay": "3s"},
        "abort": {"percentage": {"value": 10}, "httpStatus": 503},
    }


def test_each_version_has_a_rule_of_its_own() -> None:
    """One DestinationRule a subset: Istio merges them, and each version comes and goes without touching another's."""
    for version in ("v1", "v2"):
        spec = one(SOUND, "DestinationRule", f"backend-{version}")["spec"]
        assert spec["subsets"] == [{"name": version, "labels": {"version": version}}]


def test_objects_come_after_what_they_need() -> None:
    """Pods before the subset that selects them, subsets before the route that names them."""
    kinds = [entry["kind"] for entry in objects(SOUND)]
    assert kinds.index("Namespace") == 0
    last_pods = max(
        index
        for index, entry in enumerate(objects(SOUND))
        if entry["metadata"]["name"].startswith("backend-v") and entry["kind"] == "Deployment"
    )
    assert last_pods < kinds.index("DestinationRule")
    assert kinds.index("DestinationRule") < kinds.index("VirtualService")


def test_pods_are_hardened_and_drain() -> None:
    """No root, no writable root file system, no privileges; and a pod that goes keeps serving until proxies have
    heard.
    """
    [container] = one(SOUND, "Deployment", "backend-v1")["spec"]["template"]["spec"]["containers"]
    security = container["securityContext"]
    assert security["runAsNonRoot"]
    assert security["readOnlyRootFilesystem"]
    assert security["capabilities"] == {"drop": ["ALL"]}
    assert container["lifecycle"]["preStop"]["sleep"]["seconds"] > 0
    assert container["readinessProbe"]["tcpSocket"]["port"] == 5678


def test_the_namespace_injects_sidecars() -> None:
    """Without this label no proxy stands beside the pods, and no rule acts."""
    assert one(SOUND, "Namespace", "demo")["metadata"]["labels"]["istio-injection"] == "enabled"


def test_the_expectation_is_what_the_config_promises() -> None:
    """What verify holds traffic against: exact shares, and faults with their shares."""
    config = changed(f"{BACKEND}.fault", {"delay": {"percentage": 50, "fixedDelay": "3s"}})
    expected = expectation(traffic(load(config).services["backend"], "demo").routes[-1])
    assert dict(expected.shares) == {"v1": Fraction(4, 5), "v2": Fraction(1, 5)}
    assert expected.delay is not None
    assert (expected.delay.share, expected.delay.seconds) == (Fraction(1, 2), 3.0)
    assert expected.abort is None


def test_hosts_are_in_the_clusters_own_domain() -> None:
    """A cluster may have another DNS domain than Kubernetes' default; every host of a rule is a name in it."""
    config = {**SOUND, "clusterDomain": "corp.internal"}
    host = "backend.demo.svc.corp.internal"
    route = one(config, "VirtualService", "backend")["spec"]
    assert route["hosts"] == [host]
    assert {entry["destination"]["host"] for entry in route["http"][0]["route"]} == {host}
    assert one(config, "DestinationRule", "backend-v1")["spec"]["host"] == host
    assert outputs(load(config), "demo")["services"]["backend"]["host"] == host


def test_a_revision_injects_its_own_sidecars() -> None:
    """Both labels together would be a contradiction, in which istio-injection wins."""
    assert one(SOUND, "Namespace", "demo")["metadata"]["labels"]["istio-injection"] == "enabled"
    labels = one({**SOUND, "revision": "canary"}, "Namespace", "demo")["metadata"]["labels"]
    assert labels["istio.io/rev"] == "canary"
    assert "istio-injection" not in labels
