"""E-values are what they claim to be: by exact enumeration, with probabilities in rational numbers."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from fractions import Fraction
from itertools import product

import pytest

from tests.unit.analysis.exact import binomial, divided, share_of
from weir.analysis import CONFIDENCE, Comparison, Counts
from weir.analysis.bets import Limits
from weir.analysis.evidence import Evidence
from weir.analysis.intervals import Ratio, share_interval
from weir.analysis.metric import Metric, Seen

LIMITS = [Limits(1.0, 0.001, 2.0, 0.002), Limits(1.5, 0.1, 3.0, 0.01, 0.99), Limits(4.0, 0.0, 1.2, 0.0)]
PASTS = [[], [Seen(2, 1, 3, 0)], [Seen(2, 2, 3, 0), Seen(4, 0, 4, 3)]]
ROUNDING = 1 + 1e-11


def metrics(limits: Limits) -> list[Metric]:
    """With different pasts, in their first step and in a later one."""
    found = []
    for past in PASTS:
        metric = Metric.new(limits)
        for look in past:
            metric = metric.after(look)
        found += [metric, metric.next_step()]
    return found


def mean(probabilities: Mapping[int, Fraction], value: Callable[[int], float]) -> float:
    return math.fsum(float(probability) * value(j) for j, probability in probabilities.items())


@pytest.mark.parametrize("limits", LIMITS)
@pytest.mark.parametrize("part", ["worse", "margin"])
def test_the_evidence_of_odds_is_a_supermartingale(limits: Limits, part: str) -> None:
    """Whatever the past and the counts, one more look does not raise its mean while odds are tolerated, or at or above
    the margin; at the limit itself that of odds stays as it is.
    """
    tolerated = part == "worse"
    limit = Fraction(limits.worse if tolerated else limits.margin)
    others = [limit / 7, limit * Fraction(2, 3)] if tolerated else [limit * Fraction(3, 2), limit * 9]
    for metric in metrics(limits):
        # Of the proof the bets on odds alone: those on shares are bets against shares.
        before = metric.odds if tolerated else Evidence(metric.proof.logs[:3])
        for canary, stable in product((1, 2, 5), (1, 4)):
            for bad in range(canary + stable + 1):

                def after(j: int, now: Metric = metric, of: tuple[int, int, int] = (canary, stable, bad)) -> float:
                    canary, stable, bad = of
                    new = now.after(Seen(canary, j, stable, bad - j))
                    return math.exp((new.odds if tolerated else Evidence(new.proof.logs[:3])).log)

                at_limit = mean(divided(canary, stable, bad, limit), after)
                assert at_limit == pytest.approx(math.exp(before.log), rel=1e-11)
                for odds in others:
                    assert mean(divided(canary, stable, bad, odds), after) <= math.exp(before.log) * ROUNDING


@pytest.mark.parametrize("limits", LIMITS[:2])
@pytest.mark.parametrize("times", [Fraction(0), Fraction(1, 3), Fraction(1)])
def test_the_evidence_of_a_share_is_a_supermartingale(limits: Limits, times: Fraction) -> None:
    """That a share is above the floor does not grow on the mean while it is not."""
    share = times * Fraction(limits.floor)
    for metric in metrics(limits):
        assert metric.share is not None
        for canary in (1, 3, 10):

            def after(j: int, now: Metric = metric, canary: int = canary) -> float:
                new = now.after(Seen(canary, j, 5, 2)).share
                assert new is not None
                return math.exp(new.log)

            assert mean(binomial(canary, share), after) <= math.exp(metric.share.log) * ROUNDING


def looks(canary: int, stable: int, canary_share: Fraction, stable_share: Fraction) -> dict[tuple[int, int], float]:
    """Failures of both in a look → how probable that is."""
    pairs = product(binomial(canary, canary_share).items(), binomial(stable, stable_share).items())
    return {(x, y): float(p * q) for (x, p), (y, q) in pairs}


def probability(comparison: Comparison, decision: str, outcomes: dict[tuple[int, int], float], count: int) -> float:
    """Of ever coming to the decision in so many looks, the second half of them in a second step."""
    found = 0.0
    saved = comparison.state()
    for (canary_bad, stable_bad), chance in outcomes.items():
        now = Comparison.from_state(saved)
        if count == 2:
            now.begin_step()
        bad = {0.1: canary_bad}, {0.1: stable_bad}
        verdict = now.look(canary=Counts(3, canary_bad, bad[0]), stable=Counts(3, stable_bad, bad[1]))
        if verdict.decision == decision:
            found += chance
        elif count > 1:
            found += chance * probability(now, decision, outcomes, count - 1)
    return found


@pytest.mark.parametrize("odds", [Fraction(1, 20), Fraction(1)])
def test_a_canary_that_is_no_worse_is_called_worse_as_seldom_as_promised(odds: Fraction) -> None:
    """All courses of four looks over two steps, failures and times together: at most α, which is 30 % here so that
    something happens at all.
    """
    share = share_of(odds)
    outcomes = looks(3, 3, share, share)
    comparison = Comparison(worse=1, latency_worse=1, tolerated=0, false_aborts=0.3)
    assert 0 < probability(comparison, "worse", outcomes, 3) <= 0.3


@pytest.mark.parametrize("base", [Fraction(1, 10), Fraction(1, 2)])
def test_a_canary_that_is_worse_by_the_margin_is_called_no_worse_as_seldom_as_promised(base: Fraction) -> None:
    """All courses of three looks: at most what is stated for a step, for each of the two steps."""
    odds = base / (1 - base)
    outcomes = looks(3, 3, share_of(3 * odds), base)
    comparison = Comparison(margin=3, worse=3, latency_worse=3, tolerated=0.001, false_aborts=1e-9, false_proofs=0.3)
    assert probability(comparison, "no worse", outcomes, 3) <= 2 * 0.3


def ever(chance: Fraction, steps: int, reached: Callable[[int, int], bool]) -> float:
    """The probability that a count of successes is ever reached: `reached(tries, successes)`, by all courses."""
    going, found = {0: 1.0}, 0.0
    for tries in range(1, steps + 1):
        after: dict[int, float] = {}
        for count, weight in going.items():
            for new, part in ((count + 1, chance), (count, 1 - chance)):
                if part:
                    after[new] = after.get(new, 0.0) + weight * float(part)
        going = {count: weight for count, weight in after.items() if not reached(tries, count)}
        found += sum(after.values()) - sum(going.values())
    return found


@pytest.mark.parametrize("odds", [Fraction(1, 2), Fraction(1), Fraction(3, 2)])
def test_over_hundreds_of_looks_the_promise_holds_and_is_not_idle(odds: Fraction) -> None:
    """With one bad answer in each look the course is a walk: its chance of ever reaching 100 is at most 1 %, and of
    that order at the tolerated odds.
    """
    limits = Limits(1.5, 0.0, 3.0, 0.0)
    canary, stable = (Metric.new(limits).after(Seen(1, own, 1, 1 - own)).odds.logs for own in (1, 0))
    start = Metric.new(limits).odds

    def reached(tries: int, count: int) -> bool:
        gained = [
            count * (one - zero) + (tries - count) * (other - zero)
            for one, other, zero in zip(canary, stable, start.logs, strict=True)
        ]
        return start.after(gained).log >= math.log(100)

    found = ever(odds / (1 + odds), 300, reached)
    assert found <= 0.01
    assert (found > 0.002) == (odds == Fraction(3, 2))


@pytest.mark.parametrize("share", [Fraction(1, 100), Fraction(1, 4), Fraction(9, 10)])
def test_the_interval_of_a_share_misses_it_as_seldom_as_promised(share: Fraction) -> None:
    """All courses of 80 answers: the chance that it is ever outside is at most 5 %, and there is one."""

    def reached(tries: int, count: int) -> bool:
        found = share_interval(count, tries)
        return not found.low <= share <= (found.high or 0.0)

    assert 0 < ever(share, 80, reached) <= 1 - CONFIDENCE


@pytest.mark.parametrize("odds", [Fraction(1, 3), Fraction(1), Fraction(5)])
def test_the_interval_of_the_ratio_misses_it_as_seldom_as_promised(odds: Fraction) -> None:
    """With one bad answer in each of 120 looks, over all courses: at most 5 %, and there is one."""
    one, other = (Ratio().after(Seen(1, own, 1, 1 - own)).logs for own in (1, 0))

    def reached(tries: int, count: int) -> bool:
        logs = tuple(count * a + (tries - count) * b for a, b in zip(one, other, strict=True))
        found = Ratio(logs).interval
        return not found.low <= odds <= (math.inf if found.high is None else found.high)

    assert 0 < ever(odds / (1 + odds), 120, reached) <= 1 - CONFIDENCE
