"""Changes that once lost requests, each under load: it loses none, or is refused in the preview with what to do.

The load goes through all of them, with slow requests in it, and with some that enter at a gateway.
"""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from tests.live.harness import CHECKOUT, until
from tests.live.lossless.callers import ELSEWHERE
from tests.live.lossless.conftest import RATE, restores_services, soak
from tests.live.lossless.lab_stack import FORTIO, SAME_FORTIO, LabStack, backend, server
from tests.live.lossless.load import Load, Stream, slow
from tests.live.lossless.running_update import CLI, RunningUpdate

HTTP_ECHO = "hashicorp/http-echo:1.0.0"
SHOP = "shop.example.com"
MANIFEST = CHECKOUT / "docs" / "guide" / "ingress-gateway.yaml"
EDGE = {
    "selector": {"istio": "ingress"},
    "servers": [{"port": {"number": 80, "name": "http", "protocol": "HTTP"}, "hosts": [SHOP]}],
}
EXPOSED = {"expose": {"gateways": ["edge"], "hosts": [SHOP]}}
ECHO = {"image": HTTP_ECHO, "port": 80, "targetPort": 5678, "versions": {"v1": {"args": ["-text=hi"]}}, "stable": "v1"}
ORDERS = {**ECHO, "retries": {"attempts": 0}}
POLICY = {"trafficPolicy": {"loadBalancer": {"simple": "ROUND_ROBIN"}}}
BROKEN = {"image": "nowhere.invalid/none:1"}
READY_SECONDS = 120


def config(service: Mapping[str, Any], orders: Mapping[str, Any] | None = None, **keys: Any) -> dict[str, Any]:
    """Three versions at the most, a neighbour, and a gateway at which one of the two is reached."""
    services = {"backend": {**service, **POLICY}, "orders": {**ORDERS, **EXPOSED} if orders is None else orders}
    return {"services": services, "gateways": {"edge": EDGE}, "readyTimeout": f"{READY_SECONDS}s", **keys}


pytestmark = soak

STANDING = config(backend("v1", {"v2": 20}, v1={}, v2={}))


@pytest.fixture(scope="module")
def load(hazards: LabStack) -> Iterator[Load]:
    """Requests to the service, slow ones, those of another namespace, and those to a host at the gateway, none of
    which may fail.
    """
    hazards.run(f"kubectl apply -f {MANIFEST}")
    hazards.up(STANDING, "--skip-preview")
    hazards.run("kubectl rollout status -n istio-ingress deploy/istio-ingress --timeout=120s")
    address = hazards.run("kubectl get service -n istio-ingress istio-ingress -o jsonpath={.spec.clusterIP}").strip()
    pod = "kubectl get pod -n istio-ingress -l istio=ingress -o name | head -1"
    ask = f"kubectl exec -n istio-ingress $({pod}) -- curl -sf -H host:{SHOP} localhost:80/"
    until(lambda: hazards.succeeds(ask), 60, "the gateway knows the host")
    entering = Stream("entering", f"http://{SHOP}/", 60, 2, address)
    with Load(hazards, slow(hazards), entering, rate=RATE, elsewhere=True) as running:
        yield running
        running.stop().assert_nothing_lost()
    hazards.run(f"kubectl delete --wait=false -f {MANIFEST}; kubectl delete namespace {ELSEWHERE} --wait=false")


@pytest.fixture(autouse=True)
def unharmed(hazards: LabStack, load: Load, request: pytest.FixtureRequest) -> Iterator[None]:
    """Each test finds `STANDING`, and no request of any kind fails in it."""
    before, since = load.read(), hazards.run("date -u +%Y-%m-%dT%H:%M:%SZ").strip()
    with restores_services(hazards, STANDING, request):
        yield
    assert load.failures(since) == []
    assert load.read().requests() > before.requests()


def route(stack: LabStack) -> Any:
    return json.loads(stack.kubectl("get virtualservice backend -o json"))["spec"]


def shares(stack: LabStack) -> list[int]:
    return [entry["weight"] for entry in route(stack)["http"][0]["route"]]


def test_what_no_order_makes_safe_is_refused_in_the_preview(hazards: LabStack) -> None:
    """By service, with what to do, all at once, and nothing is touched: not a line of it is a traceback."""
    echoing = {
        "orders": {**ORDERS, **EXPOSED, "protocol": "http2", "image": FORTIO, "versions": {"v1": server("v1", 5678)}}
    }
    without = {key: value for key, value in STANDING["services"]["backend"].items() if key != "image"}
    said = hazards.refused({**STANDING, "services": {"backend": without, **echoing}})
    assert "backend: without an image it is routing only: its Service and its pods would be deleted" in said
    assert "orders: protocol http → http2 and other pods (v1) in one update" in said
    assert "(weir:force: true goes on anyway)" in said
    said = hazards.refused(
        {**STANDING, "services": {**STANDING["services"], "backend": {**STANDING["services"]["backend"], "port": 81}}}
    )
    assert "backend: callers at port 80 would lose every request once it is 81; keep port: 80" in said
    said = hazards.refused({**STANDING, "namespace": "hazards-elsewhere"})
    assert "namespace hazards → hazards-elsewhere: everything in hazards would be deleted" in said
    said = hazards.refused({**STANDING, "ephemeral": True})
    assert "namespace hazards → one of another name: everything in hazards would be deleted" in said


def test_pods_that_listen_elsewhere(hazards: LabStack) -> None:
    """A new version at another port takes over from two with two pods; then all pods, its own too, are at another one,
    with args and targetPort.
    """
    elsewhere = {name: server(name, 8081) for name in ("v1", "v2")}
    hazards.up(config({**backend("v1", {"v2": 20}), "versions": elsewhere, "targetPort": 8081}), "--skip-preview")
    hazards.up(config({**backend("v3"), "versions": {"v3": server("v3", 8082)}, "targetPort": 8082}), "--skip-preview")
    hazards.up(STANDING, "--skip-preview")


def test_a_host_moves_from_one_service_to_another(hazards: LabStack) -> None:
    """And back: who enters at the gateway is served by the one or by the other."""
    service = backend("v1", {"v2": 20}, v1={}, v2={})
    for _ in range(10):
        hazards.up(config({**service, **EXPOSED}, orders=ORDERS), "--skip-preview")
        hazards.up(STANDING, "--skip-preview")


@pytest.mark.parametrize("stuck", ["v1", "v2"])
def test_shares_move_whatever_state_the_pods_are_in(hazards: LabStack, stuck: str) -> None:
    """With a rollout of either version stuck, traffic goes back to the stable version before the update waits for
    pods, which then fail it.
    """
    versions: dict[str, Any] = {"v1": {}, "v2": {}, stuck: BROKEN}
    hazards.write(config(backend("v1", {"v2": 20}, **versions), readyTimeout="8s"))
    assert hazards.pulumi("up --yes --skip-preview").code != 0
    hazards.write(config(backend("v1", {"v2": 0}, **versions), readyTimeout="15s"))
    with RunningUpdate(hazards) as running:
        until(lambda: shares(hazards) == [100, 0] or running.process.poll() is not None, 120, "the route has moved")
        assert running.process.poll() is None, f"the route waited for the pods:\n{running.said}"
        update = running.wait()
    assert update.code != 0
    assert f"version {stuck} of backend did not become ready" in update.said
    hazards.up(STANDING, "--skip-preview")


def test_an_interrupted_update_accuses_nobody(hazards: LabStack) -> None:
    """Ctrl-C while pods start is no fault of theirs."""
    hazards.write(config(backend("v1", {"v2": 20, "v4": 5}, v1={}, v2={}, v4=BROKEN), readyTimeout="60s"))
    with RunningUpdate(hazards) as running:
        until(lambda: hazards.succeeds("kubectl -n hazards get deployment backend-v4"), 30, "the pods are made")
        os.killpg(running.process.pid, signal.SIGINT)
        update = running.wait()
    assert update.code != 0
    assert "at fault" not in update.said
    assert "the update was interrupted while pods of version v4 of backend started" in update.said
    hazards.up(STANDING, "--skip-preview")


def test_what_a_killed_update_left_is_named_and_taken_over(hazards: LabStack) -> None:
    """kill -9 while a Deployment is made: the preview names it and the command that removes it; added again, it is the
    stack's.
    """
    hazards.write(config(backend("v1", {"v2": 20}, v1={}, v2={}, v5=BROKEN)))
    with RunningUpdate(hazards) as running:
        until(lambda: hazards.succeeds("kubectl -n hazards get deployment backend-v5"), 30, "the pods are made")
        running.kill(CLI)
        running.wait()
    hazards.pulumi("cancel --yes")
    hazards.write(STANDING)
    told = "kubectl delete -n hazards deployment backend-v5"
    assert told in hazards.pulumi("preview").said
    assert "Deployment hazards/backend-v5" in hazards.run(".venv/bin/weir status --stack hazards --window 0")
    hazards.up(
        config(backend("v1", {"v2": 20}, v1={}, v2={}, v5={"image": SAME_FORTIO, "replicas": 2})), "--skip-preview"
    )
    hazards.up(STANDING, "--skip-preview")
    assert not hazards.succeeds("kubectl -n hazards get deployment backend-v5")


def test_a_namespace_that_is_let_go_of_stays(hazards: LabStack) -> None:
    """`createNamespace: false` deletes nothing, says nothing is to do, and holds; what stands on it goes on."""
    service = backend("v1", {"v2": 20}, v1={}, v2={})
    hazards.up(config(service, createNamespace=False))
    hazards.assert_converged()
    hazards.up(config(backend("v1", {"v2": 30}, v1={}, v2={}), createNamespace=False), "--skip-preview")
    hazards.up(config(service, createNamespace=False), "--skip-preview")
    assert hazards.succeeds("kubectl get namespace hazards")
