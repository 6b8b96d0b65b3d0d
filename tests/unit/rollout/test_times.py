"""A step does not end before times of its answers are compared, where the callers' proxies keep any."""

from __future__ import annotations

from tests.unit.rollout.fake_mesh import STATE
from weir.analysis import Counts
from weir.rollout.times import Times


def test_a_step_waits_for_the_first_times_of_its_answers() -> None:
    """Of the new version: those of the stable one say nothing of it."""
    told: list[str] = []
    times = Times(STATE, 60.0, told.append)
    assert times.waits == ""
    times.count(Counts(10, 0))
    assert times.waits == "the times of the answers of v2 are not counted yet"
    times.count(Counts(10, 0, {0.1: 0}, timed=0))
    assert times.waits == "the times of the answers of v2 are not counted yet"
    times.count(Counts(0, 0, {0.1: 1}, timed=15))
    assert times.waits == ""
    times.anew()
    times.count(Counts(10, 0))
    assert times.waits == "the times of the answers of v2 are not counted yet"
    assert told == []


def test_where_no_times_are_kept_nobody_waits_for_ever() -> None:
    """And it is said, once, of what the answers then tell nothing."""
    told: list[str] = []
    times = Times(STATE, 0.0, told.append)
    assert (times.waits, told) == ("", [])
    times.count(Counts(10, 0))
    assert (times.waits, times.waits) == ("", "")
    assert told == [
        "backend: its callers' proxies keep no times of answers, so failures alone are compared: a version that is "
        "slower is not found. Set proxyStatsMatcher: docs/guide/rollouts.md"
    ]
