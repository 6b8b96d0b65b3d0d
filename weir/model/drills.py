"""A drill: a fault of a whole service, or of the requests with certain headers, for a limited time.

It is written beside the routes and not into them, so that taking it away leaves every route as it was. Resolved, it is a fault on each
route that has none of its own; for some requests alone it is a second route before each, which takes these and divides them alike.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from pydantic import model_validator

from weir.model.actions import Fault
from weir.model.http import MatchHeader
from weir.model.instants import Moment
from weir.model.matching import Match, PresenceMatch
from weir.model.part import Part, key, required

if TYPE_CHECKING:
    from weir.model.traffic import RouteTraffic

SUFFIX = "_drill"
"""Behind the name of a route, the name of the route for the requests of a drill; no name in the config has an underscore."""


class DrillMatch(Part):
    """Which requests a drill meets."""

    message = "HTTPMatchRequest"

    headers: Mapping[MatchHeader, PresenceMatch] = required(
        "headers that the requests have, all of them; `{}` takes any value, such as {x-drill: {exact: on}}",
        example={"x-drill": {"exact": "on"}},
    )

    @model_validator(mode="after")
    def _has_a_header(self) -> DrillMatch:
        if not self.headers:
            raise ValueError("must name a header; leave match out to drill all requests")
        return self


class Drill(Fault):
    """A fault for a limited time, on all routes of the service that have no fault of their own; `weir drill` writes and removes it."""

    until: Moment = required(
        "when it ends, such as 2026-11-25T14:00:00Z",
        example="2026-11-25T14:00:00Z",
        unit="moment",
        becomes="VirtualService.metadata.annotations",
    )
    match: DrillMatch | None = key(
        "which requests it meets; all when left out", example={"headers": {"x-drill": {"exact": "on"}}}, becomes="HTTPRoute.match"
    )

    def fault(self) -> Fault:
        """The fault alone."""
        names = self.model_fields_set & Fault.model_fields.keys()
        return Fault.model_construct(_fields_set=set(names), **{name: getattr(self, name) for name in names})


def drilled(routes: Iterable[RouteTraffic], drill: Drill | None) -> Iterator[RouteTraffic]:
    """The routes with the drill in them, in the order in which they are tried."""
    for route in routes:
        # A route that answers by itself has no faults, and a fault of its own is what somebody wrote for it.
        if drill is None or not route.weights or route.fault is not None:
            yield route
        elif drill.match is None:
            yield replace(route, fault=drill.fault())
        else:
            yield replace(route, name=f"{route.name}{SUFFIX}", match=_both(route.match, drill.match), fault=drill.fault())
            yield route


def _both(matches: tuple[Match, ...], wanted: DrillMatch) -> tuple[Match, ...]:
    """What meets one of the matches and has the headers too."""
    if not matches:
        return (Match.model_construct(_fields_set={"headers"}, headers=wanted.headers),)
    return tuple(match.model_copy(update={"headers": {**match.headers, **wanted.headers}}) for match in matches)
