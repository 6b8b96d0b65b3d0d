"""What is kept of a rollout: all of it comes back as it was, on any machine."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from weir.model import Duration
from weir.model.config.rollout import Rollout
from weir.rollout.state import Cause, State, Step, as_json, from_json, given_steps, steps_of

_shares = st.lists(st.decimals(1, 100, places=2), min_size=1, max_size=5, unique=True).map(sorted)
_moments = st.datetimes(datetime(2026, 1, 1), datetime(2999, 1, 1)).map(
    lambda moment: moment.replace(microsecond=moment.microsecond // 1000 * 1000, tzinfo=UTC)
)


@st.composite
def states(draw: Any) -> State:
    """Any state that there can be."""
    steps = tuple(Step(share, float(draw(st.integers(0, 3600))), draw(st.booleans())) for share in draw(_shares))
    return State(
        "backend", "v2", "v1", steps, "weir rollout backend v2", "ann@host", draw(_moments),
        phase=draw(st.sampled_from(("begun", "step", "held", "aborted", "promoted"))),
        index=draw(st.integers(0, len(steps) - 1)), since=draw(st.none() | _moments), released=draw(st.booleans()),
        why=draw(st.text()), hurt=draw(st.integers(0, 10**9)), requests=draw(st.integers(0, 10**12)),
        checked=tuple(draw(st.lists(st.text(), max_size=2))), together=tuple(draw(st.lists(st.text(), max_size=3))),
        evidence=draw(st.dictionaries(st.text(), st.floats(allow_nan=False, allow_infinity=False), max_size=3)),
        reason=draw(st.text()), settings=draw(st.dictionaries(st.text(), st.text(), max_size=2)),
        unproven=draw(st.booleans()), cause=draw(st.sampled_from(("", "worse", "undecided"))), owner=draw(st.text()),
        retire=draw(st.none() | _moments), retired=draw(st.text()), control=draw(st.text()),
    )  # fmt: skip


@given(states())
def test_all_of_it_comes_back(state: State) -> None:
    """Through JSON as Kubernetes keeps it, evidence to the last bit."""
    assert from_json(json.loads(json.dumps(as_json(state)))) == state


def test_of_a_later_weir_what_is_known_is_read() -> None:
    """A key that this weir does not know is passed over."""
    state = State("backend", "v2", "v1", (Step(Decimal(5), 1.0),), "", "", datetime(2026, 1, 1, tzinfo=UTC))
    assert from_json({**as_json(state), "later": 1}) == state


def test_steps_are_those_of_the_config_or_of_the_command() -> None:
    """Each has the rollout's pause unless it has its own."""
    settings = Rollout.model_validate({"steps": [5, {"share": "25", "gate": "manual"}, {"share": 50, "pause": "5s"}]})
    assert steps_of(settings) == (Step(Decimal(5), 60), Step(Decimal(25), 60, manual=True), Step(Decimal(50), 5))
    assert [step.share for step in steps_of(Rollout())] == [5, 25, 50]
    assert steps_of(Rollout(steps=())) == (Step(Decimal(0), 0.0),)
    assert given_steps("1, 10,100", Duration.parse("2s")) == tuple(Step(Decimal(each), 2.0) for each in (1, 10, 100))


@pytest.mark.parametrize("text", ["10,5", "5,5", "a", "5,101"])
def test_steps_that_are_none_are_refused(text: str) -> None:
    """As the config refuses them."""
    with pytest.raises(ValueError, match="must"):
        given_steps(text, Duration.parse("1s"))


LATER = datetime(2026, 11, 27, 13, tzinfo=UTC)
AT_A_STEP = State(
    "backend", "v2", "v1", (Step(Decimal(5), 60.0, manual=True),), "weir rollout backend v2", "ann@host",
    datetime(2026, 11, 27, 12, tzinfo=UTC), phase="step", since=datetime(2026, 11, 27, 12, 5, tzinfo=UTC),
    checked=("smoke",), evidence={"seen": 1},
)  # fmt: skip


def test_a_gate_that_is_opened_lifts_nothing_else() -> None:
    """Pause, proof and checks are as they were."""
    assert AT_A_STEP.let_go_on(LATER) == replace(AT_A_STEP, released=True)


@pytest.mark.parametrize(
    ("cause", "unproven", "evidence"),
    [("worse", False, {}), ("undecided", True, {"seen": 1}), ("", False, {"seen": 1})],
)
def test_after_a_hold_a_step_begins_anew(cause: Cause, unproven: bool, evidence: dict[str, int]) -> None:
    """Its pause, checks and gate. What was lacking is lacking no more; what was worse has to prove itself."""
    held = replace(AT_A_STEP, released=True).held("it is red", cause)
    assert (held.phase, held.why, held.cause, held.released) == ("held", "it is red", cause, False)
    on = held.let_go_on(LATER)
    assert on == replace(AT_A_STEP, since=LATER, checked=(), unproven=unproven, evidence=evidence)


def test_what_was_held_before_its_first_step_begins_with_it() -> None:
    """No proxy has acknowledged anything yet."""
    begun = replace(AT_A_STEP, phase="begun", since=None, checked=())
    assert begun.held("somebody said so", "").let_go_on(LATER) == begun
