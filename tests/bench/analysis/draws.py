"""Traffic as it is drawn: requests of two versions at the same moment, look by look."""

from __future__ import annotations

import math
import random
from collections.abc import Iterator
from dataclasses import dataclass

STEPS = (0.01, 0.05, 0.10, 0.25, 0.50)
LOOKS, SECONDS, REQUESTS = 120, 5, 500
"""A rollout of ten minutes: so many looks, each so many seconds, with so many requests."""

_BURST, _BURST_LOOKS, _BURST_TIMES = 1 / 60, 6, 30.0
_DRIFT = 0.1
_LEAST, _MOST = 0.0005, 0.01


@dataclass(frozen=True, slots=True)
class Look:
    """What one look sees, in seconds since the beginning, and in which step of the rollout."""

    at: float
    step: int
    stable: int
    stable_bad: int
    canary: int
    canary_bad: int


def binomial(generator: random.Random, count: int, share: float) -> int:
    """How many of so many, exactly: the distribution function is inverted, of parts in which it begins above 1e-14."""
    if share > 0.5:
        return count - binomial(generator, count, 1 - share)
    if count * share > 30:
        return binomial(generator, count // 2, share) + binomial(generator, count - count // 2, share)
    uniform, odds, found = generator.random(), share / (1 - share), 0
    term = total = (1 - share) ** count
    while uniform > total and found < count:
        found += 1
        term *= (count - found + 1) / found * odds
        total += term
    return found


def alike(generator: random.Random) -> Iterator[Look]:
    """Ten minutes of two versions without a difference. The base rate is drawn (0.05 to 1 %), drifts, and is 30 times as
    high for half a minute every five minutes or so; the canary's weight goes from 1 to 50 % in five steps.
    """
    log_rate, burst = math.log(_LEAST) + generator.random() * math.log(_MOST / _LEAST), 0
    for number in range(LOOKS):
        log_rate += generator.gauss(0, _DRIFT)
        burst = _BURST_LOOKS if generator.random() < _BURST else max(0, burst - 1)
        rate = min(0.5, math.exp(log_rate) * (_BURST_TIMES if burst else 1.0))
        step = number * len(STEPS) // LOOKS
        yield _look(generator, (number + 1) * SECONDS, step, REQUESTS, STEPS[step], rate, rate)


def steady(
    generator: random.Random, requests: int, weight: float, stable: float, canary: float, seconds: int = 1
) -> Iterator[Look]:
    """So many requests in each look, with shares of failures that stay as they are; it never ends."""
    at = 0
    while True:
        at += seconds
        yield _look(generator, at, 0, requests, weight, stable, canary)


def _look(
    generator: random.Random, at: float, step: int, requests: int, weight: float, stable: float, canary: float
) -> Look:
    of_canary = binomial(generator, requests, weight)
    of_stable = requests - of_canary
    return Look(
        at, step, of_stable, binomial(generator, of_stable, stable), of_canary, binomial(generator, of_canary, canary)
    )
