"""Which route a plain GET / takes, as far as the config tells."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.model.test_rules import backend
from weir.model import Sender, load, plain_route, read, traffic

TESTER = Sender("demo", {"app": "tester", "team": "a"})


@pytest.mark.parametrize(
    "match",
    [
        {"uri": {"prefix": "/"}},
        {"uri": {"exact": "/"}},
        {"uri": {"regex": "/(x.*)?"}},
        {"method": {"exact": "GET"}},
        {"scheme": {"exact": "http"}},
        {"authority": {"prefix": "back"}},
        {"port": 80},
        {"withoutHeaders": {"x-user": {}}},
        {"headers": {":path": {"exact": "/"}}},
        {"gateways": ["mesh"]},
        {"gateways": ["edge/public", "mesh"]},
        {"sourceLabels": {"app": "tester"}},
        {"sourceLabels": {"team": "a", "app": "tester"}},
        {"sourceNamespace": "demo"},
        {"sourceNamespace": "demo", "sourceLabels": {"team": "a"}},
    ],
    ids=str,
)
def test_a_plain_request_takes(match: dict[str, Any]) -> None:
    """What GET / without headers meets takes it before the default route does, and so does what asks for the mesh or
    for this very pod.
    """
    assert route_of(match) == "special"


@pytest.mark.parametrize(
    "match",
    [
        {"uri": {"prefix": "/api"}},
        {"uri": {"regex": "/x"}},
        {"method": {"exact": "POST"}},
        {"scheme": {"exact": "https"}},
        {"authority": {"exact": "shop.example.com"}},
        {"port": 8080},
        {"headers": {"x-user": {}}},
        {"withoutHeaders": {":method": {"exact": "GET"}}},
        {"queryParams": {"version": {"exact": "2"}}},
        {"sourceLabels": {"app": "frontend"}},
        {"sourceLabels": {"app": "tester", "team": "b"}},
        {"sourceNamespace": "qa"},
        {"sourceNamespace": "qa", "sourceLabels": {"app": "tester"}},
        {"gateways": ["edge/public"]},
        {"gateways": ["mesh"], "port": 8080},
        {"uri": {"prefix": "/"}, "headers": {"x-user": {"exact": "beta"}}},
    ],
    ids=str,
)
def test_a_plain_request_passes(match: dict[str, Any]) -> None:
    """What asks for more leaves it to the default route, and so does what asks for another caller or a gateway."""
    assert route_of(match) == "default"


def test_what_stands_in_the_cluster_is_read_as_istio_reads_it() -> None:
    """Beside gateways Istio asks for no labels: objects of an older weir, or of a hand, may have both."""
    match = {"gateways": ["mesh"], "sourceLabels": {"app": "other"}}
    route = {
        "name": "special",
        "match": [match],
        "route": [{"destination": {"host": "a", "subset": "v2"}, "weight": 100}],
    }
    there = read({"spec": {"hosts": ["a"], "http": [route]}}, [])
    assert plain_route(there, "backend", 80, TESTER).name == "special"


def route_of(match: dict[str, Any]) -> str:
    expose = {"gateways": ["edge/public"], "hosts": ["shop.example.com"]}
    config = load(backend(routes=[{"name": "special", "match": [match], "stable": "v2"}], expose=expose))
    return plain_route(traffic(config.services["backend"], "demo"), "backend", 80, TESTER).name
