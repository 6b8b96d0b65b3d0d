"""Routes that cannot be read do not pass for routes without fault."""

from __future__ import annotations

import json
from typing import Any

import pytest
from google.protobuf import json_format, struct_pb2
from hypothesis import given, settings

from policy.known import UNKNOWN, known
from policy.routes import unreadable
from tests.unit.model.strategies import configs
from tests.unit.policy.cases import Case, put, route
from weir.model import Manifest, load, mesh


def refused(reason: str) -> list[str]:
    return [
        (
            f"backend: the VirtualService does not have the form that weir writes, so no rule can judge its routes ({reason}); define it "
            "as a service of weir:services"
        )
    ]


def everything(**more: Any) -> Manifest:
    """A VirtualService with a key of every kind."""
    beta = {"name": "beta", "match": [{"headers": {"x-user": {"exact": "beta"}}, "gateways": ["mesh"]}], "stable": "v2"}
    closed = {
        "name": "closed",
        "match": [{"uri": {"prefix": "/old"}}],
        "directResponse": {"status": 503, "body": {"string": "closed"}},
    }
    return route(
        **more,
        expose={"gateways": ["edge/public"], "hosts": ["shop.example.com"]},
        routes=[beta, closed],
        mirrors=[{"version": "v2", "percentage": 2.5}],
        fault={"delay": {"percentage": 0.5, "fixedDelay": "3s"}, "until": "2999-01-01T00:00:00Z"},
        headers={"request": {"set": {"x-canary": "yes"}}},
        exportTo=["."],
        canary={"v2": 0.5},
    )


def several() -> Manifest:
    """The same for two ports, so that routes have copies for gateways."""
    ports = [{"name": "http", "port": 8080}, {"name": "grpc", "port": 90, "protocol": "grpc"}]
    return everything(port=None, targetPort=None, ports=ports)


def elsewhere(host: str) -> Manifest:
    """The tutorial's route for a host of another name."""
    manifest: Manifest = json.loads(json.dumps(route()).replace("backend.demo.svc.cluster.local", host))
    return manifest


CASES = [
    Case("readable-routes", "weir's own", lambda: unreadable(route())),
    Case("readable-routes", "a spec that is not known yet", lambda: unreadable(put(route(), "spec", UNKNOWN))),
    Case("readable-routes", "a host that is not known yet", lambda: unreadable(put(route(), "spec.hosts", [UNKNOWN]))),
    Case("readable-routes", "routes of all kinds", lambda: unreadable(everything())),
    Case("readable-routes", "copies of routes for gateways", lambda: unreadable(several())),
    Case(
        "readable-routes",
        "a copy that is none",
        lambda: unreadable(put(several(), "spec.http.2.route.0.weight", 5)),
        refused("spec.http[2].route[0].weight is not what weir makes of it"),
    ),
    Case(
        "readable-routes",
        "two ports in one route",
        lambda: unreadable(put(several(), "spec.http.3.route.0.destination.port", {"number": 90})),
        refused("route default sends to several ports"),
    ),
    Case(
        "readable-routes",
        "another domain of the cluster",
        lambda: unreadable(elsewhere("backend.demo.svc.corp.example")),
    ),
    Case(
        "readable-routes",
        "TCP beside HTTP",
        lambda: unreadable(put(route(), "spec.tcp", [{"route": []}])),
        refused("spec.tcp is not what weir makes of it"),
    ),
    Case(
        "readable-routes",
        "a route that another object has",
        lambda: unreadable(put(route(), "spec.http.0.delegate", {"name": "other"})),
        refused("spec.http[0].delegate is not what weir makes of it"),
    ),
    Case(
        "readable-routes",
        "a copy in the form of old",
        lambda: unreadable(put(route(), "spec.http.0.mirror", {"host": "backend", "subset": "v2"})),
        refused("spec.http[0].mirror is not what weir makes of it"),
    ),
    Case(
        "readable-routes",
        "another service's pods",
        lambda: unreadable(put(route(), "spec.http.0.route.0.destination.host", "other.demo.svc.cluster.local")),
        refused("spec.http[0].route[0].destination.host is not what weir makes of it"),
    ),
    Case(
        "readable-routes",
        "another service's requests",
        lambda: unreadable(put(route(), "metadata.name", "other")),
        [
            line.replace("backend:", "other:", 1)
            for line in refused("it is about the host backend.demo.svc.cluster.local")
        ],
    ),
    Case(
        "readable-routes",
        "TCP",
        lambda: unreadable(put(route(), "spec", {"hosts": ["backend"], "tcp": []})),
        refused("http is missing"),
    ),
    Case(
        "readable-routes", "no spec", lambda: unreadable({"metadata": {"name": "backend"}}), refused("spec is missing")
    ),
    Case(
        "readable-routes",
        "a fault without a percentage",
        lambda: unreadable(put(route(), "spec.http.0.fault", {"delay": {"fixedDelay": "3s"}})),
        refused("delay.percentage: Field required"),
    ),
    Case(
        "readable-routes",
        "a timeout that is none",
        lambda: unreadable(put(route(), "spec.http.0.timeout", "soon")),
        refused('must be a number with a unit (ms, s, m or h) such as 3s or 500ms, was "soon"'),
    ),
    Case(
        "readable-routes",
        "a list where there is none",
        lambda: unreadable(put(route(), "spec.http", "all")),
        refused("the spec does not have the expected structure"),
    ),
]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_routes(case: Case) -> None:
    """Whatever weir would not have written is refused with the reason, and no other rule fails on it."""
    case.check()


@settings(max_examples=150, deadline=None)
@given(configs(least=1))
def test_whatever_weir_writes_is_readable(raw: dict[str, Any]) -> None:
    """No sound config is refused for its form, whichever routes it has; the properties come as Pulumi sends them."""
    for service in mesh(load(raw), "demo").services.values():
        sent = struct_pb2.Struct()
        sent.update(json.loads(json.dumps(service.virtual_service)))
        assert unreadable(known(json_format.MessageToDict(sent))) == []
