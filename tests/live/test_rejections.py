"""What proxies reject is not done: the update fails with Envoy's reason, and the rule is as it was. Seen at the real
Envoys of the lab.

weir refuses itself whatever it knows that Envoy refuses. What it cannot know stands in for the rest here: an
EnvoyFilter, as a mesh's administrator writes one, that spoils routes and clusters of certain names.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.live.harness import Project, until
from tests.live.lossless.conftest import soak, temporary_stack
from tests.live.lossless.lab_stack import LabStack, backend

CLIENTS = {"frontend": {"image": "curlimages/curl:latest"}}
POISON = {"name": "poison", "match": [{"headers": {"x-poison": {"exact": "on"}}}], "stable": "v1"}


def config(
    *, share: int = 20, routes: tuple[dict[str, Any], ...] = (), versions: tuple[str, ...] = ("v1", "v2"), **more: Any
) -> dict[str, Any]:
    """The stack with this share for v2."""
    service = {
        **backend("v1", {"v2": share} if share else {}, **{name: {} for name in versions}),
        "routes": list(routes),
    }
    top = {name: more.pop(name) for name in ("force",) if name in more}
    return {"services": {"backend": service, **more}, "clients": CLIENTS, **top}


def spoiling(namespace: str) -> dict[str, Any]:
    """Makes routes named poison, and clusters of a subset v3, what Envoy's own API forbids (HTTP_HEADER_VALUE; a
    time-out above 0).
    """
    route = {"context": "SIDECAR_OUTBOUND", "routeConfiguration": {"vhost": {"route": {"name": "poison"}}}}
    cluster = {"context": "SIDECAR_OUTBOUND", "cluster": {"subset": "v3"}}
    patches = [
        {
            "applyTo": "HTTP_ROUTE",
            "match": route,
            "patch": {"operation": "MERGE", "value": {"route": {"host_rewrite_literal": "a\nb"}}},
        },
        {"applyTo": "CLUSTER", "match": cluster, "patch": {"operation": "MERGE", "value": {"connect_timeout": "0s"}}},
    ]
    metadata = {"name": "spoiling", "namespace": namespace}
    return {
        "apiVersion": "networking.istio.io/v1alpha3",
        "kind": "EnvoyFilter",
        "metadata": metadata,
        "spec": {"configPatches": patches},
    }


@pytest.fixture(scope="module")
def scene(lab: Project) -> Iterator[LabStack]:
    """The stack, up, with the EnvoyFilter in its namespace."""
    with temporary_stack(lab, "rejections") as made:
        made.up(config(), "--skip-preview")
        made.apply(spoiling(made.namespace))
        yield made


def route(scene: LabStack, name: str = "backend") -> dict[str, Any]:
    """The spec of a VirtualService in the cluster; empty where there is none."""
    found = scene.kubectl(f"get virtualservice {name} --ignore-not-found -o json")
    return dict(json.loads(found)["spec"]) if found else {}


def rejecting(scene: LabStack) -> list[str]:
    """The proxies that reject something, in istiod's own account."""
    listed = json.loads(scene.run("kubectl exec -n istio-system deploy/istiod -- curl -s localhost:15014/debug/syncz"))
    return [
        proxy["proxy"] for proxy in listed if any(kind.get("lastError") for kind in proxy.get("resources", {}).values())
    ]


def test_a_route_that_proxies_reject_is_put_back(scene: LabStack) -> None:
    """It names service, route and reason; the split moves with the next update that is right, and nobody rejects
    anything any more.
    """
    before = route(scene)
    scene.write(config(share=30, routes=(POISON,)))
    failed = scene.pulumi("up --yes --skip-preview")
    assert failed.code != 0, failed.said
    assert "VirtualService rejections/backend (route poison)" in failed.said
    assert "HostRewriteLiteral" in failed.said
    assert "is put back as it was" in failed.said
    assert len(max(failed.said.splitlines(), key=len)) < 600
    assert route(scene) == before
    until(lambda: rejecting(scene) == [], 10, "nobody rejects anything")
    # Once more, unchanged: Pulumi sees nothing to do, and that is no success.
    again = scene.pulumi("up --yes --skip-preview")
    assert again.code != 0, again.said
    assert "VirtualService rejections/backend in the cluster is not what Pulumi's state has" in again.said
    assert "HostRewriteLiteral" in again.said
    assert "is put back as it was" in again.said
    assert route(scene) == before
    scene.up(config(share=30))
    assert {each["destination"]["subset"]: each["weight"] for each in route(scene)["http"][-1]["route"]} == {
        "v1": 70,
        "v2": 30,
    }
    scene.assert_converged()


@soak
def test_a_new_route_that_proxies_reject_is_removed(scene: LabStack) -> None:
    """A service that comes with it has no VirtualService then, and gets one once it is right."""
    web = {**backend("v1", v1={}), "routes": [POISON]}
    scene.write(config(web=web))
    failed = scene.pulumi("up --yes --skip-preview")
    assert failed.code != 0, failed.said
    assert "VirtualService rejections/web is removed again" in failed.said
    assert route(scene, "web") == {}
    assert "pulumi up --refresh" in failed.said
    scene.up(config(web={**web, "routes": []}), "--refresh")
    assert route(scene, "web")["http"][0]["name"] == "default"
    scene.up(config(), "--skip-preview")


@soak
def test_a_version_whose_rule_proxies_reject_gets_nothing(scene: LabStack) -> None:
    """Its DestinationRule is removed again, and the route was never moved."""
    before = route(scene)
    service = config(versions=("v1", "v2", "v3"))
    service["services"]["backend"]["canary"] = {"v2": 20, "v3": 10}
    scene.write(service)
    failed = scene.pulumi("up --yes --skip-preview")
    assert failed.code != 0, failed.said
    assert "DestinationRule rejections/backend-v3" in failed.said, failed.said
    assert "ConnectTimeout" in failed.said
    assert route(scene) == before
    assert scene.kubectl("get destinationrule backend-v3 --ignore-not-found -o name") == ""
    scene.up(config(), "--refresh")


@soak
def test_what_somebody_else_broke_is_said_with_whose_it_is(scene: LabStack) -> None:
    """An old redirect of another team spoils the routes of a whole port: the update says so within seconds, and
    `weir:force` goes on.
    """
    rule = {"hosts": ["old.example.com"], "http": [{"name": "old", "redirect": {"uri": "/new", "redirectCode": 305}}]}
    metadata = {"name": "old", "namespace": "default"}
    scene.apply({"apiVersion": "networking.istio.io/v1", "kind": "VirtualService", "metadata": metadata, "spec": rule})
    try:
        until(lambda: rejecting(scene) != [], 20, "proxies reject it")
        scene.write(config(share=40))
        failed = scene.pulumi("up --yes --skip-preview")
        assert failed.code != 0, failed.said
        assert "since before this update" in failed.said
        assert "VirtualService default/old" in failed.said
        assert "after 30 s" not in failed.said
        # A version that nobody uses may go all the same.
        scene.up(config(share=40, versions=("v1", "v2", "idle")), "--skip-preview")
        scene.up(config(share=40), "--skip-preview")
        assert scene.kubectl("get deployment backend-idle --ignore-not-found -o name") == ""
        forced = scene.up(config(share=50, force=True), "--skip-preview")
        assert "weir:force goes on anyway" in forced.said
    finally:
        scene.run("kubectl delete virtualservice old -n default --ignore-not-found")
    until(lambda: rejecting(scene) == [], 20, "nobody rejects anything")


def test_a_service_that_no_proxy_uses_is_said_to_have_none(scene: LabStack) -> None:
    """The rules of a host that is nowhere reach nobody."""
    nowhere = {"versions": {"v1": {}, "v2": {}}, "stable": "v1", "canary": {"v2": 10}}
    said = scene.up(config(nowhere=nowhere), "--skip-preview").said
    assert "no proxy uses nowhere" in said


@soak
def test_an_update_asks_about_what_the_last_one_gave_up_on(scene: LabStack) -> None:
    """A proxy stands still: the update fails, and so does the next one, which changes nothing; once it goes on, so do
    updates.
    """
    scene.up(config(), "--skip-preview")
    envoy = "exec deploy/frontend -c istio-proxy -- sh -c 'kill -{} $(pidof envoy)'"
    scene.kubectl(envoy.format("STOP"))
    try:
        scene.write({**config(share=40), "propagation": {"timeout": "4s"}})
        for _ in range(2):
            failed = scene.pulumi("up --yes --skip-preview")
            assert failed.code != 0, failed.said
            assert "have not acknowledged the change of backend: frontend-" in failed.said
    finally:
        scene.kubectl(envoy.format("CONT"))
    scene.up(options="--skip-preview")
    assert "weir.dev/lagging" not in scene.kubectl("get virtualservice backend -o yaml")
    scene.assert_converged()
