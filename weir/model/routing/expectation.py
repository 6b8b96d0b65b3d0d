"""What the config promises about the traffic of a service: the yardstick of `weir verify`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction

from weir.model.config.actions import Abort
from weir.model.routing.resolve import DEFAULT_ROUTE, RouteTraffic

GRPC_ANSWER = 200
"""HTTP's status of an answer of gRPC, whatever the status of gRPC: that stands in a header."""


@dataclass(frozen=True, slots=True)
class DelayExpectation:
    """A share of requests, 0 to 1, that takes at least so many seconds."""

    share: Fraction
    seconds: float


@dataclass(frozen=True, slots=True)
class AbortExpectation:
    """A share of requests, 0 to 1, that is answered with this HTTP status and reaches no version.

    A fault with a status of gRPC answers with HTTP's 200, as all of gRPC's answers have it.
    """

    share: Fraction
    status: int


@dataclass(frozen=True, slots=True)
class Expectation:
    """What to observe over many requests that take one route of a service, named `route`.

    `shares`: of the requests that reach a version, the share of each, 0 to 1, adding up to 1; versions that get
    nothing are left out. `mirrors`: versions that get copies, and the share of the requests that reach a version of
    which they get one. Delay and abort are drawn independently of each other and of the version. A fault with a share
    of 0 is None: it does nothing.
    """

    shares: Mapping[str, Fraction]
    delay: DelayExpectation | None
    abort: AbortExpectation | None
    mirrors: Mapping[str, Fraction] = field(default_factory=dict)
    route: str = DEFAULT_ROUTE


def expectation(route: RouteTraffic) -> Expectation:
    """What the config promises about the requests that take this route."""
    delay = route.fault.delay if route.fault else None
    abort = route.fault.abort if route.fault else None
    total = sum(route.weights.values())
    return Expectation(
        shares={version: Fraction(weight, total) for version, weight in route.weights.items() if weight > 0},
        delay=DelayExpectation(Fraction(delay.percentage) / 100, delay.fixed_delay.seconds)
        if delay and delay.percentage
        else None,
        abort=AbortExpectation(Fraction(abort.percentage) / 100, _status(abort))
        if abort and abort.percentage
        else None,
        mirrors={
            mirror.version: Fraction(100 if mirror.percentage is None else mirror.percentage) / 100
            for mirror in route.mirrors
        },
        route=route.name,
    )


def _status(abort: Abort) -> int:
    return GRPC_ANSWER if abort.http_status is None else abort.http_status
