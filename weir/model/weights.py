"""From percentages to Istio's integer weights, exactly: no float is ever added."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction
from math import lcm

from weir.model.config import Service


def percentages(service: Service) -> dict[str, Decimal]:
    """Percent of each version the default route names: the stable one first, with what is left, then the canaries as written.

    A canary named with 0 stays: the route names it with weight 0, which is how a person sees that it is prepared and gets nothing.
    A version that is not named in `canary` is left out, so that no route depends on a subset it sends nothing to.
    """
    left = 100 - sum(service.canary.values(), Decimal(0))
    return {service.stable: left, **service.canary}


def shares(service: Service) -> dict[str, Fraction]:
    """The same as exact shares of 1."""
    return {version: Fraction(percent) / 100 for version, percent in percentages(service).items()}


def weights(service: Service) -> dict[str, int]:
    """Weights for Istio: the percentages where they are whole, else the smallest integers in the same proportion that add up to 100×k.

    0.5 % becomes 199 and 1. Percentages have at most 4 decimals, so that the sum is at most a million.
    """
    exact = {version: Fraction(percent) for version, percent in percentages(service).items()}
    scale = lcm(*(percent.denominator for percent in exact.values()))
    return {version: int(percent * scale) for version, percent in exact.items()}
