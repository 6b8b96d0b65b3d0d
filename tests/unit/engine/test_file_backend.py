"""What an update that was killed leaves in a file backend, and what is said of it."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from weir.engine.file_backend import unreadable
from weir.engine.said import words


@pytest.mark.parametrize("options", ["", "?no_tmp_dir=true"])
def test_an_empty_note_beside_a_state_is_named_with_its_cure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, options: str
) -> None:
    """Pulumi says `EOF` of it, and nothing more; the state itself is whole."""
    monkeypatch.setenv("PULUMI_BACKEND_URL", f"file://{tmp_path}{options}")
    stacks = tmp_path / ".pulumi" / "stacks" / "weir"
    stacks.mkdir(parents=True)
    (stacks / "dev.json.attrs").write_text("{}")
    failed = subprocess.CompletedProcess([], 255, "", "error: failed to load checkpoint: EOF\n")
    assert unreadable() == []
    assert words(failed) == "failed to load checkpoint: EOF"
    (stacks / "prod.json.attrs").touch()
    assert unreadable() == [stacks / "prod.json.attrs"]
    assert words(failed).endswith(f"which does not need it: rm {stacks}/prod.json.attrs")
    assert words(subprocess.CompletedProcess([], 255, "", "error: no such stack\n")) == "no such stack"
