"""The answers that the versions of some services give at the same time, look by look."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence

from weir.measurement.answers import Answers, Readings, between, read
from weir.measurement.caller import Caller
from weir.measurement.clusters import Measured

MAX_CALLERS = 20
"""Of more callers the first by name are asked: a look must not be a load."""

_LIST_SECONDS = 15.0


class Watched:
    """The callers of some services, and what their proxies had counted when they were last asked."""

    def __init__(self, callers: Callable[[], Sequence[Caller]], services: Mapping[str, Measured]) -> None:
        """`callers`: lists those there are now. `services`: by name. Nothing is asked yet."""
        self._list, self._services = callers, services
        self._callers: Sequence[Caller] = ()
        self._listed = -_LIST_SECONDS
        self._before: dict[str, Readings] = {}
        self.count = 0
        """How many callers answered last."""
        self.attempts: frozenset[str] = frozenset()
        """The services of which one of them could only tell attempts."""

    def look(self) -> dict[str, dict[str, Answers]]:
        """What came since the last look, by service and version; nothing at the first one. Raises ClusterError where
        no caller answers.
        """
        if time.monotonic() - self._listed >= _LIST_SECONDS:
            self._callers = self._list()[:MAX_CALLERS]
            self._listed = time.monotonic()
        now = read(self._callers, self._services)
        self.count = max(map(len, now.values()), default=0)
        self.attempts = frozenset(
            name for name, found in now.items() if any(each.attempts and each.versions for each in found.values())
        )
        before = self._before
        self._before = {name: {**before.get(name, {}), **found} for name, found in now.items()}
        return {name: between(before[name], found) for name, found in now.items() if name in before}
