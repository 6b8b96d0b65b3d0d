"""Text from outside reaches no screen raw: whatever pulumi, kubectl, files and arguments say, in every command."""

from __future__ import annotations

import contextlib
import io
import json
import os
import subprocess
import sys
import unicodedata
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from rich.live import Live
from rich.panel import Panel
from rich.table import Table
from ruamel.yaml import YAML

from tests.unit.cli.test_diff import backend, preview
from tests.unit.engine.test_history import update
from tests.unit.model.test_rules import service
from weir import cli
from weir.cli import COMMANDS
from weir.console import Console, Text
from weir.visible import Screen, in_one_line, visible
from weir.yaml_writer import dump

WEIR = Path(sys.executable).with_name("weir")
# A clear screen, a title, C1's form of the same, a bidi override, a zero width space, a carriage return.
HOSTILE = "\x1b[2J\x1b]0;owned\x07\x9b31m\u202etxt\u200b\rnothing changes"
_UNSEEN = {"Cc", "Cf", "Cs", "Zl", "Zp"}


def raw(text: str) -> set[str]:
    """The characters that a screen would act on or not show; line breaks and tabs are none."""
    return {character for character in text if character not in "\n\t" and unicodedata.category(character) in _UNSEEN}


def test_every_character_that_is_unseen_is_escaped_and_no_other() -> None:
    """By Unicode's own categories, all of its 1,114,112 code points."""
    every = [chr(number) for number in range(sys.maxunicode + 1)]
    unseen = [character for character in every if raw(character)]
    assert not raw(visible("".join(unseen)))
    seen = "".join(
        character
        for character in every
        if character in "\n\t" or unicodedata.category(character) not in ("Cn", *_UNSEEN)
    )
    assert visible(seen) == seen
    assert in_one_line("a\n\tb\x7f\U000e0041") == "a\\n\\tb\\u007f\\udb40\\udc41"


UNSEEN = st.characters(categories=("Cc", "Cf", "Zl", "Zp"))
TEXT = st.text(st.one_of(UNSEEN, st.characters(), st.sampled_from("[]/:\\\"'")), max_size=40)


@settings(deadline=None)
@given(
    st.recursive(
        TEXT, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3), max_leaves=8
    )
)
def test_json_stays_the_same_json(value: Any) -> None:
    """What programs read is what was written."""
    assert json.loads(visible(json.dumps(value, ensure_ascii=False))) == value


@settings(deadline=None)
@given(st.dictionaries(TEXT, TEXT, min_size=1, max_size=4))
@example({"a": HOSTILE, HOSTILE: "b", "c": "\U000e0041\u2067"})
def test_yaml_stays_the_same_yaml(value: dict[str, str]) -> None:
    """`weir render | kubectl apply` applies what the config says: nothing is left to be made visible."""
    if any(unicodedata.category(character) in ("Cs", "Cn") for text in (*value, *value.values()) for character in text):
        return
    written = dump([value])
    assert visible(written) == written
    assert YAML(typ="safe").load(written) == value


@settings(deadline=None)
@given(TEXT)
@example(HOSTILE)
@example("[/] [red]x :smile:")
def test_a_console_shows_no_text_raw(text: str) -> None:
    """In a line, a styled text, a table and its title, and a panel, on a terminal without colours; nothing of it is
    markup.
    """
    with contextlib.redirect_stdout(io.StringIO()) as stream:
        console = Console()
        console._color_system = None
        table = Table(text, title=text)
        table.add_row(text)
        table.add_row(Text("\n").join([Text(text, style="red"), Text("second", style="dim")]))
        for each in (text, Text(text, style="bold"), table, Panel(text)):
            console.print(each)
    assert not raw(stream.getvalue())


def test_a_live_display_draws_with_what_is_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """It puts a stream of its own in the place of stdout: the sequences of its own reach the terminal all the same,
    and nobody else's.
    """
    terminal = io.StringIO()
    monkeypatch.setattr(terminal, "isatty", lambda: True, raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setattr(sys, "stdout", Screen(terminal))
    with Live(Text("bold\x1b[31m", style="bold"), console=Console(), refresh_per_second=1):
        print("beside\x1b[31m")
    drawn = terminal.getvalue()
    assert "\x1b[1mbold\\u001b[31m" in drawn
    assert "beside" in drawn
    assert "\x1b[31m" not in drawn
    assert "\\u001b[1m" not in drawn


def test_a_console_keeps_all_of_a_long_escape() -> None:
    """An escape is longer than what it stands for: the line breaks, and no part of it is cut off."""
    with contextlib.redirect_stdout(io.StringIO()) as stream:
        table = Table(box=None)
        table.add_column("what", ratio=1)
        table.add_row(Text("\n").join([Text("\u202eword " * 40 + "end")]))
        console = Console()
        console.width = 60
        console.print(table)
    shown = "".join(stream.getvalue().split())
    assert shown.count("\\u202e") == 40
    assert shown.endswith("end")


def run(*arguments: str, environment: Mapping[str, str], cwd: Path) -> subprocess.CompletedProcess[str]:
    """The command as a process. Bytes that are no UTF-8 come back as lone surrogates, which `raw` finds."""
    return subprocess.run(
        [str(WEIR), *arguments],
        cwd=cwd,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project whose pulumi and kubectl say hostile things, on both streams, and fail; its history and one preview
    are hostile too.
    """
    directory = tmp_path_factory.mktemp("hostile")
    (directory / "said").write_text(f"error: {HOSTILE}\n")
    history = [
        update(1, {"backend": service()}, f"{HOSTILE}\nreason: {HOSTILE}\nby: {HOSTILE}", **{"git.author": HOSTILE})
    ]
    (directory / "history.json").write_text(json.dumps(history))
    for name in ("pulumi", "kubectl"):
        tool = directory / name
        tool.write_text(
            f'#!/bin/sh\ncase "$*" in *"stack history"*) cat {directory}/history.json; exit 0;; version*) echo '
            "v3.259.0; exit 0;; esac\n"
            f"cat {directory}/said; cat {directory}/said >&2; exit 7\n"
        )
        tool.chmod(0o755)
    (directory / "Pulumi.yaml").write_text("name: weir\nruntime: python\n")
    sound = (
        "config:\n  weir:namespace: demo\n  weir:clients: {web: {image: 'curl:1'}}\n  weir:services:\n    backend:"
        " {image: 'app:1', port: 80, versions: {v1: {env: {A: b}}, v2: {}}, stable: v1, canary: {v2: 5}}\n"
    )
    (directory / "Pulumi.dev.yaml").write_text(sound)
    (directory / "Pulumi.env.yaml").write_text(sound.replace("A: b", f"A: {json.dumps(HOSTILE)}"))
    spoilt = sound.replace("stable: v1", f"stable: {json.dumps(HOSTILE)}, {json.dumps(HOSTILE)}: 1")
    (directory / "Pulumi.bad.yaml").write_text(spoilt)
    routes = [{"name": "b", "match": [{"uri": {"prefix": "/HOSTILE"}}], "stable": "v1"}]
    document = json.dumps(preview(backend(), backend(routes=routes))).replace("HOSTILE", json.dumps(HOSTILE)[1:-1])
    (directory / "preview.json").write_text(document)
    (directory / "looks.jsonl").write_text(json.dumps({HOSTILE: 1}))
    return directory


CALLS: dict[str, list[list[str]]] = {
    "lab": [["lab", HOSTILE]],
    "env": [["env", HOSTILE]],
    "quickstart": [["quickstart", HOSTILE]],
    "check": [["check", "--stack", "bad"], ["check", "--stack", "bad", "--json"], ["check", "--stack", "env"]],
    "render": [["render", "--stack", "env"], ["render", "--stack", "bad"]],
    "schema": [["schema", "--format", HOSTILE]],
    "status": [["status", "--window", "0"], ["status", HOSTILE], ["status", "--stack", "bad"]],
    "set": [
        ["set", "backend", f"{HOSTILE}=5"],
        ["set", "backend", "v2=6", "--no-apply"],
        ["set", "backend", "v2=6", "--stack", "bad"],
    ],
    "promote": [["promote", "backend", HOSTILE], ["promote", "backend", "v2", "--no-apply"]],
    "abort": [["abort", HOSTILE], ["abort", "backend", "--no-apply"]],
    "drill": [["drill", HOSTILE], ["drill", "backend", "--delay", "1s", "--for", HOSTILE]],
    "rollout": [
        ["rollout", HOSTILE, "v2"],
        ["rollout", "backend", HOSTILE],
        ["rollout", "backend"],
        ["rollout", "--once"],
        ["rollout", "backend", "v2", "--plan"],
        ["rollout", "backend=v2", HOSTILE],
    ],
    "rollback": [
        ["rollback", HOSTILE],
        ["rollback", "backend"],
        ["rollback", "--to", HOSTILE],
        ["rollback", "--stack", "bad"],
    ],
    "history": [["history"], ["history", "--all"], ["history", "--json"]],
    "diff": [
        ["diff"],
        *(["diff", "--preview", "preview.json", "--format", form] for form in ("text", "markdown", "json")),
    ],
    "adopt": [["adopt", HOSTILE], ["adopt", "backend"]],
    "rbac": [["rbac", "--stack", HOSTILE], ["rbac", "--stack", "bad"]],
    "verify": [["verify"], ["verify", HOSTILE]],
    "analyze": [["analyze", HOSTILE], ["analyze", "looks.jsonl"], ["analyze", "looks.jsonl", "--json"]],
}
"""How each command comes to say something that is not its own."""


def test_every_command_is_walked() -> None:
    """One that is new needs its calls here."""
    assert CALLS.keys() == COMMANDS.keys()


@pytest.mark.parametrize("name", CALLS)
def test_no_command_shows_text_from_outside_raw(place: Path, name: str) -> None:
    """On neither stream, whatever it ends with; and where the text is told at all, it is told visibly."""
    environment = {**os.environ, "WEIR_TOOL_PULUMI": str(place / "pulumi"), "WEIR_TOOL_KUBECTL": str(place / "kubectl")}
    environment |= {"PATH": f"{place}:{os.environ['PATH']}", "PYTHONIOENCODING": "utf-8:surrogateescape"}
    told = ""
    for call in CALLS[name]:
        done = run(*call, environment=environment, cwd=place)
        assert not raw(done.stdout + done.stderr), (call, done.stdout + done.stderr)
        assert "Traceback" not in done.stderr, (call, done.stderr)
        told += done.stdout + done.stderr
    assert "\\u202e" in told, told


@settings(max_examples=15, deadline=None)
@given(TEXT)
def test_a_commit_title_is_shown_visibly(place: Path, title: str) -> None:
    """Whatever a commit is called, the table of `weir history` has no raw character of it."""
    (place / "history.json").write_text(json.dumps([update(1, {"backend": service()}, title)]))
    with pytest.MonkeyPatch.context() as patch, contextlib.redirect_stdout(io.StringIO()) as stream:
        patch.setenv("WEIR_TOOL_PULUMI", str(place / "pulumi"))
        patch.chdir(place)
        patch.setattr(sys, "argv", ["weir", "history"])
        with pytest.raises(SystemExit):
            cli.main()
    assert not raw(stream.getvalue())
    assert "new service: v1 100 %" in stream.getvalue()
