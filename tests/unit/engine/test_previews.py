"""`weir diff` of twenty real previews, recorded on the lab (tests/live/recorder.py), against the texts that people
expect of them.
"""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from weir.cli.diff import MAX_CHARACTERS, command

PREVIEWS = Path(__file__).parent / "previews"
RECORDED = sorted(file.name.removesuffix(".json.gz") for file in PREVIEWS.glob("*.json.gz"))


def said(name: str, tmp_path: Path, *options: str, edit: dict[str, str] | None = None) -> str:
    """What the command prints of a recorded preview, with some of its text replaced."""
    text = gzip.decompress((PREVIEWS / f"{name}.json.gz").read_bytes()).decode()
    for old, new in (edit or {}).items():
        assert old in text
        text = text.replace(old, new)
    file = tmp_path / "preview.json"
    file.write_text(text)
    result = CliRunner().invoke(command, ["--preview", str(file), *options])
    assert result.exit_code == 0, result.output
    return result.output


def test_there_are_twenty_and_more() -> None:
    """Every kind of change, and a thousand resources at once; each has its expected text."""
    assert len(RECORDED) >= 20
    assert "a-thousand-resources" in RECORDED
    assert sorted(file.stem for file in PREVIEWS.glob("*.txt")) == RECORDED


@pytest.mark.parametrize("name", RECORDED)
def test_a_recorded_preview_is_told_as_expected(name: str, tmp_path: Path) -> None:
    """Word for word, as a terminal shows it; the same lines are in the comment and in the JSON."""
    expected = (PREVIEWS / f"{name}.txt").read_text()
    assert said(name, tmp_path) == expected
    comment = said(name, tmp_path, "--format", "markdown")
    assert len(comment) < MAX_CHARACTERS
    document = json.loads(said(name, tmp_path, "--format", "json"))
    told = [f"{service}: {line}" for service, lines in document["services"].items() for line in lines]
    assert told == [
        line for line in expected.splitlines() if line != "nothing changes" and not line.startswith("other objects: ")
    ]
    assert document["changes"] == (expected != "nothing changes\n")


def test_a_secret_is_never_shown(tmp_path: Path) -> None:
    """A value that Pulumi marks as secret stays one in every format, even where the preview has it in the clear."""
    marked = '{"4dabf18193072939515e22adb298388d": "1b47061264138c4ac30d75fd1eb44270", "plaintext": "hunter2"}'
    for form in ("text", "markdown", "json"):
        shown = said(
            "retries-and-timeout",
            tmp_path,
            "--format",
            form,
            edit={'"timeout": "10s"': f'"timeout": "10s", "rewrite": {{"uri": {marked}}}'},
        )
        assert "hunter2" not in shown
        assert "[secret]" in shown
