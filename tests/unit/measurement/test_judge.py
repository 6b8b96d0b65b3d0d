"""Verdicts: every check passes on traffic as configured and fails on traffic that does not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction
from math import comb

import pytest
from hypothesis import given
from hypothesis import strategies as st

from weir.measurement.binomial import acceptance
from weir.measurement.judge import Check, Verdict, delayed, judge, percent
from weir.measurement.sending import Answer
from weir.model import AbortExpectation, DelayExpectation, Expectation

SPLIT = {"v1": Fraction(4, 5), "v2": Fraction(1, 5)}
PLAIN = Expectation(SPLIT, None, None)
DELAY = Expectation(SPLIT, DelayExpectation(Fraction(1, 2), 3.0), None)
ABORT = Expectation(SPLIT, None, AbortExpectation(Fraction(1, 10), 503))
FINE = Answer(200, 0.004)


def verdict(expected: Expectation, answers: Sequence[Answer], attempts: Mapping[str, int], **options: float) -> Verdict:
    """The verdict on a service with the versions v1 and v2."""
    return judge(expected, answers, attempts, versions=("v1", "v2"), **options)


def check(judged: Verdict, name: str) -> Check:
    """The check of that name."""
    (found,) = (check for check in judged.checks if check.name == name)
    return found


def failed(judged: Verdict) -> set[str]:
    """The names of the checks that do not hold."""
    assert judged.ok is not any(not check.ok for check in judged.checks)
    return {check.name for check in judged.checks if not check.ok}


def test_a_split_within_its_bounds_passes_and_tells_its_power() -> None:
    """At 80/20 of 1,000 every check holds, the bounds are exact binomial ones of half the error rate, the shift stands
    beside them.
    """
    judged = verdict(PLAIN, [FINE] * 1000, {"": 0, "v1": 803, "v2": 197})
    assert failed(judged) == set()
    split = check(judged, "split v2")
    region = acceptance(1000, Fraction(1, 5), 5e-7)
    assert (split.lo, split.hi, split.count, split.of) == (region.lo, region.hi, 197, 1000)
    assert (split.expected, split.observed) == ("20 %", "197 (19.7 %)")
    assert split.detectable == pytest.approx(0.1, abs=0.01)
    assert [entry.name for entry in judged.checks] == ["errors", "reached", "split v1", "split v2"]


def test_a_split_fails_one_request_outside_its_bounds() -> None:
    """The bounds belong to what is accepted, one request more does not."""
    region = acceptance(1000, Fraction(1, 5), 5e-7)
    assert failed(verdict(PLAIN, [FINE] * 1000, {"v1": 1000 - region.hi, "v2": region.hi})) == set()
    assert failed(verdict(PLAIN, [FINE] * 1000, {"v1": 999 - region.hi, "v2": region.hi + 1})) >= {"split v2"}
    assert failed(verdict(PLAIN, [FINE] * 1000, {"v1": 1001 - region.lo, "v2": region.lo - 1})) >= {"split v2"}


def test_nothing_and_everything_are_exact() -> None:
    """At 0 and 100 % a single request on the wrong version fails, also when no split names the version."""
    expected = Expectation({"v1": Fraction(1)}, None, None)
    assert failed(verdict(expected, [FINE] * 1000, {"v1": 1000})) == set()
    assert failed(verdict(expected, [FINE] * 1000, {"v1": 999, "v2": 1})) == {"split v1", "split v2"}
    assert failed(verdict(expected, [FINE] * 1000, {"v1": 999, "stranger": 1})) == {"split v1", "split stranger"}


def test_requests_past_the_versions_fail() -> None:
    """Traffic that goes to the service as a whole, as without a route, is refused, even when no version got a wrong
    share.
    """
    judged = verdict(PLAIN, [FINE] * 1000, {"": 1000, "v1": 0, "v2": 0})
    assert failed(judged) == {"reached"}
    assert check(judged, "reached").observed == "0 of 1,000, 1,000 to the service as a whole"
    assert check(judged, "reached").bound == "1,000 or more"


@pytest.mark.parametrize(
    ("bad", "kind"),
    [(Answer(503, 0.01), "1 × 503"), (Answer(0, 0.01, 7, "Failed to connect"), "1 × connection refused (curl 7)")],
)
def test_one_error_fails(bad: Answer, kind: str) -> None:
    """A single answer of 5xx or none at all is one too many, and is named; a 404 of the service itself is its own
    business.
    """
    judged = verdict(PLAIN, [FINE] * 998 + [Answer(404, 0.01), bad], {"v1": 800, "v2": 199})
    assert failed(judged) == {"errors"}
    assert check(judged, "errors").observed == kind


def test_delays_are_counted_by_time() -> None:
    """Half the requests delayed by 3 s hold, and the slowest other one is told."""
    judged = verdict(DELAY, [Answer(200, 3.01)] * 96 + [Answer(200, 0.12)] * 104, {"v1": 160, "v2": 40})
    assert failed(judged) == set()
    assert check(judged, "delay").observed == "96 (48 %)"
    assert (judged.timing.fastest_delayed, judged.timing.slowest_undelayed) == (3.01, 0.12)
    assert judged.notes == ()


@pytest.mark.parametrize(("slow", "seconds"), [(200, 3.01), (0, 3.01), (100, 2.0)], ids=["all", "none", "too short"])
def test_wrong_delays_fail(slow: int, seconds: float) -> None:
    """Too many, none, and delays that are too short fail the share of delayed requests."""
    answers = [Answer(200, seconds)] * slow + [FINE] * (200 - slow)
    assert failed(verdict(DELAY, answers, {"v1": 160, "v2": 40})) == {"delay"}


def test_a_slow_service_is_remarked_on() -> None:
    """When requests without delay come near it, the verdict says that they cannot be told apart."""
    judged = verdict(DELAY, [Answer(200, 3.01)] * 100 + [Answer(200, 2.5)] * 100, {"v1": 160, "v2": 40})
    assert judged.ok
    assert "took up to 2.50 s" in judged.notes[0]


def test_a_delay_that_the_proxy_kept_fails() -> None:
    """Without a delay in the config, requests as slow as the one that the proxy still has are refused; fast ones are
    not.
    """
    assert failed(verdict(PLAIN, [FINE] * 199 + [Answer(200, 3.01)], {"v1": 160, "v2": 40}, stale_delay=3.0)) == {
        "delay"
    }
    assert failed(verdict(PLAIN, [FINE] * 200, {"v1": 160, "v2": 40}, stale_delay=3.0)) == set()


def test_the_edge_of_a_delay() -> None:
    """Two hundredths early still count as delayed, more do not, and short delays have 10 ms."""
    assert delayed(Answer(200, 2.95), 3.0)
    assert not delayed(Answer(200, 2.93), 3.0)
    assert delayed(Answer(200, 0.091), 0.1)
    assert not delayed(Answer(200, 0.089), 0.1)
    assert not delayed(Answer(200, 0.0004), 0.001)


def test_aborts_are_counted_by_their_status() -> None:
    """Ten percent of 503 hold, are no errors, and are not missed among the versions."""
    judged = verdict(ABORT, [FINE] * 900 + [Answer(503, 0.001)] * 100, {"v1": 720, "v2": 180})
    assert failed(judged) == set()
    assert check(judged, "abort").observed == "100 (10 %)"
    assert judged.notes == ()


@pytest.mark.parametrize(("status", "wrong"), [(500, {"abort", "errors"}), (200, {"abort"})])
def test_aborts_with_another_status_or_none_fail(status: int, wrong: set[str]) -> None:
    """A status that is not the configured one does not count as an abort."""
    reached = 900 if status == 500 else 1000
    answers = [FINE] * 900 + [Answer(status, 0.001)] * 100
    assert failed(verdict(ABORT, answers, {"v1": reached * 4 // 5, "v2": reached // 5})) == wrong


def test_aborts_with_a_status_of_the_service_count_by_what_reached_no_version() -> None:
    """With 200 as the abort's status, only the versions' counters tell aborts from answers."""
    expected = Expectation(SPLIT, None, AbortExpectation(Fraction(1, 10), 200))
    judged = verdict(expected, [FINE] * 1000, {"v1": 720, "v2": 180})
    assert failed(judged) == set()
    assert check(judged, "abort").count == 100
    assert failed(verdict(expected, [FINE] * 1000, {"v1": 800, "v2": 200})) == {"abort"}


def test_the_split_under_aborts_is_that_of_the_requests_that_got_through() -> None:
    """With nine of ten aborted, a hundred requests are what the split is judged by."""
    expected = Expectation(SPLIT, None, AbortExpectation(Fraction(9, 10), 503))
    judged = verdict(expected, [FINE] * 100 + [Answer(503, 0.001)] * 900, {"v1": 80, "v2": 20})
    assert failed(judged) == set()
    assert check(judged, "split v1").of == 100


def test_more_attempts_than_requests_are_remarked_on() -> None:
    """Retries and other traffic of the pod do not fail, they are told."""
    judged = verdict(PLAIN, [FINE] * 1000, {"v1": 810, "v2": 200})
    assert judged.ok
    assert judged.notes[0].startswith("10 attempts more than requests")


def test_the_error_rate_is_shared_by_the_checks_that_involve_chance() -> None:
    """Two shares and two faults get a quarter each; checks without chance get nothing."""
    both = Expectation(SPLIT, DelayExpectation(Fraction(1, 2), 3.0), AbortExpectation(Fraction(1, 10), 503))
    judged = verdict(both, [FINE] * 1000, {"v1": 800, "v2": 200}, error_rate=4e-3)
    region = acceptance(1000, Fraction(1, 10), 1e-3)
    assert (check(judged, "abort").lo, check(judged, "abort").hi) == (region.lo, region.hi)
    certain = Expectation({"v1": Fraction(1)}, DelayExpectation(Fraction(1, 2), 3.0), None)
    region = acceptance(1000, Fraction(1, 2), 4e-3)
    assert check(verdict(certain, [FINE] * 1000, {"v1": 1000}, error_rate=4e-3), "delay").lo == region.lo


def test_the_stated_error_rate_holds_for_the_verdict_as_a_whole() -> None:
    """Summed over every possible split of 60 requests, traffic that follows 80/20 is refused less often than stated."""
    rate, refused = 0.05, 0.0
    for canary in range(61):
        judged = verdict(PLAIN, [FINE] * 60, {"v1": 60 - canary, "v2": canary}, error_rate=rate)
        refused += 0.0 if judged.ok else comb(60, canary) * 0.2**canary * 0.8 ** (60 - canary)
    assert 0 < refused <= rate


@given(share=st.fractions(0, 1, max_denominator=1000), count=st.integers(0, 50))
def test_any_count_gives_a_verdict(share: Fraction, count: int) -> None:
    """No share and no count, zero included, breaks the judge."""
    expected = Expectation({name: part for name, part in {"v1": 1 - share, "v2": share}.items() if part}, None, None)
    verdict(expected, [FINE] * 50, {"v1": 50 - count, "v2": count})
    assert not verdict(expected, [FINE] * 50, {}).ok


@pytest.mark.parametrize(
    ("share", "text"),
    [(Fraction(1, 5), "20 %"), (Fraction(1, 200), "0.5 %"), (Fraction(1), "100 %"), (Fraction(0), "0 %")],
)
def test_shares_are_written_as_percent(share: Fraction, text: str) -> None:
    """Percentages have the decimals they need and no more."""
    assert percent(share) == text


def test_copies_are_judged_apart_from_the_split() -> None:
    """A mirrored version's requests count as copies: too few or too many are refused, and the
    split does not see them.
    """
    expected = Expectation({"v1": Fraction(1)}, None, None, mirrors={"v2": Fraction(1, 4)})
    sent = [Answer(200, 0.01, 0)] * 1000
    good = judge(expected, sent, {"v1": 1000, "v2": 251}, versions=("v1", "v2"))
    assert good.ok, good
    assert [check.name for check in good.checks] == ["errors", "reached", "split v1", "mirror v2"]
    for copies in (0, 150, 1000):
        refused = judge(expected, sent, {"v1": 1000, "v2": copies}, versions=("v1", "v2"))
        assert [check.name for check in refused.checks if not check.ok] == ["mirror v2"], copies


def test_answers_that_nobody_promised_are_remarked_on() -> None:
    """A split is what it is whatever is answered, but a service that declines every request is not passed over in
    silence; an abort is expected.
    """
    judged = verdict(PLAIN, [Answer(403, 0.004)] * 990 + [FINE] * 10, {"v1": 803, "v2": 197})
    assert failed(judged) == set()
    assert judged.notes[0].startswith("990 × 403 of 1,000 answers")
    aborted = Expectation(SPLIT, None, AbortExpectation(Fraction(1, 10), 403))
    assert verdict(aborted, [Answer(403, 0.001)] * 100 + [FINE] * 900, {"v1": 720, "v2": 180}).notes == ()
