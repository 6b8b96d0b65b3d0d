"""A comparison from look to look: what does not matter, what must, and what it remembers."""

from __future__ import annotations

import json
import math
import random
import statistics
import time
from collections.abc import Sequence
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from weir.analysis import Comparison, Counts, Verdict

BOUNDS = (0.05, 0.1, 1.0)
Pair = tuple[Counts, Counts]


@st.composite
def counts(draw: st.DrawFn, most: int = 40) -> Counts:
    """Of any kind, with times."""
    requests = draw(st.integers(0, most))
    slower, left = {}, requests
    for bound in BOUNDS:
        left = slower[bound] = draw(st.integers(0, left))
    return Counts(requests, draw(st.integers(0, requests)), slower)


PAIRS = st.tuples(counts(), counts())


def seen(pairs: Sequence[Pair], comparison: Comparison | None = None) -> Verdict:
    """The verdict after these looks, stable version first."""
    comparison = comparison or Comparison()
    for stable, canary in pairs:
        comparison.look(stable=stable, canary=canary)
    return comparison.verdict()


def alike(one: Verdict, other: Verdict) -> None:
    """Both have the same evidence, of every metric, and the same interval."""
    assert one.evidence == pytest.approx(other.evidence, rel=1e-9)
    assert [one.ratio.low, one.ratio.high or 0.0] == pytest.approx([other.ratio.low, other.ratio.high or 0.0], rel=1e-9)
    for mine, yours in zip(one.judged, other.judged, strict=True):
        assert mine.metric.proof.logs == pytest.approx(yours.metric.proof.logs, rel=1e-9, abs=1e-9)


@settings(max_examples=40)
@given(st.lists(PAIRS, min_size=2, max_size=6).flatmap(lambda each: st.tuples(st.just(each), st.permutations(each))))
def test_the_order_of_looks_does_not_matter(both: tuple[list[Pair], list[Pair]]) -> None:
    """Within a step any order of the same looks gives the same evidence and the same interval."""
    alike(*map(seen, both))


@settings(max_examples=40)
@given(st.lists(PAIRS, min_size=1, max_size=4))
def test_looks_that_can_tell_nothing_of_odds_tell_nothing(pairs: list[Pair]) -> None:
    """Looks without a request, with one version alone, without a bad answer and with bad ones alone change neither the
    evidence of odds nor the interval, whatever they do to that of shares.
    """
    empty = Counts(0, 0, dict.fromkeys(BOUNDS, 0))
    good, bad = (Counts(30, count, dict.fromkeys(BOUNDS, count)) for count in (0, 30))
    more = [(empty, empty), (good, empty), (empty, good), (good, good), (bad, empty), (empty, bad), (bad, bad)]
    one, other = seen(pairs), seen([*pairs, *more])
    assert [one.ratio.low, one.ratio.high or 0.0] == pytest.approx([other.ratio.low, other.ratio.high or 0.0], rel=1e-9)
    for mine, yours in zip(one.judged, other.judged, strict=True):
        assert mine.metric.odds.logs == pytest.approx(yours.metric.odds.logs, abs=1e-12)


@given(PAIRS, PAIRS)
def test_shares_may_be_split_into_looks_and_odds_may_not(one: Pair, other: Pair) -> None:
    """Evidence of shares depends on the sums alone; that of odds compares within a look, so that two looks with other
    rates are not taken for one.
    """
    both = tuple(Counts(a.requests + b.requests, a.failures + b.failures) for a, b in zip(one, other, strict=True))
    [together, apart] = [
        seen([(Counts(a.requests, a.failures), Counts(b.requests, b.failures)) for a, b in pairs])
        for pairs in ([both], [one, other])
    ]
    mine, yours = together.judged[0].metric, apart.judged[0].metric
    assert mine.share is not None
    assert yours.share is not None
    assert mine.share.logs == pytest.approx(yours.share.logs, abs=1e-9)


def test_a_burst_with_other_weights_is_no_difference() -> None:
    """Simpson's paradox: the canary got its requests in the bad minute. In sum it fails 5 times as often; in each look
    both fail alike.
    """
    calm, burst = (Counts(9_900, 10), Counts(100, 0)), (Counts(5_000, 500), Counts(5_000, 500))
    assert seen([calm, burst]).evidence["failures"] < 1
    summed = tuple(Counts(a.requests + b.requests, a.failures + b.failures) for a, b in zip(calm, burst, strict=True))
    assert seen([(summed[0], summed[1])]).decision == "worse"


@settings(max_examples=60)
@given(st.lists(st.tuples(counts(10**9), counts(10**9)), min_size=1, max_size=4), st.floats(1, 1000), st.booleans())
def test_no_counts_make_it_no_number(pairs: list[Pair], worse: float, step: bool) -> None:
    """Evidence, intervals and what is needed are finite and in range for all counts up to a billion a look."""
    comparison = Comparison(worse=worse, latency_worse=worse)
    for stable, canary in pairs:
        verdict = comparison.look(stable=stable, canary=canary)
        if step:
            comparison.begin_step()
        json.dumps(verdict.as_json(), allow_nan=False)
        json.dumps(comparison.state(), allow_nan=False)
        assert all(0 <= value < math.inf for value in verdict.evidence.values())
        for share in (verdict.stable, verdict.canary):
            interval = share.interval
            assert interval.high is not None
            assert 0 <= interval.low <= (share.bad / share.answers if share.answers else 1) <= 1
            assert (share.bad / share.answers if share.answers else 0) <= interval.high <= 1
        assert verdict.ratio.low <= (math.inf if verdict.ratio.high is None else verdict.ratio.high)
        assert verdict.more is None or verdict.more.requests is None or verdict.more.requests >= 0


@given(counts(), counts())
def test_more_failures_of_the_canary_are_more_evidence(stable: Counts, canary: Counts) -> None:
    """And less proof: each further failure, all else equal, moves both."""
    verdicts = [
        seen([(Counts(stable.requests, stable.failures), Counts(canary.requests, failures))])
        for failures in range(canary.requests + 1)
    ]
    against = [verdict.judged[0].metric.against for verdict in verdicts]
    proof = [verdict.judged[0].metric.proof.log for verdict in verdicts]
    for before, after in pairwise(against):
        assert after >= before - 1e-9
    for before, after in pairwise(proof):
        assert after <= before + 1e-9


@given(st.lists(PAIRS, max_size=4), st.lists(PAIRS, min_size=1, max_size=4), st.booleans())
def test_another_process_goes_on_with_the_same_evidence(before: list[Pair], after: list[Pair], step: bool) -> None:
    """A state that went through JSON is the same state, and leads to the same verdicts to the last bit."""
    comparison = Comparison(worse=1.2, tolerated=0.02, false_aborts=0.05, margin=3)
    seen(before, comparison)
    if step:
        comparison.begin_step()
    state = json.loads(json.dumps(comparison.state()))
    again = Comparison.from_state(state)
    assert again.state() == comparison.state()
    assert seen(after, again).as_json() == seen(after, comparison).as_json()
    assert again.state() == comparison.state()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"bets": "0"}, "of another version of weir"),
        ({"settings": {"worse": 0.5}}, "worse must lie between"),
        ({"settings": {"better": 1}}, "no state of an analysis"),
        ({"failures": {}}, "no state of an analysis"),
        ({"highest": [1.0]}, "2 numbers were expected"),
        ({"highest": [1.0, math.nan]}, "2 numbers were expected"),
        ({"slower": {"0.1": {"odds": []}}}, "10 numbers were expected"),
    ],
)
def test_what_is_no_state_is_refused(change: dict[str, object], message: str) -> None:
    """Instead of going on with other evidence."""
    with pytest.raises(ValueError, match=message):
        Comparison.from_state({**Comparison().state(), **change})


def test_what_is_decided_stays_decided() -> None:
    """Worse stays worse through all that comes; no worse stays so until the next step begins."""
    comparison = Comparison()
    assert comparison.look(stable=Counts(900, 1), canary=Counts(100, 20)).decision == "worse"
    comparison.begin_step()
    assert comparison.look(stable=Counts(90_000, 900), canary=Counts(10_000, 50)).decision == "worse"

    comparison = Comparison()
    assert comparison.look(stable=Counts(90_000, 900), canary=Counts(10_000, 50)).decision == "no worse"
    assert comparison.look(stable=Counts(9_000, 10), canary=Counts(100, 1)).decision == "no worse"
    comparison.begin_step()
    assert comparison.verdict().decision == "undecided"
    assert comparison.look(stable=Counts(900, 1), canary=Counts(100, 0)).decision == "undecided"


def test_evidence_against_the_canary_goes_on_through_the_steps() -> None:
    """Two steps with little each add up to a verdict; the proof of a step is its own."""
    comparison = Comparison()
    first = comparison.look(stable=Counts(900, 1), canary=Counts(100, 4))
    assert first.decision == "undecided"
    comparison.begin_step()
    assert comparison.verdict().evidence["failures"] == pytest.approx(first.evidence["failures"], rel=1e-9)
    assert comparison.look(stable=Counts(900, 1), canary=Counts(100, 4)).decision == "worse"


def test_what_breaks_in_a_later_step_is_seen_though_the_first_was_long() -> None:
    """An hour without a difference does not have to be made up for: some evidence begins anew with each step."""

    def looks(steps: bool) -> int:
        comparison = Comparison()
        for _ in range(60):
            comparison.look(stable=Counts(54_000, 54), canary=Counts(6_000, 6))
        if steps:
            comparison.begin_step()
        for count in range(1, 10_000):
            if comparison.look(stable=Counts(900, 1), canary=Counts(100, 2)).decision == "worse":
                return count
        raise AssertionError

    assert looks(steps=True) < 20 < 5 * looks(steps=True) < looks(steps=False)


def test_a_share_below_the_floor_is_no_worse() -> None:
    """9 of 10,000 against none of a million is not called worse at a floor of 0.1 %, and is without one."""
    pair = Counts(1_000_000, 0), Counts(10_000, 9)
    assert seen([pair]).evidence["failures"] < 1
    assert seen([pair], Comparison(tolerated=0)).decision == "worse"


def test_odds_that_are_tolerated_are_no_worse() -> None:
    """1.4 % against 1 % of millions is not called worse where 1.5 times is tolerated, and is where 1.2 times is."""
    pair = Counts(10_000_000, 100_000), Counts(1_000_000, 14_000)
    assert seen([pair]).decision != "worse"
    assert seen([pair], Comparison(worse=1.2)).decision == "worse"


def test_times_and_failures_share_one_probability() -> None:
    """The evidence of both together is their mean; at each bound the same test, and of the bounds the mean."""
    stable = Counts(900, 1, {0.1: 90, 1.0: 2})
    canary = Counts(100, 4, {0.1: 40, 1.0: 0})
    both = seen([(stable, canary)], Comparison(worse=2, latency_worse=2, false_aborts=1e-9))
    parts = [
        seen([(Counts(900, s), Counts(100, c))], Comparison(worse=2)).evidence["failures"]
        for s, c in ((1, 4), (90, 40), (2, 0))
    ]
    assert both.evidence == pytest.approx({"failures": parts[0], "latency": (parts[1] + parts[2]) / 2}, rel=1e-9)
    assert both.against == pytest.approx((both.evidence["failures"] + both.evidence["latency"]) / 2, rel=1e-9)
    assert both.slowest is not None
    assert both.slowest.name == "slower than 0.1 s"


def test_times_that_come_later_change_no_evidence_of_before() -> None:
    """The first look with times begins with what the failures have gained, and no more."""
    comparison = Comparison(false_aborts=1e-9)
    before = comparison.look(stable=Counts(900, 1), canary=Counts(100, 4)).against
    nothing = dict.fromkeys(BOUNDS, 0)
    assert comparison.look(stable=Counts(0, 0, nothing), canary=Counts(0, 0)).against == pytest.approx(before)


def test_what_failures_alone_have_shown_ends_with_the_first_times() -> None:
    """Times come later: by then a version that is only slower may have been shown to fail no more often."""
    comparison = Comparison()
    assert comparison.look(stable=Counts(900_000, 900), canary=Counts(100_000, 100)).decision == "no worse"
    slow = dict.fromkeys(BOUNDS, 50)
    fast = dict.fromkeys(BOUNDS, 0)
    verdict = comparison.look(stable=Counts(0, 0, fast, timed=450), canary=Counts(0, 0, slow, timed=50))
    assert verdict.decision == "worse"
    comparison = Comparison()
    comparison.look(stable=Counts(900_000, 900), canary=Counts(100_000, 100))
    assert comparison.look(stable=Counts(0, 0, fast), canary=Counts(1, 0, fast)).decision == "undecided"


def test_times_count_by_their_own_number() -> None:
    """Where a proxy has counted fewer times than requests, the share that was slower is one of the times."""
    timed = seen([(Counts(9_000, 0, {0.1: 90}, timed=900), Counts(1_000, 0, {0.1: 40}, timed=100))])
    all_of_them = seen([(Counts(900, 0, {0.1: 90}), Counts(100, 0, {0.1: 40}))])
    assert timed.evidence["latency"] == pytest.approx(all_of_them.evidence["latency"], rel=1e-12)


def test_bounds_stay_the_same() -> None:
    """A look with other bounds than before, or than the other version, is refused and not counted."""
    comparison = Comparison()
    comparison.look(stable=Counts(9, 0, {0.1: 1}), canary=Counts(1, 0, {0.1: 0}))
    before = comparison.state()
    for stable, canary in (
        ({0.1: 1}, {0.2: 1}),
        ({0.1: 1}, {}),
        ({0.1: 1, 1.0: 0}, {0.1: 1, 1.0: 0}),
        ({1.0: 0}, {1.0: 0}),
    ):
        with pytest.raises(ValueError, match="must have the same bounds"):
            comparison.look(stable=Counts(9, 0, stable), canary=Counts(1, 0, canary))
    assert comparison.state() == before


def test_going_on_wants_proof_at_every_bound_that_matters() -> None:
    """Failures alone are proof enough without times; with them a bound that is not proven holds it back, and bounds
    that all or next to no answers exceed do not.
    """

    def decision(slower: dict[float, tuple[int, int]]) -> str:
        pair = [Counts(n, n // 100, {b: each[i] for b, each in slower.items()}) for i, n in enumerate((90_000, 10_000))]
        return seen([(pair[0], pair[1])]).decision

    assert decision({}) == "no worse"
    assert decision({0.05: (90_000, 10_000), 0.1: (9_000, 1_000), 9.0: (0, 0)}) == "no worse"
    assert decision({0.05: (90_000, 10_000), 0.1: (9_000, 1_500), 9.0: (0, 0)}) == "no worse"
    assert decision({0.05: (90_000, 10_000), 0.1: (1_800, 460), 9.0: (0, 0)}) == "undecided"


# What Envoy counted of two versions of one image that answers within a millisecond or two, on a machine with much else
# to do: bound in ms → answers that took as long or longer. The one with fewer requests has colder caches.
WARM = {1: 21_410, 2: 4_979, 3: 2_791, 5: 1_376, 10: 536, 20: 174}
COLD = {1: 6_376, 2: 1_692, 3: 1_020, 5: 547, 10: 249, 20: 62}


def pods(times: float) -> Pair:
    """These counts, of answers that take so many times as long in all."""
    return (
        Counts(48_140, 0, {bound * times / 1000: count for bound, count in WARM.items()}),
        Counts(11_441, 0, {bound * times / 1000: count for bound, count in COLD.items()}),
    )


def test_a_version_that_is_a_little_slower_goes_on() -> None:
    """Odds of 1.6 to 2 are tolerated, and shown to be below the margin by so many answers: of a service whose times are
    far above what is tolerated in any case.
    """
    verdict = seen([pods(1000)])
    assert verdict.decision == "no worse"
    assert max(verdict.evidence.values()) < 1


def test_a_few_milliseconds_are_tolerated() -> None:
    """Pods of one image differ by as much. The canary's answers above a bound are compared with the stable version's
    above one that is lower by that; far above it, with those above the same.
    """
    every = {1: 0.001, 3: 0.003, 5: 0.005, 7: 0.007, 10: 0.01, 50: 0.05}
    stable = dict(zip(every.values(), (900, 700, 500, 300, 100, 10), strict=True))
    canary = dict(zip(every.values(), (950, 900, 890, 690, 490, 11), strict=True))
    tolerant = seen([(Counts(1000, 0, stable), Counts(1000, 0, canary))])
    assert [(each.bound, each.stable_bound) for each in tolerant.judged[1:]] == [
        (0.007, 0.001), (0.01, 0.005), (0.05, 0.05),
    ]  # fmt: skip
    assert [(each.stable.bad, each.canary.bad) for each in tolerant.judged[1:]] == [(900, 690), (500, 490), (10, 11)]
    assert tolerant.decision != "worse"
    strict = seen([(Counts(1000, 0, stable), Counts(1000, 0, canary))], Comparison(latency_tolerated=0))
    assert strict.decision == "worse"
    assert seen([pods(1)]).decision == "no worse"


def test_times_that_are_all_tolerated_say_nothing() -> None:
    """Where no bound is above what is tolerated, failures alone decide, and bounds must stay the same all the same."""
    times = {0.001: 10, 0.004: 1}
    comparison = Comparison()
    verdict = comparison.look(stable=Counts(900, 0, times), canary=Counts(900, 0, {0.001: 900, 0.004: 900}))
    assert "latency" not in verdict.evidence
    assert Comparison.from_state(json.loads(json.dumps(comparison.state()))).state() == comparison.state()
    with pytest.raises(ValueError, match="must have the same bounds"):
        comparison.look(stable=Counts(9, 0, {0.1: 1}), canary=Counts(1, 0, {0.1: 0}))


@pytest.mark.parametrize(("base", "asked"), [(0.0, 10), (0.01, 3), (0.02, 2)])
def test_what_is_said_to_be_needed_is_what_it_takes(base: float, asked: int) -> None:
    """A tenth of the traffic of a good canary, at even rates: as many more requests as were said decide it, give or
    take a third.
    """
    comparison, failures = Comparison(), 0.0
    said: int | None = None
    for count in range(1, 5_000):
        before = int(failures)
        failures += 900 * base
        own = int(count * 100 * base) - int((count - 1) * 100 * base)
        verdict = comparison.look(stable=Counts(900, int(failures) - before), canary=Counts(100, own))
        if verdict.decision == "no worse":
            break
        if count == asked:
            assert verdict.more is not None
            assert verdict.more.decision == "no worse"
            said = verdict.more.requests
    assert said is not None
    assert said == pytest.approx(100 * (count - asked), rel=0.35)


def test_the_metric_that_takes_longest_says_what_is_needed() -> None:
    """Failures of 10 % are proven with fewer requests than times of which 2 % are slow; both are needed."""
    without, both = (
        seen([(Counts(900, 90, {0.25: 18} if times else {}), Counts(100, 10, {0.25: 2} if times else {}))]).more
        for times in (False, True)
    )
    assert without is not None
    assert both is not None
    assert (without.metric, both.metric) == ("failures", "slower than 0.25 s")
    assert (without.requests or 0) < (both.requests or 0)


def test_nothing_seen_needs_what_cannot_be_told() -> None:
    """Without a request of the canary there is no rate to go by; without any, every interval is open."""
    idle = Comparison().look(stable=Counts(99, 0, {0.1: 99}), canary=Counts(0, 0))
    assert idle.more is not None
    assert idle.more.requests is None
    verdict = Comparison().look(stable=Counts(0, 0), canary=Counts(0, 0))
    assert verdict.more is not None
    assert verdict.more.requests is None
    assert (verdict.ratio.low, verdict.ratio.high) == (0.0, None)
    assert (verdict.canary.interval.low, verdict.canary.interval.high) == (0.0, 1.0)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"worse": 0.9}, "worse must lie between 1 and"),
        ({"worse": math.nan}, "worse must lie between 1 and"),
        ({"latency_worse": math.inf}, "latency_worse must lie between 1 and"),
        ({"margin": 1}, "margin must be above 1"),
        ({"tolerated": 1}, "tolerated must be a share"),
        ({"false_aborts": 0}, "false_aborts must be a probability"),
        ({"false_proofs": 1}, "false_proofs must be a probability"),
    ],
)
def test_settings_outside_their_range_are_refused(settings: dict[str, float], message: str) -> None:
    """With the name and what it must be."""
    with pytest.raises(ValueError, match=message):
        Comparison(**settings)


def draw(generator: random.Random, answers: int, share: float) -> int:
    return sum(generator.random() < share for _ in range(answers))


def test_false_alarms_are_rare() -> None:
    """300 rollouts without a difference, 60 looks each, with a burst and a change of weights: at α = 5 % at most 15
    are called worse at no tolerance at all (more than 26 would happen once in a thousand such tests).
    """
    generator, alarms = random.Random(7), 0
    for _ in range(300):
        comparison = Comparison(worse=1, tolerated=0, false_aborts=0.05)
        for look in range(60):
            rate = 0.3 if 20 <= look < 30 else 0.01
            own = 10 if look < 30 else 50
            verdict = comparison.look(
                stable=Counts(100 - own, draw(generator, 100 - own, rate)),
                canary=Counts(own, draw(generator, own, rate)),
            )
        alarms += verdict.decision == "worse"
    assert alarms <= 15


def test_a_bad_canary_is_seen_in_seconds() -> None:
    """0.1 % → 5 % at a tenth of 100 requests a second: half of 60 rollouts within 9 seconds, as is."""
    generator, seconds = random.Random(8), []
    for _ in range(60):
        comparison, count = Comparison(worse=1), 0
        decision = "undecided"
        while decision != "worse":
            count += 1
            stable, canary = Counts(90, draw(generator, 90, 0.001)), Counts(10, draw(generator, 10, 0.05))
            decision = comparison.look(stable=stable, canary=canary).decision
        seconds.append(count)
    assert statistics.median(seconds) <= 9


@pytest.mark.parametrize("requests", [1_000, 10_000_000])
def test_a_look_with_forty_bounds_takes_no_time(requests: int) -> None:
    """Well under 50 ms of processor time, for any counts (the best of five)."""
    bounds = [0.001 * 1.3**place for place in range(40)]
    stable, canary = (
        Counts(each, each // 100, {bound: int(each * math.exp(-bound / 0.05)) for bound in bounds})
        for each in (requests, requests // 10)
    )
    comparison, best = Comparison(), math.inf
    for _ in range(5):
        start = time.process_time()
        comparison.look(stable=stable, canary=canary)
        best = min(best, time.process_time() - start)
    assert best < 0.05
