"""A service with several ports: HTTP/1.1 and gRPC are steered alike, TCP passes through, a gateway reaches the first
one.

False alarms: each count is refused by chance at most once in a million runs (`stage.accepted`, exact binomial regions).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest

from tests.live.harness import until
from tests.live.lossless.conftest import soak
from tests.live.routing.routing_stack import FORTIO, FRONTEND, NAMESPACE, OUTSIDER, RoutingStack, accepted
from tests.live.routing.test_gateway import EDGE, edge
from weir.measurement.clusters import Measured, Reading, attempts, read_clusters

__all__ = ["edge"]  # the fixture of the guide's gateway

HOST = f"several.{NAMESPACE}.svc.cluster.local"
OUTSIDE = "several.example.com"
REQUESTS = 300
HTTP = {"name": "http", "port": 8080}
GRPC = {"name": "grpc", "port": 8079, "protocol": "grpc"}
OLD = {"name": "old", "port": 8081, "targetPort": 8080}
TCP = {"name": "echo", "port": 9000, "targetPort": 8078, "protocol": "tcp"}


def config(**keys: Any) -> dict[str, Any]:
    """Beside the stage, in its namespace: fortio, which listens at all three ports, at a gateway with port 80."""
    unused = [f"-{name}-port=disabled" for name in ("redirect", "udp")]
    settings = ["server", "-http-port=8080", "-grpc-port=8079", "-tcp-port=8078", *unused]
    service = {
        "image": FORTIO,
        "versions": {"v1": {"args": settings}, "v2": {"args": settings}},
        "stable": "v1",
        "canary": {"v2": 20},
        "expose": {"gateways": ["several"], "hosts": [OUTSIDE]},
        **keys,
    }
    server = {**EDGE["servers"][0], "hosts": [OUTSIDE]}  # type: ignore[index]
    return {
        "namespace": NAMESPACE,
        "createNamespace": False,
        "services": {"several": service},
        "gateways": {"several": {"selector": {"istio": "ingress"}, "servers": [server]}},
    }


@pytest.fixture
def several(edge: RoutingStack) -> Iterator[RoutingStack]:
    """A service with one port that is exposed, up; gone in the end."""
    edge.run("pulumi stack init ports --no-select")
    edge.up("ports", config(port=8080))
    yield edge
    edge.run("pulumi destroy --yes --skip-preview --stack ports && pulumi stack rm --yes ports")


def reading(stage: RoutingStack) -> Reading:
    return read_clusters(stage.envoy("clusters"), Measured(HOST, 8080))


def enter(stage: RoutingStack, count: int = 1) -> list[str]:
    """The statuses of requests from outside the mesh, through the gateway."""
    ask = f"curl -s -o /dev/null -w '%{{http_code}}\\n' -H 'host: {OUTSIDE}'"
    return stage.run(f"kubectl exec {OUTSIDER} -- {ask} 'http://istio-ingress.istio-ingress/?[1-{count}]'").split()


@soak
def test_several_ports(several: RoutingStack) -> None:
    """From one port to four, whatever comes in at the gateway meanwhile is answered; then the split holds at both
    ports of HTTP, by the caller's own counters, and TCP is answered.
    """
    until(lambda: enter(several) == ["200"], 20, "the gateway knows the host")
    ask = f"curl -s -o /dev/null -w '%{{http_code}}\\n' -H 'host: {OUTSIDE}' http://istio-ingress.istio-ingress/"
    loop = f"for i in $(seq 3000); do [ -e /tmp/enough ] && exit; {ask} >> /tmp/seen; sleep 0.02; done"
    several.run(f"kubectl exec -i {OUTSIDER} -- sh -s", stdin=f"({loop}) > /dev/null 2>&1 &")
    several.up("ports", config(ports=[HTTP, GRPC, TCP, OLD]))
    several.settle()
    seen = several.run(f"kubectl exec {OUTSIDER} -- sh -c 'touch /tmp/enough; sleep 0.5; cat /tmp/seen'").split()
    assert len(seen) > 100
    assert set(seen) == {"200"}

    before = reading(several)
    call = "curl -s -o /dev/null -w '%{http_code} %{http_version}\\n'"
    first = several.run(f"kubectl exec {FRONTEND} -- {call} 'http://several:8080/?[1-{REQUESTS}]'").splitlines()
    # An empty message, as gRPC frames it; one request a connection.
    health = (
        f"ask() {{ printf '\\0\\0\\0\\0\\0' | {call} --http2-prior-knowledge -H 'content-type: application/grpc' "
        "-H 'te: trailers' --data-binary @- http://several:8079/grpc.health.v1.Health/Check; }\n"
        f"for i in $(seq {REQUESTS // 10}); do for j in $(seq 10); do ask & done; wait; done"
    )
    second = several.run(f"kubectl exec -i {FRONTEND} -- sh -s", stdin=health).splitlines()
    old = several.run(f"kubectl exec {FRONTEND} -- {call} 'http://several:8081/?[1-50]'").splitlines()
    told = several.run(
        f"kubectl exec {FRONTEND} -- sh -c '(echo hello; sleep 1) | curl -s --max-time 3 telnet://several:9000 || true'"
    )
    after = reading(several)

    assert (set(first), set(second)) == ({"200 1.1"}, {"200 2"})
    assert set(old) == {"200 1.1"}
    assert told.strip() == "hello"
    for port in (8080, 8079):
        counts = attempts(before, after, port)
        assert counts["v1"] + counts["v2"] == REQUESTS
        assert counts[""] == 0
        assert counts["v2"] in accepted(REQUESTS, 0.2, unlike=0.5)
    # TCP is drawn no version for.
    assert attempts(before, after, 9000) == {"": 1, "v1": 0, "v2": 0}

    verdict = json.loads(several.run("weir verify several --stack ports --client frontend --requests 300 --json"))
    assert verdict["ok"]
    status = several.run("weir status several --stack ports --window 0")
    assert re.search(r"v2 +20 %", status), status
