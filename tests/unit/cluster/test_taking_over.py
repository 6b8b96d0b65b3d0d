"""What is kept of an object that weir takes over."""

from __future__ import annotations

from tests.unit.recorded import one, recorded
from weir.cluster.taking_over import reached
from weir.model import load, mesh


def test_a_route_is_reached_where_it_was_however_that_is_written() -> None:
    """A copy is made of what is reached otherwise, and what Flagger has made is not, by weir's longer names."""
    there = one(recorded("flagger"), "VirtualService", "podinfo")
    versions = {"primary": {"host": "podinfo-primary.test.svc.cluster.local", "port": 9898}}
    expose = {"gateways": ["istio-system/public-gateway"], "hosts": ["app.example.com"]}
    podinfo = {"port": 9898, "createService": False, "versions": versions, "stable": "primary", "expose": expose}
    config = load({"namespace": "test", "createNamespace": False, "services": {"podinfo": podinfo}})
    wanted = mesh(config, "test").services["podinfo"].virtual_service["spec"]
    assert reached(there) == reached({"spec": wanted})
    there["spec"]["gateways"].append("public-gateway")
    assert reached(there) - reached({"spec": wanted}) == {
        ("test/public-gateway", host) for host in ("app.example.com", "podinfo")
    }
