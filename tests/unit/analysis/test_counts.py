"""Counts that cannot be are refused, each in words that name it."""

from __future__ import annotations

from typing import Any

import pytest

from weir.analysis import Counts


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"requests": -1, "failures": 0}, "requests must lie between 0 and .*, not -1; drop a look in which a counter"),
        ({"requests": 10**9 + 1, "failures": 0}, "requests must lie between 0 and 1,000,000,000, not 1,000,000,001$"),
        ({"requests": 1.5, "failures": 0}, "requests must be a whole number, not 1.5"),
        ({"requests": True, "failures": 0}, "requests must be a whole number, not True"),
        ({"requests": 5, "failures": 6}, r"failures \(6\) are more than requests \(5\)"),
        ({"requests": 5, "failures": 0, "slower": {0.25: 6}}, r"slower than 0.25 s \(6\) are more than requests \(5\)"),
        ({"requests": 5, "failures": 0, "slower": {0.25: 3}, "timed": 2}, r"slower .* more than timed \(2\)"),
        (
            {"requests": 5, "failures": 0, "slower": {1: 3, 0.5: 2}},
            r"slower than 1 s \(3\) are more than slower than 0.5",
        ),
        ({"requests": 5, "failures": 0, "slower": {-1.0: 0}}, "a bound is a number of seconds, 0 or more"),
        ({"requests": 5, "failures": 0, "slower": {float("nan"): 0}}, "a bound is a number of seconds, 0 or more"),
        ({"requests": 5, "failures": 0, "slower": {0.5: "2"}}, "slower than 0.5 s must be a whole number, not '2'"),
        ({"requests": 5, "failures": 0, "timed": -2}, "timed must lie between 0 and"),
    ],
)
def test_counts_that_cannot_be_are_refused(given: dict[str, Any], message: str) -> None:
    """The message names the count, and what is wrong with it."""
    with pytest.raises(ValueError, match=message):
        Counts(**given)


def test_times_may_be_of_another_number_of_answers() -> None:
    """A proxy may have counted more times than requests since the last look."""
    counts = Counts(5, 0, {0.25: 6, 0.5: 6}, timed=7)
    assert counts.answers == 7
    assert Counts(5, 0).answers == 5
