"""From config to objects: what a route takes from its service, and features as they stand in the cluster
(samples/resolving.yaml).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from weir.model import Manifest, load, mesh
from weir.stack import yaml_reader

SAMPLES: dict[str, dict[str, Any]] = yaml_reader.load(
    (Path(__file__).parent / "samples" / "resolving.yaml").read_text()
)
HOST = "backend.demo.svc.cluster.local"


def made(service: dict[str, Any], stack: dict[str, Any]) -> dict[tuple[str, str], Manifest]:
    """All objects of a stack with the service `backend`, by kind and name."""
    settings = {"versions": {"v1": {}, "v2": {}}, "stable": "v1", **service}
    config = load({"namespace": "demo", "services": {"backend": settings}, **stack})
    return {(entry["kind"], entry["metadata"]["name"]): entry for entry in mesh(config, "demo").objects()}


def objects(service: str, stack: str = "{}") -> dict[tuple[str, str], Manifest]:
    """The same of YAML."""
    return made(yaml_reader.load(service), yaml_reader.load(stack))


def routes(service: str, stack: str = "{}") -> list[dict[str, Any]]:
    """The routes in the VirtualService."""
    http: list[dict[str, Any]] = objects(service, stack)["VirtualService", "backend"]["spec"]["http"]
    return http


def route(keys: str, service: str = "") -> dict[str, Any]:
    """The one route before the default one, with these keys, of a service with those."""
    first, _ = routes(f"{{routes: [{{name: api, {keys}}}], {service}}}")
    return first


def to(*weights: tuple[str, int]) -> list[dict[str, Any]]:
    return [{"destination": {"host": HOST, "subset": version}, "weight": weight} for version, weight in weights]


def test_a_route_takes_stable_timeout_and_retries() -> None:
    """What a route does not say of these three is its service's."""
    assert route("match: [{uri: {prefix: /api}}]", "stable: v2, timeout: 10s, retries: {attempts: 2}") == {
        "name": "api",
        "match": [{"uri": {"prefix": "/api"}}],
        "route": to(("v2", 100)),
        "timeout": "10s",
        "retries": {"attempts": 2},
    }


@pytest.mark.parametrize(
    ("own", "services", "written"),
    [("10s", "none", "10s"), ("none", "10s", None), ("none", "none", None), (None, "none", None), (None, "10s", "10s")],
)
def test_no_limit_is_no_limit(own: str | None, services: str, written: str | None) -> None:
    """`timeout: none` takes over nothing. Istio's validation refuses a timeout of 0s, and without one Envoy waits
    without end.
    """
    keys = "match: [{uri: {prefix: /ws/}}]" + (f", timeout: {own}" if own else "")
    assert route(keys, f"timeout: {services}").get("timeout") == written


def test_a_route_replaces_them_whole() -> None:
    """Its own retries are not mixed with its service's, key by key."""
    service = "timeout: 10s, retries: {attempts: 2, perTryTimeout: 1s, retryOn: [5xx]}"
    assert route("stable: v2, timeout: 1s, retries: {attempts: 0}", service) == {
        "name": "api",
        "route": to(("v2", 100)),
        "timeout": "1s",
        "retries": {"attempts": 0},
    }


@pytest.mark.parametrize(
    "setting",
    [
        "canary: {v2: 20}",
        "fault: {abort: {percentage: 10, httpStatus: 503}}",
        "mirrors: [{version: v2}]",
        "headers: {request: {set: {x-a: b}}}",
        "corsPolicy: {allowOrigins: [{exact: https://shop.example.com}]}",
        "rewrite: {uri: /v2}",
    ],
)
def test_a_route_takes_nothing_else(setting: str) -> None:
    """A canary, a fault, a mirror or a change of the default route is nobody else's."""
    assert route("match: [{uri: {prefix: /api}}]", setting) == {
        "name": "api",
        "match": [{"uri": {"prefix": "/api"}}],
        "route": to(("v1", 100)),
    }


@pytest.mark.parametrize(
    "answer", ["redirect: {uri: /new, redirectCode: 308}", "directResponse: {status: 503, body: {string: closed}}"]
)
def test_a_route_that_answers_has_no_destination(answer: str) -> None:
    """It takes neither stable nor timeout nor retries; headers and CORS it may have of its own."""
    said = yaml_reader.load(f"{{{answer}}}")
    cors = {"allowOrigins": [{"prefix": "https://"}], "allowCredentials": True}
    own = (
        "headers: {response: {set: {x-a: b}}}, corsPolicy: {allowOrigins: [{prefix: 'https://'}], allowCredentials: "
        "true}"
    )
    assert route(f"{answer}, {own}", "timeout: 10s, retries: {attempts: 2}") == {
        "name": "api",
        "headers": {"response": {"set": {"x-a": "b"}}},
        "corsPolicy": cors,
        **said,
    }


def test_the_default_route_may_answer() -> None:
    """A service in maintenance: the routes before it still reach their versions."""
    first, default = routes(
        "{directResponse: {status: 503}, routes: [{name: ops, match: [{headers: {x-ops: {}}}], canary: {v2: 50}}]}"
    )
    assert first == {"name": "ops", "match": [{"headers": {"x-ops": {}}}], "route": to(("v1", 50), ("v2", 50))}
    assert default == {"name": "default", "directResponse": {"status": 503}}


def test_routes_are_tried_in_their_order() -> None:
    """As written, the default one last; each with the canaries of its own."""
    names = [(entry["name"], [part["weight"] for part in entry["route"]]) for entry in routes(ORDERED)]
    assert names == [("first", [99, 1]), ("second", [100]), ("default", [199, 1])]


ORDERED = """
canary: {v2: 0.5}
routes:
- {name: first, match: [{uri: {exact: /a}}], canary: {v2: 1}}
- {name: second, match: [{uri: {prefix: /}}]}
"""


def test_headers_of_a_version_go_with_its_destination() -> None:
    """In every route that names the version, and in no other."""
    changes = "response: {set: {x-version: v2}}"
    first, default = routes(
        f"{{versions: {{v1: {{}}, v2: {{headers: {{{changes}}}}}}}, canary: {{v2: 20}}, routes: [{{name: old}}]}}"
    )
    assert first["route"] == to(("v1", 100))
    assert default["route"] == [
        {"destination": {"host": HOST, "subset": "v1"}, "weight": 80},
        {
            "destination": {"host": HOST, "subset": "v2"},
            "weight": 20,
            "headers": {"response": {"set": {"x-version": "v2"}}},
        },
    ]


def test_without_a_policy_there_is_no_rule_for_all() -> None:
    """Nothing to say is no object."""
    assert [name for kind, name in objects("{}") if kind == "DestinationRule"] == ["backend-v1", "backend-v2"]


@pytest.mark.parametrize(
    ("setting", "protocol"),
    [("", "http"), ("protocol: http", "http"), ("protocol: grpc", "grpc"), ("protocol: http2", "http2")],
)
def test_the_port_says_its_protocol_and_keeps_its_name(setting: str, protocol: str) -> None:
    """Istio knows the protocol by `appProtocol`, and the endpoints of a port by its name; the container's port has the
    name that probes use.
    """
    there = objects(f"{{image: app:1, port: 90, targetPort: 9000, {setting}}}")
    assert there["Service", "backend"]["spec"]["ports"] == [
        {"name": "http", "port": 90, "targetPort": "http", "protocol": "TCP", "appProtocol": protocol}
    ]
    [container] = there["Deployment", "backend-v1"]["spec"]["template"]["spec"]["containers"]
    assert container["ports"] == [{"name": "http", "containerPort": 9000, "protocol": "TCP"}]


def test_somebody_elses_namespace_is_left_alone() -> None:
    """With createNamespace false all is placed in it, and it is not among the objects."""
    there = objects("{image: app:1}", "{createNamespace: false}")
    assert not [name for kind, name in there if kind == "Namespace"]
    assert {entry["metadata"]["namespace"] for entry in there.values()} == {"demo"}


def test_a_service_without_images_has_rules_alone() -> None:
    """Routing only: neither Service nor account nor pods."""
    assert {kind for kind, _ in objects("{canary: {v2: 20}}")} == {"Namespace", "DestinationRule", "VirtualService"}


@pytest.mark.parametrize(
    ("case", "place"),
    [pytest.param(case, place, id=f"{name}: {place}") for name, case in SAMPLES.items() for place in case["gives"]],
)
def test_each_feature_is_as_reviewed(case: dict[str, Any], place: str) -> None:
    """An object, or a part of it, is what a person wrote down: Istio's names, nothing lost and nothing added."""
    head, _, path = place.partition(" ")
    kind, name = head.split("/")
    found: Any = made(case["service"], case.get("stack", {}))[kind, name]
    for key in path.split("/") if path else ():
        found = found[int(key) if isinstance(found, list) else key]
    assert found == case["gives"][place]


def test_a_foreign_gateway_is_not_made() -> None:
    """Only the stack's own gateways are objects; one of another namespace is named and left alone."""
    case = SAMPLES["an exposed service keeps the mesh"]
    assert [name for kind, name in made(case["service"], case["stack"]) if kind == "Gateway"] == ["public"]
