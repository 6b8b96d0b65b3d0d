"""Which alternatives are bet on, and with what stake: the numbers that decide how soon a verdict comes.

They change no chance of being wrong, which holds for any of them. They were chosen by simulation (`make bench`), so
that no odds ratio from 2 to 1,000 takes much longer than it takes a test that knew the ratio.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

RESERVE = 0.05
"""What the bets against "no worse" keep back for the steps to come, of 1."""

_WORSE = {1.15: 0.03, 1.5: 0.1, 2.0: 0.18, 4.0: 0.09, 7.0: 0.18, 10.0: 0.12, 20.0: 0.15, 50.0: 0.07, 300.0: 0.08}
"""Against "no worse": times the tolerated odds → stake."""

_ALIKE = {1.0: 0.6, 0.7: 0.26, 0.2: 0.04}
"""Against "worse by more than the margin": times the stable version's odds → stake."""

_TOLERATED = 0.1
"""The stake on the odds that are just tolerated, against the same: without it a version that is a little worse, and
may be, would never be shown to be so.
"""

_RARE = {0.5: 0.05, 0.001: 0.05}
"""Against the same: times the odds of a share that is too small to care about → stake."""


FINGERPRINT = hashlib.sha256(repr((RESERVE, _WORSE, _ALIKE, _TOLERATED, _RARE)).encode()).hexdigest()[:12]
"""Changes with the numbers above: what was gained by other bets cannot be carried on."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What is tolerated of one kind of bad answers.

    worse   odds of up to so many times the stable version's are no worse
    floor   nor is a share of bad answers up to this (0 to 1)
    margin  to go on, odds must be shown to be below so many times the stable version's,
    rare    or the share of bad answers to be below this (0 to 1),
    most    or that of the stable version to be above this (0 to 1): nearly all of its answers are as bad
    """

    worse: float
    floor: float
    margin: float
    rare: float
    most: float = 1.0


Share = tuple[float, float]
"""A bet on a share: what a bad answer adds to the logarithm, and what every answer takes from it."""


@dataclass(frozen=True, slots=True)
class Bets:
    """The bets for some limits.

    worse, tolerated   against "no worse": logarithms of the odds ratios that are bet on, and of the tolerated one
    alike, margin      against "worse by more than the margin": the same
    frequent           bets on a share above the floor; none where that is 0
    rare, good         bets on a share of bad answers below `rare`, of good ones of the stable version below 1 − `most`
    worse_stakes       of `worse`, and of `frequent`
    proof_stakes       of `alike`, `rare` and `good`, which are against one and the same claim
    """

    worse: tuple[float, ...]
    tolerated: float
    alike: tuple[float, ...]
    margin: float
    frequent: tuple[Share, ...]
    rare: tuple[Share, ...]
    good: tuple[Share, ...]
    worse_stakes: tuple[float, ...]
    proof_stakes: tuple[float, ...]


@lru_cache(maxsize=64)
def bets(limits: Limits) -> Bets:
    """The bets for these limits."""
    rare, good = _shares(_RARE, limits.rare), _shares(_RARE, 1 - limits.most)
    alike = {**_ALIKE, limits.worse: _TOLERATED} if 1 < limits.worse < limits.margin else _ALIKE
    return Bets(
        worse=tuple(math.log(limits.worse * ratio) for ratio in _WORSE),
        tolerated=math.log(limits.worse),
        alike=tuple(math.log(ratio) for ratio in alike),
        margin=math.log(limits.margin),
        frequent=_shares(_WORSE, limits.floor),
        rare=rare,
        good=good,
        worse_stakes=tuple(_WORSE.values()),
        proof_stakes=(*alike.values(), *(_RARE.values() if rare else ()), *(_RARE.values() if good else ())),
    )


def _shares(ratios: Iterable[float], share: float) -> tuple[Share, ...]:
    return tuple((math.log(ratio), math.log1p(share * (ratio - 1))) for ratio in ratios) if share else ()
