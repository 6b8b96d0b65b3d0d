"""The answers that two versions of a service give at the same time, look by look."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from weir.measurement.answers import Answers, Readings, between, read
from weir.measurement.caller import Caller
from weir.measurement.clusters import Measured

MAX_CALLERS = 20
"""Of more callers the first by name are asked: a look must not be a load."""

_LIST_SECONDS = 15.0


class Watched:
    """The callers of a service, and what their proxies had counted when they were last asked."""

    def __init__(self, callers: Callable[[], Sequence[Caller]], service: Measured) -> None:
        """`callers`: lists those there are now. Nothing is asked yet."""
        self._list, self._service = callers, service
        self._callers: Sequence[Caller] = ()
        self._listed = -_LIST_SECONDS
        self._before: Readings | None = None
        self.count = 0
        """How many callers answered last."""
        self.attempts = False
        """Whether one of them could only tell attempts."""

    def look(self) -> dict[str, Answers] | None:
        """What came since the last look, by version; None at the first one. Raises ClusterError where no caller
        answers.
        """
        if time.monotonic() - self._listed >= _LIST_SECONDS:
            self._callers = self._list()[:MAX_CALLERS]
            self._listed = time.monotonic()
        now = read(self._callers, self._service)
        self.count = len(now)
        self.attempts = any(reading.attempts and reading.versions for reading in now.values())
        before, self._before = self._before, {**(self._before or {}), **now}
        return None if before is None else between(before, now)
