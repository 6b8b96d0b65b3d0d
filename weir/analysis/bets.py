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

RESERVE = 0.1
"""What the bets against "no worse" keep back for the steps to come, of 1."""

_WORSE = {1.5: 1.0, 2.0: 1.0, 3.0: 1.0, 6.0: 1.0, 10.0: 2.0, 20.0: 1.0, 50.0: 1.0, 300.0: 1.0}
"""Against "no worse": times the tolerated odds → stake."""

_ALIKE = {1.0: 0.78, 0.3: 0.06, 0.01: 0.04}
"""Against "worse by more than the margin": times the stable version's odds → stake."""

_RARE = {0.5: 0.04, 0.1: 0.04, 0.001: 0.04}
"""Against the same: times the odds of a share that is too small to care about → stake."""


FINGERPRINT = hashlib.sha256(repr((RESERVE, _WORSE, _ALIKE, _RARE)).encode()).hexdigest()[:12]
"""Changes with the numbers above: what was gained by other bets cannot be carried on."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What is tolerated of one kind of bad answers.

    worse   odds of up to so many times the stable version's are no worse
    floor   nor is a share up to this (0 to 1)
    margin  going on wants odds of less than so many times the stable version's,
    rare    or a share below this (0 to 1)
    """

    worse: float
    floor: float
    margin: float
    rare: float


Share = tuple[float, float]
"""A bet on a share: what a bad answer adds to the logarithm, and what every answer takes from it."""


@dataclass(frozen=True, slots=True)
class Bets:
    """The bets for some limits.

    worse, tolerated   logarithms of the odds ratios that are bet on against "no worse", and of the one that is tolerated
    alike, margin      … against "worse by more than the margin"
    frequent, rare     bets on shares above the floor, and below what is rare; none where that is 0
    worse_stakes       of `worse`, and of `frequent`
    proof_stakes       of `alike` and `rare`, which are against one and the same claim
    """

    worse: tuple[float, ...]
    tolerated: float
    alike: tuple[float, ...]
    margin: float
    frequent: tuple[Share, ...]
    rare: tuple[Share, ...]
    worse_stakes: tuple[float, ...]
    proof_stakes: tuple[float, ...]


@lru_cache(maxsize=64)
def bets(limits: Limits) -> Bets:
    """The bets for these limits."""
    rare = _shares(_RARE, limits.rare)
    return Bets(
        worse=tuple(math.log(limits.worse * ratio) for ratio in _WORSE),
        tolerated=math.log(limits.worse),
        alike=tuple(math.log(ratio) for ratio in _ALIKE),
        margin=math.log(limits.margin),
        frequent=_shares(_WORSE, limits.floor),
        rare=rare,
        worse_stakes=tuple(_WORSE.values()),
        proof_stakes=(*_ALIKE.values(), *(_RARE.values() if rare else ())),
    )


def _shares(ratios: Iterable[float], share: float) -> tuple[Share, ...]:
    return tuple((math.log(ratio), math.log1p(share * (ratio - 1))) for ratio in ratios) if share else ()
