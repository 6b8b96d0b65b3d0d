"""`weir rollout` between two processes, and between a process and whoever sits before it."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import click
import pytest

from tests.unit.rollout.fake_mesh import BOTH, KUBECTL, STATE, write
from weir.cli import release as releasing
from weir.cli import rollout, rollout_begin, rollout_steps
from weir.cli.context import Context
from weir.cli.release import Release, release
from weir.cli.rollout_begin import opened, taken_over, under_way
from weir.cli.rollout_due import AnotherGoesOnError
from weir.cli.rollout_steps import Moves
from weir.cli.rolloutview import Screen
from weir.cli.under_way import rolled_out_with
from weir.cluster.kubectl import Kubectl
from weir.engine.errors import EngineError, InterruptedPreviewError, InterruptedUpdateError
from weir.errors import UsageError
from weir.rollout import record
from weir.rollout.state import State, Step

SERVICE = {"image": "app:1", "port": 80, "versions": {"v1": {}, "v2": {}}, "stable": "v1", "canary": {"v2": 5}}
STEPPED = replace(STATE, phase="step", since=datetime.now(UTC), owner="another")
AT_A_GATE = replace(STEPPED, steps=(Step(Decimal(25), 0.0, manual=True),))


@pytest.fixture
def context(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Context:
    config = {"weir:namespace": "demo", "weir:services": {"backend": SERVICE, "cart": SERVICE}}
    (tmp_path / "Pulumi.yaml").write_text("name: weir\nruntime: python\n")
    (tmp_path / "Pulumi.dev.yaml").write_text(json.dumps({"config": config}))
    (tmp_path / "kubectl").write_text(KUBECTL)
    (tmp_path / "kubectl").chmod(0o755)
    monkeypatch.setenv("WEIR_TOOL_KUBECTL", str(tmp_path / "kubectl"))
    monkeypatch.setattr(rollout_begin, "SAVE_SECONDS", -2.0)  # another process is looked for for a second
    monkeypatch.chdir(tmp_path)
    return Context("dev")


def there(kubectl: Kubectl) -> State:
    return record.read_all(kubectl, ["backend"])["backend"].state


@contextmanager
def written_by_another(kubectl: Kubectl) -> Iterator[None]:
    """Another process writes down what it sees, with what it finds there."""
    done = threading.Event()

    def beat() -> None:
        while not done.wait(0.2):
            kept = record.read_all(kubectl, ["backend"])
            record.write(kubectl, [replace(kept["backend"].state, hurt=7)], kept)

    thread = threading.Thread(target=beat)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


def test_a_gate_is_opened_for_the_process_that_waits_at_it(
    context: Context, capsys: pytest.CaptureFixture[str]
) -> None:
    """Which goes on, and this one does not."""
    write(context.kubectl, AT_A_GATE)
    with written_by_another(context.kubectl):
        assert opened(context, {"backend": None})
    assert (there(context.kubectl).released, there(context.kubectl).owner) == (True, "another")
    said = capsys.readouterr().err
    assert "the gate of backend at 25 % is open" in said
    assert "another process goes on with the rollout of backend" in said


def test_a_gate_at_which_no_process_waits_is_opened_by_who_goes_on(context: Context) -> None:
    """By a name of its own, so that the one before hears of it."""
    write(context.kubectl, AT_A_GATE)
    assert not opened(context, {"backend": None})
    kept = taken_over(context, under_way(context, {"backend": None}), {"backend": None}, going_on=True)
    assert kept["backend"].state.released
    assert kept["backend"].state.owner not in ("", "another")
    assert there(context.kubectl) == kept["backend"].state


@pytest.mark.parametrize("state", [STEPPED, replace(AT_A_GATE, released=True)])
def test_what_waits_for_nobody_is_not_continued(context: Context, state: State) -> None:
    """It would be nothing but a way around the proof."""
    write(context.kubectl, state)
    with pytest.raises(UsageError, match=r"^nothing of the rollout of backend waits for somebody: its step of "):
        opened(context, {"backend": None})
    assert there(context.kubectl) == state


def test_a_hold_is_left_to_who_takes_it_over(context: Context) -> None:
    """Its gate stays shut."""
    write(context.kubectl, AT_A_GATE.held("somebody said so", ""))
    assert not opened(context, {"backend": None})
    kept = taken_over(context, under_way(context, {"backend": None}), {"backend": None}, going_on=True)
    state = kept["backend"].state
    assert (state.phase, state.released, state.why) == ("step", False, "")
    assert state.since is not None
    assert (datetime.now(UTC) - state.since).total_seconds() < 30


def test_another_process_is_left_alone(context: Context) -> None:
    """While it writes."""
    write(context.kubectl, STEPPED)
    with written_by_another(context.kubectl), pytest.raises(AnotherGoesOnError):
        taken_over(context, under_way(context, {"backend": None}), {"backend": None}, going_on=False)


@pytest.mark.parametrize("named", ["backend", "cart"])
def test_a_group_of_which_one_has_ended_is_under_way(context: Context, named: str) -> None:
    """Whichever of them is named: to go on with it, and to end it."""
    write(context.kubectl, replace(BOTH[0], phase="promoted"), replace(BOTH[1], phase="step"))
    assert list(under_way(context, {named: None})) == ["backend", "cart"]
    assert set(rolled_out_with(context.kubectl, named)) == {"backend", "cart"}


def test_who_has_left_a_group_is_not_of_it(context: Context) -> None:
    """A rollout that has ended with others is no part of what one of them does later."""
    write(context.kubectl, replace(BOTH[0], phase="promoted"), replace(STATE, service="cart", phase="step"))
    assert under_way(context, {"backend": None}) == {}
    assert list(under_way(context, {"cart": None})) == ["cart"]
    assert rolled_out_with(context.kubectl, "backend") == {"backend": None}


def test_of_a_group_no_state_may_be_lacking(context: Context) -> None:
    """With the way out."""
    write(context.kubectl, replace(BOTH[0], phase="step"))
    with pytest.raises(UsageError, match=r"goes on as one with cart, .* to end it: weir abort backend$"):
        under_way(context, {"backend": None})


def test_a_rollout_that_has_ended_meanwhile_has_no_turn(context: Context) -> None:
    """Between the listing and its turn."""
    write(context.kubectl, replace(STATE, phase="aborted"))
    kept = rollout._taken_over(context, {"backend": None}, going_on=False)
    rollout._roll(kept, context, "", True, False)


@pytest.mark.parametrize("error", [KeyboardInterrupt, InterruptedUpdateError("cut"), InterruptedPreviewError("cut")])
def test_ctrl_c_asks_also_while_a_step_is_applied(
    monkeypatch: pytest.MonkeyPatch, error: type[BaseException] | BaseException
) -> None:
    """What becomes of the rollout is what whoever sits there says."""

    class Run:
        states, state, said = [STATE], STATE, ""

        def until_end(self, *, once: bool) -> None:
            raise error

        def end(self, how: str) -> None:
            self.said = how

    run: Any = Run()
    monkeypatch.setattr("sys.stdin", SimpleNamespace(isatty=lambda: True))
    monkeypatch.setattr(click, "prompt", lambda *_, **__: "abort")
    rollout._watched(run, Screen(), once=False)
    assert run.said == "abort"


def test_what_to_run_again_is_a_command(context: Context, monkeypatch: pytest.MonkeyPatch) -> None:
    """That goes on with the rollout; an abort that failed is said again. Ctrl-C does not reach an abort."""
    asked: list[Release] = []
    monkeypatch.setattr(rollout_steps, "release", asked.append)
    moves = Moves(context, "", lambda _: None)
    moves.move(BOTH, None)
    moves.promote([STATE], None)
    moves.take_back([STATE])
    assert [(each.again, each.shielded) for each in asked] == [
        ("weir rollout backend", False), ("weir rollout backend", False), ("weir abort backend", True),
    ]  # fmt: skip
    monkeypatch.setattr(releasing, "Live", lambda _: None)
    monkeypatch.setattr(releasing, "undo", lambda _: None)
    planned: Any = SimpleNamespace(stands=lambda _: True, done=lambda _: False, edited=lambda _: "")
    failed = releasing._failure(asked[2], EngineError("it is locked"), None, planned)  # type: ignore[arg-type]
    assert str(failed).splitlines()[-1] == "once that is fixed, run again: weir abort backend --stack dev"


@pytest.mark.parametrize("fails", [False, True])
def test_an_abort_says_that_it_has_taken_back_once_it_has(
    context: Context, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], fails: bool
) -> None:
    """Not before its update, and not where that fails; whoever goes on with the rollout hears of it in any case."""
    write(context.kubectl, STEPPED)
    told: list[str] = []

    def applied(*_: Any) -> None:
        assert (told, there(context.kubectl).phase) == ([], "aborted")
        if fails:
            raise EngineError("it is locked")

    planned: Any = SimpleNamespace(empty=False, lines={}, left=(), text="", config=context.config)
    monkeypatch.setattr(releasing, "left_over", lambda *_, **__: None)
    monkeypatch.setattr(releasing, "live", lambda _: None)
    monkeypatch.setattr(releasing, "plan", lambda *_, **__: planned)
    monkeypatch.setattr(releasing, "_apply", applied)
    change = Release(
        context, {"backend": lambda *_: None}, "weir abort backend", yes=True, take_back=True, ends_rollout=True,
        ended=lambda state: told.append(state.phase),
    )  # fmt: skip
    if fails:
        with pytest.raises(EngineError):
            release(change)
    else:
        release(change)
    assert told == ([] if fails else ["aborted"])
    assert ("the rollout is over: v2 of backend is taken back" in capsys.readouterr().err) is not fails
