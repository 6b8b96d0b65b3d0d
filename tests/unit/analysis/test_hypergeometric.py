"""The normaliser of the noncentral hypergeometric distribution against rational arithmetic."""

from __future__ import annotations

import math
import time
from fractions import Fraction
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.analysis.exact import logarithm, normaliser
from weir.analysis.hypergeometric import log_normalisers

ODDS = (Fraction(1, 50), Fraction(1, 2), Fraction(1), Fraction(3, 2), Fraction(20), Fraction(2000))
LOGS = [math.log(odds) for odds in ODDS]


def test_every_small_table_is_exact() -> None:
    """All counts up to 7 answers of a version, to twelve digits."""
    for canary, stable in product(range(8), repeat=2):
        for bad in range(canary + stable + 1):
            expected = [logarithm(normaliser(canary, stable, bad, odds)) for odds in ODDS]
            assert log_normalisers(canary, stable, bad, LOGS) == pytest.approx(expected, rel=1e-12, abs=1e-12)


@given(st.integers(0, 400), st.integers(0, 400), st.data())
def test_larger_tables_are_exact(canary: int, stable: int, data: st.DataObject) -> None:
    """Also where not every term is summed: to eleven digits of the normaliser."""
    bad = data.draw(st.integers(0, canary + stable))
    expected = [logarithm(normaliser(canary, stable, bad, odds)) for odds in ODDS]
    assert log_normalisers(canary, stable, bad, LOGS) == pytest.approx(expected, rel=1e-11, abs=1e-11)


@pytest.mark.parametrize("bad", [17, 4_000, 150_000, 2_999_983])
def test_of_millions_every_term_gives_the_same_as_few(bad: int) -> None:
    """The sum of all terms, each from the one before it, agrees to seven decimals with that of a few."""
    canary, stable = 300_000, 2_700_000
    for odds in (0.5, 1.5, 3.0):
        log, logs = 0.0, [0.0]
        for j in range(max(0, bad - stable), min(bad, canary)):
            log += math.log((canary - j) * (bad - j) / ((j + 1) * (stable - bad + j + 1)))
            logs.append(log)

        def total(log_odds: float, logs: list[float] = logs) -> float:
            least = max(0, bad - stable)
            terms = [log + log_odds * (least + j) for j, log in enumerate(logs)]
            most = max(terms)
            return most + math.log(math.fsum(math.exp(term - most) for term in terms))

        [found] = log_normalisers(canary, stable, bad, [math.log(odds)])
        assert found == pytest.approx(total(math.log(odds)) - total(0.0), abs=1e-7)


@given(st.integers(0, 10**9) | st.integers(0, 45), st.integers(0, 10**9), st.data())
def test_the_two_versions_may_change_places(canary: int, stable: int, data: st.DataObject) -> None:
    """Odds of one are the inverse odds of the other, for any counts; no difference is 0."""
    bad = data.draw(st.integers(0, canary + stable) | st.integers(0, min(45, canary + stable)))
    [here] = log_normalisers(canary, stable, bad, [math.log(3)])
    [there] = log_normalisers(stable, canary, bad, [-math.log(3)])
    assert here == pytest.approx(there + bad * math.log(3), rel=1e-9, abs=1e-3)
    assert log_normalisers(canary, stable, bad, [0.0]) == pytest.approx([0.0], abs=1e-4)


def test_the_time_does_not_grow_with_the_counts() -> None:
    """Ten thousand times the answers take at most ten times as long."""

    def seconds(answers: int) -> float:
        start = time.process_time()
        for _ in range(20):
            log_normalisers(answers, 9 * answers, answers, LOGS)
        return time.process_time() - start

    assert min(seconds(10**7) for _ in range(3)) < 10 * min(seconds(10**3) for _ in range(3))
