"""A move that is prepared while nothing but its time is waited for, and held until it has come. Callers are looked at
meanwhile, as at any other time of a step (docs/decisions/0039-a-step-is-prepared-ahead.md).
"""

from __future__ import annotations

import time
from collections.abc import Callable
from threading import Event

from weir.cluster.errors import ClusterError
from weir.rollout.decide import Kind, Next

LEAST_SECONDS = 2.0
"""A move that takes less is not prepared: it is hardly late, and whoever aborts has less to wait for."""

PAUSE_PART = 0.8
"""The part of a pause in which the next move may be prepared, at the most."""

_APART = 4.0
"""From one look to the next, in times of what the last one took: a look at fifty services keeps a processor busy, and
most of the time is for what is prepared.
"""

_PAST_SECONDS = 10.0
"""How long it may be held beyond its time, where what was proven is not any more, or nobody answers."""


class Ahead:
    """What holds the move back; `asked`: whether anybody has asked it."""

    def __init__(
        self, waiting: Next, kind: Kind, look: Callable[[], None], following: Callable[[], Next], interval: float
    ) -> None:
        """`waiting`: for what; `kind`: what follows it. `interval`: seconds from one look to the next.

        `look`: at the callers; raises ClusterError where they do not answer. `following`: what follows from all that
        was seen. Both may raise other WeirErrors: nothing follows.
        """
        self.asked = False
        self._kind, self._look, self._following, self._interval = kind, look, following, interval
        self._end = time.monotonic() + (waiting.seconds or 0.0) + _PAST_SECONDS

    def __call__(self, ended: Event) -> bool:
        """Look until it follows, or another thing does; whether it does. Not where `ended` is set before, or it takes
        too long.
        """
        self.asked = True
        due, took, answered = time.monotonic(), 0.0, False
        while not ended.is_set() and time.monotonic() < self._end:
            following = self._following()
            if following.kind not in ("wait", self._kind):
                return False
            if following.kind == self._kind and answered:
                return True
            began, left = time.monotonic(), following.seconds
            if answered and left is not None and left <= took:
                # No look begins that would not be over in time.
                ended.wait(left)
            elif began < due:
                ended.wait(due - began if left is None else min(left, due - began))
            else:
                answered = self._answered()
                took = time.monotonic() - began
                due = began + max(self._interval, _APART * took)
        return False

    def _answered(self) -> bool:
        try:
            self._look()
        except ClusterError:
            return False
        return True
