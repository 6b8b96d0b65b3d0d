"""How the bad answers of two versions divide between them: Fisher's noncentral hypergeometric distribution.

Of `bad` bad answers, each request of the canary has odds ψ times those of the stable version. The number that is the
canary's then has the probability C(canary, j)·C(stable, bad − j)·ψ^j / Z(ψ) of being j, whatever the common rate is.
What evidence needs of it is ln Z(ψ).

For few bad answers Z is a polynomial, summed term by term. For many the sum takes each h-th term alone, times h. The
number is a sum of independent draws (Z has real roots only: Harding 1984; Vatutin, Mikhailov 1983), so that its
characteristic function at t is at most exp(−σ²(1 − cos t)). The error of the thinned sum is then relative to it at most
(h − 1)·exp(−σ²(1 − cos(2π/h))): 1e-12 for the largest h that is taken. So the time does not grow with the counts.
What is left is the rounding of ln Γ: below 1e-4 for counts of a billion, 1e-7 for millions, 1e-11 for hundreds.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

_FEW = 40
_LATTICE = 16
_NEGLIGIBLE = 34.0
"""Terms below e^-34 of the largest are left out: what is behind them falls faster still."""


def log_normalisers(canary: int, stable: int, bad: int, log_odds: Sequence[float]) -> list[float]:
    """ln(Z(ψ)/Z(1)) for each ln ψ of `log_odds`: the logarithm of the mean of ψ^j where the versions are alike.

    canary, stable   answers of each version
    bad              how many of both are bad, at most canary + stable
    """
    least, most = max(0, bad - stable), min(bad, canary)
    if least == most:
        return [least * each for each in log_odds]
    if most - least <= _FEW:
        found = _few(canary, stable, bad, least, most, log_odds)
        if max(found) < math.inf:  # else some powers are beyond what a float holds
            return found
    return _many(canary, stable, bad, least, most, log_odds)


def _few(canary: int, stable: int, bad: int, least: int, most: int, log_odds: Sequence[float]) -> list[float]:
    term = 1.0
    terms = [term]
    for j in range(least, most):
        term *= (canary - j) * (bad - j) / ((j + 1) * (stable - bad + j + 1))
        terms.append(term)
    terms.reverse()
    every = sum(terms)
    if every == math.inf:
        return [every]
    log_total, found = math.log(every), []
    for each in log_odds:
        odds, total = math.exp(each), 0.0
        for term in terms:
            total = total * odds + term
        found.append(least * each + math.log(total) - log_total)
    return found


def _many(canary: int, stable: int, bad: int, least: int, most: int, log_odds: Sequence[float]) -> list[float]:
    lgamma, exp = math.lgamma, math.exp
    c, s = canary + 1, stable - bad + 1
    known: dict[int, float] = {}  # windows of neighbouring odds overlap

    def weight(j: int) -> float:
        try:
            return known[j]
        except KeyError:
            found = known[j] = -lgamma(j + 1) - lgamma(c - j) - lgamma(bad - j + 1) - lgamma(s + j)
            return found

    found = []
    both = canary + stable
    log_total = lgamma(both + 1) - lgamma(bad + 1) - lgamma(both - bad + 1) - lgamma(c) - lgamma(stable + 1)
    for each in log_odds:
        mode, deviation = _mode(canary, stable, bad, exp(each))
        step = max(1, int(0.8 * deviation - 0.9))
        if step < _LATTICE:  # a power of two: the terms of neighbouring odds are the same
            step = 1 << (step.bit_length() - 1)
        start = min(max(round(mode / step) * step, least), most)
        peak = weight(start) + start * each
        total = 1.0
        for way in (step, -step):
            j, last = start + way, 0.0
            while least <= j <= most:
                size = weight(j) + j * each - peak
                if size < -_NEGLIGIBLE and size < last:
                    break
                total += exp(size)
                j, last = j + way, size
        found.append(peak + math.log(total * step) - log_total)
    return found


def _mode(canary: int, stable: int, bad: int, odds: float) -> tuple[float, float]:
    """Where the probability is largest, and about the standard deviation there."""
    a, b, c = odds - 1, odds * (canary + bad) + stable - bad, odds * canary * bad
    root = math.sqrt(max(0.0, b * b - 4 * a * c))
    # The form of the quadratic's root in which nothing cancels.
    mode = 2 * c / (b + root) if b > 0 else (b - root) / (2 * a)
    parts = (mode, canary - mode, bad - mode, stable - bad + mode)
    return mode, 1 / math.sqrt(sum(1 / max(part, 0.25) for part in parts))
