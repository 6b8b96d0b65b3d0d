"""Which versions a VirtualService names, and which of them it sends requests to: what must be known before it stands,
and let go of after.

A version is named by its subset. One that is another Service has none, and goes by `HOST:PORT`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any


def named(spec: Mapping[str, Any] | None) -> frozenset[str]:
    """Every version that the spec of a VirtualService names, in whichever role. No spec names none."""
    return frozenset(version for version, _ in _destinations(spec))


def used(spec: Mapping[str, Any] | None, service: str | None = None) -> frozenset[str]:
    """The versions that get requests or copies of requests: named with a weight or a percentage above 0. `service`:
    the subsets of this one alone, where a VirtualService is a host's.
    """
    return frozenset(version for owner, version in uses(spec) if service in (None, owner.partition(".")[0]))


def uses(spec: Mapping[str, Any] | None) -> frozenset[tuple[str, str]]:
    """Full name of the service and version, of each that gets requests or copies of requests; another Service has no
    owner here.
    """
    return frozenset(
        (owner_of(place), version)
        for route in (spec or {}).get("http", [])
        for place, share in _shared(route)
        if share > 0 and (version := version_of(place))
    )


def shares(spec: Mapping[str, Any] | None) -> Mapping[str, float]:
    """What part of the requests each version gets, added up over the routes: enough to tell whether it gets more than
    before.
    """
    found: dict[str, float] = {}
    for route, _ in routes((spec or {}).get("http", [])):
        parts = _destinations({"http": [route]})
        total = sum(share for _, share in _destinations({"http": [{"route": route.get("route", [])}]})) or 1.0
        for place, (version, share) in enumerate(parts):
            mirrored = place >= len(route.get("route", []))
            found[version] = found.get(version, 0.0) + share / (100 if mirrored else total)
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


def version_of(destination: Mapping[str, Any]) -> str:
    """The version that a destination is: its subset, else `HOST:PORT`; empty for a service as a whole."""
    subset, port = destination.get("subset", ""), destination.get("port")
    # The engine hands numbers on as floats.
    return str(subset) if subset or not port else f"{destination['host']}:{int(port['number'])}"


def owner_of(destination: Mapping[str, Any]) -> str:
    """The full name of the service of which a destination is a version; empty for another Service. That at an external
    host has a name below the service's (`weir.model.manifests.istio.external_host`).
    """
    host, subset = str(destination["host"]), destination.get("subset")
    below = host.startswith(f"{subset}.") and host.split(".")[2:3] != ["svc"]
    return "" if not subset else host.partition(".")[2] if below else host


def hosts(spec: Mapping[str, Any] | None) -> Mapping[str, str]:
    """The host at which each version is that gets requests or copies."""
    sent = used(spec)
    places = (
        entry["destination"]
        for route in (spec or {}).get("http", [])
        for entry in (*route.get("route", []), *route.get("mirrors", []))
    )
    return {version: str(place["host"]) for place in places if (version := version_of(place)) in sent}


def _destinations(spec: Mapping[str, Any] | None) -> list[tuple[str, float]]:
    found = [each for route in (spec or {}).get("http", []) for each in _shared(route)]
    return [(version, share) for place, share in found if (version := version_of(place))]


def _shared(route: Mapping[str, Any]) -> list[tuple[Mapping[str, Any], float]]:
    """The destinations of a route, and of its copies, each with its weight or percentage."""
    destinations, mirrors = route.get("route", []), route.get("mirrors", [])
    # Istio gives a destination that stands alone all requests, whatever its weight.
    shares = [100 if len(destinations) == 1 else entry.get("weight", 0) for entry in destinations]
    shares += [mirror.get("percentage", {}).get("value", 100) for mirror in mirrors]
    return [(each["destination"], float(share)) for each, share in zip((*destinations, *mirrors), shares, strict=True)]
