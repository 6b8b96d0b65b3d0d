"""What runs already, read as config: what weir writes itself comes back as it was, and what people write is understood
or named.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given

from tests.unit.model.hypothesis_rounds import in_rounds, tens
from tests.unit.model.strategies import configs
from weir.model import ServiceTraffic, load, mesh, traffic
from weir.model.adopted import Adopted, Found, adopted
from weir.model.adopted_hosts import adopted_hosts
from weir.model.manifests.kubernetes import service as service_manifest

SERVICE = {
    "kind": "Service",
    "metadata": {"name": "shop", "namespace": "demo"},
    "spec": {"selector": {"app": "shop"}, "ports": [{"name": "http", "port": 80, "targetPort": 8080}]},
}


def workload(name: str, kind: str = "Deployment", replicas: int = 1, **labels: str) -> dict[str, Any]:
    template = {
        "metadata": {"labels": labels},
        "spec": {"containers": [{"ports": [{"name": "web", "containerPort": 9}]}]},
    }
    return {
        "kind": kind,
        "metadata": {"name": name, "namespace": "demo"},
        "spec": {"replicas": replicas, "template": template},
    }


def rule(kind: str, spec: dict[str, Any], name: str = "shop") -> dict[str, Any]:
    return {"kind": kind, "metadata": {"name": name, "namespace": "demo"}, "spec": spec}


def found(
    *workloads: dict[str, Any], http: list[Any] | None = None, service: Any = SERVICE, subsets: Any = None, **route: Any
) -> Adopted:
    """What is read of these; `http`, `subsets`: of a VirtualService and a DestinationRule by hand."""
    routes = [rule("VirtualService", {"hosts": ["shop"], "http": http, **route})] if http is not None else []
    rules = [rule("DestinationRule", {"host": "shop", "subsets": subsets})] if subsets else []
    return adopted(Found("demo", "cluster.local", {"shop": service}, workloads, routes, rules), "shop")


SUBSETS = [{"name": "v1", "labels": {"version": "v1"}}, {"name": "v2", "labels": {"version": "v2"}}]
BOTH = (workload("shop-v1", app="shop", version="v1"), workload("shop-v2", app="shop", version="v2"))


def to(subset: str, weight: int = 100) -> dict[str, Any]:
    return {"destination": {"host": "shop", "subset": subset}, "weight": weight}


@in_rounds(5)
@tens
@given(configs())
def test_what_weir_writes_comes_back(raw: dict[str, Any]) -> None:
    """The objects of any config, taken for somebody else's, are read as the same traffic."""
    # A drill is weir's own, and has routes of names that nobody else gives.
    services = {
        name: {key: value for key, value in keys.items() if key != "drill"}
        for name, keys in raw.get("services", {}).items()
    }
    # Nor does a host that several services share belong to one of them.
    raw = {key: value for key, value in raw.items() if key != "hosts"}
    config = load({**raw, "services": services})
    namespace = raw["namespace"]
    made = mesh(config, namespace)
    for name, service in config.services.items():
        if any(version.external for version in service.versions.values()):
            continue  # nobody else has a ServiceEntry like weir's
        if not service.with_pods and not any(each.named for each in made.services[name].versions.values()):
            continue  # nothing says then which other Service is one of its versions
        if made.services[name].entrance or (service.expose and service.expose.routes):
            continue  # where a route is bound is read as a match on gateways, and not as `*` or `expose.routes`
        objects = list(made.services[name].objects())
        pods = [each for each in objects if each["kind"] == "Deployment"]
        there = Found(
            namespace,
            config.cluster_domain,
            {name: made.services[name].service or service_manifest(name, service, namespace)},
            pods,
            [json.loads(json.dumps(each)) for each in objects if each["kind"] == "VirtualService"],
            [json.loads(json.dumps(each)) for each in objects if each["kind"] == "DestinationRule"],
        )
        read = adopted(there, name)
        assert read.lost == ()
        again = load({**raw, "services": {name: read.config}, "force": True})
        wanted, found = (without_notes(traffic(each, namespace)) for each in (service, again.services[name]))
        assert found == wanted


def without_notes(service: ServiceTraffic) -> ServiceTraffic:
    """Annotations of weir's say when a fault ends, and what versions are called that are other Services. Nobody else
    writes them: here such a version is called as its place, and is none where no route names it.
    """
    names = {name: str(place) for name, place in service.elsewhere.items()}

    def renamed(found: Mapping[str, Any]) -> dict[str, Any]:
        return {names.get(name, name): value for name, value in found.items()}

    routes = [
        replace(
            route,
            fault=route.fault.model_copy(update={"until": None}) if route.fault else None,
            weights=renamed(route.weights),
            version_headers=renamed(route.version_headers),
            mirrors=tuple(
                each.model_copy(update={"version": names.get(each.version, each.version)}) for each in route.mirrors
            ),
        )
        for route in service.routes
    ]
    named = {version for route in routes for version in (*route.weights, *(each.version for each in route.mirrors))}
    return replace(
        service,
        routes=tuple(routes),
        versions={
            name: policy
            for name, policy in renamed(service.versions).items()
            if name in named or name not in names.values()
        },
        elsewhere={name: place for name, place in renamed(service.elsewhere).items() if name in named},
    )


def test_a_service_alone_is_routing_to_what_it_has() -> None:
    """A label that people tell versions by becomes the version's; a number is a label of its own."""
    read = found(workload("shop", app="shop", version="2.0", team="a"))
    assert read.config == {
        "port": 80,
        "targetPort": 8080,
        "createService": False,
        "versions": {"v2-0": {"workload": "deployment/shop", "labels": {"version": "2.0"}}},
        "stable": "v2-0",
    }
    assert (read.lost, read.notes, read.replaced) == ((), (), ())


def test_the_ports_of_a_service_are_what_istio_reads() -> None:
    """Their protocols by appProtocol or the name, the pods' port by the name that containers give it."""
    ports = [{"name": "tcp-db", "port": 5432}, {"name": "grpc-api", "port": 9000, "targetPort": "web"}]
    read = found(
        workload("shop", "StatefulSet", 1, **{"app.kubernetes.io/name": "shop", "color": "blue"}),
        service={**SERVICE, "spec": {"selector": {"app.kubernetes.io/name": "shop"}, "ports": ports}},
    )
    assert read.config["selector"] == {"app.kubernetes.io/name": "shop"}
    assert read.config["ports"] == [
        {"name": "tcp-db", "port": 5432, "protocol": "tcp"},
        {"name": "grpc-api", "port": 9000, "targetPort": 9, "protocol": "grpc"},
    ]
    assert read.config["versions"] == {"blue": {"workload": "statefulset/shop", "labels": {"color": "blue"}}}


def test_one_port_of_a_service_is_said_as_one() -> None:
    """Also where the others are not of TCP, and where none is for HTTP."""
    dns = {"name": "dns", "port": 53, "protocol": "UDP"}
    for ports, keys in (
        ([dns, {"name": "http2-web", "port": 81}], {"port": 81, "protocol": "http2"}),
        ([{"name": "web", "port": 82, "appProtocol": "grpc"}], {"port": 82, "protocol": "grpc"}),
    ):
        read = found(*BOTH[:1], service={**SERVICE, "spec": {**SERVICE["spec"], "ports": ports}})  # type: ignore[dict-item]
        assert {key: read.config.get(key) for key in keys} == keys
        assert "ports" not in read.config


def test_ports_of_destinations_are_understood_or_named() -> None:
    """A destination may name the port that it would have anyway; copies for gateways are weir's alone if they differ in
    the port alone.
    """
    ports = [{"name": "http", "port": 80}, {"name": "http-admin", "port": 81}]
    service = {**SERVICE, "spec": {"selector": {"app": "shop"}, "ports": ports}}

    def at(number: int, **more: Any) -> dict[str, Any]:
        destination = {**to("v1")["destination"], "port": {"number": number}}
        return {"name": "a", "route": [{"destination": destination, "weight": 100}], **more}

    plain = {"name": "a", "route": [to("v1")]}
    outside = [{"gateways": ["edge/public"]}]
    entered = {"gateways": ["mesh", "edge/public"], "hosts": ["shop", "shop.example.com"]}
    copied = found(*BOTH, subsets=SUBSETS, service=service, http=[at(80, match=outside), plain], **entered)
    assert (copied.lost, "routes" in copied.config) == ((), False)
    assert found(*BOTH, subsets=SUBSETS, http=[at(80)]).lost == ()
    assert found(*BOTH, subsets=SUBSETS, http=[at(81)]).lost == ("port 81, to which a sends requests",)
    assert found(*BOTH, subsets=SUBSETS, service=service, http=[at(81)]).lost == ("port 81, to which a sends requests",)
    other = found(*BOTH, subsets=SUBSETS, service=service, http=[at(80, match=outside, timeout="1s"), plain], **entered)
    assert [route["timeout"] for route in other.config["routes"]] == ["1s"]


def test_requests_go_by_the_number_of_pods_without_rules() -> None:
    """Percentages can say it as it is now, and no longer when pods are added."""
    read = found(workload("a", replicas=2, app="shop", version="v1"), workload("b", app="shop", version="v2"))
    assert (read.config["stable"], read.config["canary"]) == ("v1", {"v2": 33.3333})
    assert read.lost == ("requests go by the number of pods, which is written as percentages, as it is now",)


def test_pods_that_no_label_tells_apart_are_one_version() -> None:
    """And a version needs a label before there is a second one."""
    read = found(workload("a", app="shop"), workload("b", app="shop"))
    assert read.notes == ("no label tells the pods of deployment/a, deployment/b apart, so they are one version here",)
    [note] = found(workload("a", app="shop")).notes
    assert note.startswith("pods of deployment/a have no label but those of the selector")


def test_weights_and_what_routes_say_by_hand() -> None:
    """Weights of any sum, percentages and durations as Istio writes them, names that are none of weir's."""
    read = found(
        *BOTH,
        subsets=SUBSETS,
        http=[
            {"match": [{"headers": {"x-user": {"exact": "beta"}}}], "route": [to("v2")], "name": "Beta Users"},
            {
                "route": [to("v1", 3), to("v2", 1)],
                "timeout": "5s",
                "retries": {"attempts": 3, "retryOn": "5xx, reset"},
                "fault": {"delay": {"percent": 10, "fixedDelay": "3s"}},
                "mirror": {"host": "shop", "subset": "v2"},
                "mirrorPercentage": {"value": 12.5},
            },
        ],
    )
    assert read.lost == ()
    assert read.replaced == (("VirtualService", "shop"), ("DestinationRule", "shop"))
    assert read.config["canary"] == {"v2": 25}
    assert read.config["retries"] == {"attempts": 3, "retryOn": ["5xx", "reset"]}
    assert read.config["fault"] == {"delay": {"percentage": 10, "fixedDelay": "3s"}}
    assert read.config["mirrors"] == [{"version": "v2", "percentage": 12.5}]
    # By Istio a route without them has no timeout, and two retries.
    match = [{"headers": {"x-user": {"exact": "beta"}}}]
    assert read.config["routes"] == [
        {"name": "beta-users", "match": match, "stable": "v2", "timeout": "none", "retries": {"attempts": 2}}
    ]


def test_what_no_route_takes_is_not_found() -> None:
    """Envoy answers 404 where the last route has a match."""
    read = found(*BOTH, subsets=SUBSETS, http=[{"match": [{"uri": {"prefix": "/api"}}], "route": [to("v1")]}])
    assert read.config["directResponse"] == {"status": 404}
    assert read.config["routes"] == [{"name": "route-1", "match": [{"uri": {"prefix": "/api"}}], "stable": "v1"}]


@pytest.mark.parametrize(
    ("http", "more", "lost"),
    [
        (
            [{"route": [{"destination": {"host": "cart"}}]}, {"route": [to("v1")]}],
            {},
            "route-1, which sends requests to cart.demo.svc.cluster.local, whose ports are not known",
        ),
        ([{"delegate": {"name": "other"}, "route": [to("v1")]}], {}, "delegate of route-1 (VirtualService shop)"),
        ([{"route": [to("v1")]}], {"tcp": [{}]}, "tcp routes of VirtualService shop"),
        (
            [{"route": [to("v1")], "timeout": "1.5ms"}],
            {},
            'timeout: must be whole milliseconds, was "1.5ms"',
        ),
        (
            [{"route": [to("v1")], "mirror": {"host": "cart"}}],
            {},
            "the mirror of route-1 to cart.demo.svc.cluster.local, whose ports are not known",
        ),
    ],
)
def test_what_cannot_be_said_is_named(http: list[Any], more: dict[str, Any], lost: str) -> None:
    """With where it stands; the rest is there."""
    read = found(*BOTH, subsets=SUBSETS, http=http, **more)
    assert read.config["stable"] == "v1"
    assert any(line.startswith(lost[:60]) for line in read.lost), read.lost


def test_headers_of_a_destination_are_its_versions() -> None:
    """Where all destinations say the same."""
    said = {"response": {"set": {"x-version": "v2"}}}
    read = found(*BOTH, subsets=SUBSETS, http=[{"route": [to("v1"), {**to("v2", 0), "headers": said}]}])
    assert read.config["versions"]["v2"]["headers"] == said
    read = found(
        *BOTH,
        subsets=SUBSETS,
        http=[{"match": [{"port": 80}], "route": [to("v2")]}, {"route": [{**to("v2"), "headers": said}]}],
    )
    assert read.lost == ("headers of requests to v2, which differ from route to route",)


def test_a_route_at_a_gateway_and_in_the_mesh() -> None:
    """One VirtualService for both is `expose`."""
    read = found(
        *BOTH,
        subsets=SUBSETS,
        http=[{"route": [to("v1")]}],
        hosts=["shop", "shop.example.com"],
        gateways=["mesh", "edge/public"],
    )
    assert read.config["expose"] == {"gateways": ["edge/public"], "hosts": ["shop.example.com"]}


def at_gateway(*http: Any, hosts: tuple[str, ...] = ("shop.example.com",)) -> dict[str, Any]:
    return rule("VirtualService", {"hosts": list(hosts), "gateways": ["public"], "http": list(http)}, "edge")


CART = {"destination": {"host": "cart", "port": {"number": 80}}}
HOSTS = {"shop.demo.svc.cluster.local": "shop", "cart.demo.svc.cluster.local": "cart"}


def test_a_host_at_gateways_is_one_over_services() -> None:
    """Each route is an entry; the mesh sees nothing of it."""
    match = [{"uri": {"prefix": "/cart"}}]
    routes = [
        {"match": match, "rewrite": {"uri": "/"}, "route": [CART]},
        {"route": [{"destination": {"host": "shop"}}]},
    ]
    read = adopted_hosts([at_gateway(*routes, hosts=("shop.example.com", "*"))], HOSTS, "cluster.local")
    entries = [{"match": match, "service": "cart", "rewrite": {"uri": "/"}}, {"service": "shop"}]
    host = {"gateways": ["demo/public"], "routes": entries}
    assert (read.config, read.lost) == ({"shop.example.com": host, "*": host}, [])
    assert read.replaced == [("VirtualService", "edge")]
    short = adopted_hosts([at_gateway(*routes, hosts=("shop",))], HOSTS, "cluster.local")
    assert list(short.config) == ["shop.demo.svc.cluster.local"]
    alone = Found("demo", "cluster.local", {"shop": SERVICE}, BOTH[:1], [at_gateway(*routes)], [])
    assert (adopted(alone, "shop").lost, adopted(alone, "shop").replaced) == ((), ())


def test_entries_of_one_service_have_names() -> None:
    """Of their own where they are written, else by their place."""
    one, two = ({"match": [{"uri": {"prefix": path}}], "route": [CART]} for path in ("/a", "/b"))
    read = adopted_hosts([at_gateway(one, {**two, "name": "Second Way"}, {"route": [CART]})], HOSTS, "cluster.local")
    [host] = read.config.values()
    assert [entry.get("name") for entry in host["routes"]] == [None, "second-way", "cart-3"]


@pytest.mark.parametrize(
    ("http", "lost"),
    [
        (
            {"route": [{"destination": {"host": "bank"}}]},
            "route 1 of VirtualService edge: it sends requests to bank.demo.svc.cluster.local; adopt that in the same "
            "command",
        ),
        (
            {"name": "both", "route": [CART, {"destination": {"host": "shop"}}]},
            "route both of VirtualService edge: it sends requests to 2 services, where an entry has one; if they are "
            "versions of one, give it the host of that and the gateway mesh too, and run this again",
        ),
        (
            {"route": [CART], "timeout": "5s", "retries": {"attempts": 0}},
            "route 1 of VirtualService edge: retries, timeout; at gateways a service has what it has in the mesh",
        ),
    ],
)
def test_what_a_host_cannot_say_is_named(http: dict[str, Any], lost: str) -> None:
    """With the route it is in."""
    [line] = adopted_hosts([at_gateway(http, {"route": [CART]})], HOSTS, "cluster.local").lost
    assert line == lost
