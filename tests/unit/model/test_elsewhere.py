"""Versions elsewhere: what Istio is told of an external host and of another Service, and what is refused about them."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import pytest

from weir.model import load, mesh, outputs, read, traffic, warnings
from weir.model.manifests.diff import differences
from weir.model.manifests.hazards import hazards
from weir.model.manifests.order import Objects, pods_first
from weir.model.manifests.rbac import rbac
from weir.model.routing.words import describe

OWNER = "organization/weir/dev"
HOST = "backend.demo.svc.cluster.local"
LEGACY = {"host": "legacy.example.com", "port": 443, "external": True}
OTHER = {"host": "shop.old.svc.cluster.local", "port": 8080}


def backend(legacy: dict[str, Any] | None = None, **keys: Any) -> dict[str, Any]:
    """A service that is strangled: legacy gets what v2 leaves."""
    versions = {"legacy": LEGACY if legacy is None else legacy, "v2": {}}
    return {"image": "app:1", "versions": versions, "stable": "legacy", "canary": {"v2": 20}, **keys}


def made(service: dict[str, Any]) -> dict[tuple[str, str], dict[str, Any]]:
    """All objects by kind and name."""
    objects = mesh(load({"namespace": "demo", "services": {"backend": service}}), "demo").objects()
    return {(each["kind"], each["metadata"]["name"]): each for each in objects}


def route(service: dict[str, Any]) -> dict[str, Any]:
    """The default route."""
    found: dict[str, Any] = made(service)["VirtualService", "backend"]["spec"]["http"][-1]
    return found


def standing(service: dict[str, Any]) -> Objects:
    """The cluster after an update to this."""
    found = deepcopy(made(service))
    for each in found.values():
        each["metadata"].setdefault("annotations", {})["weir.dev/stack"] = OWNER
    return found


def refused(before: dict[str, Any], after: dict[str, Any]) -> list[str]:
    config = load({"namespace": "demo", "services": {"backend": after}})
    return hazards(config.services, mesh(config, "demo").services, standing(before), OWNER)


def changes(before: dict[str, Any], after: dict[str, Any]) -> list[str]:
    """What is different, in words."""
    both = ([(kind, each) for (kind, _), each in made(one).items()] for one in (before, after))
    return [describe(change) for change in differences(*both).get("backend", ())]


def test_an_external_host_is_a_subset_of_a_name_of_its_own() -> None:
    """Its ServiceEntry has a name below the service's, at the service's port: who asks legacy.example.com by itself
    finds it as before. TLS is for that name alone, and requests have it as their host.
    """
    objects = made(backend())
    assert objects["ServiceEntry", "backend-legacy"]["spec"] == {
        "hosts": ["legacy.backend.demo.svc.cluster.local"],
        "location": "MESH_EXTERNAL",
        "resolution": "DNS",
        "ports": [{"number": 80, "name": "http", "protocol": "HTTP"}],
        "endpoints": [{"address": "legacy.example.com", "ports": {"http": 443}}],
    }
    assert objects["DestinationRule", "backend-legacy"]["spec"] == {
        "host": "legacy.backend.demo.svc.cluster.local",
        "subsets": [
            {
                "name": "legacy",
                "trafficPolicy": {
                    "tls": {"mode": "SIMPLE", "sni": "legacy.example.com", "subjectAltNames": ["legacy.example.com"]}
                },
            }
        ],
    }
    assert route(backend())["route"] == [
        {
            "destination": {"host": "legacy.backend.demo.svc.cluster.local", "subset": "legacy"},
            "weight": 80,
            "headers": {"request": {"set": {"host": "legacy.example.com"}}},
        },
        {"destination": {"host": HOST, "subset": "v2"}, "weight": 20},
    ]
    assert ("Deployment", "backend-legacy") not in objects
    kinds = [kind for kind, name in objects if name == "backend-legacy" or kind == "VirtualService"]
    assert kinds == ["ServiceEntry", "DestinationRule", "VirtualService"]


def test_another_service_is_a_destination_and_nothing_else() -> None:
    """No rule, and no other host: both are of who owns it."""
    objects = made(backend(OTHER))
    assert [name for _, name in objects if name == "backend-legacy"] == []
    assert route(backend(OTHER))["route"][0] == {
        "destination": {"host": "shop.old.svc.cluster.local", "port": {"number": 8080}},
        "weight": 80,
    }


def test_copies_go_there_too() -> None:
    """As a mirror it is the same destination."""
    for legacy, there in (
        (LEGACY, {"host": "legacy.backend.demo.svc.cluster.local", "subset": "legacy"}),
        (OTHER, {"host": "shop.old.svc.cluster.local", "port": {"number": 8080}}),
    ):
        mirrored = route(backend(legacy, stable="v2", canary={}, mirrors=[{"version": "legacy", "percentage": 10}]))
        assert mirrored["mirrors"] == [{"destination": there, "percentage": {"value": 10.0}}]


@pytest.mark.parametrize(
    ("legacy", "tls"),
    [
        ({"port": 8080}, None),
        ({"trafficPolicy": {"tls": {"mode": "DISABLE"}}}, {"mode": "DISABLE"}),
        (
            {"port": 8443, "trafficPolicy": {"tls": {"mode": "SIMPLE", "caCertificates": "/ca.pem"}}},
            {
                "mode": "SIMPLE",
                "caCertificates": "/ca.pem",
                "sni": "legacy.example.com",
                "subjectAltNames": ["legacy.example.com"],
            },
        ),
        (
            {"trafficPolicy": {"tls": {"mode": "SIMPLE", "sni": "a.b", "subjectAltNames": ["c.d"]}}},
            {"mode": "SIMPLE", "sni": "a.b", "subjectAltNames": ["c.d"]},
        ),
        (
            {"trafficPolicy": {"tls": {"mode": "SIMPLE", "insecureSkipVerify": True}}},
            {"mode": "SIMPLE", "insecureSkipVerify": True, "sni": "legacy.example.com"},
        ),
    ],
    ids=["another port", "off", "own authorities", "other names", "unverified"],
)
def test_what_is_said_of_tls_holds(legacy: dict[str, Any], tls: dict[str, Any] | None) -> None:
    """Without a word there is TLS at port 443 alone; names that are left out are the host's."""
    [subset] = made(backend({**LEGACY, **legacy}))["DestinationRule", "backend-legacy"]["spec"]["subsets"]
    assert subset.get("trafficPolicy", {}).get("tls") == tls


@pytest.mark.parametrize(
    ("legacy", "keys", "host"),
    [
        ({}, {}, "legacy.example.com"),
        ({"port": 8080}, {}, "legacy.example.com:8080"),
        ({"headers": {"request": {"set": {"Host": "a.b"}}}}, {}, "a.b"),
        ({}, {"rewrite": {"authority": "a.b"}}, None),
        ({}, {"headers": {"request": {"set": {":authority": "a.b"}}}}, None),
        ({"headers": {"request": {"set": {"x-a": "b"}}}}, {}, "legacy.example.com"),
    ],
    ids=["its name", "with its port", "of the version", "rewritten", "of the route", "beside other headers"],
)
def test_one_alone_says_the_host(legacy: dict[str, Any], keys: dict[str, Any], host: str | None) -> None:
    """A host that version or route say goes before that of the version: both at once Envoy takes in one case or the
    other.
    """
    [there, _] = route(backend({**LEGACY, **legacy}, **keys))["route"]
    set_to = there.get("headers", {}).get("request", {}).get("set", {})
    assert next((value for name, value in set_to.items() if name.lower() in ("host", ":authority")), None) == host
    assert ("x-a" in set_to) == ("x-a" in legacy.get("headers", {}).get("request", {}).get("set", {}))


def test_rules_are_seen_by_whom_the_service_says() -> None:
    """The ServiceEntry and the rule of its subset as all others; the rule for all pods has no subset of it."""
    objects = made(backend(exportTo=["."]))
    assert objects["ServiceEntry", "backend-legacy"]["spec"]["exportTo"] == ["."]
    rules = [each["spec"] for (kind, _), each in objects.items() if kind == "DestinationRule"]
    assert [rule["exportTo"] for rule in rules] == [["."]] * 3
    assert [[subset["name"] for subset in rule["subsets"]] for rule in rules if rule["host"] == HOST] == [["v2"]] * 2


def test_what_was_written_is_read_back() -> None:
    """With the names of all versions, also of one that no route names yet, and without the objects of the rest."""
    for legacy in (LEGACY, OTHER):
        for canary in ({"v2": 20}, {}):
            service = backend(legacy, stable="legacy", canary=canary)
            objects = made(service)
            rules = [each for (kind, _), each in objects.items() if kind == "DestinationRule"]
            config = load({"namespace": "demo", "services": {"backend": service}})
            wanted = traffic(config.services["backend"], "demo")
            assert read(objects["VirtualService", "backend"], rules) == wanted
    bare = {"spec": made(backend(OTHER))["VirtualService", "backend"]["spec"]}
    assert read(bare, []).routes[0].weights == {"shop.old.svc.cluster.local:8080": 80, "v2": 20}


def test_a_route_to_the_service_as_a_whole_is_still_not_read() -> None:
    """A destination without a subset that is no other host is none that weir writes."""
    spec = deepcopy(made(backend())["VirtualService", "backend"]["spec"])
    spec["http"][0]["route"][1]["destination"] = {"host": HOST, "port": {"number": 80}}
    with pytest.raises(KeyError):
        read({"spec": spec}, [])


def test_outputs_say_where_it_is() -> None:
    """In the place of image and replicas."""
    config = load({"namespace": "demo", "services": {"backend": backend()}})
    versions = outputs(config, "demo")["services"]["backend"]["versions"]
    assert versions == {
        "legacy": {"host": "legacy.example.com", "port": 443},
        "v2": {"image": "app:1", "replicas": 1},
    }


def test_only_a_stack_with_an_external_host_may_have_service_entries() -> None:
    """The right is asked for where it is needed."""

    def kinds(service: dict[str, Any]) -> set[str]:
        objects = rbac(load({"namespace": "demo", "services": {"backend": service}}), OWNER, False)
        return {kind for each in objects for rule in each.get("rules", []) for kind in rule["resources"]}

    assert kinds(backend()) - kinds(backend(OTHER)) == {"serviceentries"}


def test_nothing_is_waited_for_but_pods() -> None:
    """No pods come before the route for a version elsewhere; those of the other do."""
    config = load({"namespace": "demo", "services": {"backend": backend()}})
    assert pods_first("backend", mesh(config, "demo").services["backend"], {}) == {"v2"}


def test_it_needs_no_image_and_no_replicas() -> None:
    """Nor does it get warnings that are about pods, or about a certificate that everybody can check."""
    names = {"legacy": LEGACY, "v2": {"image": "app:1", "replicas": 1}}
    config = load({"namespace": "demo", "services": {"backend": backend(image=None, versions=names, replicas=0)}})
    tls = {**LEGACY, "trafficPolicy": {"tls": {"mode": "SIMPLE"}}}
    more = load({"namespace": "demo", "services": {"backend": backend(tls)}})
    assert (warnings(config), warnings(more)) == ((), ())


def test_changes_are_told_in_words() -> None:
    """Where a version is, was, and will be."""
    pods = {"image": "app:1", "versions": {"v2": {}}, "stable": "v2"}
    assert changes(pods, {**backend(), "stable": "v2", "canary": {}}) == [
        "new version legacy",
        "legacy is the external host legacy.example.com:443",
    ]
    assert changes(backend(OTHER), backend({**OTHER, "port": 80})) == [
        "legacy is shop.old.svc.cluster.local:80, shop.old.svc.cluster.local:8080 before"
    ]
    moved = backend(canary={"v2": 100})
    assert changes(backend(), moved) == ["v2 20 % → 100 % (legacy 80 % → 0 %)"]


WAY = "; keep it, add a version with the new settings, move the requests to that, then remove legacy"


@pytest.mark.parametrize(
    ("before", "after", "what"),
    [
        (backend(), backend({**LEGACY, "host": "new.example.com"}), "legacy.example.com:443 → new.example.com:443"),
        (backend(), backend(protocol="http2"), "by its port, protocol or exportTo"),
        (backend(), backend(OTHER), "legacy.example.com:443 → shop.old.svc.cluster.local:8080"),
        (backend({}), backend(), "pods → legacy.example.com:443"),
        (backend(), backend({}), "legacy.example.com:443 → pods"),
        (backend({}), backend(OTHER), "pods → shop.old.svc.cluster.local:8080"),
    ],
    ids=["another host", "another protocol", "a Service", "from pods", "to pods", "from pods to a Service"],
)
def test_what_gets_requests_stays_where_it_is(before: dict[str, Any], after: dict[str, Any], what: str) -> None:
    """Requests would go to one with what is for the other; a version that gets none may become anything."""
    told = f"backend: legacy gets requests and would change where they go ({what}): some would meet neither{WAY}"
    assert refused(before, after) == [told]
    idle = {"stable": "v2", "canary": {}}
    assert refused({**before, **idle}, {**after, **idle}) == []


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (backend(), backend(canary={"v2": 100})),
        (backend(canary={"v2": 100}), {**backend(), "versions": {"v2": {}}, "stable": "v2", "canary": {}}),
        (backend(OTHER), backend({**OTHER, "port": 80})),
        (backend(OTHER), backend({})),
        (backend(), backend({**LEGACY, "trafficPolicy": {"connectionPool": {"tcp": {"maxConnections": 10}}}})),
    ],
    ids=["a share", "removed", "another port of a Service", "a Service to pods", "a policy"],
)
def test_what_is_lossless_is_not_refused(before: dict[str, Any], after: dict[str, Any]) -> None:
    """Shares, the end of it, and what becomes true at the moment when the route changes."""
    assert refused(before, after) == []


def test_an_entry_edited_by_hand_may_be_put_back() -> None:
    """What weir wrote has a digest of it."""
    there = standing(backend())
    entry = there["ServiceEntry", "backend-legacy"]
    entry["spec"]["endpoints"][0]["address"] = "elsewhere.example.com"
    config = load({"namespace": "demo", "services": {"backend": backend()}})
    assert len(hazards(config.services, mesh(config, "demo").services, there, OWNER)) == 1
    entry["metadata"]["annotations"]["weir.dev/spec"] = "another"
    assert hazards(config.services, mesh(config, "demo").services, there, OWNER) == []
