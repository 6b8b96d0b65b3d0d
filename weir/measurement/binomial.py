"""Exact binomial acceptance bounds and their power, in the standard library alone.

A split of p sends each request to a version with probability p, independently of the others, so that the number of
requests that reach it in n is binomial. The bounds come from that distribution itself and not from the normal
approximation, which is wrong where canaries live: few requests, shares near 0 and 1. See Johnson, Kemp, Kotz,
"Univariate Discrete Distributions", chapter 3.

Accuracy: a probability is the largest term of its tail, computed through the logarithm of the gamma function, times a
sum of ratios. The error of the logarithm is about 1e-16 times its size, so that the relative error of a tail is below
1e-12 for n = 1,000 and below 1e-8 for n = 1,000,000. Bounds allow for 1e-7 and so may be one count wider than need be,
never narrower.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction

MAX_COUNT = 1_000_000
"""The largest n for which the accuracy above is stated; larger ones are refused."""

_ROUNDING = 1.0 + 1e-7


@dataclass(frozen=True, slots=True)
class Region:
    """The counts that are accepted: `lo` to `hi`, both included."""

    lo: int
    hi: int

    def __contains__(self, count: object) -> bool:
        """Whether a count is accepted."""
        return isinstance(count, int) and self.lo <= count <= self.hi


def acceptance(n: int, p: Fraction, alpha: float) -> Region:
    """Counts of n draws with share p that are accepted when a wrong refusal may happen with probability alpha.

    Two-sided with equal tails: `lo` is the smallest and `hi` the largest count whose outer tail, count included, is
    above alpha / 2. Hence P(count outside) ≤ alpha. For p = 0 and p = 1 there is no chance and the region is the one
    possible count.

    Raises ValueError for n outside 0..MAX_COUNT, p outside 0..1 or alpha outside (0, 1).
    """
    _check(n, p)
    if not 0.0 < alpha < 1.0:
        raise ValueError(f"alpha must lie between 0 and 1, not {alpha}")
    if p == 0:
        return Region(0, 0)
    if p == 1:
        return Region(n, n)
    limit = alpha / 2
    lo = _first(lambda count: lower_tail(n, p, count) * _ROUNDING > limit, 0, n)
    hi = n - _first(lambda misses: upper_tail(n, p, n - misses) * _ROUNDING > limit, 0, n)
    return Region(lo, hi)


def lower_tail(n: int, p: Fraction, k: int) -> float:
    """P(X ≤ k) for X binomial with n draws of probability p."""
    _check(n, p)
    if k < 0:
        return 0.0
    if k >= n or p == 0:
        return 1.0
    if p == 1:
        return 0.0
    # The sum runs away from the mean, where it converges and adds positive terms only; the other side is the
    # complement.
    if Fraction(k) > n * p:
        return max(0.0, 1.0 - upper_tail(n, p, k + 1))
    odds = float((1 - p) / p)
    return _sum_down(_log_pmf(n, p, k), lambda i: (k - i) / (n - k + i + 1) * odds, k)


def upper_tail(n: int, p: Fraction, k: int) -> float:
    """P(X ≥ k) for X binomial with n draws of probability p."""
    return lower_tail(n, 1 - p, n - k)


def power(n: int, region: Region, actual: Fraction) -> float:
    """Probability that a count of n draws with the true share `actual` falls outside `region`, so that the difference
    is seen.
    """
    return min(1.0, lower_tail(n, actual, region.lo - 1) + upper_tail(n, actual, region.hi + 1))


@dataclass(frozen=True, slots=True)
class Detectable:
    """The smallest shifts of a share that are seen with the asked probability; None where no share is that far away.

    Both are shares (0..1), not points: `down` 0.05 means that a true share of p - 0.05 or less is refused.
    """

    down: Fraction | None
    up: Fraction | None

    @property
    def largest(self) -> Fraction | None:
        """The shift that is seen in whichever direction it goes, or in the only possible one; None when n is too small
        for any.
        """
        shifts = [shift for shift in (self.down, self.up) if shift is not None]
        return max(shifts) if shifts else None


def detectable(n: int, p: Fraction, alpha: float, wanted: float = 0.99) -> Detectable:
    """The smallest shifts from p, to 1/10,000, that `acceptance(n, p, alpha)` refuses with probability `wanted` or
    more.

    Raises ValueError as `acceptance` does.
    """
    region = acceptance(n, p, alpha)
    steps = 10_000

    def smallest(room: Fraction, sign: int) -> Fraction | None:
        # A share moving away from p only adds weight to the tail on its side, and the other one is below alpha:
        # monotone enough to bisect.
        if room == 0 or power(n, region, p + sign * room) < wanted:
            return None
        count = math.ceil(room * steps)
        step = _first(lambda i: power(n, region, p + sign * min(room, Fraction(i, steps))) >= wanted, 0, count)
        return min(room, Fraction(step, steps))

    return Detectable(down=smallest(p, -1), up=smallest(1 - p, +1))


def _check(n: int, p: Fraction) -> None:
    if not 0 <= n <= MAX_COUNT:
        raise ValueError(f"the number of draws must lie between 0 and {MAX_COUNT}, not {n}")
    if not 0 <= p <= 1:
        raise ValueError(f"a share must lie between 0 and 1, not {p}")


def _log_pmf(n: int, p: Fraction, k: int) -> float:
    choose = math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1)
    # Each logarithm from the form of its argument that loses no digits.
    log_miss = math.log1p(-float(p)) if p < Fraction(1, 2) else math.log(1 - p)
    return choose + k * math.log(p) + (n - k) * log_miss


def _sum_down(log_first: float, ratio: Callable[[int], float], terms: int) -> float:
    """exp(log_first) · (1 + r0 + r0·r1 + …), `terms` products at most, cut where they no longer count."""
    total = term = 1.0
    for i in range(terms):
        term *= ratio(i)
        total += term
        if term < total * 1e-17:
            break
    return min(1.0, math.exp(log_first) * total)


def _first(holds: Callable[[int], bool], low: int, high: int) -> int:
    """The smallest value of low..high for which `holds`, which is false and then true; `high`
    when it never is before.
    """
    while low < high:
        middle = (low + high) // 2
        if holds(middle):
            high = middle
        else:
            low = middle + 1
    return low
