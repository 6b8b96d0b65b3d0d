"""Whose a rollout is: what becomes of it, and of the traffic, where another process ends it or goes on with it."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tests.unit.rollout.fake_mesh import BAD, BOTH, GOOD, STATE, FakeMesh, both, rollout, write
from weir.analysis import Comparison, Counts
from weir.cluster.errors import ClusterError
from weir.cluster.kubectl import Kubectl
from weir.engine.errors import EngineError
from weir.rollout import keeper, patience, record, run
from weir.rollout.ahead import Ahead
from weir.rollout.record import AnotherWroteError, UnreadableError
from weir.rollout.state import State, Step

OWNED = replace(STATE, owner="this process")
LOCKED = EngineError("pulumi up of stack dev ended with exit code 255: the stack is currently locked")


def now(kubectl: Kubectl, service: str = "backend") -> State:
    return record.read_all(kubectl, [service])[service].state


def lost(kubectl: Kubectl) -> None:
    """The API server does as it is asked, once, and its answer gets lost."""
    name = Path(kubectl.path)
    name.rename(name.with_name("real"))
    name.write_text(
        '#!/bin/sh\n"$(dirname "$0")/real" "$@" >/dev/null\nmv "$(dirname "$0")/real" "$0"\n'
        'echo "Unable to connect to the server: net/http: request canceled" >&2\nexit 1\n'
    )
    name.chmod(0o755)


@pytest.mark.parametrize("where", ["move", "promote"])
@pytest.mark.parametrize("error", [None, LOCKED])
def test_an_abort_elsewhere_while_traffic_moves_takes_it_back(
    kubectl: Kubectl, where: str, error: Exception | None
) -> None:
    """Whoever has aborted looked before it moved: also where the move fails, nobody knows what it has done."""
    mesh = FakeMesh(GOOD)
    moves = getattr(mesh, where)

    def moved(states: Sequence[State], ahead: Ahead | None) -> None:
        moves(states, ahead)
        if where == "promote" or states[0].index == 1:
            record.abort(kubectl, ["backend"], "weir abort backend")
            if error:
                raise error

    setattr(mesh, where, moved)
    state = rollout(kubectl, mesh, write(kubectl, OWNED)).until_end()
    assert mesh.done == ["5 %", "50 %", *["promoted"] * (where == "promote"), "0 %"]
    assert (state.phase, state.why) == ("aborted", "weir abort backend")
    assert now(kubectl) == state


def test_a_version_that_cannot_be_taken_back_is_tried_again(kubectl: Kubectl, monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody may have the stack's lock for a moment. Whoever looks is told."""
    mesh, errors = FakeMesh(BAD), [LOCKED, LOCKED]
    taken_back = mesh.take_back

    def take_back(states: Sequence[State]) -> None:
        if errors:
            raise errors.pop()
        taken_back(states)

    monkeypatch.setattr(mesh, "take_back", take_back)
    told: list[str] = []
    state = rollout(kubectl, mesh, tell=told.append).until_end()
    assert (mesh.done, state.phase) == (["5 %", "0 %"], "aborted")
    assert told == [f"{LOCKED}\nit is tried again for 60 s"]


def test_one_that_cannot_be_taken_back_at_all_is_not_over(kubectl: Kubectl, monkeypatch: pytest.MonkeyPatch) -> None:
    """The next process has the evidence, and tries again at once."""
    monkeypatch.setattr(patience, "PATIENCE_SECONDS", 0.1)

    class Locked(FakeMesh):
        def take_back(self, states: Sequence[State]) -> None:
            raise LOCKED

    with pytest.raises(EngineError, match="currently locked"):
        rollout(kubectl, Locked(GOOD, BAD)).until_end()
    assert now(kubectl).phase == "step"
    after = FakeMesh(None)
    state = rollout(kubectl, after, record.read_all(kubectl, ["backend"])).until_end()
    assert (after.done, state.phase, state.requests) == (["0 %"], "aborted", 1_000)


def test_an_end_that_cannot_be_written_down_is_written_later(kubectl: Kubectl) -> None:
    """Traffic is back by then."""
    mesh = FakeMesh(GOOD, BAD)
    taken_back = mesh.take_back

    def take_back(states: Sequence[State]) -> None:
        taken_back(states)
        lost(kubectl)

    mesh.take_back = take_back  # type: ignore[method-assign]
    state = rollout(kubectl, mesh, write(kubectl, OWNED)).until_end()
    assert (mesh.done, state.phase) == (["5 %", "0 %"], "aborted")
    assert now(kubectl) == state


def test_who_slept_leaves_a_promotion_alone(kubectl: Kubectl) -> None:
    """Another process has gone on meanwhile: the version it sees as worse is the stable one now."""
    mesh, looks = FakeMesh(), iter([GOOD, GOOD])

    def look() -> Any:
        if counts := next(looks, None):
            return {"backend": counts}
        there = record.read_all(kubectl, ["backend"])
        if not there["backend"].state.over:
            by = replace(there["backend"].state, phase="promoted", why="the last step is done", owner="another")
            record.write(kubectl, [by], there)
        return {"backend": BAD}

    mesh.look = look  # type: ignore[method-assign]
    state = rollout(kubectl, mesh, write(kubectl, OWNED), analysis={"margin": 1.01}).until_end()
    assert (mesh.done, state.phase) == (["5 %"], "promoted")


@pytest.mark.parametrize("at", range(5))
def test_a_write_whose_answer_is_lost_ends_nothing(kubectl: Kubectl, monkeypatch: pytest.MonkeyPatch, at: int) -> None:
    """The process finds its own write, and goes on from it: at every write of a rollout."""
    kept, done, write_all = write(kubectl, OWNED), list[int](), record.write

    def written(*asked: Any) -> dict[str, record.Kept]:
        done.append(len(done))
        if done[-1] == at:
            lost(kubectl)
        return write_all(*asked)

    monkeypatch.setattr(record, "write", written)
    mesh = FakeMesh(GOOD)
    state = rollout(kubectl, mesh, kept).until_end()
    assert (mesh.done, state.phase) == (["5 %", "50 %", "promoted"], "promoted")
    assert now(kubectl) == state
    assert len(done) > at + 1


def test_another_process_that_goes_on_is_never_taken_for_this_one(kubectl: Kubectl) -> None:
    """Though it has written just the same."""
    kept = write(kubectl, OWNED)
    record.write(kubectl, [replace(OWNED, owner="another")], kept)
    mesh = FakeMesh(GOOD)
    with pytest.raises(AnotherWroteError):
        rollout(kubectl, mesh, kept).until_end()
    assert mesh.done == []


def test_a_gate_that_somebody_opens_is_open_for_who_waits_at_it(
    kubectl: Kubectl, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It hears of it when it next writes something down."""
    monkeypatch.setattr(keeper, "SAVE_SECONDS", 0.0)
    steps = (Step(Decimal(5), 0.0, manual=True), Step(Decimal(50), 0.0))
    mesh, looks = FakeMesh(GOOD), list[int]()
    look = mesh.look

    def looked() -> Any:
        looks.append(1)
        if len(looks) == 6:
            there = record.read_all(kubectl, ["backend"])
            record.write(kubectl, [replace(there["backend"].state, released=True)], there)
        return look()

    mesh.look = looked  # type: ignore[method-assign]
    state = rollout(kubectl, mesh, write(kubectl, replace(OWNED, steps=steps))).until_end()
    assert (mesh.done, state.phase) == (["5 %", "50 %", "promoted"], "promoted")
    assert len(looks) >= 6


@pytest.mark.parametrize("busy", ["check", "move", "take_back", "look"])
def test_who_is_busy_is_seen_to_be_there(kubectl: Kubectl, monkeypatch: pytest.MonkeyPatch, busy: str) -> None:
    """It writes the state down also while a check runs, a step is applied, or nobody answers."""
    monkeypatch.setattr(keeper, "SAVE_SECONDS", 0.1)
    mesh, versions = FakeMesh(BAD if busy == "take_back" else GOOD), list[set[str]]()

    def seen() -> None:
        end, found = time.monotonic() + 30, set[str]()
        while time.monotonic() < end and len(found) < 3:
            found.add(record.read_all(kubectl, ["backend"])["backend"].resource_version)
            time.sleep(0.05)
        versions.append(found)

    def check(*_: Any) -> str:
        seen()
        return ""

    def waiting(real: Callable[..., None]) -> Callable[..., None]:
        def moved(*given: Any) -> None:
            seen()
            real(*given)

        return moved

    if busy in ("move", "take_back"):
        setattr(mesh, busy, waiting(getattr(mesh, busy)))
    if busy == "look":
        begins, found = mesh.look, list[str]()

        def look() -> Any:
            found.append(record.read_all(kubectl, ["backend"])["backend"].resource_version)
            if 2 < len(found) < 30:
                time.sleep(0.02)
                raise ClusterError("no caller answers")
            return begins()

        mesh.look = look  # type: ignore[method-assign]
    settings: dict[str, Any] = {"checks": [{"run": "smoke"}]} if busy == "check" else {}
    rollout(kubectl, mesh, write(kubectl, OWNED), check=check if busy == "check" else "", **settings).until_end()
    assert all(len(each) >= 3 for each in (versions or [set(found[2:29])]))


@pytest.mark.parametrize(("then", "done"), [(BAD, ["0 %"]), (GOOD, ["50 %", "promoted"]), (None, [])])
def test_a_schedule_goes_on_once_it_has_looked_itself(
    kubectl: Kubectl, monkeypatch: pytest.MonkeyPatch, then: Any, done: list[str]
) -> None:
    """The version may have begun to fail between two runs, or nobody may answer any more."""
    monkeypatch.setattr(run, "ONCE_SECONDS", 2.0)
    steps = (Step(Decimal(5), 9999.0), Step(Decimal(50), 0.0))
    before = rollout(kubectl, FakeMesh(GOOD), write(kubectl, replace(OWNED, steps=steps))).until_end(once=True)
    assert Comparison.from_state(before.evidence).verdict().decision == "no worse"
    kept = write(kubectl, replace(before, steps=(Step(Decimal(5), 0.0), steps[1])))
    # As the first look of a process is, the first ones tell nothing.
    mesh = FakeMesh(None, None, None, then)
    rollout(kubectl, mesh, kept, analysis={"patience": "10m"}).until_end(once=True)
    assert mesh.done == done


def test_who_says_something_after_the_end_says_nothing(kubectl: Kubectl) -> None:
    """Ctrl-C may come a moment too late: a promoted version keeps its requests."""
    mesh = FakeMesh(GOOD)
    run_of = rollout(kubectl, mesh)
    run_of.until_end()
    run_of.end("abort")
    run_of.end("hold")
    assert (mesh.done, run_of.state.phase) == (["5 %", "50 %", "promoted"], "promoted")


def test_a_hold_before_the_first_step_goes_on_with_it(kubectl: Kubectl) -> None:
    """Once somebody says so."""
    mesh = FakeMesh(GOOD)
    run_of = rollout(kubectl, mesh)
    run_of.end("hold")
    assert (mesh.done, run_of.state.phase) == ([], "held")
    state = rollout(kubectl, mesh, write(kubectl, run_of.state.let_go_on(STATE.began))).until_end()
    assert (mesh.done, state.phase) == (["5 %", "50 %", "promoted"], "promoted")


def test_after_a_hold_for_worse_the_version_has_to_prove_itself(kubectl: Kubectl) -> None:
    """At its last step, too: that somebody lets it go on is no proof."""
    steps = (Step(Decimal(50), 0.0),)
    held = rollout(kubectl, FakeMesh(BAD), write(kubectl, replace(STATE, steps=steps)), onRegression="hold").until_end()
    assert (held.phase, held.cause) == ("held", "worse")
    mesh = FakeMesh(None, None, None, BAD)
    kept = write(kubectl, held.let_go_on(STATE.began))
    state = rollout(kubectl, mesh, kept, onRegression="hold", analysis={"patience": "9999h"}).until_end()
    assert (mesh.done, state.phase) == ([], "held")


def test_where_one_was_promoted_and_one_taken_back_both_are_taken_back(
    kubectl: Kubectl, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An abort wins, whichever of them has it."""
    monkeypatch.setattr(keeper, "SAVE_SECONDS", 0.0)
    for aborted in ("backend", "cart"):
        mesh, looks = FakeMesh(), list[int]()

        def look(aborted: str = aborted, looks: list[int] = looks) -> Any:
            looks.append(1)
            if len(looks) == 3:
                there = record.read_all(kubectl, ["backend", "cart"])
                ends = [
                    replace(each.state, phase="aborted" if name == aborted else "promoted", why="red")
                    for name, each in there.items()
                ]
                record.write(kubectl, ends, there)
            return both((Counts(10, 0), Counts(1, 0)), (Counts(10, 0), Counts(1, 0)))

        mesh.look = look  # type: ignore[method-assign]
        run_of = rollout(kubectl, mesh, write(kubectl, *BOTH))
        run_of.until_end()
        assert (mesh.done, {each.phase for each in run_of.states}) == (["5 %", "0 %"], {"aborted"})


def test_evidence_of_another_weir_is_said(kubectl: Kubectl) -> None:
    """With the way out."""
    kept = write(kubectl, replace(STATE, phase="step", evidence={"bets": "0123", "settings": {}}))
    with pytest.raises(UnreadableError, match=r"or end the rollout: weir abort backend$"):
        rollout(kubectl, FakeMesh(GOOD), kept)
