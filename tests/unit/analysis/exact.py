"""Probabilities in rational numbers, for what the analysis is compared with."""

from __future__ import annotations

import math
from fractions import Fraction


def logarithm(value: Fraction) -> float:
    """Of a positive fraction of any size."""
    shift = value.numerator.bit_length() - value.denominator.bit_length()
    return math.log(value / Fraction(2) ** shift) + shift * math.log(2)


def support(canary: int, stable: int, bad: int) -> range:
    """How many of the bad answers can be the canary's."""
    return range(max(0, bad - stable), min(bad, canary) + 1)


def normaliser(canary: int, stable: int, bad: int, odds: Fraction) -> Fraction:
    """The mean of odds^j, where j of the bad answers are the canary's and the versions are alike."""
    ways = sum(math.comb(canary, j) * math.comb(stable, bad - j) * odds**j for j in support(canary, stable, bad))
    return Fraction(ways) / math.comb(canary + stable, bad)


def divided(canary: int, stable: int, bad: int, odds: Fraction) -> dict[int, Fraction]:
    """How probable each number of bad answers of the canary is, given those of both and the true odds ratio."""
    weights = {j: math.comb(canary, j) * math.comb(stable, bad - j) * odds**j for j in support(canary, stable, bad)}
    total = sum(weights.values())
    return {j: Fraction(weight) / total for j, weight in weights.items()}


def binomial(answers: int, share: Fraction) -> dict[int, Fraction]:
    """How probable each number of bad answers is."""
    return {j: math.comb(answers, j) * share**j * (1 - share) ** (answers - j) for j in range(answers + 1)}


def share_of(odds: Fraction) -> Fraction:
    """The share with these odds."""
    return odds / (1 + odds)
