"""The answers that the versions of some services give at the same time, look by look."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence

from weir.measurement.answers import Answers, Readings, between, read
from weir.measurement.caller import Caller
from weir.measurement.clusters import Measured

MAX_CALLERS = 20
"""Of more pods so many are asked in a look, which must not be a load."""

_LIST_SECONDS = 15.0


class Watched:
    """The callers of some services, and what their proxies had counted when they were last asked.

    Any pod may be a caller. Of many, each is asked once; from then on those that have counted most of each service, and
    beside them others in turn, which may have begun to call.
    """

    def __init__(self, callers: Callable[[], Sequence[Caller]], services: Mapping[str, Measured]) -> None:
        """`callers`: lists the pods there are now. `services`: by name. Nothing is asked yet."""
        self._list, self._services = callers, services
        self._pods: Sequence[Caller] = ()
        self._listed = -_LIST_SECONDS
        self._before: dict[str, Readings] = {}
        self._counted: dict[str, dict[str, int]] = {name: {} for name in services}
        self._turn = 0
        self.attempts: frozenset[str] = frozenset()
        """The services of which a caller could only tell attempts, at the last look."""

    @property
    def callers(self) -> list[Caller]:
        """Those that have counted something of the services, the ones first that are asked at each look."""
        ranks: dict[str, int] = {}
        for counted in self._counted.values():
            there = [each.pod for each in self._pods if each.pod in counted]
            for rank, pod in enumerate(sorted(there, key=lambda pod: -counted[pod])):
                ranks[pod] = min(rank, ranks.get(pod, rank))
        return sorted((each for each in self._pods if each.pod in ranks), key=lambda each: ranks[each.pod])

    def anew(self) -> None:
        """What was counted until now belongs to another split of the traffic, and to no look. Raises ClusterError where
        no caller answers; then the next look is the first.
        """
        # Who does not answer now is not to be compared with what it said before.
        self._before = {}
        self.look()

    def look(self) -> dict[str, dict[str, Answers]]:
        """What came since the last look, by service and version; nothing at the first one. Raises ClusterError where
        no caller answers.
        """
        first = not self._pods
        if time.monotonic() - self._listed >= _LIST_SECONDS:
            self._pods = self._list()
            self._listed = time.monotonic()
        now = read(self._pods if first else self._asked(), self._services)
        for name, found in now.items():
            requests = {pod: sum(each.requests for each in reading.versions.values()) for pod, reading in found.items()}
            self._counted[name] |= {pod: count for pod, count in requests.items() if count}
        self.attempts = frozenset(
            name
            for name, found in now.items()
            if any(reading.attempts and pod in self._counted[name] for pod, reading in found.items())
        )
        before = self._before
        self._before = {name: {**before.get(name, {}), **found} for name, found in now.items()}
        return {name: between(before[name], found) for name, found in now.items() if name in before}

    def _asked(self) -> Sequence[Caller]:
        if len(self._pods) <= MAX_CALLERS:
            return self._pods
        known = self.callers
        others = [each for each in self._pods if each not in known]
        begin = self._turn % max(1, len(others))
        turn = (others[begin:] + others[:begin])[: max(0, MAX_CALLERS - len(known))]
        self._turn = begin + len(turn)
        return [*known[:MAX_CALLERS], *turn]
