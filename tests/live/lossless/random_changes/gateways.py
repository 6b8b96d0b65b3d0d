"""Kinds of changes: gateways, and the place of the load's host at them, in `expose` of a service or in `hosts`.

Whoever has it, one entry takes all requests: it is called `rest`.
"""

from __future__ import annotations

from random import Random
from typing import Any

from tests.live.lossless.callers import ELSEWHERE
from tests.live.lossless.random_changes.kinds import Config, at_gateways, backend, kind, seen_at_gateways, toggle
from tests.live.lossless.random_changes.scene import MORE, SHOP

_ANY = "*"


@kind
def export_to(random: Random, config: Config) -> None:
    seen = [
        ["*"],
        [".", "istio-ingress"],
        [".", "istio-ingress", ELSEWHERE],
        *([] if "backend" in at_gateways(config) else [["."]]),
    ]
    toggle(random, backend(config), "exportTo", *seen)


@kind
def host_moves(random: Random, config: Config) -> None:
    """From whoever has it to another service, or to a host of several."""
    gateways = _place(config)["gateways"]
    for service in config["services"].values():
        service.pop("expose", None)
    hosts = {name: host for name, host in config.pop("hosts", {}).items() if name == MORE}
    host, service = random.choice((SHOP, SHOP, _ANY)), _seen(random, config)
    if random.random() < 0.5:
        config["services"][service]["expose"] = {"gateways": gateways, "hosts": [host]}
    else:
        hosts[host] = {"gateways": gateways, "routes": [{"name": "rest", "service": service}]}
    if hosts:
        config["hosts"] = hosts


@kind
def another_host(random: Random, config: Config) -> None:
    """One that the load does not ask for."""
    hosts = config.setdefault("hosts", {})
    toggle(random, hosts, MORE, {"gateways": ["edge"], "routes": [{"name": "rest", "service": _seen(random, config)}]})
    if not hosts:
        del config["hosts"]


@kind
def entry_of_a_host(random: Random, config: Config) -> None:
    """A path for a service, before or behind all others; or it goes."""
    routes, service = _entries(random, config), _seen(random, config)
    there = [entry for entry in routes if entry.get("name") is None and entry["service"] == service]
    if there:
        routes.remove(there[0])
    elif routes:
        entry: dict[str, Any] = {"service": service, "match": [{"uri": {"prefix": f"/{service}"}}]}
        routes.insert(random.randint(0, len(routes)), {**entry, **random.choice(({}, {}, {"rewrite": {"uri": "/"}}))})


@kind
def order_of_entries(random: Random, config: Config) -> None:
    random.shuffle(_entries(random, config))


@kind
def entry_for_another_service(random: Random, config: Config) -> None:
    for entry in _entries(random, config):
        if entry.get("name") == "rest":
            entry["service"] = _seen(random, config)


@kind
def routes_at_gateways(random: Random, config: Config) -> None:
    """The default one with or without others."""
    for service in config["services"].values():
        if "expose" in service:
            names = [route["name"] for route in service.get("routes", [])]
            chosen = random.sample(names, random.randint(0, len(names)))
            toggle(random, service["expose"], "routes", ["default", *chosen])


@kind
def gateway_server(random: Random, config: Config) -> None:
    config["gateways"]["edge"]["servers"][0]["hosts"] = [SHOP, *random.choice(((), (MORE,)))]


@kind
def second_gateway(random: Random, config: Config) -> None:
    """With the load's host at it, or without."""
    place, gateways = _place(config), config["gateways"]
    if gateways.pop("side", None):
        place["gateways"] = ["edge"]
    else:
        port = {"number": 8081, "name": "http", "protocol": "HTTP"}
        gateways["side"] = {"selector": {"istio": "ingress"}, "servers": [{"port": port, "hosts": [SHOP]}]}
        place["gateways"] = random.choice((["edge"], ["edge", "side"]))


def _place(config: Config) -> dict[str, Any]:
    """Where the load's host stands."""
    hosts: dict[str, dict[str, Any]] = config.get("hosts", {})
    services: dict[str, dict[str, Any]] = config["services"]
    exposed = [service["expose"] for service in services.values() if "expose" in service]
    return next(iter((*exposed, *(host for name, host in hosts.items() if name != MORE))))


def _seen(random: Random, config: Config) -> str:
    """A service that gateways may send requests to."""
    services: dict[str, dict[str, Any]] = config["services"]
    return random.choice(sorted(name for name, service in services.items() if seen_at_gateways(service)))


def _entries(random: Random, config: Config) -> list[dict[str, Any]]:
    """Those of one host of several; some that nobody reads where there is none."""
    hosts: dict[str, dict[str, Any]] = config.get("hosts", {})
    return hosts[random.choice(sorted(hosts))]["routes"] if hosts else []
