"""The kinds of changes by name, and what they share: where in a config a thing stands."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Any

Config = dict[str, Any]
Change = Callable[[Random, Config], None]
KINDS: dict[str, Change] = {}
"""By name; each changes a config in place. What it would make of it may be what it was, or not sound: then it is drawn
again.
"""
REFUSED = 0.1
"""How often a kind does what weir refuses: with it goes all else that was drawn for the step."""


def kind(change: Change) -> Change:
    KINDS[change.__name__.replace("_", " ")] = change
    return change


def backend(config: Config) -> dict[str, Any]:
    """The service under load."""
    settings: dict[str, Any] = config["services"]["backend"]
    return settings


def with_pods(config: Config) -> list[str]:
    """Its versions whose pods weir makes."""
    return sorted(
        name for name, version in backend(config)["versions"].items() if not version.keys() & {"workload", "host"}
    )


def some(random: Random, config: Config) -> dict[str, Any]:
    """The settings of one version of pods that weir makes; some that nobody reads where there is none."""
    names = with_pods(config)
    return backend(config)["versions"][random.choice(names)] if names else {}


def toggle(random: Random, place: dict[str, Any], key: str, *values: Any) -> None:
    """One of the values, or none."""
    put(place, key, random.choice((None, *values)))


def put(place: dict[str, Any], key: str, value: Any) -> None:
    """The value, or none."""
    if value is None:
        place.pop(key, None)
    else:
        place[key] = value


def served(config: Config) -> list[dict[str, Any]]:
    """Where the ports stand that lead to what the pods serve: first the one that the load uses."""
    ports: list[dict[str, Any]] = backend(config).get("ports") or [backend(config)]
    return [port for port in ports if port["targetPort"] == ports[0]["targetPort"]]


def seen_at_gateways(service: dict[str, Any]) -> bool:
    """Whether the gateway's namespace sees the rules of a service."""
    names = service.get("exportTo", ["*"])
    return "*" in names or "istio-ingress" in names


def at_gateways(config: Config) -> set[str]:
    """The services that requests of a gateway may reach."""
    entries = [entry for host in config.get("hosts", {}).values() for entry in host["routes"]]
    exposed = {name for name, service in config["services"].items() if "expose" in service}
    return exposed | {entry["service"] for entry in entries}
