"""A step that nothing but its time holds up is prepared ahead of it, and made on time, unless something is seen before."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from decimal import Decimal
from threading import Event
from typing import Any

import pytest

from tests.unit.rollout.fake_mesh import BAD, BOTH, GOOD, STATE, FakeMesh, both, rollout, write
from weir.cluster.errors import ClusterError
from weir.cluster.kubectl import Kubectl
from weir.engine.errors import HeldBackError
from weir.rollout import keeper, record, run
from weir.rollout.ahead import Ahead
from weir.rollout.state import State, Step

_PAUSE = 1.5
_FIRST, _PREPARING = 1.0, 0.1
"""Seconds until a move could move requests: the first one, and later ones."""


@pytest.fixture(autouse=True)
def prepared_soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """What takes a second is worth it here. Few looks: many good ones outweigh a bad one for a while."""
    monkeypatch.setattr(run, "LEAST_SECONDS", 0.2)
    monkeypatch.setattr(run, "LOOK_SECONDS", 0.2)


class SlowMesh(FakeMesh):
    """A move takes a while until it could move requests. Noted is when it began, and when they moved; `empty`: there is
    nothing to apply after the first.
    """

    def __init__(self, *looks: Any, empty: bool = False) -> None:
        super().__init__(*looks)
        self.times: list[tuple[float, float, bool]] = []
        self.meanwhile: Callable[[], object] = lambda: None
        self._empty = empty

    def move(self, states: Sequence[State], ahead: Ahead | None) -> None:
        super().move(states, self._prepared(ahead))
        self._moved()

    def promote(self, states: Sequence[State], ahead: Ahead | None) -> None:
        super().promote(states, self._prepared(ahead))
        self._moved()

    def _prepared(self, ahead: Ahead | None) -> Ahead | None:
        self.times.append((time.time(), 0.0, ahead is not None))
        if self._empty and self.done:
            return None
        Event().wait(_PREPARING if self.done else _FIRST)
        if ahead:
            self.meanwhile()
        return ahead

    def _moved(self) -> None:
        began, _, held = self.times[-1]
        self.times[-1] = (began, time.time(), held)


def begun(kubectl: Kubectl, mesh: FakeMesh, *pauses: float, **settings: Any) -> tuple[list[State], State]:
    """A rollout until its end: the states that its steps began with, and the last one."""
    told: list[State] = []
    steps = tuple(Step(Decimal(5 + 45 * number), pause) for number, pause in enumerate(pauses))
    end = rollout(kubectl, mesh, write(kubectl, replace(STATE, steps=steps)), told=told.append, **settings).until_end()
    return [each for each in told if each.phase == "step"], end


def due(state: State, pause: float = _PAUSE) -> float:
    assert state.since
    return state.since.timestamp() + pause


def test_what_the_pause_alone_holds_up_begins_ahead(kubectl: Kubectl) -> None:
    """Requests move when the pause is over, and no sooner; so it is with the promotion."""
    mesh = SlowMesh(GOOD)
    steps, end = begun(kubectl, mesh, _PAUSE, _PAUSE)
    assert (mesh.done, end.phase) == (["5 %", "50 %", "promoted"], "promoted")
    assert [held for _, _, held in mesh.times] == [False, True, True]
    for step, (began, moved, _) in zip(steps, mesh.times[1:], strict=True):
        assert began < due(step) - 0.3
        assert due(step) <= moved < due(step) + 1.0


def test_nothing_to_apply_is_no_reason_to_begin_early(kubectl: Kubectl) -> None:
    """The step, and the promotion, have their time all the same."""
    mesh = SlowMesh(GOOD, empty=True)
    steps, end = begun(kubectl, mesh, _PAUSE, 0.0)
    assert (len(mesh.times), end.phase) == (3, "promoted")
    assert mesh.times[1][2]
    assert due(steps[1], 0.0) >= due(steps[0])


def test_of_a_long_pause_most_is_for_looks_alone(kubectl: Kubectl, monkeypatch: pytest.MonkeyPatch) -> None:
    """However long the first move took."""
    monkeypatch.setattr(run, "PAUSE_PART", 0.1)
    mesh = SlowMesh(GOOD)
    steps, _ = begun(kubectl, mesh, 3.0, 0.0)
    assert mesh.times[1][0] >= due(steps[0], 3.0) - 0.3 - 0.05


@pytest.mark.parametrize("settings", [{"checks": [{"run": "smoke"}]}, {"analysis": {"patience": "2s"}}])
def test_what_something_else_holds_up_does_not(kubectl: Kubectl, settings: dict[str, Any]) -> None:
    """A check has yet to pass, or the evidence is not there: nobody knows what follows."""
    nothing = "analysis" in settings
    mesh = SlowMesh(None if nothing else GOOD)
    begun(kubectl, mesh, _PAUSE, 0.0, **settings)
    assert mesh.done == (["5 %"] if nothing else ["5 %", "50 %", "promoted"])
    assert not any(held for _, _, held in mesh.times)


def test_a_quick_move_is_not_prepared(kubectl: Kubectl, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is hardly late, and whoever aborts finds the stack free."""
    monkeypatch.setattr(run, "LEAST_SECONDS", 30.0)
    mesh = SlowMesh(GOOD)
    begun(kubectl, mesh, _PAUSE, 0.0)
    assert not any(held for _, _, held in mesh.times)


def test_who_does_what_is_due_prepares_nothing_else(kubectl: Kubectl) -> None:
    """`--once` leaves what is due a moment later to the next run."""
    mesh = SlowMesh(GOOD)
    steps = (Step(Decimal(5), 1.5), Step(Decimal(50), 0.0))
    once = rollout(kubectl, mesh, write(kubectl, replace(STATE, steps=steps)))
    once._once_seconds = 1.0
    once.until_end(once=True)
    assert mesh.done == ["5 %"]


def test_a_version_that_turns_bad_meanwhile_gets_no_more(kubectl: Kubectl) -> None:
    """It is looked at while the step is held, and taken back."""
    looks = [GOOD]
    mesh = SlowMesh(GOOD)
    mesh.look = lambda: {"backend": looks[-1]}  # type: ignore[method-assign]
    mesh.meanwhile = lambda: looks.append(BAD)
    _, end = begun(kubectl, mesh, _PAUSE, 0.0)
    assert mesh.times[1][2]
    assert (mesh.done, end.phase) == (["5 %", "0 %"], "aborted")


def test_of_several_one_that_turns_bad_holds_all_back(kubectl: Kubectl) -> None:
    """None of them gets the next share."""
    looks = [both(GOOD, GOOD)]
    mesh = SlowMesh(GOOD)
    mesh.look = lambda: looks[-1]  # type: ignore[method-assign]
    mesh.meanwhile = lambda: looks.append(both(GOOD, BAD))
    steps = (Step(Decimal(5), _PAUSE), Step(Decimal(50), 0.0))
    kept = write(kubectl, *(replace(each, steps=steps) for each in BOTH))
    rollout(kubectl, mesh, kept).until_end()
    assert mesh.done == ["5 %", "0 %"]


def test_an_abort_from_elsewhere_is_heard_meanwhile(kubectl: Kubectl, monkeypatch: pytest.MonkeyPatch) -> None:
    """Traffic does not move once more before it is taken back."""
    monkeypatch.setattr(keeper, "SAVE_SECONDS", 0.1)
    mesh = SlowMesh(GOOD)
    mesh.meanwhile = lambda: record.abort(kubectl, ["backend"], "weir abort backend")
    _, end = begun(kubectl, mesh, 2.0, 0.0)
    assert (mesh.done, end.phase, end.why) == (["5 %", "0 %"], "aborted", "weir abort backend")


def test_who_does_not_answer_is_not_good(kubectl: Kubectl) -> None:
    """The step is not made while callers cannot be asked, and is once they can."""
    fails = False
    mesh = SlowMesh(GOOD)

    def look() -> Any:
        if fails:
            raise ClusterError("no caller answers")
        return {"backend": GOOD}

    def meanwhile() -> None:
        nonlocal fails
        fails = True

    mesh.look = look  # type: ignore[method-assign]
    mesh.meanwhile = meanwhile
    state = replace(STATE, steps=(Step(Decimal(5), _PAUSE), Step(Decimal(50), 0.0)))
    held = rollout(kubectl, mesh, write(kubectl, state))
    wait = held._ahead

    def ahead_of(waiting: Any) -> Any:
        following, ahead = wait(waiting)
        if ahead:
            ahead._end = time.monotonic() + 1.5
        return following, ahead

    held._ahead = ahead_of  # type: ignore[method-assign]
    seen = held._traffic.move

    def moved(states: Sequence[State], ahead: Ahead | None) -> None:
        nonlocal fails
        try:
            seen(states, ahead)
        except HeldBackError:
            mesh.done.append("held back")
            fails = False
            mesh.meanwhile = lambda: None
            raise

    held._traffic.move = moved  # type: ignore[method-assign]
    assert held.until_end().phase == "promoted"
    assert mesh.done == ["5 %", "held back", "50 %", "promoted"]
