"""The control of a rollout comes and goes by updates that bring nothing else: what Pulumi says of these are recorded
previews of a version that came and of one that went; pulumi and kubectl stand in for themselves.
"""

from __future__ import annotations

import gzip
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from tests.unit.cli.test_rollback import calls
from tests.unit.cli.test_rollout_retire import PROMOTED, file, previewed, project
from tests.unit.engine.test_earlier import HISTORIES
from tests.unit.rollout.fake_mesh import STATE
from weir.cli.context import Context
from weir.cli.rollout import command
from weir.cli.rollout_control import clear_away, prepare, with_controls
from weir.engine.errors import EngineError
from weir.errors import WeirError
from weir.rollout import record
from weir.rollout.state import State

__all__ = ["project"]

BEFORE = PROMOTED.replace("stable: v2", "stable: v1").replace("{v1: 0}", "{v2: 0}")
WITH = BEFORE.replace("        v2: {}\n", "        v2: {}\n        v1-control: {}\n")
BEGUN = replace(STATE, control="v1-control")


def recorded(name: str, version: str) -> dict[str, Any]:
    """A recorded preview in which the version is the control; of the route nothing changes."""
    text = gzip.decompress((HISTORIES.with_name("previews") / f"{name}.json.gz").read_bytes()).decode()
    found: dict[str, Any] = json.loads(text.replace(f"backend-{version}", "backend-v1-control"))
    return {**found, "steps": [step for step in found["steps"] if not step["urn"].endswith(":VirtualService::backend")]}


@pytest.fixture
def begun(project: Path) -> Path:
    """v1 is stable, and a rollout of v2 has begun."""
    (project / "Pulumi.dev.yaml").write_text(BEFORE)
    (project / "preview.json").write_text(json.dumps(recorded("version-added", "v3")))
    return project


def kept(state: State) -> State:
    """It is kept in the cluster."""
    kubectl = Context("dev").kubectl
    return record.write(kubectl, [state], record.read_all(kubectl, ["backend"]))["backend"].state


def now() -> State:
    found = record.read(Context("dev").kubectl, "backend")
    assert found is not None
    return found.state


def ended(project: Path, phase: Any = "aborted", text: str = WITH) -> None:
    """The rollout is over, and has left its control."""
    (project / "Pulumi.dev.yaml").write_text(text)
    (project / "preview.json").write_text(json.dumps(recorded("version-retired", "v1")))
    kept(replace(BEGUN, phase=phase, why="red"))


def test_it_is_made_before_the_first_step(begun: Path) -> None:
    """By a whole update from the very text that was previewed, without requests; by nothing the next time."""
    prepare(Context("dev"), [kept(BEGUN)], "PR 12")
    [preview], [up] = calls(begun, "preview"), calls(begun, "up")
    assert preview[1] == up[1] == file(begun) == WITH
    assert not [each for each in up[0] if each.startswith("--target")]
    message = up[0][up[0].index("--message") + 1].splitlines()
    assert message[:2] == ["weir rollout backend v2 (control made)", "reason: PR 12"]
    previewed(begun, "nothing")
    prepare(Context("dev"), [BEGUN], "PR 12")
    assert len(calls(begun, "up")) == 1


@pytest.mark.parametrize("state", [STATE, replace(BEGUN, phase="step"), replace(BEGUN, phase="aborted")])
def test_where_none_is_asked_for_or_it_was_made_nothing_is_done(begun: Path, state: State) -> None:
    """Nobody asks Pulumi."""
    prepare(Context("dev"), [state], "")
    assert calls(begun, "preview") == []
    assert file(begun) == BEFORE


@pytest.mark.parametrize("more", ["new-image", "version-retired", "client-added"])
def test_an_update_that_would_bring_more_is_refused(begun: Path, more: str) -> None:
    """Nothing is applied, and the file is as it was; with the ways out."""
    found = recorded("version-added", "v3")
    previewed(begun, more, more=found["steps"])
    with pytest.raises(WeirError, match="v1-control of backend was not made, and no request has moved") as refused:
        prepare(Context("dev"), [kept(BEGUN)], "")
    assert str(refused.value).endswith("then go on: weir rollout backend; or end it: weir abort backend")
    assert file(begun) == BEFORE
    assert calls(begun, "up") == []


@pytest.mark.parametrize("phase", ["aborted", "promoted"])
def test_it_goes_after_the_end(begun: Path, phase: Any) -> None:
    """With its share in the file, once; the state says that nothing is left."""
    ended(begun, phase, WITH.replace("{v2: 0}", "{v2: 0, v1-control: 0}"))
    found = clear_away(Context("dev"), ["backend"], "")
    assert found == {"backend": replace(BEGUN, phase=phase, why="red", control="")} == {"backend": now()}
    [up] = calls(begun, "up")
    assert up[1] == file(begun) == BEFORE
    assert clear_away(Context("dev"), ["backend"], "") == {}
    assert len(calls(begun, "up")) == 1


@pytest.mark.parametrize("state", [BEGUN, replace(BEGUN, phase="step"), replace(BEGUN, phase="held")])
def test_while_it_is_under_way_it_stays(begun: Path, state: State) -> None:
    """Whoever calls."""
    ended(begun)
    kept(state)
    assert clear_away(Context("dev"), ["backend"], "") == {}
    assert file(begun) == WITH


def test_an_update_that_would_bring_more_removes_nothing(begun: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """It is out of the file, and pulumi up removes it."""
    ended(begun)
    previewed(begun, "new-image", more=recorded("version-retired", "v1")["steps"])
    assert clear_away(Context("dev"), ["backend"], "")["backend"].control == ""
    assert file(begun) == BEFORE
    assert calls(begun, "up") == []
    assert "v1-control of backend stays in the cluster, without requests: an update would" in capsys.readouterr().err


def test_an_update_that_fails_is_tried_again(begun: Path) -> None:
    """By the next call, whose file has it no longer."""
    ended(begun)
    (begun / "code").write_text("255")
    with pytest.raises(EngineError):
        clear_away(Context("dev"), ["backend"], "")
    assert now().control == "v1-control"
    (begun / "code").write_text("0")
    assert clear_away(Context("dev"), ["backend"], "")["backend"].control == ""
    assert file(begun) == BEFORE


@pytest.mark.parametrize("arguments", ["backend", "--once", "backend --once"])
def test_what_a_killed_process_has_left_goes_with_the_next_call(begun: Path, arguments: str) -> None:
    """A person's, or a schedule's."""
    ended(begun)
    done = CliRunner().invoke(command, [*arguments.split(), "--stack", "dev"])
    assert done.exit_code == 0, done.exception
    assert "backend: rollout: v2 was taken back at 5 %: red" in done.output
    assert (now().control, file(begun)) == ("", BEFORE)


def test_a_file_that_lacks_it_is_counted_with_it(begun: Path) -> None:
    """The file itself stays: the next step writes it."""
    found = with_controls(Context("dev"), [replace(BEGUN, phase="step")])
    assert list(found.config.services["backend"].versions) == ["v1", "v2", "v1-control"]
    assert file(begun) == BEFORE
