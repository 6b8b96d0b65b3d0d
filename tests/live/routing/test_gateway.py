"""Traffic that enters the mesh through a real ingress gateway, the one of the guide, and follows the same rules.

False alarms: each count is refused by chance at most once in a million runs (`stage.accepted`, exact binomial regions).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import pytest

from tests.live.harness import CHECKOUT, until
from tests.live.routing.routing_stack import OUTSIDER, RoutingStack, accepted
from tests.live.routing.sent_requests import Answer, Request

MANIFEST = CHECKOUT / "docs" / "guide" / "ingress-gateway.yaml"
SHOP = "shop.example.com"
EDGE = {
    "selector": {"istio": "ingress"},
    "servers": [{"port": {"number": 80, "name": "http", "protocol": "HTTP"}, "hosts": [SHOP]}],
}
GATEWAYS = {"gateways": {"shop": EDGE}}
EXPOSE = {"gateways": ["shop"], "hosts": [SHOP]}


@pytest.fixture(scope="module")
def edge(stage: RoutingStack) -> Iterator[RoutingStack]:
    """The guide's gateway, applied as a reader applies it, before any stack makes use of it."""
    stage.run(f"kubectl apply -f {MANIFEST}")
    stage.run("kubectl rollout status -n istio-ingress deploy/istio-ingress --timeout=120s")
    yield stage
    stage.run(f"kubectl delete --wait=false -f {MANIFEST}")


def enter(stage: RoutingStack, count: int = 1, path: str = "/", host: str = SHOP) -> list[Answer]:
    """Requests of a pod outside the mesh to the gateway."""
    asked = Request(path, count, headers={"host": host}, host="istio-ingress.istio-ingress")
    return stage.ask(asked, caller=OUTSIDER, parallel=0 if count == 1 else 20)


def test_a_gateway_without_pods_is_told(edge: RoutingStack) -> None:
    """Preview and status say which labels no pod has; with the labels of the guide's gateway neither says anything of
    it.
    """
    edge.run("pulumi stack init entrance --no-select", check=False)
    try:
        for labels, told in (({"istio": "ingres", "app": "shop"}, True), ({"istio": "ingress"}, False)):
            services = {"shop": {"versions": {"v1": {}}, "stable": "v1"}}
            edge.write_stack(
                "entrance",
                {"namespace": "entrance", "services": services, "gateways": {"shop": {**EDGE, "selector": labels}}},
            )
            for command in ("pulumi preview", "weir status --window 0", "weir status --window 0 --json"):
                said = " ".join(edge.run(f"{command} --stack entrance").split())
                assert ("gateway shop: no pod in the cluster has the labels app=shop,istio=ingres" in said) == told
                assert ("nothing serves it" in said) == told
    finally:
        edge.run("pulumi stack rm --yes --force --preserve-config entrance; rm Pulumi.entrance.yaml", check=False)


def test_23_traffic_through_the_gateway_follows_the_split(edge: RoutingStack) -> None:
    """From outside through the gateway and from inside the mesh, the shares are within the exact bound of 600
    requests; no other host enters.
    """
    edge.apply_settings(canary={"v2": 30}, top=GATEWAYS, expose=EXPOSE)
    until(lambda: enter(edge)[0].status == 200, 20, "the gateway knows the host")
    for answers in (enter(edge, 600), edge.ask(Request(count=600), parallel=20)):
        assert [answer for answer in answers if answer.status != 200] == []
        found = Counter(answer.version for answer in answers)
        assert found["v2"] in accepted(600, 0.3, unlike=0.5)
        assert found["v1"] + found["v2"] == 600
    assert enter(edge, host="other.example.com")[0].status == 404


def test_routes_and_faults_hold_at_the_gateway(edge: RoutingStack) -> None:
    """A route by URI and the fault of another are the same for who enters: v3 below one path, 418 below the other,
    else v1.
    """
    routes = [
        {"name": "new", "match": [{"uri": {"prefix": "/new"}}], "stable": "v3"},
        {
            "name": "broken",
            "match": [{"uri": {"prefix": "/broken"}}],
            "fault": {"abort": {"percentage": 100, "httpStatus": 418}},
        },
    ]
    edge.apply_settings(routes=routes, top=GATEWAYS, expose=EXPOSE)
    until(lambda: enter(edge, path="/broken")[0].status == 418, 20, "the gateway knows the routes")
    expected = {"/new": (200, "v3"), "/broken": (418, ""), "/": (200, "v1")}
    for path, outcome in expected.items():
        assert {(answer.status, answer.version) for answer in enter(edge, 30, path)} == {outcome}


def test_who_is_not_exposed_cannot_be_entered(edge: RoutingStack) -> None:
    """With the gateway but without `expose` the host is unknown at the edge, while callers of the mesh go on."""
    edge.apply_settings(top=GATEWAYS)
    until(lambda: enter(edge)[0].status == 404, 20, "the gateway has forgotten the host")
    assert {answer.status for answer in enter(edge, 20)} == {404}
    assert {answer.status for answer in edge.ask(Request(count=20))} == {200}
