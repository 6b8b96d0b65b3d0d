"""Edits of a stack file change the split and leave all else as people wrote it."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import pytest

from weir import stackfile
from weir.errors import UsageError
from weir.stackedit import StackEdit

HEAD = "# top\nconfig:\n  weir:namespace: demo # here\n  weir:services:\n"
FLOW = HEAD + "    backend:\n      stable: v1 # gets the rest\n      canary: {v2: 20, v3: 5} # moves\n      port: 80\n  weir:clients: {}\n"
BLOCK = (
    HEAD
    + "    backend:\n      stable: 'v1'\n      canary:\n        # the new one\n        v2: 20 # careful\n        v3: 5\n\n      port: 80\n"
)
BARE = HEAD + "    backend:\n      versions: {v1: {}}\n      stable: v1 # gets the rest\n    other: {stable: a}\n"
ONE_LINE = HEAD + "    backend: {stable: v1, versions: {v1: {}}}\n"


def edited(tmp_path: Path, text: str, *edits: Callable[[StackEdit], None]) -> str:
    """The file after the edits."""
    path = tmp_path / "Pulumi.dev.yaml"
    path.write_text(text)
    edit = StackEdit(path)
    for change in edits:
        change(edit)
    edit.write()
    stackfile.read(path)
    return path.read_text()


def canary(version: str, percent: str | None) -> Callable[[StackEdit], None]:
    return lambda edit: edit.set_canary("backend", version, None if percent is None else Decimal(percent))


def stable(version: str) -> Callable[[StackEdit], None]:
    return lambda edit: edit.set_stable("backend", version)


@pytest.mark.parametrize(
    ("text", "edits", "old", "new"),
    [
        (FLOW, [canary("v2", "50")], "{v2: 20, v3: 5}", "{v2: 50, v3: 5}"),
        (FLOW, [canary("v2", "0.5")], "{v2: 20, v3: 5}", "{v2: 0.5, v3: 5}"),
        (FLOW, [canary("v4", "1")], "{v2: 20, v3: 5}", "{v2: 20, v3: 5, v4: 1}"),
        (FLOW, [canary("v2", None)], "{v2: 20, v3: 5}", "{v3: 5}"),
        (FLOW, [canary("v2", None), canary("v3", None)], "{v2: 20, v3: 5}", "{}"),
        (
            FLOW,
            [stable("v2"), canary("v2", None)],
            "stable: v1 # gets the rest\n      canary: {v2: 20, v3: 5}",
            "stable: v2 # gets the rest\n      canary: {v3: 5}",
        ),
        (BLOCK, [canary("v2", "50")], "v2: 20 # careful", "v2: 50 # careful"),
        (BLOCK, [canary("v4", "1")], "        v3: 5\n", "        v3: 5\n        v4: 1\n"),
        (BLOCK, [canary("v3", None)], "        v3: 5\n", ""),
        (BLOCK, [stable("v3")], "stable: 'v1'", "stable: v3"),
        (BARE, [canary("v2", "20")], "stable: v1 # gets the rest\n", "stable: v1 # gets the rest\n      canary: {v2: 20}\n"),
        (BARE, [canary("v2", None)], "", ""),
        (ONE_LINE, [canary("v2", "20")], "{stable: v1, versions", "{stable: v1, canary: {v2: 20}, versions"),
    ],
)
def test_only_the_split_changes(tmp_path: Path, text: str, edits: list[Callable[[StackEdit], None]], old: str, new: str) -> None:
    """Comments, order, quotes and blank lines stay; what changes is the value itself, or one line."""
    assert old in text
    assert edited(tmp_path, text, *edits) == text.replace(old, new, 1)


DRILL = {"delay": {"percentage": 50, "fixedDelay": "3s"}, "until": "2026-11-25T14:00:00Z"}
WRITTEN = "drill: {delay: {percentage: 50, fixedDelay: 3s}, until: '2026-11-25T14:00:00Z'}"


@pytest.mark.parametrize("text", [FLOW, BLOCK, BARE, ONE_LINE])
def test_a_drill_comes_and_goes(tmp_path: Path, text: str) -> None:
    """It is one line, or one entry, and taking it out leaves the file as it was to the last character."""
    with_drill = edited(tmp_path, text, lambda edit: edit.set_drill("backend", DRILL))
    assert with_drill.replace(WRITTEN, "") != with_drill
    assert edited(tmp_path, with_drill, lambda edit: edit.remove_drill("backend")) == text
    assert edited(tmp_path, text, lambda edit: edit.remove_drill("backend")) == text


@pytest.mark.parametrize(
    ("text", "left"),
    [
        (
            HEAD
            + "    backend:\n      drill:\n        delay: {percentage: 5, fixedDelay: 1s}\n        until: x # soon\n      # the port\n      port: 80\n",
            HEAD + "    backend:\n      # the port\n      port: 80\n",
        ),
        (HEAD + "    backend: {drill: {until: x}, stable: v1}\n", HEAD + "    backend: {stable: v1}\n"),
        (HEAD + "    backend:\n      stable: v1\n      drill: {until: x}", HEAD + "    backend:\n      stable: v1\n"),
    ],
)
def test_a_drill_written_by_hand_goes_too(tmp_path: Path, text: str, left: str) -> None:
    """As a block, as the first of several in one line, or as the last line of the file; comments of other keys stay."""
    assert edited(tmp_path, text, lambda edit: edit.remove_drill("backend")) == left


def test_a_block_with_one_canary_can_be_emptied(tmp_path: Path) -> None:
    """The last canary of a block leaves an empty mapping, which is still YAML."""
    text = HEAD + "    backend:\n      canary:\n        v2: 20\n      stable: v1\n"
    assert edited(tmp_path, text, canary("v2", None)) == HEAD + "    backend:\n      canary: {}\n      stable: v1\n"


def test_somebody_elses_change_is_not_lost(tmp_path: Path) -> None:
    """A file that was changed since it was read is not overwritten."""
    path = tmp_path / "Pulumi.dev.yaml"
    path.write_text(FLOW)
    edit = StackEdit(path)
    edit.set_stable("backend", "v2")
    path.write_text(BLOCK)
    with pytest.raises(UsageError, match="changed by somebody else"):
        edit.write()
    assert path.read_text() == BLOCK


def test_json_text_is_left_to_pulumi(tmp_path: Path) -> None:
    """Services that `pulumi config set` stored as one text have no lines to edit, and the message says what to do."""
    path = tmp_path / "Pulumi.dev.yaml"
    path.write_text('config:\n  weir:services: \'{"backend": {"stable": "v1"}}\'\n')
    with pytest.raises(UsageError, match="pulumi config set --path"):
        StackEdit(path).set_stable("backend", "v2")
