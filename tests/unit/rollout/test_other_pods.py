"""What other pods of a version have answered, of another image, is no evidence of those that it has now."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from tests.unit.rollout.fake_mesh import BAD, GOOD, STATE, FakeMesh, rollout, write
from weir.analysis import Counts
from weir.cluster.errors import ClusterError
from weir.cluster.kubectl import Kubectl
from weir.rollout import record, run

OTHERS = "backend: the pods of v2 are others than before, so what was seen of it counts no more: its step begins anew"
MANY = Counts(1_000_000, 1_000), Counts(100_000, 100)
"""Enough to prove it at one look."""


class MadeOf:
    """Answers with the next templates, the last one for ever."""

    def __init__(self, *answers: str | Exception) -> None:
        self._answers: Iterator[str | Exception] = iter(answers)
        self._last: str | Exception = ""

    def __call__(self) -> dict[str, str]:
        self._last = next(self._answers, self._last)
        if isinstance(self._last, Exception):
            raise self._last
        return {"backend": self._last} if self._last else {}


def test_a_step_is_not_done_by_what_another_image_has_shown(kubectl: Kubectl) -> None:
    """It begins anew, and its new pods are what is compared: here they are worse."""
    told: list[str] = []
    mesh = FakeMesh({}, {}, MANY, {}, BAD)
    state = rollout(kubectl, mesh, tell=told.append, made_of=MadeOf("a", "b")).until_end()
    assert (mesh.done, state.phase, told) == (["5 %", "0 %"], "aborted", [OTHERS])


def test_what_another_image_has_done_wrong_takes_none_back(kubectl: Kubectl) -> None:
    """Left by a process that ended before it could take it back."""
    left = rollout(kubectl, FakeMesh(BAD), write(kubectl, replace(STATE, pods="a")), onRegression="hold")
    left.until_end()
    kept = record.read_all(kubectl, ["backend"])
    there = replace(kept["backend"].state, phase="step")
    told: list[str] = []
    mesh = FakeMesh({}, GOOD)
    state = rollout(kubectl, mesh, write(kubectl, there), tell=told.append, made_of=MadeOf("b")).until_end()
    assert (mesh.done, state.phase, told) == (["50 %", "promoted"], "promoted", [OTHERS])


@pytest.mark.parametrize("seconds", [0.0, 1000.0])
def test_the_same_pods_are_the_same_however_many_there_are(
    kubectl: Kubectl, monkeypatch: pytest.MonkeyPatch, seconds: float
) -> None:
    """And where nobody can tell for a moment, a step waits until somebody can."""
    monkeypatch.setattr(run, "_PODS_SECONDS", seconds)
    told: list[str] = []
    mesh = FakeMesh({}, GOOD)
    made_of = MadeOf("a", "a", ClusterError("away"), ClusterError("away"), "", "a")
    state = rollout(kubectl, mesh, tell=told.append, made_of=made_of).until_end()
    assert (mesh.done, state.phase, state.pods, told) == (["5 %", "50 %", "promoted"], "promoted", "a", [])


def test_a_gate_that_was_opened_for_other_pods_is_closed(kubectl: Kubectl) -> None:
    """And so it is with what somebody let end without proof, and with checks."""
    there = replace(
        STATE, phase="step", since=STATE.began, released=True, unproven=True, checked=("make check",), pods="a"
    )
    after = there.with_other_pods("b", STATE.began)
    assert (after.released, after.unproven, after.checked, after.pods) == (False, False, (), "b")
