"""Intervals that hold at all times: whatever is read off after any look, all of them are right with 95 %.

An odds ratio, or a share, belongs to the interval while the bets on all others have not refuted it.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from weir.analysis.evidence import log_mean
from weir.analysis.hypergeometric import log_normalisers
from weir.analysis.metric import Seen

CONFIDENCE = 0.95

# Logarithms of odds ratios: close to each other near 0, where many answers tell small differences.
_ABOVE = (0.02, 0.05, 0.1, 0.2, 0.35, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0, 4.0, 5.5, 7.0, 9.0)
_PLACES = (*(-place for place in reversed(_ABOVE)), 0.0, *_ABOVE)
_REFUTED = -math.log(1 - CONFIDENCE)


@dataclass(frozen=True, slots=True)
class Interval:
    """From `low` to `high`; `high` is None where there is no bound yet."""

    low: float
    high: float | None


@dataclass(frozen=True, slots=True)
class Ratio:
    """The canary's odds of a bad answer over those of the stable version.

    `logs` has the logarithm of the likelihood of all looks, for each odds ratio of a grid.
    """

    logs: tuple[float, ...] = (0.0,) * len(_PLACES)

    def after(self, look: Seen) -> Ratio:
        """With one more look."""
        if not look.bad:
            return self
        normalisers = log_normalisers(look.canary, look.stable, look.bad, _PLACES)
        return Ratio(
            tuple(
                [
                    log + look.canary_bad * place - normaliser
                    for log, place, normaliser in zip(self.logs, _PLACES, normalisers, strict=True)
                ]
            )
        )

    @property
    def interval(self) -> Interval:
        """Where the ratio is, if it is the same in all looks. It is never too narrow for being read off a grid."""
        level = log_mean(self.logs) - _REFUTED
        low, high = _edge(_PLACES, self.logs, level), _edge(_PLACES[::-1], self.logs[::-1], level)
        return Interval(0.0 if low is None else math.exp(low), None if high is None else math.exp(high))


def _edge(places: tuple[float, ...], logs: tuple[float, ...], level: float) -> float | None:
    """Where the logarithms come up to the level, seen from the first of the places; None where they begin above it.

    They are concave in the place. So the line through two places below the level is above them further on, and comes up
    to the level before they do.
    """
    first = next(index for index, log in enumerate(logs) if log > level)
    if first == 0:
        return None
    if first == 1:
        return places[0]
    near, far = first - 1, first - 2
    slope = (logs[near] - logs[far]) / (places[near] - places[far])
    edge = places[near] + (level - logs[near]) / slope
    return edge if abs(edge - places[near]) < abs(places[first] - places[near]) else places[first]


def share_interval(bad: int, answers: int) -> Interval:
    """Where the share of bad answers is, on the mean of all looks, whatever it was in each (Jensen's inequality)."""
    if not answers:
        return Interval(0.0, 1.0)

    def refuted(share: float) -> bool:
        bets = [place * bad - answers * math.log1p(share * math.expm1(place)) for place in _PLACES]
        return log_mean(bets) >= _REFUTED

    seen = bad / answers
    return Interval(
        _boundary(refuted, seen, 0.0) if bad else 0.0, _boundary(refuted, seen, 1.0) if bad < answers else 1.0
    )


def _boundary(refuted: Callable[[float], bool], inside: float, outside: float) -> float:
    """Between a share that is not refuted and the end of all shares, to a thousandth of what is between; never
    narrower.
    """
    if not refuted(outside):
        return outside
    for _ in range(40):
        middle = (inside + outside) / 2
        if refuted(middle):
            outside = middle
        else:
            inside = middle
    return outside
