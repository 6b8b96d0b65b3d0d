"""From percentages to Istio's integer weights, exactly: no float is ever added."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from fractions import Fraction
from math import lcm


def percentages(stable: str, canary: Mapping[str, Decimal]) -> dict[str, Decimal]:
    """Percent of each version a route names: the stable one first, with what is left, then the canaries as written.

    A canary named with 0 stays: the route names it with weight 0, which is how a person sees that it is prepared and
    gets nothing. A version that is not named in `canary` is left out, so that no route depends on a subset it sends
    nothing to.
    """
    return {stable: 100 - sum(canary.values(), Decimal(0)), **canary}


def weights(stable: str, canary: Mapping[str, Decimal]) -> dict[str, int]:
    """Weights for Istio: the percentages where they are whole, else the smallest integers in the same proportion that
    add up to 100×k.

    0.5 % becomes 199 and 1. Percentages have at most 4 decimals, so that the sum is at most a million.
    """
    exact = {version: Fraction(percent) for version, percent in percentages(stable, canary).items()}
    scale = lcm(*(percent.denominator for percent in exact.values()))
    return {version: int(percent * scale) for version, percent in exact.items()}
