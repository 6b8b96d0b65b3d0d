"""A step that nothing but its time keeps from being made is prepared ahead, and made on time."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from tests.unit.rollout.fake_mesh import GOOD, STATE, FakeMesh, rollout, write
from weir.cluster.kubectl import Kubectl
from weir.rollout.state import State, Step

_PAUSE = 2.0
_MOVE = 0.7


class SlowMesh(FakeMesh):
    """A move takes a while; what it was asked, and when, is noted: the moment of it, and the one that it is for."""

    def __init__(self, *looks: Any) -> None:
        super().__init__(*looks)
        self.asked: list[tuple[float, float]] = []

    def move(self, states: Sequence[State], at: float) -> None:
        self._moved(at)
        super().move(states, at)

    def promote(self, states: Sequence[State], at: float) -> None:
        self._moved(at)
        super().promote(states, at)

    def _moved(self, at: float) -> None:
        began = time.time()
        self.asked.append((began, at))
        while time.time() < max(began + _MOVE, at):
            time.sleep(0.01)


def begun(kubectl: Kubectl, mesh: FakeMesh, steps: Sequence[Step], **settings: Any) -> list[State]:
    """A rollout until its end; the states that its steps began with."""
    told: list[State] = []
    rollout(kubectl, mesh, write(kubectl, replace(STATE, steps=tuple(steps))), told=told.append, **settings).until_end()
    return [each for each in told if each.phase == "step"]


def test_what_the_pause_alone_holds_up_begins_ahead(kubectl: Kubectl) -> None:
    """By what the first move took, and for the moment in which the pause is over; so does the promotion."""
    mesh = SlowMesh(GOOD)
    steps = begun(kubectl, mesh, [Step(Decimal(5), _PAUSE), Step(Decimal(50), _PAUSE)])
    assert mesh.done == ["5 %", "50 %", "promoted"]
    assert mesh.asked[0][1] == 0.0
    due = [each.since.timestamp() + _PAUSE for each in steps if each.since]
    assert [at for _, at in mesh.asked[1:]] == pytest.approx(due, abs=0.05)
    # A look is at most a second before.
    assert all(at - _MOVE - 1.5 < began < at for began, at in mesh.asked[1:])


def test_no_step_begins_before_its_time(kubectl: Kubectl) -> None:
    """Also where there was nothing to apply."""
    mesh = SlowMesh(GOOD)
    moved = mesh._moved

    def at_once(at: float) -> None:
        moved(0.0)
        mesh.asked[-1] = (mesh.asked[-1][0], at)

    mesh._moved = at_once  # type: ignore[method-assign]
    steps = begun(kubectl, mesh, [Step(Decimal(5), _PAUSE), Step(Decimal(50), 0.0)])
    [first, second] = [each.since.timestamp() for each in steps if each.since]
    assert second >= first + _PAUSE
    assert mesh.asked[1][1] > 0


@pytest.mark.parametrize("settings", [{"checks": [{"run": "smoke"}]}, {"analysis": {"patience": "2500ms"}}])
def test_what_something_else_holds_up_does_not(kubectl: Kubectl, settings: dict[str, Any]) -> None:
    """A check has yet to pass, or the evidence is not there: nobody knows what follows."""
    nothing = "analysis" in settings
    mesh = SlowMesh(None if nothing else GOOD)
    begun(kubectl, mesh, [Step(Decimal(5), _PAUSE), Step(Decimal(50), 0.0)], **settings)
    assert mesh.done == (["5 %"] if nothing else ["5 %", "50 %", "promoted"])
    assert all(at == 0.0 for _, at in mesh.asked)
