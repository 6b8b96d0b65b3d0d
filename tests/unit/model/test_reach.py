"""Which route a plain GET / takes, as far as the config tells."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.model.test_rules import backend
from weir.model import load, plain_route, traffic


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
    ],
    ids=str,
)
def test_a_plain_request_takes(match: dict[str, Any]) -> None:
    """What GET / without headers meets takes it before the default route does."""
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
        {"uri": {"prefix": "/"}, "headers": {"x-user": {"exact": "beta"}}},
    ],
    ids=str,
)
def test_a_plain_request_passes(match: dict[str, Any]) -> None:
    """What asks for more leaves it to the default route, and so does what only the caller's proxy can tell."""
    assert route_of(match) == "default"


def route_of(match: dict[str, Any]) -> str:
    config = load(backend(routes=[{"name": "special", "match": [match], "stable": "v2"}]))
    return plain_route(traffic(config.services["backend"], "demo"), "backend", 80).name
