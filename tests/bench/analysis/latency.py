"""Answers with times: lognormal, at the bounds of Envoy's histograms."""

from __future__ import annotations

import random
from bisect import bisect_left
from collections.abc import Callable

from tests.bench.analysis.draws import binomial
from weir.analysis import WORSE, Comparison, Counts

# Envoy's own, as its Prometheus text has them (source/common/stats/histogram_impl.cc), in seconds.
BOUNDS = (
    *(0.0005, 0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0),
    *(30.0, 60.0, 300.0, 600.0, 1800.0, 3600.0),
)
MEDIAN, SIGMA = 0.05, 0.5
"""Of the stable version: seconds, and the standard deviation of the logarithm."""

REQUESTS, WEIGHT = 100, 0.1

Slower = Callable[[random.Random], float]
"""So many times slower is this answer of the canary."""

CASES: dict[str, Slower] = {
    "all answers 2 times slower": lambda generator: 2.0,
    "all answers 1.2 times slower": lambda generator: 1.2,
    "2 % of the answers 10 times slower": lambda generator: 10.0 if generator.random() < 0.02 else 1.0,
    "no difference": lambda generator: 1.0,
}


def seconds_until_worse(generator: random.Random, slower: Slower, comparison: Comparison, most: int) -> int | None:
    """How many looks of a second it takes until the canary is called worse; None where it never is."""
    for second in range(1, most + 1):
        of_canary = binomial(generator, REQUESTS, WEIGHT)
        stable = _counts([generator.lognormvariate(0, SIGMA) for _ in range(REQUESTS - of_canary)])
        canary = _counts([generator.lognormvariate(0, SIGMA) * slower(generator) for _ in range(of_canary)])
        if comparison.look(stable=stable, canary=canary).decision == WORSE:
            return second
    return None


def _counts(times: list[float]) -> Counts:
    times.sort()
    return Counts(len(times), 0, {bound: len(times) - bisect_left(times, bound / MEDIAN) for bound in BOUNDS})
