"""By what two versions are compared, from the begin of a rollout to its end."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from weir.model.config.rollout import Rollout
from weir.rollout.member import Member, at_begin, since_begin
from weir.rollout.metrics import Metrics
from weir.rollout.record import Kept, UnreadableError
from weir.rollout.state import State, Step, as_json, from_json

BEGUN = Rollout.model_validate(
    {
        "analysis": {"worse": 1.25, "falseAborts": 0.02, "latency": {"worse": 3}, "patience": "5m"},
        "metrics": [
            {"name": "refused", "query": 'bad{v="{version}"}', "of": 'all{v="{version}"}', "worse": 1.5},
            {"name": "queue", "query": "queue", "max": 100, "for": "2m"},
        ],
    }
)
STATE = State(
    "backend", "v2", "v1", (Step(Decimal(5), 0.0),), "weir rollout backend v2", "ann@host",
    datetime(2026, 11, 27, 12, tzinfo=UTC), settings=at_begin(BEGUN),
)  # fmt: skip


def test_a_rollout_is_judged_as_it_was_when_it_began() -> None:
    """Through JSON, as the state is kept; how long it waits, and what follows then, is no part of the comparison."""
    state = from_json(json.loads(json.dumps(as_json(STATE))))
    assert since_begin(state, BEGUN) == BEGUN
    now = Rollout.model_validate(
        {
            "analysis": {"worse": 3, "falseAborts": 0.001, "patience": "1h", "undecided": "abort"},
            "metrics": [{"name": "refused", "query": 'other{v="{version}"}', "max": 1}],
            "pause": "9m",
        }
    )
    found = since_begin(state, now)
    assert found.metrics == BEGUN.metrics
    assert (found.analysis.worse, found.analysis.false_aborts) == (Decimal("1.25"), Decimal("0.02"))
    assert (found.analysis.latency.worse, found.analysis.tolerated) == (Decimal(3), Decimal("0.1"))
    assert (str(found.analysis.patience), found.analysis.undecided, str(found.pause)) == ("1h", "abort", "9m")


def test_after_a_hold_the_chance_to_be_wrong_is_that_of_the_begin() -> None:
    """Its evidence is gone then; what it is compared by is not."""
    settings = since_begin(STATE, Rollout.model_validate({"analysis": {"falseAborts": 0.4}}))
    member = Member(settings, Kept(STATE, "1"), Metrics())
    assert member.verdict.against_enough == 50


def test_a_state_of_another_weir_says_what_to_do() -> None:
    """One from before goes by the config; one from later cannot be judged by this weir."""
    now = Rollout.model_validate({"analysis": {"worse": 3}})
    assert since_begin(replace(STATE, settings={}), now) == now
    with pytest.raises(UnreadableError, match="end the rollout: weir abort backend"):
        since_begin(replace(STATE, settings={"analysis": {"later": 1}}), now)
