"""VirtualServices of somebody else's for a host of the stack's: which of them are told, and as what."""

from __future__ import annotations

from typing import Any

import pytest

from weir.model.manifests.rivals import rivals

OWNER = "organization/weir/dev"
HOST = "shop.demo.svc.cluster.local"
SAID = (
    "shop: VirtualService demo/routes, which this stack did not make, has its host too, and Istio takes the older one: "
    "once pulumi up is done, kubectl delete -n demo virtualservice routes"
)


def told(name: str = "routes", owner: str = "", **spec: Any) -> list[str]:
    """What is said of one VirtualService beside two services."""
    notes = {"weir.dev/stack": owner} if owner else {}
    standing = {
        ("VirtualService", name): {"metadata": {"annotations": notes}, "spec": spec},
        ("DestinationRule", name): {"metadata": {}, "spec": {"host": "shop"}},
    }
    return list(rivals({"cart": "cart.demo.svc.cluster.local", "shop": HOST}, standing, OWNER))


@pytest.mark.parametrize(
    "spec",
    [
        {"hosts": ["shop"]},
        {"hosts": ["other.example.com", HOST]},
        {"hosts": ["shop", HOST]},
        {"hosts": ["shop"], "gateways": []},
        {"hosts": ["shop"], "gateways": ["mesh", "edge/public"]},
    ],
)
def test_another_route_of_the_host_in_the_mesh_is_told_once(spec: dict[str, Any]) -> None:
    """By its short name or its full one; no gateways are the mesh, too."""
    assert told(**spec) == [SAID]


@pytest.mark.parametrize(
    "spec",
    [
        {"hosts": ["shop.example.com", "shop.other.svc.cluster.local"]},
        {"hosts": ["shop"], "gateways": ["edge/public"]},
        {"hosts": ["shop"], "owner": OWNER},
        {"hosts": ["shop"], "name": "shop"},
    ],
)
def test_what_takes_nothing_from_the_route_is_not_told(spec: dict[str, Any]) -> None:
    """Other hosts, gateways alone, what the stack has made, and what has the name of the route itself."""
    assert told(**spec) == []
