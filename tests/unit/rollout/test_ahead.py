"""A step that nothing but its time holds up is prepared ahead of it, and made on time, unless something is seen before."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from threading import Event
from typing import Any

import pytest

from tests.unit.rollout.fake_mesh import BAD, BOTH, GOOD, STATE, FakeMesh, both, rollout, write
from weir.cluster.errors import ClusterError
from weir.cluster.kubectl import Kubectl
from weir.errors import WeirError
from weir.rollout import keeper, record, run
from weir.rollout.ahead import Ahead
from weir.rollout.decide import Kind, Next
from weir.rollout.state import State, Step

PAUSE, LEFT = 100.0, 5.0
_PREPARING = 4.0
"""Seconds that a first move takes."""


def prepared(
    kubectl: Kubectl, *, took: float = 10.0, left: float = LEFT, pause: float = PAUSE, looks: int = 20, **settings: Any
) -> str:
    """What is prepared for a step with so many seconds left, after so many good looks."""
    manual = settings.pop("manual", False)
    steps = (Step(Decimal(5), pause, manual), Step(Decimal(50), 0.0))
    since = datetime.now(UTC) - timedelta(seconds=pause - left)
    kept = write(kubectl, replace(STATE, steps=steps, phase="step", since=since))
    going = rollout(kubectl, FakeMesh(GOOD), kept, **settings)
    going._took = took
    for member in going._members:
        member.begin_step()
        for _ in range(looks):
            member.count(*GOOD)
    waiting = going._next()
    assert waiting.kind == "wait"
    following, ahead = going._ahead(waiting)
    assert (following is waiting) == (ahead is None)
    return following.kind if ahead else ""


def test_what_the_pause_alone_holds_up_is_prepared(kubectl: Kubectl) -> None:
    """Once as much time is left as the first move took."""
    assert prepared(kubectl) == "go on"
    assert prepared(kubectl, took=LEFT - 1) == ""


def test_a_quick_move_is_not_prepared(kubectl: Kubectl) -> None:
    """It is hardly late, and whoever aborts finds the stack free."""
    assert prepared(kubectl, took=1.9, left=1.5) == ""
    assert prepared(kubectl, took=2.1, left=1.5) == "go on"


def test_of_a_pause_some_is_for_looks_alone(kubectl: Kubectl) -> None:
    """However long the first move took."""
    assert prepared(kubectl, took=60.0, pause=10.0, left=9.0) == ""
    assert prepared(kubectl, took=60.0, pause=10.0, left=7.5) == "go on"


@pytest.mark.parametrize("settings", [{"checks": [{"run": "smoke"}]}, {"manual": True}, {"looks": 0}])
def test_what_something_else_holds_up_is_not(kubectl: Kubectl, settings: dict[str, Any]) -> None:
    """A check has yet to pass, a person has to say so, or the evidence is not there: nobody knows what follows."""
    assert prepared(kubectl, **settings) == ""


def said(*following: Any) -> Callable[[], Next]:
    """One after the other, the last one for ever."""
    rest = list(following)

    def next_one() -> Next:
        found = rest.pop(0) if len(rest) > 1 else rest[0]
        if isinstance(found, Exception):
            raise found
        return Next(found, seconds=0.01 if found == "wait" else None)

    return next_one


def held(look: Callable[[], None], *following: Any, kind: Kind = "go on") -> Ahead:
    return Ahead(Next("wait", seconds=0.0), kind, look, said(*following), 0.01)


@pytest.mark.parametrize(
    ("following", "may"),
    [
        (("wait", "wait", "go on"), True),
        (("wait", "abort"), False),
        (("wait", "hold"), False),
        (("wait", "check"), False),
        (("wait", "promote"), False),
    ],
)
def test_it_is_held_until_what_was_prepared_follows(following: Sequence[Kind], may: bool) -> None:
    """Or another thing does."""
    looked: list[float] = []
    ahead = held(lambda: looked.append(0.0), *following)
    assert ahead(Event()) is may
    assert looked
    assert ahead.asked


def test_who_does_not_answer_is_not_good() -> None:
    """It is held until callers answer again."""
    answers = iter([False, False, True])

    def look() -> None:
        if not next(answers):
            raise ClusterError("no caller answers")

    assert held(look, "go on")(Event())
    assert next(answers, "asked") == "asked"


def test_nobody_is_waited_for_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    """What was proven may not be any more; and Ctrl-C is heard at once."""
    monkeypatch.setattr("weir.rollout.ahead._PAST_SECONDS", 0.1)
    assert not held(lambda: None, "wait")(Event())
    ended = Event()
    ended.set()
    assert not held(lambda: None, "go on")(ended)


def test_what_another_process_has_ended_does_not_follow() -> None:
    """Whoever asks hears of it."""
    with pytest.raises(WeirError, match="another"):
        held(lambda: None, WeirError("another process goes on with it"))(Event())


class SlowMesh(FakeMesh):
    """The first move takes a while. Noted is when each was asked for and when it moved requests, and whether it was
    held. `meanwhile`: what happens while one is prepared; `empty`: there is nothing to apply after the first.
    """

    def __init__(self, *looks: Any, empty: bool = False) -> None:
        super().__init__(*looks)
        self.moves: list[tuple[float, float, bool]] = []
        self.meanwhile: Callable[[], object] = lambda: None
        self._empty = empty

    def move(self, states: Sequence[State], ahead: Ahead | None) -> None:
        self._timed(super().move, states, ahead)

    def promote(self, states: Sequence[State], ahead: Ahead | None) -> None:
        self._timed(super().promote, states, ahead)

    def _timed(self, how: Callable[[Sequence[State], Ahead | None], None], states: Any, ahead: Ahead | None) -> None:
        began = time.time()
        if not self.moves:
            Event().wait(_PREPARING)
        elif ahead:
            self.meanwhile()
        self.moves.append((began, 0.0, ahead is not None))
        how(states, None if self._empty and self.done else ahead)
        self.moves[-1] = (began, time.time(), ahead is not None)


@pytest.fixture
def few_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Many good ones outweigh a bad one for a while."""
    monkeypatch.setattr(run, "LOOK_SECONDS", 0.3)


STEPS = (Step(Decimal(5), 6.0), Step(Decimal(50), 0.0))


@pytest.mark.parametrize("empty", [False, True])
def test_no_step_begins_before_its_time(kubectl: Kubectl, few_looks: None, empty: bool) -> None:
    """It is prepared before; also where there turns out to be nothing to apply."""
    told: list[State] = []
    mesh = SlowMesh(GOOD, empty=empty)
    end = rollout(kubectl, mesh, write(kubectl, replace(STATE, steps=STEPS)), told=told.append).until_end()
    assert (mesh.done, end.phase) == (["5 %", "50 %", "promoted"], "promoted")
    first, second = (each.since.timestamp() for each in told if each.phase == "step" and each.since)
    began, moved, was_held = mesh.moves[1]
    assert was_held
    assert began < first + STEPS[0].pause <= (second if empty else moved)


def test_of_several_one_that_turns_bad_holds_all_back(kubectl: Kubectl, few_looks: None) -> None:
    """It is looked at while the step is held, and none of them gets the next share."""
    looks = [both(GOOD, GOOD)]
    mesh = SlowMesh(GOOD)
    mesh.look = lambda: looks[-1]  # type: ignore[method-assign]
    mesh.meanwhile = lambda: looks.append(both(GOOD, BAD))
    rollout(kubectl, mesh, write(kubectl, *(replace(each, steps=STEPS) for each in BOTH))).until_end()
    assert mesh.moves[1][2]
    assert mesh.done == ["5 %", "0 %"]


def test_an_abort_from_elsewhere_is_heard_meanwhile(
    kubectl: Kubectl, few_looks: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Traffic does not move once more before it is taken back."""
    monkeypatch.setattr(keeper, "SAVE_SECONDS", 0.1)
    mesh = SlowMesh(GOOD)
    mesh.meanwhile = lambda: record.abort(kubectl, ["backend"], "weir abort backend")
    end = rollout(kubectl, mesh, write(kubectl, replace(STATE, steps=STEPS))).until_end()
    assert mesh.moves[1][2]
    assert (mesh.done, end.phase, end.why) == (["5 %", "0 %"], "aborted", "weir abort backend")
