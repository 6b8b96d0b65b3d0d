"""A host at gateways in the program: what its object waits for, and what waits for it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pulumi
import pytest

from components import VirtualService, VirtualServiceArgs
from tests.components.test_program import DEPLOYMENT, ROUTE, RULE, Recorded, depends, run
from tests.components.test_standing import FakeKubectl
from tests.unit.model.test_config import SOUND
from weir.model.manifests.hosts import object_name
from weir.program_environment import ROUTES_ALONE

SHOP = "shop.example.com"
NAME = object_name(SHOP)
ENTRY = {"service": "web", "match": [{"uri": {"prefix": "/web"}}]}


def stack(*entries: dict[str, Any], web: dict[str, Any] | None = None, **keys: Any) -> dict[str, Any]:
    """The tutorial's stack with a second service, and a host with these entries; `keys` are the backend's."""
    services = {
        "backend": {**SOUND["services"]["backend"], **keys},
        "web": {"image": "app:1", "versions": {"v1": {}}, "stable": "v1", **(web or {})},
    }
    hosts = {SHOP: {"gateways": ["edge"], "routes": list(entries)}} if entries else {}
    edge = {
        "selector": {"istio": "ingress"},
        "servers": [{"port": {"number": 80, "name": "http", "protocol": "HTTP"}, "hosts": ["*"]}],
    }
    return {**SOUND, "services": services, "hosts": hosts, "gateways": {"edge": edge}}


def order(recorded: Recorded) -> list[tuple[str, str]]:
    return list(recorded.requests)


def test_a_host_comes_after_all_that_its_services_routes_need() -> None:
    """Pods, subsets and gateways; it is a component's child, and depends on no route."""
    recorded = run(stack(ENTRY, {"service": "backend"}))
    needed = depends(recorded, ROUTE, NAME)
    for there in ("Gateway::edge", "Deployment::web-v1", "DestinationRule::web-v1", "DestinationRule::backend-v2"):
        assert there in needed
    assert "VirtualService" not in needed
    assert recorded.requests[(ROUTE, NAME)].parent.endswith(f"weir:mesh:HostRoutes::{NAME}")
    assert recorded.resources[(ROUTE, NAME)]["spec"]["hosts"] == [SHOP]


def test_the_namespace_of_an_ephemeral_stack_is_in_its_destinations() -> None:
    """Under the name that only the running program knows."""
    spec = run({**stack(ENTRY), "ephemeral": True}).resources[(ROUTE, NAME)]["spec"]
    assert spec["http"][0]["route"][0]["destination"]["host"] == "web.demo-happy-otter.svc.cluster.local"


def test_pods_that_lose_requests_change_after_the_host(tmp_path: Path) -> None:
    """And depend on it no more than a release of one service allows: it is registered before, and is no dependency."""
    cluster = FakeKubectl(tmp_path, stack(ENTRY, {"service": "backend"}))
    recorded = run(stack(ENTRY, {"service": "backend"}, canary={"v2": 0}, image="app:2"), kubectl=cluster.kubectl)
    registered = order(recorded)
    for version in ("v1", "v2"):
        assert registered.index((ROUTE, NAME)) < registered.index((DEPLOYMENT, f"backend-{version}"))
        assert NAME not in depends(recorded, DEPLOYMENT, f"backend-{version}")


def test_a_version_that_newly_gets_requests_is_waited_for(tmp_path: Path) -> None:
    """By the host as by its service's route."""
    cluster = FakeKubectl(tmp_path, stack(ENTRY, {"service": "backend"}))
    versions: dict[str, Any] = {"v1": {}, "v2": {}, "v3": {}}
    recorded = run(
        stack(ENTRY, {"service": "backend"}, versions=versions, canary={"v2": 20, "v3": 5}), kubectl=cluster.kubectl
    )
    assert "Deployment::backend-v3" in depends(recorded, ROUTE, NAME)
    assert "Deployment::backend-v1" not in depends(recorded, ROUTE, NAME)


def test_a_host_is_handed_over_to_whoever_gains_it_first(tmp_path: Path) -> None:
    """From a service that exposed it: its route gives it up once the host has its own object."""
    exposed = stack(web={"expose": {"gateways": ["edge"], "hosts": [SHOP]}})
    registered = order(run(stack({"service": "web"}), kubectl=FakeKubectl(tmp_path, exposed).kubectl))
    assert registered.index((ROUTE, NAME)) < registered.index((ROUTE, "web"))


def test_every_host_is_part_of_its_service() -> None:
    """Its object is a child of the service's component, in any program."""
    recorded = run(stack(web={"expose": {"gateways": ["edge"], "hosts": ["*"]}}))
    name = object_name("*", "web")
    assert recorded.resources[(ROUTE, name)]["spec"]["hosts"] == ["*"]
    assert "DestinationRule::web-v1" in depends(recorded, ROUTE, name)
    assert "weir:mesh:MeshService$weir:mesh:HostRoutes" in recorded.requests[(ROUTE, name)].parent
    assert recorded.resources[(ROUTE, "web")]["spec"]["hosts"] == ["web.demo.svc.cluster.local"]


def test_a_release_registers_the_hosts_that_it_names(monkeypatch: pytest.MonkeyPatch) -> None:
    """With its service's route and what depends on that, and nothing of the other service."""
    monkeypatch.setenv(ROUTES_ALONE, json.dumps(["backend", NAME]))
    recorded = run(stack(ENTRY, {"service": "backend"}), preview=True)
    assert {name for kind, name in recorded.resources if kind == ROUTE} == {"backend", NAME}
    assert "DestinationRule" not in depends(recorded, ROUTE, NAME)
    assert (RULE, "web-v1") not in recorded.resources
    monkeypatch.setenv(ROUTES_ALONE, json.dumps(["backend"]))
    assert (ROUTE, NAME) not in run(stack(ENTRY, {"service": "backend"}), preview=True).resources


def test_a_host_that_goes_with_a_version_it_names_is_refused(tmp_path: Path) -> None:
    """Before anything changes."""
    cluster = FakeKubectl(tmp_path, stack(ENTRY, {"service": "backend"}))
    recorded = Recorded()
    with pytest.raises(pulumi.RunError, match=f"backend: host {SHOP} is removed in the same update as the pods of v2"):
        run(stack(ENTRY, versions={"v1": {}}, canary={}) | {"hosts": {}}, recorded, cluster.kubectl)
    assert not [kind for kind, _ in recorded.resources if kind in (ROUTE, RULE, DEPLOYMENT)]


def test_a_route_alone_cannot_be_every_host() -> None:
    """It would need an object beside it, which another component makes."""

    def program() -> None:
        VirtualService(
            "web",
            VirtualServiceArgs(
                namespace="demo",
                service="web",
                versions=["v1"],
                stable="v1",
                expose={"gateways": ["edge/public"], "hosts": ["*"]},
            ),
        )

    with pytest.raises(pulumi.RunError, match=r'"web": expose.hosts: "\*" needs a VirtualService of its own'):
        run({"namespace": "demo"}, program=program)
