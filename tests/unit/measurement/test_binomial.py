"""Binomial bounds against exact arithmetic and known values."""

from __future__ import annotations

import time
from fractions import Fraction
from math import comb

import pytest
from hypothesis import given
from hypothesis import strategies as st

from weir.measurement.binomial import MAX_COUNT, Region, acceptance, detectable, lower_tail, power, upper_tail

ALPHAS = (Fraction(1, 20), Fraction(1, 1000), Fraction(1, 10**6))
SHARES = st.fractions(min_value=0, max_value=1, max_denominator=10_000)


def exact_tail(n: int, p: Fraction, counts: range) -> Fraction:
    """P(X in counts), in rational numbers."""
    return sum((comb(n, k) * p**k * (1 - p) ** (n - k) for k in counts), Fraction(0))


@given(n=st.integers(1, 60), p=SHARES, k=st.integers(-1, 61))
def test_tails_are_those_of_exact_arithmetic(n: int, p: Fraction, k: int) -> None:
    """Both tails agree with rational arithmetic to nine digits, wherever the count lies."""
    assert lower_tail(n, p, k) == pytest.approx(float(exact_tail(n, p, range(min(n, k) + 1))), rel=1e-9, abs=1e-300)
    assert upper_tail(n, p, k) == pytest.approx(float(exact_tail(n, p, range(max(0, k), n + 1))), rel=1e-9, abs=1e-300)


@given(n=st.integers(0, 60), p=SHARES, alpha=st.sampled_from(ALPHAS))
def test_the_region_holds_its_error_rate_exactly_and_is_no_wider(n: int, p: Fraction, alpha: Fraction) -> None:
    """By exact arithmetic each tail outside is at most alpha / 2, and one count more on either
    side would be above it.
    """
    region = acceptance(n, p, float(alpha))
    assert 0 <= region.lo <= region.hi <= n
    assert exact_tail(n, p, range(region.lo)) <= alpha / 2
    assert exact_tail(n, p, range(region.hi + 1, n + 1)) <= alpha / 2
    if 0 < p < 1:
        slack = 1 + Fraction(1, 10**6)  # the stated allowance for rounding
        assert exact_tail(n, p, range(region.lo + 1)) * slack > alpha / 2
        assert exact_tail(n, p, range(region.hi, n + 1)) * slack > alpha / 2


@pytest.mark.parametrize("n", [0, 1, 200, MAX_COUNT])
def test_shares_of_nothing_and_everything_leave_no_tolerance(n: int) -> None:
    """At 0 % and 100 % one count is accepted."""
    assert acceptance(n, Fraction(0), 1e-6) == Region(0, 0)
    assert acceptance(n, Fraction(1), 1e-6) == Region(n, n)


def test_known_values() -> None:
    """The false alarms of Istio's own tolerance tests are 3.5 % (100 requests, ±10 points) and 0.14 % (1,000, ±5), as
    published.
    """
    assert power(100, Region(40, 60), Fraction(1, 2)) == pytest.approx(0.0352002, rel=1e-5)
    assert power(1000, Region(450, 550), Fraction(1, 2)) == pytest.approx(0.00139174, rel=1e-5)


def test_a_half_is_symmetric_and_a_share_mirrors_its_complement() -> None:
    """The region of p mirrors that of 1 - p."""
    region, mirror = acceptance(1000, Fraction(1, 5), 1e-6), acceptance(1000, Fraction(4, 5), 1e-6)
    assert (mirror.lo, mirror.hi) == (1000 - region.hi, 1000 - region.lo)
    half = acceptance(1000, Fraction(1, 2), 1e-6)
    assert half.lo + half.hi == 1000


@pytest.mark.parametrize("p", [Fraction(1, 5), Fraction(1, 2), Fraction(1, 10_000), 1 - Fraction(1, 10**20)])
def test_a_million_requests_are_judged_as_fast_as_few(p: Fraction) -> None:
    """A thousand times the draws take at most a hundred times as long, bounds and smallest shift together."""

    def seconds(count: int) -> float:
        start = time.process_time()
        region = acceptance(count, p, 1e-6)
        detectable(count, p, 1e-6)
        assert round(count * p) in region
        return time.process_time() - start

    few = min(seconds(MAX_COUNT // 1000) for _ in range(3))
    assert min(seconds(MAX_COUNT) for _ in range(3)) < 100 * few


@given(n=st.integers(1, 60), p=SHARES, actual=SHARES)
def test_power_is_the_probability_of_a_count_outside(n: int, p: Fraction, actual: Fraction) -> None:
    """Power agrees with rational arithmetic for any true share."""
    region = acceptance(n, p, 1e-3)
    outside = 1 - exact_tail(n, actual, range(region.lo, region.hi + 1))
    assert power(n, region, actual) == pytest.approx(float(outside), rel=1e-9, abs=1e-12)


def test_the_smallest_shift_is_seen_and_a_smaller_one_is_not() -> None:
    """At the stated shift the power is at least 99 %, and just below it is not, upwards and downwards."""
    n, p, alpha = 1000, Fraction(1, 5), 5e-7
    region, shift = acceptance(n, p, alpha), detectable(n, p, alpha)
    assert shift.up is not None
    assert shift.down is not None
    step = Fraction(1, 10_000)
    for sign, size in ((1, shift.up), (-1, shift.down)):
        assert power(n, region, p + sign * size) >= 0.99
        assert power(n, region, p + sign * (size - step)) < 0.99
    assert shift.largest == max(shift.up, shift.down)


def test_too_few_requests_show_no_shift() -> None:
    """With five requests no split can be told from a half at an error rate of one in a million."""
    assert detectable(5, Fraction(1, 2), 1e-6).largest is None


@pytest.mark.parametrize(
    ("n", "p", "alpha"), [(-1, 0.5, 0.1), (MAX_COUNT + 1, 0.5, 0.1), (10, 1.5, 0.1), (10, 0.5, 0.0), (10, 0.5, 1.0)]
)
def test_numbers_outside_their_range_are_refused(n: int, p: float, alpha: float) -> None:
    """Counts, shares and error rates that make no sense raise ValueError."""
    with pytest.raises(ValueError, match="must lie between"):
        acceptance(n, Fraction(p), alpha)
