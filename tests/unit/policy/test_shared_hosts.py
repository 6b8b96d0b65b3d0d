"""Hosts at gateways are judged as what they are: routes of several services in one object."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

from policy.faults import endless, over
from policy.hosts import wildcards
from policy.last import Last, parse
from policy.replicas import too_few
from policy.requests import NARROW_HEADERS
from policy.routes import routes, unreadable
from policy.rule import VIRTUAL_SERVICE, Resource
from policy.steps import too_far
from tests.unit.policy.cases import VIRTUAL_SERVICE_V1, put
from weir.model import Manifest, load, mesh

SHOP = "shop.example.com"
FAULT = {"delay": {"percentage": 50, "fixedDelay": "3s"}}
ENTRIES = ({"service": "cart", "match": [{"uri": {"prefix": "/cart"}}]}, {"service": "web"})


def host(name: str = SHOP, web: dict[str, Any] | None = None, **cart: Any) -> Manifest:
    """The VirtualService of a host with two services that have versions of the same names."""
    versions: dict[str, Any] = {"image": "app:1", "versions": {"v1": {}, "v2": {}}, "stable": "v1"}
    services = {"cart": {**versions, "canary": {"v2": 5}, **cart}, "web": {**versions, **(web or {})}}
    hosts = {name: {"gateways": ["edge/public"], "routes": list(ENTRIES)}}
    return mesh(load({"namespace": "demo", "services": services, "hosts": hosts}), "demo").hosts[name].virtual_service


def was(**cart: Any) -> Last:
    resource = {"type": VIRTUAL_SERVICE_V1, "inputs": host(**cart)}
    return parse(json.dumps({"version": 3, "deployment": {"resources": [resource]}}))


def steps(before: Last, after: Manifest) -> list[str]:
    return too_far(after, before, {"maxPoints": 25, "narrowHeaders": NARROW_HEADERS.default}, "prod")


def test_a_host_that_weir_writes_can_be_read() -> None:
    """And one that it would not have written cannot."""
    assert unreadable(host()) == []
    assert [route.name for route in routes(host())] == ["cart_default", "web_default"]
    [message] = unreadable(put(host(), "spec.tls", []))
    assert message.startswith(f"host {SHOP}: the VirtualService does not have the form that weir writes")
    assert unreadable(put(host(), "spec.http.0.route.0.destination.host", "other.demo.svc.cluster.local"))


def test_canaries_rise_in_steps_at_a_host_too() -> None:
    """Of each service by itself: v2 of one is not v2 of the other, which is stable there."""
    assert steps(was(), host()) == []
    assert steps(was(), host(canary={"v2": 30})) == []
    [message] = steps(was(), host(canary={"v2": 60}))
    assert message.startswith(
        f"host {SHOP}: v2 would go from 5 % to 60 % of the requests that route cart_default takes"
    )
    assert steps(was(), host(web={"canary": {"v2": 20}})) == []
    assert len(steps(was(), host(web={"canary": {"v2": 50}}))) == 1


def test_faults_at_a_host_end() -> None:
    """The message says where the drill is, and no command for a host."""
    now = datetime(2026, 11, 27, tzinfo=UTC)
    [message] = endless(host(fault=FAULT), now)
    assert message.startswith(f"host {SHOP}: the fault of route cart_default has no end")
    [message] = over(host(fault={**FAULT, "until": "2026-11-26T00:00:00Z"}), now)
    assert message.endswith("remove it, or the drill of its service")


def test_pods_are_counted_for_the_service_alone() -> None:
    """The same shares would be told twice."""
    assert too_few([Resource(VIRTUAL_SERVICE, host())], 5, 2, []) == []


def test_a_wide_host_is_named() -> None:
    """By the key it is written under."""
    assert wildcards(host("*")) == ['host *: weir:hosts has "*", a wildcard; name each host, such as shop.example.com']
    assert wildcards(host()) == []
