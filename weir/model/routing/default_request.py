"""Which route a plain request takes: GET / with no header, query or cookie of its own, as `weir verify` sends it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from weir.model.config.matches import Match, PresenceMatch
from weir.model.routing.resolve import RouteTraffic, ServiceTraffic
from weir.model.values.hosts import MESH
from weir.model.values.http import full_match


@dataclass(frozen=True, slots=True)
class Sender:
    """Who sends the request: a pod with a sidecar."""

    namespace: str
    labels: Mapping[str, str]


def plain_route(traffic: ServiceTraffic, authority: str, port: int, sender: Sender) -> RouteTraffic:
    """The first route that takes the sender's GET / to `authority` (host and, unless it is 80, port)."""
    return next(
        route
        for route in traffic.routes
        if not route.match or any(_takes(match, authority, port, sender) for match in route.match)
    )


def _takes(match: Match, authority: str, port: int, sender: Sender) -> bool:
    pseudo = {":path": "/", ":method": "GET", ":scheme": "http", ":authority": authority}
    direct = ((match.uri, "/"), (match.method, "GET"), (match.scheme, "http"), (match.authority, authority))
    return (
        _has(match, sender)
        and not match.query_params
        and match.port in (None, port)
        and all(condition is None or _meets(condition, value) for condition, value in direct)
        and all(name in pseudo and _meets(condition, pseudo[name]) for name, condition in match.headers.items())
        and not any(
            name in pseudo and _meets(condition, pseudo[name]) for name, condition in match.without_headers.items()
        )
    )


def _has(match: Match, sender: Sender) -> bool:
    """Whether the sender's sidecar has the route: istiod leaves it out of all others (sourceMatchHTTP in
    pilot/pkg/networking/core/route).
    """
    if match.gateways:
        return MESH in match.gateways
    return match.source_labels.items() <= sender.labels.items() and match.source_namespace in (None, sender.namespace)


def _meets(condition: PresenceMatch, value: str) -> bool:
    if condition.exact is not None:
        return condition.exact == value
    if condition.prefix is not None:
        return value.startswith(condition.prefix)
    return condition.regex is None or full_match(condition.regex, value)
