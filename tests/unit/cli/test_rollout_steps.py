"""A step leaves a stack file that says what the rollout says, whatever it said before."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from weir.cli import rollout_steps
from weir.cli.context import Context
from weir.cli.release import Release
from weir.cli.rollout_steps import Moves
from weir.rollout.state import State, Step
from weir.stack.edit import StackEdit

STATE = State(
    "backend", "v3", "v2", (Step(Decimal(25), 0.0),), "weir rollout backend v3", "ann@host",
    datetime(2026, 11, 27, 12, tzinfo=UTC),
)  # fmt: skip
FILE = """config:
  weir:namespace: demo
  weir:services:
    backend: {{image: "app:1", port: 80, versions: {{v1: {{}}, v2: {{}}, v3: {{}}}}, stable: {split}}}
"""


@pytest.fixture
def edited(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[Moves], None], str], str]:
    """What a file with this split says after a move, which is taken at the point where a release would apply it."""
    path = tmp_path / "Pulumi.dev.yaml"
    (tmp_path / "Pulumi.yaml").write_text("name: weir\nruntime: python\n")
    monkeypatch.chdir(tmp_path)

    def edit(change: Release) -> None:
        file = StackEdit(path)
        change.edits[change.service](file, change.service, change.context.config.services[change.service])
        file.write()

    def after(move: Callable[[Moves], None], split: str) -> str:
        path.write_text(FILE.format(split=split))
        monkeypatch.setattr(rollout_steps, "release", edit)
        move(Moves(Context("dev"), "", lambda _: None))
        assert Context("dev").config  # raises where it is unsound
        return path.read_text().partition("stable: ")[2].removesuffix("}\n")

    return after


@pytest.mark.parametrize(
    ("before", "step", "promoted", "taken_back"),
    [
        # As the rollout has it.
        ("v2, canary: {v3: 5}", "v2, canary: {v3: 25}", "v3, canary: {v2: 0}", "v2, canary: {v3: 0}"),
        ("v2", "v2, canary: {v3: 25}", "v3, canary: {v2: 0}", "v2, canary: {v3: 0}"),
        # From before the last promotion, as in an image of last week.
        ("v1, canary: {v2: 50}", "v2, canary: {v3: 25}", "v3, canary: {v2: 0}", "v2, canary: {v3: 0}"),
        ("v1", "v2, canary: {v3: 25}", "v3, canary: {v2: 0}", "v2, canary: {v3: 0}"),
        # A promotion was killed once the file had it.
        ("v3, canary: {v2: 0}", "v2, canary: {v3: 25}", "v3, canary: {v2: 0}", "v2, canary: {v3: 0}"),
    ],
)
def test_the_stable_version_is_the_rollouts(
    edited: Callable[[Callable[[Moves], None], str], str], before: str, step: str, promoted: str, taken_back: str
) -> None:
    """No request goes to a version that is neither of the two."""
    assert edited(lambda moves: moves.move([STATE]), before) == step
    assert edited(lambda moves: moves.promote([STATE]), before) == promoted
    assert edited(lambda moves: moves.take_back([STATE]), before) == taken_back


CONTROLLED = replace(STATE, control="v2-control")
CONTROL = "v3: {}, v2-control: {}"


@pytest.mark.parametrize("known", [True, False])
@pytest.mark.parametrize(
    ("before", "step", "promoted", "taken_back"),
    [
        ("v2", "v2, canary: {v3: 25, v2-control: 25}", "v3, canary: {v2: 0}", "v2, canary: {v3: 0}"),
        ("v2, canary: {v1: 60}", "v2, canary: {v1: 60, v3: 25, v2-control: 15}", "v3, canary: {v1: 60, v2: 0}",
         "v2, canary: {v1: 60, v3: 0}"),
        ("v1, canary: {v2: 50}", "v2, canary: {v3: 25, v2-control: 25}", "v3, canary: {v2: 0}", "v2, canary: {v3: 0}"),
    ],
)  # fmt: skip
def test_the_control_gets_as_much_as_the_version(
    edited: Callable[[Callable[[Moves], None], str], str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    known: bool,
    before: str,
    step: str,
    promoted: str,
    taken_back: str,
) -> None:
    """Also in a file that has none, as that of another machine; where it has no share it gets none."""
    if known:
        monkeypatch.setitem(globals(), "FILE", FILE.replace("v3: {{}}", "v3: {{}}, v2-control: {{}}"))
    assert edited(lambda moves: moves.move([CONTROLLED]), before) == step
    assert CONTROL in (tmp_path / "Pulumi.dev.yaml").read_text()
    assert edited(lambda moves: moves.promote([CONTROLLED]), before) == promoted
    assert edited(lambda moves: moves.take_back([CONTROLLED]), before) == taken_back


def test_at_the_end_the_control_gets_nothing(
    edited: Callable[[Callable[[Moves], None], str], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the same change."""
    monkeypatch.setitem(globals(), "FILE", FILE.replace("v3: {{}}", "v3: {{}}, v2-control: {{}}"))
    before = "v2, canary: {v3: 25, v2-control: 25}"
    assert edited(lambda moves: moves.promote([CONTROLLED]), before) == "v3, canary: {v2-control: 0, v2: 0}"
    assert edited(lambda moves: moves.take_back([CONTROLLED]), before) == "v2, canary: {v3: 0, v2-control: 0}"
