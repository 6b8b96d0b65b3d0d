"""Hosts at a real ingress gateway that services share: each keeps its own split there, releases reach both, and no
request is lost while entries, versions and services come and go.

False alarms: the counts of a split are refused by chance at most once in a million runs (`accepted`).
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import pytest

from tests.live.harness import CHECKOUT, Project, discard
from tests.live.lossless.conftest import soak
from tests.live.lossless.lab_stack import FORTIO, LabStack, server
from tests.live.routing.routing_stack import CURL, accepted
from tests.live.routing.sent_requests import Request, answers, curl_config

NAME = "hosts-edge"
INGRESS = "hosts-ingress"
SHOP, API = "shop.example.com", "api.example.com"
GATEWAYS = {
    "edge": {
        "selector": {"istio": INGRESS},
        "servers": [{"port": {"number": 80, "name": "http", "protocol": "HTTP"}, "hosts": ["*"]}],
    }
}
LOAD_SECONDS = 150


def service(name: str, versions: tuple[str, ...] = ("v1",), **keys: Any) -> dict[str, Any]:
    """A service whose versions answer with their names behind its own. Retries are off: none may hide what went
    wrong.
    """
    return {
        "image": FORTIO,
        "port": 8000,
        "targetPort": 8080,
        "versions": {version: server(f"{name}-{version}") for version in versions},
        "stable": versions[0],
        "retries": {"attempts": 0},
        **keys,
    }


CART = {"service": "cart", "match": [{"uri": {"prefix": "/cart"}}]}
SERVICES = {"cart": service("cart", ("v1", "v2"), canary={"v2": 0}), "web": service("web")}


def host(*entries: Mapping[str, Any]) -> dict[str, Any]:
    return {"gateways": ["edge"], "routes": list(entries)}


HOSTS = {SHOP: host(CART, {"service": "web"}), "*": host({"service": "web"})}


def config(services: Mapping[str, Any] = SERVICES, hosts: Mapping[str, Any] = HOSTS) -> dict[str, Any]:
    return {"gateways": GATEWAYS, "services": dict(services), "hosts": dict(hosts)}


@pytest.fixture(scope="module")
def edge(lab: Project) -> Iterator[LabStack]:
    """The guide's gateway under names of this module, a caller outside the mesh, and the stack, up."""
    stack = LabStack.create(lab, NAME)
    manifest = (CHECKOUT / "docs" / "guide" / "ingress-gateway.yaml").read_text()
    manifest = manifest.replace("istio-ingress", INGRESS).replace("istio: ingress", f"istio: {INGRESS}")
    stack.run("kubectl apply -f -", stdin=manifest)
    outsider = {
        "metadata": {"name": "outsider", "namespace": INGRESS, "labels": {"sidecar.istio.io/inject": "false"}},
        "spec": {
            "terminationGracePeriodSeconds": 1,
            "containers": [
                {"name": "curl", "image": CURL, "imagePullPolicy": "IfNotPresent", "command": ["sleep", "infinity"]},
                {"name": "fortio", "image": FORTIO, "imagePullPolicy": "IfNotPresent", "args": ["server"]},
            ],
        },
    }
    stack.apply({"apiVersion": "v1", "kind": "Pod", **outsider})
    stack.run(f"kubectl rollout status -n {INGRESS} deploy/{INGRESS} --timeout=120s")
    stack.run(f"kubectl wait -n {INGRESS} --for=condition=Ready pod/outsider --timeout=120s")
    stack.up(config())
    yield stack
    discard(lab, NAME, NAME)
    stack.run(f"kubectl delete namespace {INGRESS} --wait=false")


def enter(stack: LabStack, path: str = "/", host: str = SHOP, count: int = 1) -> Counter[str]:
    """How often each version answered requests of a pod outside the mesh; what is not answered 200 counts by its
    status.
    """
    asked = Request(path, count, headers={"host": host}, host=f"{INGRESS}.{INGRESS}")
    options = "" if count == 1 else " --parallel --parallel-immediate --parallel-max 20"
    command = f"kubectl exec -i -n {INGRESS} outsider -c curl -- curl -s{options} -K -"
    found = answers(stack.run(command, stdin=curl_config([asked], bodies=count == 1), check=False))
    return Counter(each.headers.get("version", "") if each.status == 200 else str(each.status) for each in found)


@contextmanager
def entering(stack: LabStack, *paths: str, host: str = SHOP, seconds: int = LOAD_SECONDS) -> Iterator[None]:
    """Requests through the gateway from before the block until after it, on kept connections, none of which may
    fail; for so many seconds, in which the block has to be done.
    """
    load = f"fortio load -quiet -loglevel error -allow-initial-errors -t {seconds}s -qps 40 -c 4 -json -"
    running = [
        stack.start(
            f"kubectl exec -n {INGRESS} outsider -c fortio -- {load} -H 'Host: {host}' "
            f"http://{INGRESS}.{INGRESS}{path} 2>/dev/null"
        )
        for path in paths
    ]
    yield
    assert all(each.poll() is None for each in running), "the load ended before the change did"
    for path, each in zip(paths, running, strict=True):
        said, _ = each.communicate(timeout=seconds + 60)
        codes = json.loads(said[said.index("{") :])["RetCodes"]
        assert set(codes) == {"200"}, (path, codes)
        assert codes["200"] > 20 * seconds, "the load stood still"


def test_a_host_has_the_services_by_path(edge: LabStack) -> None:
    """The paths of an entry get its service, all else the last; every other host has one of its own."""
    assert enter(edge, "/cart") == {"cart-v1": 1}
    assert enter(edge, "/") == {"web-v1": 1}
    assert enter(edge, "/cart", host="other.example.org") == {"web-v1": 1}
    edge.assert_converged()
    said = " ".join(edge.run(f"weir status --window 0 --stack {NAME}").split())
    assert f"host {SHOP} at {NAME}/edge: cart, " in said
    assert "web, every request to web:8000" in said
    assert "differs" not in said


def test_a_release_reaches_service_and_host(edge: LabStack) -> None:
    """When `weir set` ends, the split is at the gateway too; an edit of the host's object by hand is shown, refused
    and taken back by an abort.
    """
    said = edge.call(f"weir set cart v2=30 --yes --stack {NAME}")
    assert said.returncode == 0, said.stdout
    assert "cart: v2 0 % → 30 % (v1 100 % → 70 %)" in said.stdout
    assert f"host {SHOP}: entry cart: follows cart" in said.stdout
    assert "acknowledged it" in said.stdout
    found = enter(edge, "/cart", count=600)
    assert found["cart-v2"] in accepted(600, 0.3, unlike=0.5)
    assert found["cart-v1"] + found["cart-v2"] == 600
    edge.assert_converged()
    name = edge.kubectl("get virtualservice -o name").split()
    [shop] = [each.partition("/")[2] for each in name if "shop-example-com" in each]
    patch = '[{"op": "add", "path": "/spec/http/0/timeout", "value": "9s"}]'
    edge.kubectl(f"patch virtualservice {shop} --type=json -p '{patch}'")
    said = edge.call(f"weir set cart v2=40 --yes --stack {NAME}")
    assert said.returncode == 1, said.stdout
    assert f"VirtualService {NAME}/{shop} was edited since the last update" in said.stdout
    assert "pulumi up --refresh" in said.stdout
    said = edge.call(f"weir abort cart --yes --stack {NAME}")
    assert said.returncode == 0, said.stdout
    assert f"VirtualService {NAME}/{shop} was edited by hand; the edit is undone" in said.stdout
    assert enter(edge, "/cart", count=50) == {"cart-v1": 50}
    edge.assert_converged()


@soak
def test_a_release_leaves_a_host_that_was_never_applied(edge: LabStack) -> None:
    """It is named, and the hosts that stand follow all the same, with the entries that they have."""
    edge.up(config())
    edge.write(config(SERVICES, {SHOP: host({"service": "web"}), API: host({"service": "cart"}), "*": HOSTS["*"]}))
    said = edge.call(f"weir set cart v2=100 --yes --stack {NAME}")
    assert said.returncode == 0, said.stdout
    assert "more changes in" in said.stdout
    assert "VirtualService api-example-com-" in said.stdout
    assert enter(edge, "/cart", count=50) == {"cart-v2": 50}
    assert "api-example-com" not in edge.kubectl("get virtualservice -o name")


@soak
def test_versions_entries_and_services_come_and_go_without_loss(edge: LabStack) -> None:
    """Under load through the gateway a canary takes over and the old version is retired; a service comes with its
    entry and goes with it; each in one plain update.
    """
    edge.up(config())
    news = {**SERVICES, "news": service("news")}
    with entering(edge, "/cart", "/"):
        edge.up(config({**SERVICES, "cart": service("cart", ("v2",))}), "--skip-preview")
        assert enter(edge, "/cart") == {"cart-v2": 1}
        entry = {"service": "news", "match": [{"uri": {"prefix": "/news"}}]}
        edge.up(config(news, {**HOSTS, SHOP: host(CART, entry, {"service": "web"})}), "--skip-preview")
        assert enter(edge, "/news") == {"news-v1": 1}
        edge.up(config(), "--skip-preview")
        assert enter(edge, "/news") == {"web-v1": 1}
    assert "news" not in edge.kubectl("get virtualservice,deployment -o name")


@soak
def test_a_host_moves_between_service_and_hosts_without_loss(edge: LabStack) -> None:
    """From `expose` of a service to weir:hosts and back, and `*` too: who gains it is first, who loses it last."""
    exposed = {**SERVICES, "web": service("web", expose={"gateways": ["edge"], "hosts": [API]})}
    shared = {**HOSTS, API: host({"service": "web"})}
    edge.up(config(exposed))
    with entering(edge, "/", host=API):
        edge.up(config(SERVICES, shared), "--skip-preview")
        edge.up(config(exposed), "--skip-preview")
        every = {**SERVICES, "web": service("web", expose={"gateways": ["edge"], "hosts": ["*"]})}
        edge.up(config(every, {SHOP: HOSTS[SHOP]}), "--skip-preview")
        assert enter(edge, "/", host="other.example.org") == {"web-v1": 1}
        edge.up(config(), "--skip-preview")
    edge.assert_converged()


@soak
def test_a_host_that_goes_with_a_version_is_refused(edge: LabStack) -> None:
    """Its object goes last of all, and would send requests to what is no more; in two updates both go."""
    one = {**SERVICES, "cart": service("cart", ("v2",))}
    said = " ".join(edge.refused(config(one, {"*": HOSTS["*"]})).split())
    assert f"cart: host {SHOP} is removed in the same update as the pods of v1" in said
    edge.up(config(SERVICES, {"*": HOSTS["*"]}))
    edge.up(config(one, {"*": HOSTS["*"]}))
    assert enter(edge, "/cart") == {"web-v1": 1}
    edge.up(config())


@soak
def test_some_routes_alone_are_exposed(edge: LabStack) -> None:
    """What `expose.routes` leaves out is answered 404 at the gateway."""
    api = {"name": "api", "match": [{"uri": {"prefix": "/api"}}]}
    expose = {"gateways": ["edge"], "hosts": [API], "routes": ["api"]}
    edge.up(config({**SERVICES, "web": service("web", routes=[api], expose=expose)}, {SHOP: HOSTS[SHOP]}))
    assert enter(edge, "/api/v1", host=API) == {"web-v1": 1}
    assert enter(edge, "/", host=API) == {"404": 1}
    edge.up(config())


@soak
def test_a_stack_that_claims_a_host_of_another_is_told(edge: LabStack) -> None:
    """Its preview and status name both."""
    other = LabStack.create(edge.project, "hosts-other")
    gateway = f"{NAME}/edge"
    try:
        other.write(
            {
                "services": {"shop": service("shop")},
                "hosts": {SHOP: {"gateways": [gateway], "routes": [{"service": "shop"}]}},
            }
        )
        for said in (other.pulumi("preview").said, other.run("weir status --window 0 --stack hosts-other")):
            text = " ".join(said.split())
            assert f"host {SHOP} at gateway {gateway} is claimed by stack organization/weir/{NAME}" in text
    finally:
        discard(edge.project, "hosts-other", "hosts-other")
