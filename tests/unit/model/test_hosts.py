"""A host at gateways: the routes of its services, joined with what its entries ask for; what two states of it differ
in; and which changes of it would lose requests.
"""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.cli.test_diff import preview
from weir.engine.preview import parse
from weir.model import load, mesh, traffic
from weir.model.manifests.hazards import hazards
from weir.model.manifests.hosts import object_name, of_host, read_host
from weir.model.manifests.order import routes_first
from weir.model.manifests.subsets import used, uses
from weir.model.routing.hosts import host_traffic
from weir.model.routing.words import as_json, describe

SHOP = "shop.example.com"
EDGE = "edge/public"
CART: dict[str, Any] = {"image": "app:1", "versions": {"v1": {}, "v2": {}}, "stable": "v1", "canary": {"v2": 20}}
WEB: dict[str, Any] = {"image": "app:1", "port": 8080, "versions": {"v1": {}}, "stable": "v1"}
ENTRY = {"service": "cart", "match": [{"uri": {"prefix": "/cart"}}]}


def stack(
    *entries: dict[str, Any], cart: dict[str, Any] = CART, web: dict[str, Any] = WEB, **hosts: Any
) -> dict[str, Any]:
    """Two services, and the host with these entries."""
    shop = {SHOP: {"gateways": [EDGE], "routes": list(entries)}} if entries else {}
    return {"namespace": "demo", "services": {"cart": cart, "web": web}, "hosts": {**shop, **hosts}}


def spec(config: dict[str, Any], host: str = SHOP) -> dict[str, Any]:
    """The spec of the host's VirtualService."""
    found: dict[str, Any] = mesh(load(config), "demo").hosts[host].virtual_service["spec"]
    return found


def matches(config: dict[str, Any]) -> dict[str, Any]:
    """By route of the host, what it matches; None where it takes all."""
    return {route["name"]: route.get("match") for route in spec(config)["http"]}


def routed(match: dict[str, Any], **keys: Any) -> dict[str, Any]:
    """The cart with one route before its default one."""
    return {**CART, "routes": [{"name": "beta", "match": [match], "stable": "v2", **keys}]}


def test_each_service_keeps_its_own_split() -> None:
    """In the order of the entries, with the Service's port, bound to the gateways alone."""
    found = spec(stack(ENTRY, {"service": "web"}))
    assert (found["hosts"], found["gateways"]) == ([SHOP], [EDGE])
    assert [
        (route["name"], [(to["destination"], to["weight"]) for to in route["route"]]) for route in found["http"]
    ] == [
        (
            "cart_default",
            [
                ({"host": "cart.demo.svc.cluster.local", "subset": "v1", "port": {"number": 80}}, 80),
                ({"host": "cart.demo.svc.cluster.local", "subset": "v2", "port": {"number": 80}}, 20),
            ],
        ),
        ("web_default", [({"host": "web.demo.svc.cluster.local", "subset": "v1", "port": {"number": 8080}}, 100)]),
    ]


def test_somebody_elses_service_may_have_any_port() -> None:
    """A service that is routing only and names none is left to Istio."""
    [route] = spec(stack({"service": "cart"}, cart={"versions": {"v1": {}}, "stable": "v1"}))["http"]
    assert route["route"] == [{"destination": {"host": "cart.demo.svc.cluster.local", "subset": "v1"}, "weight": 100}]


def test_what_the_mesh_sees_stays() -> None:
    """Another host at a gateway changes no other object."""
    without, with_host = (
        {(each["kind"], each["metadata"]["name"]): each for each in mesh(load(config), "demo").objects()}
        for config in (stack(), stack(ENTRY, {"service": "web"}))
    )
    assert {key: each for key, each in with_host.items() if key in without} == without
    assert len(with_host) == len(without) + 1


A = {"prefix": "/cart"}
JOINED = [
    (
        "a header beside the path",
        {"headers": {"x": {"exact": "b"}}},
        [A],
        [{"uri": A, "headers": {"x": {"exact": "b"}}}],
    ),
    ("a path within that of the entry", {"uri": {"prefix": "/cart/beta"}}, [A], [{"uri": {"prefix": "/cart/beta"}}]),
    ("a path around that of the entry", {"uri": {"prefix": "/ca"}}, [A], [{"uri": A}]),
    ("every path", {"uri": {"prefix": "/"}}, [A], [{"uri": A}]),
    ("an exact path within", {"uri": {"exact": "/cart/1"}}, [A], [{"uri": {"exact": "/cart/1"}}]),
    ("a path elsewhere", {"uri": {"prefix": "/news"}}, [A], None),
    ("an exact path elsewhere", {"uri": {"exact": "/news"}}, [A], None),
    (
        "an expression that the exact path meets",
        {"uri": {"regex": "/c.*"}},
        [{"exact": "/cart"}],
        [{"uri": {"exact": "/cart"}}],
    ),
    ("one that it does not meet", {"uri": {"regex": "/n.*"}}, [{"exact": "/cart"}], None),
    ("the mesh alone", {"gateways": ["mesh"]}, [A], None),
    ("callers in the mesh", {"sourceLabels": {"app": "x"}}, [A], None),
    (
        "two paths of the entry",
        {"method": {"exact": "GET"}},
        [A, {"exact": "/"}],
        [{"uri": A, "method": {"exact": "GET"}}, {"uri": {"exact": "/"}, "method": {"exact": "GET"}}],
    ),
]


@pytest.mark.parametrize(
    ("match", "paths", "wanted"),
    [case[1:] for case in JOINED],
    ids=[case[0] for case in JOINED],
)
def test_a_route_takes_what_both_ask_for(match: dict[str, Any], paths: list[Any], wanted: list[Any] | None) -> None:
    """A route that no request at the gateway can take is left out."""
    entry = {"service": "cart", "match": [{"uri": path} for path in paths]}
    found = matches(stack(entry, cart=routed(match)))
    assert found.get("cart_beta") == wanted
    # What has all that the entry takes leaves nothing to the default route.
    assert found.get("cart_default") == (None if wanted == entry["match"] else entry["match"])


def test_a_route_told_apart_by_callers_alone_is_left_out() -> None:
    """At a gateway nothing would reach it."""
    routes = [
        {"name": "a", "match": [{"headers": {"x": {}}}, {"uri": {"exact": "/a"}}]},
        {
            "name": "b",
            "match": [{"headers": {"x": {}}, "name": "again"}, {"sourceLabels": {"app": "x"}}],
            "stable": "v2",
        },
    ]
    assert list(matches(stack({"service": "cart"}, cart={**CART, "routes": routes}))) == ["cart_a", "cart_default"]


def test_conditions_of_other_parts_are_joined() -> None:
    """Headers whatever their case, parameters, ports; the one that holds for fewer stays."""
    inner = {
        "headers": {"X-User": {"prefix": "a"}, "x-any": {}},
        "queryParams": {"v": {"regex": "v[12]"}},
        "withoutHeaders": {"x-bot": {}},
        "port": 80,
    }
    outer = {
        "headers": {"x-user": {"exact": "ab"}, "x-any": {"exact": "1"}},
        "queryParams": {"v": {"exact": "v1"}, "w": {}},
        "withoutHeaders": {"x-other": {}},
        "name": "entry",
    }
    found = matches(stack({"service": "cart", "match": [outer]}, cart=routed(inner)))["cart_beta"]
    assert found == [
        {
            "port": 80,
            "headers": {"X-User": {"exact": "ab"}, "x-any": {"exact": "1"}},
            "queryParams": {"v": {"exact": "v1"}, "w": {}},
            "withoutHeaders": {"x-bot": {}, "x-other": {}},
            "name": "entry",
        }
    ]
    outer["port"] = 8080
    assert "cart_beta" not in matches(stack({"service": "cart", "match": [outer]}, cart=routed(inner)))


def test_paths_without_regard_to_case_are_joined() -> None:
    """Where both ignore it."""
    entry = {"service": "cart", "match": [{"uri": A, "ignoreUriCase": True}]}
    inner = {"uri": {"prefix": "/CART/B"}, "ignoreUriCase": True}
    assert matches(stack(entry, cart=routed(inner)))["cart_beta"] == [inner]


def test_an_entry_rewrites() -> None:
    """On every route that sends requests on, and on none that answers by itself."""
    routes = [{"name": "old", "match": [{"headers": {"x-old": {}}}], "redirect": {"uri": "/new"}}]
    found = spec(stack({**ENTRY, "rewrite": {"uri": "/"}}, cart={**CART, "routes": routes}))["http"]
    assert [(route["name"], route.get("rewrite")) for route in found] == [
        ("cart_old", None),
        ("cart_default", {"uri": "/"}),
    ]


def test_a_drill_is_there_too_with_its_end() -> None:
    """The end stands in an annotation, as on a service's own object."""
    drill = {
        "delay": {"percentage": 50, "fixedDelay": "3s"},
        "until": "2999-01-01T00:00:00Z",
        "match": {"headers": {"x-drill": {}}},
    }
    made = mesh(load(stack(ENTRY, cart={**CART, "drill": drill})), "demo").hosts[SHOP].virtual_service
    assert [route["name"] for route in made["spec"]["http"]] == ["cart_default_drill", "cart_default"]
    assert made["metadata"]["annotations"] == {"fault-until.weir.dev/cart_default_drill": "2999-01-01T00:00:00Z"}


def test_every_host_is_one_with_one_entry() -> None:
    """Istio takes no `*` where the mesh is bound: what a service is exposed as there has an object of its own, and
    the service's own is as without.
    """
    expose = {"gateways": [EDGE], "hosts": ["*"], "routes": ["beta"]}
    config = load(stack(cart={**routed({"uri": A}), "expose": expose}))
    made = mesh(config, "demo").services["cart"]
    assert made.virtual_service == mesh(load(stack(cart=routed({"uri": A}))), "demo").services["cart"].virtual_service
    assert made.entrance is not None
    assert of_host(made.entrance.virtual_service["spec"])
    assert not of_host(made.virtual_service["spec"])
    assert (made.entrance.virtual_service["spec"]["hosts"], made.entrance.virtual_service["spec"]["gateways"]) == (
        ["*"],
        [EDGE],
    )
    assert [route["name"] for route in made.entrance.virtual_service["spec"]["http"]] == ["cart_beta"]


def test_routes_that_are_not_exposed_stay_in_the_mesh() -> None:
    """Each match asks for the mesh, and the default route has one; who asks for the calling pod does so already."""
    expose = {"gateways": [EDGE], "hosts": [SHOP], "routes": ["api"]}
    routes = [
        {"name": "api", "match": [{"uri": {"prefix": "/api"}}]},
        {"name": "own", "match": [{"uri": {"prefix": "/own"}}, {"sourceLabels": {"app": "x"}}]},
    ]
    [api, own, default] = traffic(
        load(stack(cart={**CART, "routes": routes, "expose": expose})).services["cart"], "demo"
    ).routes
    assert [match.gateways for match in api.match] == [()]
    assert [match.gateways for match in own.match] == [("mesh",), ()]
    assert [match.gateways for match in default.match] == [("mesh",)]
    # A host of the stack has them all the same.
    shared = stack(
        {"service": "cart"}, cart={**CART, "routes": routes, "expose": {**expose, "hosts": ["api.example.com"]}}
    )
    assert matches(shared) == {
        "cart_api": [{"uri": {"prefix": "/api"}}],
        "cart_own": [{"uri": {"prefix": "/own"}}],
        "cart_default": None,
    }


def test_names_are_labels_that_tell_hosts_apart() -> None:
    """Also those that differ in what a label cannot say; in lower case, which hosts are compared in."""
    hosts = [
        "shop.example.com",
        "shop-example.com",
        "*.example.com",
        "any.example.com",
        "*",
        f"{'d' * 63}.{'e' * 63}.example",
    ]
    names = [*map(object_name, hosts), object_name("*", "cart")]
    assert len(set(names)) == len(names)
    assert all(
        name == name.lower() and len(name) <= 63 and set(name) <= set("abcdefghijklmnopqrstuvwxyz0123456789-")
        for name in names
    )
    assert object_name("Shop.Example.com") == object_name("shop.example.com")


def test_versions_are_told_by_service() -> None:
    """v1 of one is not v1 of the other."""
    found = spec(stack(ENTRY, {"service": "web"}))
    assert used(found, "cart") == {"v1", "v2"}
    assert used(found, "web") == {"v1"}
    assert uses(found) >= {("web.demo.svc.cluster.local", "v1"), ("cart.demo.svc.cluster.local", "v2")}


def lines(before: dict[str, Any], after: dict[str, Any]) -> list[str]:
    """What a preview says of the hosts."""
    found = parse(preview(before, after)).hosts
    for told in found.values():
        assert all(as_json(change)["text"] == describe(change) for change in told)
    return [f"{host}: {describe(change)}" for host, told in found.items() for change in told]


BOTH = stack(ENTRY, {"service": "web"})
CHANGES = [
    (
        "a host",
        stack(),
        BOTH,
        [
            f'{SHOP}: new host at edge/public: cart, [{{"uri": {{"prefix": "/cart"}}}}] to cart:80; web, every request to web:8080'
        ],
    ),
    (
        "a host goes",
        stack({"service": "web"}),
        stack(),
        [f"{SHOP}: host removed; it was at edge/public: web, every request to web:8080"],
    ),
    (
        "an entry",
        stack({"service": "web"}),
        BOTH,
        [f'{SHOP}: new entry cart, [{{"uri": {{"prefix": "/cart"}}}}] to cart:80'],
    ),
    ("an entry goes", BOTH, stack({"service": "web"}), [f"{SHOP}: entry cart removed"]),
    (
        "another order",
        BOTH,
        stack({"service": "web"}, ENTRY),
        [f"{SHOP}: entries are tried in another order: web, cart"],
    ),
    (
        "another service",
        BOTH,
        stack({**ENTRY, "service": "web", "name": "cart"}, {"service": "web"}),
        [f"{SHOP}: entry cart: to cart:80 → web:8080"],
    ),
    (
        "another match",
        BOTH,
        stack({"service": "cart", "match": [{"uri": {"prefix": "/c"}}]}, {"service": "web"}),
        [f'{SHOP}: entry cart: takes [{{"uri": {{"prefix": "/cart"}}}}] → [{{"uri": {{"prefix": "/c"}}}}]'],
    ),
    (
        "a rewrite",
        BOTH,
        stack({**ENTRY, "rewrite": {"uri": "/"}}, {"service": "web"}),
        [f'{SHOP}: entry cart: new rewrite: {{"uri": "/"}}'],
    ),
    (
        "a split",
        BOTH,
        stack(ENTRY, {"service": "web"}, cart={**CART, "canary": {"v2": 30}}),
        [f"{SHOP}: entry cart: follows cart"],
    ),
    (
        "a gateway",
        BOTH,
        {**BOTH, "hosts": {SHOP: {**BOTH["hosts"][SHOP], "gateways": ["edge/other"]}}},
        [f"{SHOP}: exposed at gateways: edge/public → edge/other"],
    ),
    (
        "every host",
        stack(),
        stack(web={**WEB, "expose": {"gateways": [EDGE], "hosts": ["*"]}}),
        ["* of web: new host at edge/public: web, every request to web:8080"],
    ),
]


@pytest.mark.parametrize(
    ("before", "after", "wanted"), [case[1:] for case in CHANGES], ids=[case[0] for case in CHANGES]
)
def test_a_preview_tells_what_changes_of_a_host(
    before: dict[str, Any], after: dict[str, Any], wanted: list[str]
) -> None:
    """Its gateways and entries; of a split, which is told of the service, that the entry follows."""
    assert lines(before, after) == wanted


def standing(config: dict[str, Any], owner: str = "organization/weir/dev") -> dict[tuple[str, str], dict[str, Any]]:
    """The cluster after an update to this."""
    found = {}
    for each in mesh(load(config), "demo").objects():
        notes = {**each["metadata"].get("annotations", {}), "weir.dev/stack": owner}
        found[each["kind"], each["metadata"]["name"]] = {**each, "metadata": {**each["metadata"], "annotations": notes}}
    return found


def lost(before: dict[str, Any], after: dict[str, Any], owner: str = "organization/weir/dev") -> list[str]:
    config = load(after)
    built = mesh(config, "demo")
    return hazards(
        config.services,
        built.services,
        standing(before, owner),
        "organization/weir/dev",
        hosts=list(built.hosts.values()),
    )


def test_a_host_that_goes_with_a_version_it_names_is_refused() -> None:
    """Deletions come last, and until then it sends requests there; one of somebody else is not this stack's to order."""
    without = {**CART, "versions": {"v2": {}}, "stable": "v2", "canary": {}}
    idle = {**CART, "versions": {"v1": {"replicas": 0}, "v2": {}}, "stable": "v2", "canary": {"v1": 0}}
    message = (
        f"cart: host {SHOP} is removed in the same update as the pods of v1, to which it sends requests until the "
        "end; first remove the host, and v1 in the next update"
    )
    assert lost(stack(ENTRY), stack(cart=without)) == [message]
    assert lost(stack(ENTRY), stack(cart=idle)) == [message]
    assert lost(stack(ENTRY), stack(), "organization/weir/other") == []
    assert lost(stack(ENTRY), stack()) == []
    assert lost(stack(ENTRY), stack(ENTRY, cart=without)) == []


def test_who_gains_a_host_is_first() -> None:
    """Between services and hosts of the stack, in both directions, gateway by gateway."""
    shared = stack({"service": "web"})
    exposed = stack(web={**WEB, "expose": {"gateways": [EDGE], "hosts": [SHOP]}})

    def first(before: dict[str, Any], after: dict[str, Any]) -> dict[str, frozenset[str]]:
        built = mesh(load(after), "demo")
        routes = {name: each.virtual_service for name, each in built.services.items()}
        routes |= {each.name: each.virtual_service for each in built.entrances()}
        return {name: others for name, others in routes_first(routes, standing(before)).items() if others}

    assert first(exposed, shared) == {"web": {object_name(SHOP)}}
    # The object of the host goes last of all.
    assert first(shared, exposed) == {}
    moved = stack(
        web={**WEB, "expose": {"gateways": [EDGE], "hosts": [SHOP]}},
        **{SHOP: {"gateways": ["edge/other"], "routes": [{"service": "web"}]}},
    )
    assert first(shared, moved) == {object_name(SHOP): {"web"}}
    # A wider host has the requests for a narrower one, and the other way round.
    assert first(exposed, stack(**{"*": {"gateways": [EDGE], "routes": [{"service": "web"}]}})) == {
        "web": {object_name("*")}
    }
    assert first(exposed, stack(cart={**CART, "expose": {"gateways": [EDGE], "hosts": ["*"]}})) == {
        "web": {object_name("*", "cart")}
    }
    wide = stack(web={**WEB, "expose": {"gateways": [EDGE], "hosts": ["*.example.com"]}})
    assert first(wide, shared) == {"web": {object_name(SHOP)}}


def test_what_is_read_back_is_what_was_written() -> None:
    """With the service and the port of each entry."""
    found = read_host(mesh(load(BOTH), "demo").hosts[SHOP].virtual_service)
    assert [(entry.name, entry.service, entry.host) for entry in found.entries] == [
        ("cart", "cart:80", "cart.demo.svc.cluster.local"),
        ("web", "web:8080", "web.demo.svc.cluster.local"),
    ]


def test_versions_elsewhere_and_several_ports_keep_their_places() -> None:
    """Another Service goes by host and port, an external host by its subset; all else by the first port of HTTP."""
    cart = {
        "image": "app:1",
        "ports": [{"name": "http", "port": 8080}, {"name": "admin", "port": 9090}],
        "versions": {
            "v1": {},
            "old": {"host": "cart.legacy.svc.cluster.local", "port": 80},
            "out": {"host": "cart.example.com", "port": 443, "external": True},
        },
        "stable": "v1",
        "canary": {"old": 20, "out": 10},
    }
    config = load(stack(ENTRY, {"service": "web"}, cart=cart))
    made = mesh(config, "demo").hosts[SHOP].virtual_service
    own = "cart.demo.svc.cluster.local"
    assert [to["destination"] for to in made["spec"]["http"][0]["route"]] == [
        {"host": own, "subset": "v1", "port": {"number": 8080}},
        {"host": "cart.legacy.svc.cluster.local", "port": {"number": 80}},
        {"host": f"out.{own}", "subset": "out", "port": {"number": 8080}},
    ]
    assert used(made["spec"], "cart") == {"v1", "out"}
    assert uses(made["spec"]) == {
        (own, "v1"),
        (own, "out"),
        ("", "cart.legacy.svc.cluster.local:80"),
        ("web.demo.svc.cluster.local", "v1"),
    }
    found = read_host(made)
    assert found == host_traffic(SHOP, config, "demo")
    assert found.entries[0].service == "cart:8080"
