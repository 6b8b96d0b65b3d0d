"""Measuring one service: wait until the caller's Envoy has its routes, read the counters, send, read them again,
judge.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from weir.measurement.caller import Caller
from weir.measurement.clusters import Measured, attempts, read_clusters
from weir.measurement.judge import ERROR_RATE, Verdict, judge
from weir.measurement.proxy_config import Arrival, wait_for_route
from weir.measurement.sending import MAX_PARALLEL, Sending, send, summary
from weir.model.routing.expectation import Expectation

REQUESTS = 1000
"""Requests sent where the user names no number: enough to see a shift of 10 points at an error rate of 1e-6."""

REQUESTS_DELAYED = 200
"""The same under a delay fault: the waiting is what takes time."""

PATIENCE = 10.0
"""Seconds that the caller's Envoy is given to get the routes of the config; after that, the traffic is measured as it
is.
"""

_PARALLEL = 20
_MAX_TIME = 15.0

# Under a delay fault, requests in flight per second of delay. 200 requests then take 3 s whatever the delay, those of
# the tutorial's 3 s all at once; and short delays are not measured under a rush of requests that takes longer than the
# delay.
_PARALLEL_PER_SECOND = 70


@dataclass(frozen=True, slots=True)
class Target:
    """A service to measure: short `name`, how it is counted, all `versions`, and what is `expected` of its traffic."""

    name: str
    service: Measured
    versions: tuple[str, ...]
    expected: Expectation

    @property
    def url(self) -> str:
        """Where the caller, a pod of the same namespace, sends its requests."""
        port = self.service.port
        return f"http://{self.name}/" if port == 80 else f"http://{self.name}:{port}/"

    def sending(self, requests: int | None = None) -> Sending:
        """How requests are sent; `requests` None takes the default."""
        if self.expected.delay is None:
            return Sending(self.url, requests or REQUESTS, _PARALLEL, _MAX_TIME)
        count = requests or REQUESTS_DELAYED
        parallel = round(self.expected.delay.seconds * _PARALLEL_PER_SECOND)
        return Sending(
            self.url, count, min(count, MAX_PARALLEL, max(4, parallel)), self.expected.delay.seconds + _MAX_TIME
        )


@dataclass(frozen=True, slots=True)
class Measurement:
    """What was measured of one service, and the verdict.

    `answers` counts answers per kind (HTTP status, or why none came), `attempts` requests per version by the caller's
    Envoy, with the key "" for those past the versions; `seconds` is the time all requests took; `arrival` is what the
    caller's Envoy was told.
    """

    target: Target
    requests: int
    answers: dict[str, int]
    attempts: dict[str, int]
    seconds: float
    arrival: Arrival
    verdict: Verdict


def measure(
    caller: Caller,
    target: Target,
    *,
    requests: int | None = None,
    error_rate: float = ERROR_RATE,
    advance: Callable[[int], None] = lambda _: None,
) -> Measurement:
    """Send requests from `caller` to `target` and judge what came back.

    `advance` is told how many requests more are done. Raises MeasurementError when the traffic cannot be measured.
    """
    arrival = wait_for_route(caller, target.service, target.expected, bound=PATIENCE)
    sending = target.sending(requests)
    before = read_clusters(caller.envoy("clusters"), target.service)
    start = time.monotonic()
    answers = send(caller, sending, advance)
    seconds = time.monotonic() - start
    after = read_clusters(caller.envoy("clusters"), target.service)
    counts = attempts(before, after, target.service.port)
    stale = arrival.route.delay.seconds if arrival.route is not None and arrival.route.delay is not None else None
    verdict = judge(
        target.expected, answers, counts, versions=target.versions, stale_delay=stale, error_rate=error_rate
    )
    return Measurement(target, sending.requests, summary(answers), counts, seconds, arrival, verdict)
