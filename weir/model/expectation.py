"""What the config promises about the traffic of a service: the yardstick of `weir verify`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction

from weir.model.config import Service
from weir.model.weights import shares


@dataclass(frozen=True, slots=True)
class DelayExpectation:
    """A share of requests, 0 to 1, that takes at least so many seconds."""

    share: Fraction
    seconds: float


@dataclass(frozen=True, slots=True)
class AbortExpectation:
    """A share of requests, 0 to 1, that is answered with this HTTP status and reaches no version."""

    share: Fraction
    status: int


@dataclass(frozen=True, slots=True)
class Expectation:
    """What to observe over many requests of one service.

    `shares`: of the requests that reach a version, the share of each, 0 to 1, adding up to 1; versions that get nothing are left out.
    Delay and abort are drawn independently of each other and of the version. A fault with a share of 0 is None: it does nothing.
    """

    shares: Mapping[str, Fraction]
    delay: DelayExpectation | None
    abort: AbortExpectation | None


def expectation(service: Service) -> Expectation:
    """What the config of this service promises about its traffic."""
    delay = service.fault.delay if service.fault else None
    abort = service.fault.abort if service.fault else None
    return Expectation(
        shares={version: share for version, share in shares(service).items() if share > 0},
        delay=DelayExpectation(Fraction(delay.percentage) / 100, delay.fixed_delay.seconds) if delay and delay.percentage else None,
        abort=AbortExpectation(Fraction(abort.percentage) / 100, abort.http_status) if abort and abort.percentage else None,
    )
