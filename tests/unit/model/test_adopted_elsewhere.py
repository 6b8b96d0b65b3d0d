"""VirtualServices by hand, and of release tools, that divide requests between Services, or send them to an external
host: read as versions that are other hosts, they render the same destinations.
"""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.recorded import one, recorded
from weir.model import load, mesh
from weir.model.adopted import Adopted, Found, adopted
from weir.model.adopted_hosts import adopted_hosts
from weir.model.routing.resolve import full_gateway

DOMAIN = "svc.cluster.local"


def there(items: list[dict[str, Any]], *services: str, ports: dict[str, list[int]] | None = None) -> Found:
    """What is found of these services among the objects; `ports`: of hosts that are none of the Services."""
    kinds: dict[str, list[dict[str, Any]]] = {}
    for each in items:
        kinds.setdefault(each["kind"], []).append(each)
    namespace = items[0]["metadata"]["namespace"]
    known = {
        f"{each['metadata']['name']}.{namespace}.{DOMAIN}": [port["port"] for port in each["spec"]["ports"]]
        for each in kinds["Service"]
    }
    named = {each["metadata"]["name"]: each for each in kinds["Service"]}
    return Found(
        namespace,
        "cluster.local",
        {name: named[name] for name in services},
        kinds.get("Deployment", []),
        kinds["VirtualService"],
        kinds.get("DestinationRule", []),
        {**known, **(ports or {})},
    )


def service(name: str, *ports: int, **selector: str) -> dict[str, Any]:
    spec = {"selector": selector or {"app": name}, "ports": [{"name": f"http-{port}", "port": port} for port in ports]}
    return {"kind": "Service", "metadata": {"name": name, "namespace": "demo"}, "spec": spec}


def route(*http: dict[str, Any], **spec: Any) -> dict[str, Any]:
    metadata = {"name": "shop", "namespace": "demo"}
    return {"kind": "VirtualService", "metadata": metadata, "spec": {"hosts": ["shop"], "http": list(http), **spec}}


def to(host: str, weight: int = 100, port: int | None = None, **more: Any) -> dict[str, Any]:
    destination = {"host": host, **({"port": {"number": port}} if port else {}), **more}
    return {"destination": destination, "weight": weight}


def read(*items: dict[str, Any], ports: dict[str, list[int]] | None = None) -> Adopted:
    """What is read of a service `shop` at port 80, beside these objects."""
    return adopted(there([service("shop", 80), *items], "shop", ports=ports), "shop")


def routed(read: Adopted, name: str, namespace: str) -> list[list[tuple[str, int | None, int]]]:
    """Where the config sends requests, route by route: host, port and weight."""
    raw = {"namespace": namespace, "createNamespace": False, "services": {name: read.config}}
    http = mesh(load(raw), namespace).services[name].virtual_service["spec"]["http"]
    return [
        [
            (each["destination"]["host"], each["destination"].get("port", {}).get("number"), each["weight"])
            for each in spec["route"]
        ]
        for spec in http
    ]


def test_what_flagger_has_made() -> None:
    """Its two Services are the versions, at their only port, and no pods of a third one."""
    found = adopted(there(recorded("flagger"), "podinfo"), "podinfo")
    assert (found.lost, found.notes, found.replaced) == ((), (), (("VirtualService", "podinfo"),))
    assert found.config == {
        "port": 9898,
        "createService": False,
        "versions": {
            "primary": {"host": f"podinfo-primary.test.{DOMAIN}", "port": 9898},
            "canary": {"host": f"podinfo-canary.test.{DOMAIN}", "port": 9898},
        },
        "stable": "primary",
        "canary": {"canary": 10},
        "retries": {"attempts": 3, "perTryTimeout": "1s", "retryOn": ["gateway-error", "connect-failure", "refused-stream"]},
        "expose": {"gateways": ["istio-system/public-gateway"], "hosts": ["app.example.com"]},
    }  # fmt: skip
    assert routed(found, "podinfo", "test") == [
        [(f"podinfo-primary.test.{DOMAIN}", 9898, 90), (f"podinfo-canary.test.{DOMAIN}", 9898, 10)]
    ]


def test_what_argo_rollouts_divides() -> None:
    """The stable Service has pods of its own, which are found without the label that the controller changes."""
    items = recorded("argo_rollouts")
    one(items, "VirtualService", "rollouts-demo-vsvc")["spec"] |= {
        "hosts": ["rollouts-demo-stable", "rollouts-demo.local"],
        "gateways": ["rollouts-demo-gateway", "mesh"],
    }
    found = adopted(there(items, "rollouts-demo-stable"), "rollouts-demo-stable")
    assert found.lost == ()
    assert found.config["versions"] == {
        "v1": {"labels": {"app": "rollouts-demo"}},
        "rollouts-demo-canary": {"host": f"rollouts-demo-canary.default.{DOMAIN}", "port": 80},
    }
    assert (found.config["stable"], found.config["canary"]) == ("v1", {"rollouts-demo-canary": 5})
    assert routed(found, "rollouts-demo-stable", "default") == [
        [(f"rollouts-demo-stable.default.{DOMAIN}", None, 95), (f"rollouts-demo-canary.default.{DOMAIN}", 80, 5)]
    ]


def test_a_split_at_gateways_alone_is_named() -> None:
    """As Argo's documentation has it; also where the service adopted is only its host. What to do is said."""
    items = recorded("argo_rollouts")
    routes = [one(items, "VirtualService", "rollouts-demo-vsvc")]
    line = (
        "route http-primary of VirtualService rollouts-demo-vsvc: it sends requests to 2 services, where an entry has "
        "one; if they are versions of one, give it the host of that and the gateway mesh too, and run this again"
    )
    stable = {f"rollouts-demo-stable.default.{DOMAIN}": "rollouts-demo-stable"}
    assert adopted_hosts(routes, stable, "cluster.local").lost == [line]
    demo = {f"rollouts-demo.default.{DOMAIN}": "rollouts-demo"}
    assert adopted_hosts(routes, demo, "cluster.local").lost == []
    routes[0]["spec"]["hosts"].append("rollouts-demo")
    assert adopted_hosts(routes, demo, "cluster.local").lost == [line]


def test_blue_and_green_by_hand() -> None:
    """Two Services behind a third one, chosen by a header, with copies; pods of the third have the same labels."""
    labels = [{"app": "shop", "color": color} for color in ("blue", "green")]
    pods = [
        {
            "kind": "Deployment",
            "metadata": {"name": f"shop-{each['color']}", "namespace": "demo"},
            "spec": {"template": {"metadata": {"labels": each}}},
        }
        for each in labels
    ]
    match = [{"headers": {"x-color": {"exact": "green"}}}]
    found = read(
        *pods,
        service("shop-blue", 80, **labels[0]),
        service("shop-green", 8080, **labels[1]),
        route(
            {"match": match, "route": [to("shop-green")]},
            {"route": [to(f"shop-blue.demo.{DOMAIN}", port=80)], "mirror": {"host": "shop-green"}},
        ),
    )
    assert (found.lost, found.notes) == ((), ())
    blue, green = f"shop-blue.demo.{DOMAIN}", f"shop-green.demo.{DOMAIN}"
    assert found.config["versions"] == {"green": {"host": green, "port": 8080}, "blue": {"host": blue, "port": 80}}
    assert found.config["routes"] == [{"name": "route-1", "match": match, "stable": "green"}]
    assert (found.config["stable"], found.config["mirrors"]) == ("blue", [{"version": "green"}])
    assert routed(found, "shop", "demo") == [[(green, 8080, 100)], [(blue, 80, 100)]]


def test_an_external_host_stays_that_of_its_service_entry() -> None:
    """Headers of its destination are its own; what routes lead to pods is a version of these."""
    said = {"request": {"set": {"host": "legacy.example.com"}}}
    found = read(route({"route": [{**to("legacy.example.com", 70, 443), "headers": said}, to("shop", 30)]}))
    assert found.lost == ()
    assert found.config["versions"] == {
        "v1": {"labels": {"app": "shop"}},
        "legacy": {"host": "legacy.example.com", "port": 443, "headers": said},
    }
    assert routed(found, "shop", "demo") == [[("legacy.example.com", 443, 70), (f"shop.demo.{DOMAIN}", None, 30)]]


@pytest.mark.parametrize(
    ("more", "spec", "port"),
    [
        ([service("cart", 8080)], {}, 8080),
        ([service("cart", 80, 81)], {}, 80),
        ([service("cart", 80, 81)], {"gateways": ["mesh", "edge"], "hosts": ["shop", "shop.example.com"]}, None),
        ([service("cart", 81, 82)], {}, None),
        ([], {}, None),
    ],
    ids=["its only port", "that of the listener", "a gateway's listener", "no such port", "not known"],
)
def test_a_destination_without_a_port(more: list[dict[str, Any]], spec: dict[str, Any], port: int | None) -> None:
    """istiod takes the only port of the host, else that of the listener, which at a gateway is the gateway's."""
    found = read(*more, route({"name": "a", "route": [to("cart")]}, **spec))
    place = f"cart.demo.{DOMAIN}"
    if port is None:
        why = "which has several ports" if more else "whose ports are not known"
        assert found.lost == (
            f"a, which sends requests to {place}, {why}: name one there (destination.port.number), and run this again "
            "(VirtualService shop)",
        )
    else:
        assert (found.config["versions"], found.lost) == ({"cart": {"host": place, "port": port}}, ())


def test_ports_of_other_hosts_are_theirs() -> None:
    """Of a ServiceEntry too; a service with several ports sends requests at all of them to the one that is named."""
    entry = {"legacy.example.com": [8080]}
    found = read(route({"route": [to("legacy.example.com")]}), ports=entry)
    assert (found.config["versions"]["legacy"]["port"], found.lost) == (8080, ())
    items = [service("shop", 80, 81), service("cart", 80, 81), route({"route": [to("cart", port=81)]})]
    assert adopted(there(items, "shop"), "shop").lost == ()
    items[-1] = route({"name": "a", "route": [to("cart")]})
    [line] = adopted(there(items, "shop"), "shop").lost
    assert line.startswith(f"a, which sends requests to cart.demo.{DOMAIN}, which has several ports")


@pytest.mark.parametrize(
    ("hosts", "beside", "names"),
    [
        (["shop-primary", "shop-canary"], [], ["primary", "canary"]),
        (["cart", f"shop.old.{DOMAIN}"], [], ["cart", "shop"]),
        (["www.a.com", "www.b.com", "www.c.com"], [], ["www", "www-2", "www-3"]),
        (["shop-2", "shop-primary"], ["shop-2"], ["shop-2", "primary"]),
        (["s" * 60, f"{'s' * 60}.b.com"], [], ["s" * 58, f"{'s' * 56}-2"]),
        (["shop", "v1.example.com"], [], ["v1", "v1-2"]),
    ],
    ids=["behind the service's", "whole", "numbered", "of an adopted service", "long", "beside pods"],
)
def test_names_of_versions(hosts: list[str], beside: list[str], names: list[str]) -> None:
    """By the host, each once; and no object has the name of a service that is adopted beside it."""
    services = [service("shop", 80), *(service(name, 80) for name in beside)]
    items = [*services, route({"route": [to(host, 1, 80) for host in hosts]})]
    found = adopted(there(items, "shop", *beside), "shop")
    assert (list(found.config["versions"]), found.lost) == (names, ())


@pytest.mark.parametrize(
    ("destination", "told"),
    [
        (
            to("cart", port=80, subset="v1"),
            f"cart.demo.{DOMAIN}, subset v1: a version that is another Service is all of it",
        ),
        (to("10.0.0.1", port=80), "10.0.0.1: the host of a version must be a name, and no address"),
        (to("*.example.com", port=80), "*.example.com: the host of a version must be a full DNS name"),
        (to("shop", subset="v9"), "shop, subset v9, which is no version of it"),
    ],
)
def test_what_no_version_can_be_is_named(destination: dict[str, Any], told: str) -> None:
    """With why; the pods are the version then."""
    found = read(route({"name": "a", "route": [destination]}))
    [line] = found.lost
    assert line.startswith(f"a, which sends requests to {told}")
    assert list(found.config["versions"]) == ["v1"]


@pytest.mark.parametrize(
    ("written", "means"),
    [
        ("mesh", "mesh"),
        ("public", "demo/public"),
        ("./public", "demo/public"),
        ("edge/public", "edge/public"),
        ("public.edge", "edge/public"),
        ("public.edge.svc.cluster.local", "edge/public"),
    ],
)
def test_gateways_are_written_in_several_ways(written: str, means: str) -> None:
    """As Istio resolves them (resolveGatewayName in pilot/pkg/model)."""
    assert full_gateway(written, "demo") == means
