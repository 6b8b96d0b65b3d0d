"""What a rollout does next: worse comes first, then the pause, the evidence, the checks, and people."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from weir.model.config.rollout import Rollout
from weir.rollout.decide import Next, decide
from weir.rollout.state import State, Step

BEGAN = datetime(2026, 11, 27, 12, tzinfo=UTC)
STATE = State(
    "backend", "v2", "v1", (Step(Decimal(5), 60), Step(Decimal(25), 60, manual=True), Step(Decimal(50), 60)),
    "weir rollout backend v2", "ann@host", BEGAN, phase="step", since=BEGAN,
)  # fmt: skip


def after(
    seconds: float, state: State = STATE, *, worse: str = "", proven: bool = False, looking: float = 0, **settings: Any
) -> Next:
    return decide(
        state,
        Rollout.model_validate(settings),
        worse=worse,
        no_worse=proven,
        needs="some 300 requests more",
        now=BEGAN + timedelta(seconds=seconds),
        looking=looking,
    )


@pytest.mark.parametrize("state", [STATE, replace(STATE, phase="held"), replace(STATE, unproven=True)])
def test_worse_comes_first(state: State) -> None:
    """At once, whatever else the step waits for; what follows is config."""
    assert after(1, state, worse="12 of 300 failed") == Next("abort", "12 of 300 failed", cause="worse")
    assert after(1, state, worse="12 of 300 failed", onRegression="hold").kind == "hold"


def test_a_step_lasts_its_pause_and_until_it_is_proven() -> None:
    """Neither alone ends it; silence is no proof."""
    assert after(59, proven=True) == Next("wait", "the step's pause is not over", 1.0)
    assert after(61, proven=True).kind == "go on"
    assert after(61) == Next("wait", "some 300 requests more", 1800 - 61)


@pytest.mark.parametrize(
    ("undecided", "index", "kind"),
    [("hold", 0, "hold"), ("abort", 0, "abort"), ("promote", 0, "go on"), ("promote", 2, "promote")],
)
def test_what_follows_where_nothing_is_proven_is_config(undecided: str, index: int, kind: str) -> None:
    """After its patience, with what was lacking."""
    found = after(1801, replace(STATE, index=index), analysis={"undecided": undecided})
    assert (found.kind, found.why) == (kind, "undecided after 30m: some 300 requests more")


def test_a_gate_waits_for_somebody_and_then_for_nothing() -> None:
    """Who opens it says nothing of the proof."""
    gate = replace(STATE, index=1)
    assert after(61, gate, proven=True).why == "its gate is manual; to go on: weir rollout backend --continue"
    assert after(61, replace(gate, released=True), proven=True).kind == "go on"
    assert after(61, replace(gate, released=True)) == Next("wait", "some 300 requests more", 1800 - 61)


def test_undecided_lets_a_step_go_on_without_proof_and_without_nothing_else() -> None:
    """Its checks and its gate have their say all the same."""
    undecided, gate = {"undecided": "promote"}, replace(STATE, index=1)
    assert after(1801, analysis=undecided, checks=[{"run": "a"}]).kind == "check"
    assert after(1801, gate, analysis=undecided).why.startswith("its gate is manual")
    assert after(1801, replace(gate, released=True), analysis=undecided).kind == "go on"


def test_what_others_have_proven_counts_once_this_process_has_looked() -> None:
    """For a schedule runs seldom, and nobody sees what the version does between two runs; nor is that undecided."""
    for undecided in ("hold", "promote", "abort"):
        for proven in (True, False):
            found = after(1801, proven=proven, looking=4.0, analysis={"undecided": undecided})
            assert (found.kind, found.seconds) == ("wait", 4.0)
    assert after(61, worse="12 of 300 failed", looking=4.0).kind == "abort"
    assert after(61, replace(STATE, unproven=True), looking=4.0).kind == "go on"


def test_what_is_held_stays_until_somebody_lets_it_go_on() -> None:
    """Whatever is proven meanwhile."""
    assert after(9999, replace(STATE, phase="held", why="check failed"), proven=True) == Next("wait", "check failed")


def test_checks_are_run_before_a_step_ends_each_once() -> None:
    """Those of the step, in their order."""
    checks = [{"run": "a"}, {"run": "b", "at": [25]}, {"run": "c", "at": [5]}]
    assert after(61, proven=True, checks=checks).why == "a"
    assert after(61, replace(STATE, checked=("a",)), proven=True, checks=checks).why == "c"
    assert after(61, replace(STATE, checked=("a", "c")), proven=True, checks=checks).kind == "go on"
    assert after(59, proven=True, checks=checks).kind == "wait"


def test_after_the_last_step_the_version_is_promoted() -> None:
    """Not before."""
    assert [after(61, replace(STATE, index=index, released=True), proven=True).kind for index in range(3)] == [
        "go on", "go on", "promote",
    ]  # fmt: skip
