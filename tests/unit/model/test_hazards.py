"""Changes that lose requests in whatever order they are made are found by what stands, and each says what to do
instead.
"""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import pytest

from weir.model import load, mesh
from weir.model.manifests.hazards import hazards, orphans
from weir.model.manifests.order import Objects, lost_hosts, pods_first, route_before_service, routes_first

OWNER = "organization/weir/dev"
VERSIONS = {"v1": {"args": ["-text=one"]}, "v2": {"args": ["-text=two"]}, "v3": {"args": ["-text=three"]}}
BACKEND: dict[str, Any] = {
    "image": "app:1",
    "port": 80,
    "targetPort": 5678,
    "versions": VERSIONS,
    "stable": "v1",
    "canary": {"v2": 20},
}
OTHER: dict[str, Any] = {"image": "app:1", "versions": {"v1": {}}, "stable": "v1"}


def backend(**keys: Any) -> dict[str, Any]:
    """The service with keys put in, or taken out by None."""
    return {"backend": {key: value for key, value in {**BACKEND, **keys}.items() if value is not None}}


def exposed(*hosts: str) -> dict[str, Any]:
    return {"expose": {"gateways": ["edge/public"], "hosts": list(hosts)}} if hosts else {}


def standing(services: dict[str, Any], owner: str = OWNER) -> Objects:
    """The cluster after an update to this: what an API server has, by kind and name."""
    found = {}
    for manifest in mesh(load({"namespace": "demo", "services": services}), "demo").objects():
        there = deepcopy(manifest)
        there["metadata"].setdefault("annotations", {})["weir.dev/stack"] = owner
        found[there["kind"], there["metadata"]["name"]] = there
    return found


def told(before: dict[str, Any], after: dict[str, Any], owner: str = OWNER) -> list[str]:
    config = load({"namespace": "demo", "services": after})
    return hazards(config.services, mesh(config, "demo").services, standing(before, owner), OWNER)


H2 = {"args": ["server"]}
WEB = {"name": "http", "port": 80, "targetPort": 5678}
RAW = {"name": "raw", "port": 9000, "protocol": "tcp"}
ADMIN = {"name": "admin", "port": 81, "targetPort": 5678}


def several(*ports: dict[str, Any], **keys: Any) -> dict[str, Any]:
    """The service with these ports in place of its own."""
    return backend(port=None, targetPort=None, ports=list(ports), **keys)


def at(address: str) -> dict[str, Any]:
    """The service at an address of its own choice."""
    return backend(kubernetes={"service": {"spec": {"clusterIP": address}}})


LOST = [
    (
        "another address",
        at("10.0.0.1"),
        at("10.0.0.2"),
        "backend: clusterIP 10.0.0.1 → 10.0.0.2: the Service would be deleted and made anew",
    ),
    (
        "one port of several goes",
        several(WEB, RAW, ADMIN),
        several(WEB, ADMIN),
        "backend: callers at port 9000 would lose every request; keep port: 9000, with others beside it as entries",
    ),
    (
        "the pods' port gets another name",
        backend(),
        several({**WEB, "name": "web"}, RAW),
        "backend: port 80 would go to the pods' port web, and those that serve have it as http; keep the name http",
    ),
    (
        "the name of the pods' port moves to another entry",
        several(WEB, ADMIN),
        several(ADMIN, {**WEB, "targetPort": 5679}),
        "backend: port 81 would go to the pods' port admin, and those that serve have it as http; keep the name http",
    ),
    (
        "protocol of one port and image at once",
        several(WEB, ADMIN | {"targetPort": 5679}, image="app:1"),
        several(WEB, ADMIN | {"targetPort": 5679, "protocol": "grpc-web"}, image="app:2"),
        "backend: protocol of port 81 http → grpc-web and other pods (v1, v2) in one update:",
    ),
    (
        "a port that passed through is routed",
        several(WEB, RAW),
        several(WEB, {**RAW, "protocol": "http"}),
        "backend: protocol of port 9000 tcp → http: who speaks tcp there, caller or pod, would not be understood any",
    ),
    (
        "a routed port passes through, with other pods",
        several(WEB, ADMIN | {"targetPort": 5679, "protocol": "grpc"}, image="app:1"),
        several(WEB, ADMIN | {"targetPort": 5679, "protocol": "https"}, image="app:2"),
        "backend: protocol of port 81 grpc → https: who speaks grpc there, caller or pod, would not be understood any",
    ),
    (
        "the one port passes through, and another one is routed",
        backend(),
        several({**WEB, "protocol": "tls"}, ADMIN | {"targetPort": 5679}),
        "backend: protocol of port 80 http → tls: who speaks http there, caller or pod, would not be understood any",
    ),
    (
        "another selector",
        backend(),
        backend(selector={"app.kubernetes.io/name": "shop"}),
        "backend: selector app=backend → app.kubernetes.io/name=shop: the Service would leave the pods that serve",
    ),
    (
        "other labels of a version",
        backend(),
        backend(versions={**VERSIONS, "v2": {"args": ["-text=two"], "labels": {"version": "2.0"}}}),
        "backend: labels of v2, app=backend,version=v2 → app=backend,version=2.0: its Deployment would be deleted",
    ),
    (
        "the image goes",
        backend(),
        backend(image=None),
        "backend: without an image it is routing only: its Service and its pods would be deleted",
    ),
    (
        "another port",
        backend(),
        backend(port=81),
        "backend: callers at port 80 would lose every request once it is 81; keep port: 80",
    ),
    (
        "protocol and image at once",
        backend(),
        backend(protocol="http2", image="app:2"),
        "backend: protocol http → http2 and other pods (v1, v2) in one update:",
    ),
    (
        "protocol and a version that takes over",
        backend(versions={"v1": {}}, canary={}),
        backend(protocol="grpc", versions={"v1": {}, "v2": H2}, stable="v2", canary={}),
        "backend: protocol http → grpc and other pods (v2) in one update:",
    ),
    (
        "back from http2 with other pods",
        backend(protocol="http2"),
        backend(versions={**VERSIONS, "v2": H2}),
        "backend: protocol http2 → http and other pods (v2) in one update:",
    ),
    (
        "exportTo is taken away",
        backend(exportTo=["."]),
        backend(),
        'backend: exportTo ["."] cannot be taken away without losing requests; write exportTo: ["*"]',
    ),
    (
        "exportTo grows",
        backend(exportTo=[".", "shop"]),
        backend(exportTo=[".", "shop", "web"]),
        'backend: exportTo [".", shop] cannot grow to [".", shop, web] in one update',
    ),
    (
        "exportTo changes and a version goes",
        backend(),
        backend(exportTo=["."], versions={"v1": {}}, canary={}),
        "backend: exportTo changes and v2, which the route names, is removed: do this in two updates",
    ),
    (
        "no pods for what gets requests",
        backend(),
        backend(versions={"v1": {}, "v2": {"replicas": 0}}),
        (
            "backend: v2 gets requests and would have 0 replicas: they would be answered 503; send it nothing in the "
            "same update"
        ),
    ),
    (
        "requests for what has no pods",
        backend(versions={**VERSIONS, "v3": {"replicas": 0}}),
        backend(versions={**VERSIONS, "v3": {"replicas": 0}}, canary={"v3": 5}),
        (
            "backend: v3 gets requests and would have 0 replicas: they would be answered 503; send it nothing in the "
            "same update"
        ),
    ),
    (
        "a version without pods takes over",
        backend(),
        backend(versions={"v4": {"replicas": 0}}, stable="v4", canary={}),
        (
            "backend: v4 gets requests and would have 0 replicas: they would be answered 503; send it nothing in the "
            "same update"
        ),
    ),
    (
        "a first version without pods",
        {},
        backend(versions={"v1": {"replicas": 0}}, canary={}),
        (
            "backend: v1 gets requests and would have 0 replicas: they would be answered 503; send it nothing in the "
            "same update"
        ),
    ),
    (
        "hosts are exchanged",
        {**backend(**exposed("a.example.com")), "orders": {**OTHER, **exposed("b.example.com")}},
        {**backend(**exposed("b.example.com")), "orders": {**OTHER, **exposed("a.example.com")}},
        "backend, orders: these take hosts at gateways from each other, so none can be updated first",
    ),
]
KEPT = [
    ("nothing", backend(), backend()),
    ("the address is no longer written", at("10.0.0.1"), backend()),
    ("the address that it has", at("10.0.0.1"), at("10.0.0.1")),
    ("ports in place of port", backend(), several(WEB)),
    ("ports come, with other pods", backend(), several(RAW, WEB, ADMIN, image="app:2")),
    ("ports in another order", several(WEB, RAW), several(RAW, WEB)),
    ("the pods listen elsewhere", several(WEB, RAW), several({**WEB, "targetPort": 1}, {**RAW, "targetPort": 2})),
    ("the protocol of one port alone", several(WEB, RAW), several(WEB, {**RAW, "protocol": "redis"})),
    (
        "a new version with labels of its own",
        backend(),
        backend(versions={**VERSIONS, "v4": {"labels": {"version": "4.0"}}}),
    ),
    ("a new service", {}, backend()),
    ("a service goes, which is asked for", {**backend(), "orders": OTHER}, backend()),
    ("pods listen elsewhere, which callers do not see", backend(), backend(targetPort=8081)),
    ("the protocol alone", backend(), backend(protocol="http2")),
    (
        "from one that is HTTP/2 to another, with other pods",
        backend(protocol="http2"),
        backend(protocol="grpc", image="app:2"),
    ),
    ("protocol and pods that get nothing", backend(), backend(protocol="http2", versions={**VERSIONS, "v3": H2})),
    ("no pods for what gets nothing", backend(), backend(versions={"v1": {}, "v2": {"replicas": 0}}, canary={"v2": 0})),
    ("protocol and more pods", backend(), backend(protocol="http2", replicas=3)),
    ("routing only stays so", backend(image=None), backend(image=None, canary={"v2": 50})),
    ("an image comes", backend(image=None), backend()),
    ("exportTo from none to the own namespace", backend(), backend(exportTo=["."])),
    ("exportTo from the own namespace to all", backend(exportTo=["."]), backend(exportTo=["*"])),
    ("exportTo from the own namespace to one more", backend(exportTo=["."]), backend(exportTo=[".", "shop"])),
    ("exportTo to fewer", backend(exportTo=[".", "shop"]), backend(exportTo=["."])),
    ("exportTo to others", backend(exportTo=[".", "shop"]), backend(exportTo=[".", "web"])),
    ("exportTo in another order", backend(exportTo=[".", "shop"]), backend(exportTo=["shop", "."])),
    ("exportTo and a version that no route names", backend(), backend(exportTo=["."], versions={"v1": {}, "v2": {}})),
    (
        "a host moves",
        {**backend(), "orders": {**OTHER, **exposed("a.example.com")}},
        {**backend(**exposed("a.example.com")), "orders": OTHER},
    ),
]


@pytest.mark.parametrize(("before", "after", "line"), [case[1:] for case in LOST], ids=[case[0] for case in LOST])
def test_what_would_lose_requests_is_found(before: dict[str, Any], after: dict[str, Any], line: str) -> None:
    """One line each, with the service, and no other."""
    [found] = told(before, after)
    assert found.startswith(line), found


@pytest.mark.parametrize(("before", "after"), [case[1:] for case in KEPT], ids=[case[0] for case in KEPT])
def test_nothing_else_is(before: dict[str, Any], after: dict[str, Any]) -> None:
    """What an order makes safe is not refused."""
    assert told(before, after) == []


def test_a_name_that_another_port_keeps_is_not_given() -> None:
    """A port keeps the name that it has in the cluster, so that no new one can have that."""
    there = standing(backend())
    there["Service", "backend"]["spec"]["ports"][0]["name"] = "raw"
    config = load({"namespace": "demo", "services": several(RAW, WEB)})
    assert hazards(config.services, mesh(config, "demo").services, there, OWNER) == [
        'backend: port 9000 cannot have the name "raw": port 80 has it in the cluster, and keeps it; choose another name'
    ]


@pytest.mark.parametrize(
    ("before", "after", "first"),
    [
        (backend(**exposed("a.example.com")), several(WEB, RAW, **exposed("a.example.com")), True),
        (backend(**exposed("a.example.com")), several(WEB, ADMIN), True),
        (backend(**exposed("a.example.com")), several(WEB, **exposed("a.example.com")), False),
        (several(WEB, RAW, **exposed("a.example.com")), several(WEB, RAW, ADMIN, **exposed("a.example.com")), False),
        (backend(), several(WEB, RAW, **exposed("a.example.com")), False),
        ({}, several(WEB, RAW, **exposed("a.example.com")), False),
        (backend(**exposed("a.example.com")), backend(image=None), False),
    ],
)
def test_a_route_at_gateways_changes_before_its_service_gets_more_ports(
    before: dict[str, Any], after: dict[str, Any], first: bool
) -> None:
    """As long as there is one port a destination needs none; with the second one, gateways would look for a port of the
    Service with the number of their own.
    """
    wanted = mesh(load({"namespace": "demo", "services": after}), "demo").services["backend"]
    assert route_before_service("backend", wanted, standing(before)) is first
    assert not route_before_service("backend", wanted, None)


def test_what_another_stack_made_is_not_judged() -> None:
    """It is refused, or adopted, for being somebody else's."""
    assert told(backend(), backend(port=81), owner="organization/weir/prod") == []


def test_all_are_told_at_once() -> None:
    """Nobody has to try again to hear of the next."""
    assert len(told({**backend(), "orders": OTHER}, {**backend(port=81), "orders": {**OTHER, "port": 8080}})) == 2


@pytest.mark.parametrize(
    ("after", "first"),
    [
        (backend(), set()),
        (backend(canary={"v2": 0}), set()),
        (backend(stable="v2", canary={}), set()),
        (backend(canary={"v2": 20, "v3": 5}), {"v3"}),
        (backend(mirrors=[{"version": "v3", "percentage": 1}]), {"v3"}),
        (backend(canary={"v2": 60}, replicas=3), {"v2"}),
        (backend(canary={"v2": 10}, versions={**VERSIONS, "v2": {"replicas": 3}}), set()),
        (backend(canary={"v2": 10}, image="app:2"), set()),
    ],
)
def test_only_pods_that_newly_get_requests_come_before_the_route(after: dict[str, Any], first: set[str]) -> None:
    """And those that are to be more for a larger share. A share that moves waits for no pod."""
    wanted = mesh(load({"namespace": "demo", "services": after}), "demo").services["backend"]
    assert pods_first("backend", wanted, standing(backend())) == first


def test_pods_come_first_where_nothing_is_known() -> None:
    """Without a cluster to ask, as where there is nothing yet, and where somebody has deleted the pods, all that get
    requests do.
    """
    wanted = mesh(load({"namespace": "demo", "services": backend()}), "demo").services["backend"]
    assert pods_first("backend", wanted, None) == pods_first("backend", wanted, {}) == {"v1", "v2"}
    without = {key: found for key, found in standing(backend()).items() if key != ("Deployment", "backend-v1")}
    assert pods_first("backend", wanted, without) == {"v1"}


def test_a_host_is_gained_before_it_is_lost() -> None:
    """The one that gains it comes first; where two exchange hosts there is no order, and none that would hang."""
    before = {**backend(**exposed("a.example.com", "b.example.com")), "orders": OTHER, "news": OTHER}
    after = {
        **backend(),
        "orders": {**OTHER, **exposed("a.example.com")},
        "news": {**OTHER, **exposed("b.example.com")},
    }
    wanted = mesh(load({"namespace": "demo", "services": after}), "demo").services
    routes = {name: objects.virtual_service for name, objects in wanted.items()}
    assert routes_first(routes, standing(before)) == {"backend": {"orders", "news"}}
    exchanged = {**backend(**exposed("b.example.com")), "orders": {**OTHER, **exposed("a.example.com")}}
    now = {**backend(**exposed("a.example.com")), "orders": {**OTHER, **exposed("b.example.com")}}
    wanted = mesh(load({"namespace": "demo", "services": exchanged}), "demo").services
    routes = {name: objects.virtual_service for name, objects in wanted.items()}
    assert routes_first(routes, standing(now)) == {
        "backend": frozenset(),
        "orders": frozenset(),
    }


def test_a_host_that_nobody_has_any_more_is_told() -> None:
    """Given up, and in no other route that stands: where another service gets it too late, requests are lost."""
    before = {**backend(**exposed("a.example.com", "b.example.com")), "orders": {**OTHER, **exposed("b.example.com")}}
    wanted = mesh(load({"namespace": "demo", "services": backend()}), "demo").services
    assert lost_hosts(wanted, standing(before)) == [("backend", "a.example.com")]
    assert lost_hosts(wanted, {}) == []


def test_what_a_killed_update_left_is_found() -> None:
    """What this stack made and its config does not have; not what others made."""
    wanted = mesh(load({"namespace": "demo", "services": backend(versions={"v1": {}, "v2": {}})}), "demo").objects()
    assert orphans(wanted, standing(backend()), OWNER) == [
        ("Deployment", "backend-v3"),
        ("DestinationRule", "backend-v3"),
    ]
    assert orphans(wanted, standing(backend(), "organization/weir/prod"), OWNER) == []
