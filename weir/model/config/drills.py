"""A drill: a fault of a whole service, or of the requests with certain headers, for a limited time.

It is written beside the routes and not into them, so that taking it away leaves every route as it was. Resolved, it is
a fault on each route that has none of its own; for some requests alone it is a second route before each, which takes
these and divides them alike.
"""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import model_validator

from weir.model.config.actions import Fault
from weir.model.config.base import Part, key, required
from weir.model.config.matches import PresenceMatch
from weir.model.values.http import MatchHeader
from weir.model.values.instants import Moment

SUFFIX = "_drill"
"""Behind the name of a route, the name of the route for the requests of a drill; no name in the config has an
underscore.
"""


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
    """A fault for a limited time, on all routes of the service that have no fault of their own; `weir drill` writes
    and removes it.
    """

    until: Moment = required(
        "when it ends, such as 2026-11-25T14:00:00Z",
        example="2026-11-25T14:00:00Z",
        unit="moment",
        becomes="VirtualService.metadata.annotations",
    )
    match: DrillMatch | None = key(
        "which requests it meets; all when left out",
        example={"headers": {"x-drill": {"exact": "on"}}},
        becomes="HTTPRoute.match",
    )

    def fault(self) -> Fault:
        """The fault alone."""
        names = self.model_fields_set & Fault.model_fields.keys()
        return Fault.model_construct(_fields_set=set(names), **{name: getattr(self, name) for name in names})
