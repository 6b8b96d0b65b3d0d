"""Requests that callers gave up before there was an answer let no step end."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

import pytest

from weir.measurement.answers import Answers
from weir.model.config.rollout import Analysis
from weir.rollout.given_up import GivenUp
from weir.rollout.state import State, Step

STATE = State(
    "backend", "v2", "v1", (Step(Decimal(5), 0.0),), "weir rollout backend v2", "ann@host",
    datetime(2026, 11, 27, 12, tzinfo=UTC),
)  # fmt: skip


def test_a_version_that_hangs_on_half_of_its_requests_is_told() -> None:
    """What is under way is not given up yet; what came later counts with what came before."""
    given_up = GivenUp(STATE, Analysis())
    given_up.count(Answers(950), Answers(25, unanswered=25, active=25))
    assert given_up.waits == ""
    given_up.count(Answers(950), Answers(25, unanswered=25, active=20))
    assert given_up.waits == "30 of 80 requests of v2 got no answer until their callers gave them up, of v1 0 of 1,900"
    given_up.anew()
    assert given_up.waits == ""


@pytest.mark.parametrize(
    ("stable", "version", "told"),
    [
        # Callers have no patience with either.
        (Answers(1900, unanswered=100), Answers(95, unanswered=5), False),
        (Answers(1900, unanswered=100), Answers(80, unanswered=20), True),
        # Within the margin of what is tolerated: twice 0.1 %.
        (Answers(10_000), Answers(998, unanswered=2), False),
        (Answers(10_000), Answers(997, unanswered=3), True),
        # Answers without an end, such as streams, and some of them that ended.
        (Answers(1900), Answers(100, active=100), False),
        (Answers(1900), Answers(100, unanswered=-10), False),
    ],
)
def test_it_is_held_against_the_stable_versions(stable: Answers, version: Answers, told: bool) -> None:
    """By the margin that holds for failures, too."""
    given_up = GivenUp(STATE, Analysis())
    given_up.count(stable, version)
    assert bool(given_up.waits) == told
