"""Which requests a route takes: by header, URI, method and query, the first route that matches."""

from __future__ import annotations

import json

import pytest

from tests.live.routing.routing_stack import RoutingStack
from tests.live.routing.sent_requests import Request

ROUTES = [
    {"name": "beta", "match": [{"headers": {"x-beta": {"exact": "yes"}}}], "stable": "v2"},
    {"name": "orders", "match": [{"uri": {"prefix": "/orders/"}}], "stable": "v3"},
    {"name": "writes", "match": [{"method": {"exact": "POST"}}], "stable": "v2"},
    {"name": "gold", "match": [{"queryParams": {"tier": {"exact": "gold"}}}], "stable": "v3"},
    {
        "name": "either",
        "match": [
            {"uri": {"exact": "/both"}, "headers": {"x-team": {"prefix": "blue"}}},
            {"uri": {"regex": "/item/[0-9]+"}},
        ],
        "stable": "v2",
    },
]


@pytest.fixture(scope="module")
def routed(stage: RoutingStack) -> RoutingStack:
    """The routes above before the default one, which goes to v1."""
    stage.apply_settings(routes=ROUTES)
    return stage


def versions(stage: RoutingStack, *requests: Request) -> list[str]:
    """Which versions answer each of the requests, sent 20 times; a letter for each version would hide a mixture, so
    all are named.
    """
    answers = stage.ask(*[Request(request.path, 20, request.method, request.headers) for request in requests])
    assert {answer.status for answer in answers} == {200}
    return [
        " ".join(sorted({answer.version or "?" for answer in answers if answer.request == number}))
        for number in range(len(requests))
    ]


def test_1_a_header_selects_the_version(routed: RoutingStack) -> None:
    """Requests with the header's exact value go to v2; with another value, or none, to v1."""
    asked = [Request(headers=headers) for headers in ({"x-beta": "yes"}, {"x-beta": "yes!"}, {})]
    assert versions(routed, *asked) == ["v2", "v1", "v1"]


def test_2_a_uri_selects_the_version(routed: RoutingStack) -> None:
    """Requests below the prefix go to v3; beside it, to v1."""
    assert versions(routed, Request("/orders/7"), Request("/orders"), Request("/v2/orders/7")) == ["v3", "v1", "v1"]


def test_3_a_method_selects_the_version(routed: RoutingStack) -> None:
    """POST goes to v2; GET and PUT of the same URI to v1."""
    assert versions(routed, Request(method="POST"), Request(method="GET"), Request(method="PUT")) == ["v2", "v1", "v1"]


def test_4_a_query_parameter_selects_the_version(routed: RoutingStack) -> None:
    """Requests with the parameter's exact value go to v3, wherever it stands in the query; others to v1."""
    asked = [Request(f"/debug?{query}") for query in ("tier=gold", "page=2&tier=gold", "tier=golden", "rank=gold")]
    assert versions(routed, *asked) == ["v3", "v3", "v1", "v1"]


def test_conditions_of_a_match_hold_together_and_matches_are_alternatives(routed: RoutingStack) -> None:
    """One match wants URI and header; the other, a regular expression of the whole URI, is enough by itself."""
    blue = {"x-team": "blue-7"}
    asked = [
        Request("/both", headers=blue),
        Request("/both"),
        Request("/other", headers=blue),
        Request("/item/42"),
        Request("/item/42/x"),
    ]
    assert versions(routed, *asked) == ["v2", "v1", "v1", "v2", "v1"]


def test_the_first_route_that_matches_wins(routed: RoutingStack) -> None:
    """A POST below /orders/ matches two routes and goes by the first of them; with the header it matches three."""
    asked = [Request("/orders/7", method="POST"), Request("/orders/7", method="POST", headers={"x-beta": "yes"})]
    assert versions(routed, *asked) == ["v3", "v2"]


def test_verify_expects_what_a_sidecar_takes(stage: RoutingStack) -> None:
    """Of callers inside the mesh a route for `mesh` takes all before the default one: `weir verify` expects that, and
    traffic is so.
    """
    stage.apply_settings(
        canary={"v3": 50}, routes=[{"name": "inside", "match": [{"gateways": ["mesh"]}], "stable": "v2"}]
    )
    assert versions(stage, Request()) == ["v2"]
    # The stage's account may not exec.
    stage.run(
        "sed 's|weir:kubeconfig:.*|weir:kubeconfig: .weir/lab/kubeconfig|' Pulumi.stage.yaml > administrators.yaml"
    )
    assert json.loads(stage.run("weir verify --json --file administrators.yaml"))["ok"]
