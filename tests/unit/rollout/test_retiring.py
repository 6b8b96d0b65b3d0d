"""After a promotion the version that was stable is kept for a while, and then retired: once, by whoever is at it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.unit.rollout.fake_mesh import GOOD, STATE, FakeMesh, rollout, write
from weir.cluster.kubectl import Kubectl
from weir.errors import WeirError
from weir.rollout import record, retiring
from weir.rollout.retiring import seconds_left, when_due
from weir.rollout.state import State, in_words


def promoted(seconds: float) -> State:
    """v1 is due so many seconds from now on."""
    return replace(STATE, phase="promoted", index=1, retire=datetime.now(UTC) + timedelta(seconds=seconds))


def now(kubectl: Kubectl) -> State:
    found = record.read(kubectl, "backend")
    assert found is not None
    return found.state


def nobody(_: State) -> str:
    raise AssertionError("it is retired")


def ended(kubectl: Kubectl, state: State, retire: Callable[[State], str | None], *, once: bool = False) -> State | None:
    return when_due(kubectl, write(kubectl, state)["backend"], retire, once=once)


@pytest.mark.parametrize(("settings", "seconds"), [({"keep": "1h"}, 3600), ({}, None)])
def test_a_promotion_says_when_the_old_version_is_due(
    kubectl: Kubectl, settings: dict[str, Any], seconds: int | None
) -> None:
    """By the config; without keep it stays for ever. The promotion is an end for everybody else."""
    begin = datetime.now(UTC)
    state = rollout(kubectl, FakeMesh(GOOD), **settings).until_end()
    assert (state.phase, state.over, now(kubectl)) == ("promoted", True, state)
    if seconds is None:
        assert state.retire is None
    else:
        assert state.retire is not None
        assert seconds <= (state.retire - begin).total_seconds() < seconds + 60


@pytest.mark.parametrize("phase", ["abort", "hold"])
def test_what_is_no_promotion_retires_nothing(kubectl: Kubectl, phase: str) -> None:
    """The version that is stable has the requests."""
    state = rollout(
        kubectl, FakeMesh(GOOD), check="red", keep="1h", onRegression=phase, checks=[{"run": "a"}]
    ).until_end()
    assert (state.phase, state.retire) == ({"abort": "aborted", "hold": "held"}[phase], None)


def test_it_is_kept_for_its_time_and_retired_once(kubectl: Kubectl) -> None:
    """Another process that comes then has nothing to do."""
    retired: list[datetime] = []

    def retire(state: State) -> str:
        retired.append(datetime.now(UTC))
        return f"{state.stable} is retired"

    due = promoted(0.5)
    state = ended(kubectl, due, retire)
    assert state == replace(due, retire=None, retired="v1 is retired") == now(kubectl)
    assert due.retire is not None
    assert due.retire <= retired[0]
    assert when_due(kubectl, record.read_all(kubectl, ["backend"])["backend"], retire) == state
    assert len(retired) == 1


def test_a_schedule_does_not_wait(kubectl: Kubectl) -> None:
    """Before its time nothing is done."""
    due = promoted(3600)
    assert ended(kubectl, due, nobody, once=True) == due == now(kubectl)


def test_of_two_one_retires(kubectl: Kubectl, monkeypatch: pytest.MonkeyPatch) -> None:
    """While it is at it the others find that it is not due; of one that read before, the claim is refused."""
    monkeypatch.setattr(retiring, "LOOK_SECONDS", 0.01)
    before = write(kubectl, promoted(-1))["backend"]

    def retire(_: State) -> str:
        assert seconds_left(now(kubectl)) > 200
        assert when_due(kubectl, before, nobody, once=True) == now(kubectl)
        return "v1 is retired"

    assert when_due(kubectl, before, retire) == now(kubectl)
    assert when_due(kubectl, before, nobody) == now(kubectl)
    assert now(kubectl).retired == "v1 is retired"


@pytest.mark.parametrize("error", [WeirError("no answer"), KeyboardInterrupt()])
def test_what_fails_is_due_at_the_next_call(kubectl: Kubectl, error: BaseException) -> None:
    """At once."""

    def fails(_: State) -> str:
        raise error

    due = promoted(-1)
    with pytest.raises(type(error)):
        ended(kubectl, due, fails)
    assert now(kubectl) == due


def test_what_cannot_be_told_yet_is_still_due(kubectl: Kubectl) -> None:
    """The next call looks again."""
    due = promoted(-1)
    assert ended(kubectl, due, lambda _: None) == due == now(kubectl)


def test_another_rollout_takes_the_place(kubectl: Kubectl, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever waited retires nothing by its state."""
    monkeypatch.setattr(retiring, "LOOK_SECONDS", 0.01)
    before = write(kubectl, promoted(0.2))["backend"]
    write(kubectl, replace(STATE, began=datetime.now(UTC), version="v3", stable="v2"))
    assert when_due(kubectl, before, nobody) is None


def test_what_becomes_of_it_is_said() -> None:
    """When, and afterwards what."""
    at = datetime(2026, 11, 28, 12, tzinfo=UTC)
    said = "rollout: v2 has become the stable version; 0 of its 0 requests failed"
    state = replace(STATE, phase="promoted", retire=at)
    assert in_words(state, at - timedelta(minutes=42)) == f"{said}; v1 is retired in 42 min"
    assert in_words(state, at) == f"{said}; v1 is due to be retired"
    assert in_words(replace(state, retire=None, retired="v1 is retired"), at) == f"{said}; v1 is retired"
    assert in_words(replace(state, retire=None), at) == said
