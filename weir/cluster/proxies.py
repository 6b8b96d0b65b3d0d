"""Asking istiod whether proxies have acknowledged a change, also where it cannot answer at once: away for a while, just
back, hanging.

How one wait goes is in `weir.cluster.waiting`.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

from weir.cluster.connections import disconnect, istiods
from weir.cluster.errors import ClusterError, UnaskedError
from weir.cluster.istiod import Mark
from weir.cluster.kubectl import Kubectl
from weir.cluster.rejections import RejectedError
from weir.cluster.waiting import LEAST, Acknowledged, LaggingError, Waiting
from weir.cluster.want import Want

__all__ = ["RECONNECTING", "Acknowledged", "LaggingError", "mark", "wait_for"]

RECONNECTING = 35.0
"""Seconds an istiod must have been ready before its sync status counts, where there was a service before it: one that
has just come back does not know the proxies that have yet to come back to it, and Envoy tries again after 30 s at the
latest. Such a one still follows the route it had; and it asks for everything at once when it comes, so that it may
have a new route some milliseconds before the version that is in it.
"""


def mark(kubectl: Kubectl, seconds: float) -> dict[str, Mark]:
    """How far each istiod has come, by pod: to be noted before a change, for `wait_for` after
    it. Raises ClusterError.
    """
    return {istiod.pod: Mark.of(istiod.proxies(seconds)) for istiod in istiods(kubectl, seconds)}


def wait_for(
    kubectl: Kubectl,
    want: Want,
    timeout: float,
    *,
    age: Callable[[float], float],
    since: Mapping[str, Mark] | None = None,
    tell: Callable[[str], None] = lambda _: None,
    clock: Callable[[], float] = time.monotonic,
    pause: Callable[[float], None] = time.sleep,
) -> Acknowledged:
    """Return when every proxy that knows the service does what is wanted; `kubectl` is set to istiod's namespace.

    `timeout` in seconds, for all together. An istiod that is away is asked again until then. `age`: for how many
    seconds, at the most, the service has been there at a moment (by the cluster's clock); asked where istiod has come
    back a short time ago. `since`: what `mark` gave before the change. `tell` is given a line about whatever takes
    long. Raises RejectedError with the reason where proxies reject what they are sent, LaggingError with the proxies
    that lag, or ClusterError when istiod does not answer by then; UnaskedError at once where istiod cannot be asked at
    all.
    """
    start = clock()
    deadline = start + timeout
    # A wait for proxies to come back to istiod is not their fault, and is added once.
    extra = RECONNECTING
    away = False
    while True:
        try:
            there = istiods(kubectl, max(LEAST, deadline - clock()))
            moments = [(istiod.now(max(LEAST, deadline - clock())), istiod.ready_since) for istiod in there]
            # The clocks are the cluster's, and may yet be those of two nodes.
            ready = max(0.0, min(now - began for now, began in moments))
            young = min(RECONNECTING - ready, extra)
            # A service that came after istiod did no proxy knows from elsewhere. Kubernetes has both instants in whole
            # seconds.
            if young <= 0 or age(moments[0][0]) <= ready - 1:
                return Waiting(kubectl, there, want, since or {}, start, deadline, tell, clock, pause).result()
            tell(f"istiod became ready a moment ago: waiting {young:.0f} s for every proxy to reconnect to it")
            extra -= young
            start += young
            deadline += young
            pause(young)
        except (UnaskedError, LaggingError, RejectedError):
            raise
        except ClusterError as error:
            disconnect(kubectl)
            if not away:
                tell(f"istiod's sync status cannot be read, trying again for {timeout:g} s: {error}")
            away = True
            if clock() >= deadline:
                raise ClusterError(
                    f"istiod's sync status could not be read for {timeout:g} s, so it is not known whether proxies "
                    f"have {want}: {error}"
                ) from None
            pause(0.5)
