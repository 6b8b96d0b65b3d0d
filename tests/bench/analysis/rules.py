"""Rules that decide on an abort: weir's, those that others have, and the best that there can be."""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from typing import Protocol

from tests.bench.analysis.draws import Look
from weir.analysis import WORSE, Comparison, Counts

Z_1_PERCENT, Z_5_PERCENT = 2.3263, 1.6449


class Rule(Protocol):
    """Gets every look once, and says whether the canary is to be aborted now."""

    def aborts(self, look: Look) -> bool:
        """Whether it is."""


class Weir:
    """The comparison itself."""

    def __init__(self, comparison: Comparison) -> None:
        self.comparison, self._step = comparison, 0

    def aborts(self, look: Look) -> bool:
        """By the decision."""
        if look.step != self._step:
            self._step = look.step
            self.comparison.begin_step()
        verdict = self.comparison.look(
            stable=Counts(look.stable, look.stable_bad), canary=Counts(look.canary, look.canary_bad)
        )
        return verdict.decision == WORSE


class Threshold:
    """The success rate of the canary in each window is at least 99 %: an AnalysisTemplate of Argo Rollouts with its
    default failureLimit, or a metric of Flagger with threshold 1.
    """

    def __init__(self, window: float = 60, share: float = 0.01) -> None:
        self._window, self._share, self._ends = window, share, window
        self._requests = self._bad = 0

    def aborts(self, look: Look) -> bool:
        """At the end of each window."""
        self._requests, self._bad = self._requests + look.canary, self._bad + look.canary_bad
        if look.at < self._ends:
            return False
        refused = self._bad > self._share * self._requests
        self._ends, self._requests, self._bad = self._ends + self._window, 0, 0
        return refused


class MannWhitney:
    """Kayenta's: the error rates of every ten seconds, the canary's against the stable version's, all points so far;
    asked once a window, p < 5 % for "higher" (normal approximation with ties, from 8 points on).
    """

    def __init__(self, window: float = 60, point: float = 10) -> None:
        self._window, self._ends, self._point, self._next = window, window, point, point
        self._counts = [0, 0, 0, 0]
        self._stable: list[float] = []
        self._canary: list[float] = []

    def aborts(self, look: Look) -> bool:
        """At the end of each window."""
        self._counts = _added(self._counts, look)
        if look.at >= self._next:
            stable, stable_bad, canary, canary_bad = self._counts
            if stable and canary:
                self._stable.append(stable_bad / stable)
                self._canary.append(canary_bad / canary)
            self._counts, self._next = [0, 0, 0, 0], look.at + self._point
        if look.at < self._ends:
            return False
        self._ends += self._window
        return len(self._canary) >= 8 and higher(self._canary, self._stable) > Z_5_PERCENT


class PooledZ:
    """The sums so far of both versions by a z-test, one-sided at 1 %, at every look: home-made scripts."""

    def __init__(self) -> None:
        self._counts = [0, 0, 0, 0]

    def aborts(self, look: Look) -> bool:
        """At every look."""
        self._counts = _added(self._counts, look)
        stable, stable_bad, canary, canary_bad = self._counts
        pooled = (stable_bad + canary_bad) / (stable + canary)
        if not (stable and canary and 0 < pooled < 1):
            return False
        deviation = math.sqrt(pooled * (1 - pooled) * (1 / stable + 1 / canary))
        return canary_bad / canary - stable_bad / stable > Z_1_PERCENT * deviation


class Knowing:
    """A likelihood-ratio test at 1 % that knows both true rates: against the stable version's own rate, which it takes
    to stay as it is, or against the nearest rate that both could have, whatever that is at the moment.
    """

    def __init__(self, stable: float, canary: float, weight: float, *, drift: bool) -> None:
        null = weight * canary + (1 - weight) * stable if drift else stable
        self._canary = math.log(canary / null), math.log((1 - canary) / (1 - null))
        self._stable = math.log(stable / null), math.log((1 - stable) / (1 - null))
        self._log = 0.0

    def aborts(self, look: Look) -> bool:
        """When the ratio is 100."""
        self._log += look.canary_bad * self._canary[0] + (look.canary - look.canary_bad) * self._canary[1]
        self._log += look.stable_bad * self._stable[0] + (look.stable - look.stable_bad) * self._stable[1]
        return self._log >= math.log(100)


def _added(counts: list[int], look: Look) -> list[int]:
    new = (look.stable, look.stable_bad, look.canary, look.canary_bad)
    return [old + more for old, more in zip(counts, new, strict=True)]


def higher(ones: list[float], others: list[float]) -> float:
    """The z-score of the Mann-Whitney statistic."""
    below, every = sorted(others), sorted([*ones, *others])
    u = sum((bisect_left(below, one) + bisect_right(below, one)) / 2 for one in ones)
    n, m, total = len(ones), len(others), len(every)
    ties = 0
    place = 0
    while place < total:
        end = bisect_right(every, every[place])
        ties += (end - place) ** 3 - (end - place)
        place = end
    variance = n * m / 12 * (total + 1 - ties / (total * (total - 1)))
    return (u - n * m / 2) / math.sqrt(variance) if variance > 0 else 0.0
