"""Times of answers come later than their counts: Envoy adds up its histograms every five seconds
(`stats_flush_interval`). By failures alone a version that is only slower would pass a short step before that.

https://www.envoyproxy.io/docs/envoy/latest/api-v3/config/bootstrap/v3/bootstrap.proto
"""

from __future__ import annotations

import time
from collections.abc import Callable

from weir.analysis import Counts
from weir.rollout.state import State


class Times:
    """Whether the times of a step's answers are among what is compared."""

    def __init__(self, state: State, most: float, tell: Callable[[str], None]) -> None:
        """`most`: for how many seconds of answers without times a step waits for them; who has none by then, keeps
        none. `tell`: told once of that.
        """
        self._state, self._most, self._tell = state, most, tell
        self._since: float | None = None
        self._timed = self._told = False

    def anew(self) -> None:
        """What came until now belongs to another step."""
        self._since, self._timed = None, False

    def count(self, version: Counts) -> None:
        """What a look has seen of the new version."""
        self._timed = self._timed or (version.answers > 0 and bool(version.slower))
        if version.requests and self._since is None:
            self._since = time.monotonic()

    @property
    def waits(self) -> str:
        """Why a step does not end yet; empty where it may."""
        if self._timed or self._since is None:
            return ""
        if time.monotonic() - self._since < self._most:
            return f"the times of the answers of {self._state.version} are not counted yet"
        if not self._told:
            self._told = True
            self._tell(
                f"{self._state.service}: its callers' proxies keep no times of answers, so failures alone are "
                "compared: a version that is slower is not found. Set proxyStatsMatcher: docs/guide/rollouts.md"
            )
        return ""
