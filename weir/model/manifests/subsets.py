"""Which versions a VirtualService names, and which of them it sends requests to: what must be known before it stands,
and let go of after.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any


def named(spec: Mapping[str, Any] | None) -> frozenset[str]:
    """Every version (subset) that the spec of a VirtualService names, in whichever role. No spec names none."""
    return frozenset(subset for subset, _ in _destinations(spec))


def used(spec: Mapping[str, Any] | None) -> frozenset[str]:
    """The versions that get requests or copies of requests: named with a weight or a percentage above 0."""
    return frozenset(subset for subset, share in _destinations(spec) if share > 0)


def shares(spec: Mapping[str, Any] | None) -> Mapping[str, float]:
    """What part of the requests each version gets, added up over the routes: enough to tell whether it gets more than
    before.
    """
    found: dict[str, float] = {}
    for route, _ in routes((spec or {}).get("http", [])):
        parts = _destinations({"http": [route]})
        total = sum(share for _, share in _destinations({"http": [{"route": route.get("route", [])}]})) or 1.0
        for place, (subset, share) in enumerate(parts):
            mirrored = place >= len(route.get("route", []))
            found[subset] = found.get(subset, 0.0) + share / (100 if mirrored else total)
    return found


def routes(http: Sequence[Mapping[str, Any]]) -> list[tuple[Mapping[str, Any], Mapping[str, Any] | None]]:
    """The HTTP routes of a VirtualService, each with its copy for gateways, which stands before it under the same name;
    None where it has none.
    """
    found: list[tuple[Mapping[str, Any], Mapping[str, Any] | None]] = []
    for before, route, after in zip([{}, *http], http, [*http[1:], {}], strict=False):
        name = route.get("name")
        if name is None or name != after.get("name"):
            found.append((route, before if name is not None and name == before.get("name") else None))
    return found


def _destinations(spec: Mapping[str, Any] | None) -> list[tuple[str, float]]:
    found: list[tuple[str, float]] = []
    for route in (spec or {}).get("http", []):
        destinations = route.get("route", [])
        for entry in destinations:
            # Istio gives a destination that stands alone all requests, whatever its weight.
            share = 100 if len(destinations) == 1 else entry.get("weight", 0)
            found.append((entry["destination"].get("subset", ""), float(share)))
        for mirror in route.get("mirrors", []):
            found.append(
                (mirror["destination"].get("subset", ""), float(mirror.get("percentage", {}).get("value", 100)))
            )
    return [(subset, share) for subset, share in found if subset]
