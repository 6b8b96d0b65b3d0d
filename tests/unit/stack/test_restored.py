"""A service as it was: secrets stay, what may have been one is one, and the file gets there by few edits."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, given, settings

from tests.unit.model.strategies import configs
from weir.errors import UsageError
from weir.secret import Secret
from weir.stack import yaml_reader
from weir.stack.edit import StackEdit
from weir.stack.restored import restored, same
from weir.yaml_writer import dump

CIPHER = {"secure": "v1:now:cipher"}
THEN = {
    "image": "app:1",
    "env": {"TOKEN": "hunter1", "LOG": "info", "SAME": "a", "GONE": "hunter0", "PORT": 8080, "ID": {"valueFrom": {}}},
    "versions": {"v1": None, "v2": {"env": {"KEY": "hunter3", "OTHER": {"value": "hunter4"}}}},
    "drill": {"until": "2026-11-25T14:00:00Z"},
}
NOW = {
    "image": "app:2",
    "env": {"TOKEN": CIPHER, "LOG": "debug", "SAME": "a", "PORT": 80, "NEW": CIPHER},
    "versions": {"v1": {}, "v2": {"env": {"KEY": {"value": CIPHER}}}},
}


def test_a_secret_of_now_stays_and_what_may_have_been_one_is_one() -> None:
    """Nobody can tell which of the texts were: all are, but those that the file has in the clear in the same place."""
    found = restored(THEN, NOW, hiding=True)
    assert found.tree == {
        "image": "app:1",
        "env": {
            "TOKEN": CIPHER,
            "LOG": Secret("info"),
            "SAME": "a",
            "GONE": Secret("hunter0"),
            "PORT": 8080,
            "ID": {"valueFrom": {}},
        },
        "versions": {"v1": None, "v2": {"env": {"KEY": {"value": CIPHER}, "OTHER": Secret("hunter4")}}},
    }
    assert (found.kept, found.hidden) == (("TOKEN", "KEY of v2"), ("LOG", "GONE", "OTHER of v2"))
    assert "hunter" not in repr(found)


def test_where_there_was_no_secret_all_stays_in_the_clear() -> None:
    """But what is a secret by now."""
    found = restored(THEN, NOW, hiding=False)
    assert (found.tree["env"]["LOG"], found.tree["env"]["GONE"]) == ("info", "hunter0")
    assert (found.kept, found.hidden) == (("TOKEN", "KEY of v2"), ())


def test_a_drill_is_no_config() -> None:
    """That of then stays away, that of now stays."""
    drill = {"until": "2026-11-28T14:00:00Z"}
    assert restored(THEN, {**NOW, "drill": drill}, hiding=False).tree["drill"] == drill
    assert "drill" not in restored(THEN, NOW, hiding=False).tree


def test_what_was_given_is_not_changed() -> None:
    """Neither the history nor the file's tree."""
    then, now = repr(THEN), repr(NOW)
    restored(THEN, NOW, hiding=True)
    assert (repr(THEN), repr(NOW)) == (then, now)


FILE = """\
# ours
config:
  weir:namespace: demo # here
  weir:services:
    backend: # the shop's
      image: app:2 # since Monday
      env:
        # for the database
        TOKEN: {secure: "v1:now:cipher"}
        LOG: debug
      versions: {v1: {}, v2: {image: "app:3"}, v3: {}}
      stable: v2 # gets what is left
      canary: {v3: 5}
      timeout: 3s
    other: {versions: {v1: {}}, stable: v1}
"""
RESTORED = """\
# ours
config:
  weir:namespace: demo # here
  weir:services:
    backend: # the shop's
      image: app:1 # since Monday
      env:
        # for the database
        TOKEN: {secure: "v1:now:cipher"}
        LOG: {secure: v1:other}
      versions: {v1: {}, v2: {}}
      stable: v1 # gets what is left
      retries: {attempts: 3}
      canary: {v2: 20}
    other: {versions: {v1: {}}, stable: v1}
"""


def edited(directory: Path, text: str, tree: dict[str, Any]) -> str:
    """The file with the service so."""
    path = directory / "Pulumi.dev.yaml"
    path.write_text(text)
    edit = StackEdit(path)
    edit.restore("backend", tree)
    return edit.text


def test_a_service_is_restored_by_few_edits(tmp_path: Path) -> None:
    """Comments stay, and what is the same stays as it is written."""
    tree = {
        "canary": {"v2": 20},
        "env": {"LOG": {"secure": "v1:other"}, "TOKEN": CIPHER},
        "image": "app:1",
        "retries": {"attempts": 3},
        "stable": "v1",
        "versions": {"v1": {}, "v2": {}},
    }
    assert edited(tmp_path, FILE, tree) == RESTORED
    # What is there already is not written again, whatever the order of its keys.
    assert edited(tmp_path, RESTORED, {**tree, "canary": {"v2": 20.0}}) == RESTORED


def test_a_service_whose_text_others_share_is_refused(tmp_path: Path) -> None:
    """With what to write by hand."""
    text = FILE.replace("backend: # the shop's", "backend: &all").replace("{versions: {v1: {}}, stable: v1}", "*all")
    with pytest.raises(UsageError, match=r"an anchor .* shares its text"):
        edited(tmp_path, text, {"image": "app:1"})


@settings(max_examples=25, suppress_health_check=list(HealthCheck), deadline=None)
@given(configs(least=1, most=1), configs(least=1, most=1))
def test_any_service_becomes_any_other(tmp_path_factory: pytest.TempPathFactory, one: Any, other: Any) -> None:
    """Read again, the file has it, and all else as it was."""
    [now], [then] = one["services"].values(), other["services"].values()
    assume(not same(now, then))
    text = dump([{"config": {"weir:namespace": "demo", "weir:services": {"before": {}, "backend": now, "after": {}}}}])
    found = yaml_reader.load(edited(tmp_path_factory.getbasetemp(), text, then))["config"]["weir:services"]
    assert list(found) == ["before", "backend", "after"]
    assert (found["before"], found["after"]) == ({}, {})
    assert same(found["backend"], then)
