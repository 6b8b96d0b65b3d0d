"""Which route a plain request takes: GET / with no header, query or cookie of its own, as `weir verify` sends it."""

from __future__ import annotations

from weir.model.http import full_match
from weir.model.matching import Match, PresenceMatch
from weir.model.traffic import RouteTraffic, ServiceTraffic

# What decides by the calling pod: a caller that it leaves out does not even have the route.
_CALLER = ("source_labels", "source_namespace", "gateways")


def plain_route(traffic: ServiceTraffic, authority: str, port: int) -> RouteTraffic:
    """The first route that takes a GET / to `authority` (host and, unless it is 80, port) from the mesh.

    A match on the calling pod counts as not met: only the caller's proxy knows.
    """
    return next(route for route in traffic.routes if not route.match or any(_takes(match, authority, port) for match in route.match))


def _takes(match: Match, authority: str, port: int) -> bool:
    pseudo = {":path": "/", ":method": "GET", ":scheme": "http", ":authority": authority}
    direct = ((match.uri, "/"), (match.method, "GET"), (match.scheme, "http"), (match.authority, authority))
    return (
        not any(getattr(match, name) for name in _CALLER)
        and not match.query_params
        and match.port in (None, port)
        and all(condition is None or _meets(condition, value) for condition, value in direct)
        and all(name in pseudo and _meets(condition, pseudo[name]) for name, condition in match.headers.items())
        and not any(name in pseudo and _meets(condition, pseudo[name]) for name, condition in match.without_headers.items())
    )


def _meets(condition: PresenceMatch, value: str) -> bool:
    if condition.exact is not None:
        return condition.exact == value
    if condition.prefix is not None:
        return value.startswith(condition.prefix)
    return condition.regex is None or full_match(condition.regex, value)
