"""Kinds of changes: routes of the service under load, and what its default route does beside dividing requests."""

from __future__ import annotations

from collections.abc import Mapping
from random import Random
from typing import Any

from tests.live.lossless.random_changes.kinds import Config, backend, kind, some, toggle

UNTIL = "2100-01-01T00:00:00Z"


@kind
def route_by_header(random: Random, config: Config) -> None:
    name = random.choice(("beta", "qa"))
    match = {"headers": {"x-user": {"exact": name}}, **random.choice(({}, {"port": 80}))}
    _comes_or_goes(
        random,
        config,
        {"name": name, "match": [match], "stable": random.choice(sorted(backend(config)["versions"]))},
        0.7,
    )


@kind
def fault_on_a_route(random: Random, config: Config) -> None:
    faults = (
        {"abort": {"percentage": 50, "httpStatus": 503}},
        {"delay": {"percentage": 100, "fixedDelay": "1s"}},
    )
    for route in _to_versions(config):
        toggle(random, route, "fault", *faults)


@kind
def rewrite_on_a_route(random: Random, config: Config) -> None:
    for route in _to_versions(config):
        toggle(random, route, "rewrite", {"uri": "/elsewhere"})


@kind
def shares_of_a_route(random: Random, config: Config) -> None:
    for route in _to_versions(config):
        others = sorted(set(backend(config)["versions"]) - {route["stable"]})
        toggle(random, route, "canary", *({name: random.choice((0, 10, 100))} for name in others))


@kind
def patience_of_a_route(random: Random, config: Config) -> None:
    for route in _to_versions(config):
        toggle(random, route, "timeout", "none", "10s")
        toggle(random, route, "retries", {"attempts": 2, "perTryTimeout": "2s"})


@kind
def rewrite_for_all(random: Random, config: Config) -> None:
    """The servers answer at any path, and whatever host is asked for."""
    toggle(random, backend(config), "rewrite", {"uri": "/"}, {"authority": "backend.example.com"})


@kind
def redirect_for_some(random: Random, config: Config) -> None:
    away = {
        "name": "away",
        "match": [{"uri": {"prefix": "/old/"}}],
        "redirect": {"prefixRewrite": "/new/", "redirectCode": 308},
    }
    _comes_or_goes(random, config, away, 0.5)


@kind
def answer_for_some(random: Random, config: Config) -> None:
    closed = {
        "name": "closed",
        "match": [{"uri": {"exact": "/closed"}}],
        "directResponse": {"status": 503, "body": {"string": "closed"}},
    }
    _comes_or_goes(random, config, closed, 0.5)


@kind
def order_of_routes(random: Random, config: Config) -> None:
    random.shuffle(backend(config).get("routes", []))


@kind
def mirror(random: Random, config: Config) -> None:
    settings = backend(config)
    settings["mirrors"] = (
        [{"version": random.choice(sorted(settings["versions"])), "percentage": 10}] if random.random() < 0.5 else []
    )


@kind
def drill_for_some(random: Random, config: Config) -> None:
    drill = {
        "abort": {"percentage": 100, "httpStatus": 503},
        "until": UNTIL,
        "match": {"headers": {"x-drill": {"exact": "on"}}},
    }
    toggle(random, backend(config), "drill", drill)


@kind
def timeout(random: Random, config: Config) -> None:
    toggle(random, backend(config), "timeout", "20s", "30s")


@kind
def headers(random: Random, config: Config) -> None:
    versions = backend(config)["versions"]
    place = random.choice((backend(config), versions[random.choice(sorted(versions))]))
    toggle(random, place, "headers", {"request": {"set": {"x-canary": "yes"}}}, {"response": {"add": {"x-shop": "1"}}})


@kind
def cross_origin(random: Random, config: Config) -> None:
    toggle(random, backend(config), "corsPolicy", {"allowOrigins": [{"exact": "https://shop.example.com"}]})


@kind
def policy_for_all(random: Random, config: Config) -> None:
    toggle(random, backend(config), "trafficPolicy", *_POLICIES, *_OF_THE_MESH)


@kind
def policy_of_a_version(random: Random, config: Config) -> None:
    toggle(random, some(random, config), "trafficPolicy", *_POLICIES, *_OF_THE_MESH)


@kind
def policy_of_a_version_elsewhere(random: Random, config: Config) -> None:
    """Outside the mesh nobody has a certificate of Istio's."""
    legacy = backend(config)["versions"].get("legacy", {})
    toggle(random, legacy, "trafficPolicy", *_POLICIES)


def _to_versions(config: Config) -> list[dict[str, Any]]:
    """The routes at which no proxy answers by itself."""
    return [route for route in backend(config).get("routes", []) if "stable" in route]


def _comes_or_goes(random: Random, config: Config, route: dict[str, Any], often: float) -> None:
    """A route, in place of the one of its name: there so often."""
    others = [each for each in backend(config).get("routes", []) if each["name"] != route["name"]]
    backend(config)["routes"] = [*others, route] if random.random() < often else others


_POLICIES: tuple[Mapping[str, Any], ...] = (
    {"loadBalancer": {"simple": "RANDOM"}},
    {"loadBalancer": {"simple": "ROUND_ROBIN"}, "connectionPool": {"tcp": {"maxConnections": 1000}}},
    {"outlierDetection": {"consecutive5xxErrors": 5, "interval": "5s"}},
    {"loadBalancer": {"consistentHash": {"httpHeaderName": "x-user"}}},
)
_OF_THE_MESH: tuple[Mapping[str, Any], ...] = ({"tls": {"mode": "ISTIO_MUTUAL"}}, {"tls": {"mode": "DISABLE"}})
