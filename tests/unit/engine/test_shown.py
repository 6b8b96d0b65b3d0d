"""What pulumi writes during an update: shown as it comes and visible, and no end of weir's, whichever, is one of
pulumi's.
"""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from tests.live.harness import until
from tests.unit.cli.test_visible import HOSTILE, raw
from weir.engine.errors import EngineError
from weir.engine.stack import Stack

UP = (
    "import sys; from pathlib import Path; from weir.engine.stack import Stack; Stack('dev', "
    "Path(sys.argv[1])).up('why')"
)
MUCH = 1024 * 1024
"""Bytes: more than any buffer between two processes holds."""


def project(directory: Path, pulumi: str, patch: pytest.MonkeyPatch) -> Stack:
    """A stack whose pulumi is this shell script."""
    (directory / "Pulumi.yaml").write_text("name: weir\nruntime: python\n")
    tool = directory / "pulumi"
    tool.write_text(f"#!/bin/sh\n{pulumi}\n")
    tool.chmod(0o755)
    patch.setenv("WEIR_TOOL_PULUMI", str(tool))
    return Stack("dev", directory)


@pytest.mark.parametrize("message", ["why", ""])
def test_nothing_comes_raw(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], message: str
) -> None:
    """On neither of pulumi's streams, not as bytes that are no UTF-8 either; all is told, in its order, and lines and
    letters stay.
    """
    (tmp_path / "said").write_bytes(f"é\tà {HOSTILE}\n".encode() + b"\x9b2J \xff\n")
    target = project(tmp_path, "cat said; cat said >&2; printf 'the end'; exit 3", monkeypatch)
    with pytest.raises(EngineError, match="exit code 3"):
        target.up(message)
    said = "".join(capfd.readouterr())
    assert not raw(said)
    line = "é\tà \\u001b[2J\\u001b]0;owned\\u0007\\u009b31m\\u202etxt\\u200b\\rnothing changes\n\\udc9b2J \\udcff\n"
    assert said == f"{line}{line}the end"


def test_a_character_may_come_in_parts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """What is read at once ends somewhere, be it within one: it is one all the same, and not two that are nothing."""
    (tmp_path / "said").write_text("a" + MUCH // 16 * "é" + "\u202e")
    project(tmp_path, "cat said", monkeypatch).up("why")
    assert capfd.readouterr().err == "a" + MUCH // 16 * "é" + "\\u202e"


def test_it_comes_as_it_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """Whoever waits sees how far pulumi is, while it is."""
    target = project(
        tmp_path, "echo one; echo two >&2; until [ -e seen ]; do sleep 0.02; done; echo three", monkeypatch
    )
    update = threading.Thread(target=target.up, args=("why",))
    update.start()
    said = ""

    def seen() -> bool:
        nonlocal said
        said += capfd.readouterr().err
        return said == "one\ntwo\n"

    try:
        until(seen, 20, "the first two lines are shown")
    finally:
        (tmp_path / "seen").touch()
        update.join()
    assert capfd.readouterr().err == "three\n"


def test_pulumi_outlives_what_shows_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """weir is killed in the middle of an update: pulumi, which ends in good order then, has nobody to write to, and
    neither dies of it nor waits.
    """
    project(
        tmp_path,
        (
            f"trap : INT\necho $$ >began\nuntil [ -e killed ]; do sleep 0.02; done\nhead -c {MUCH} /dev/zero | tr "
            "'\\0' "
            "x\necho on\n: >ended"
        ),
        monkeypatch,
    )
    with (tmp_path / "said").open("wb") as said:
        weir = subprocess.Popen([sys.executable, "-c", UP, str(tmp_path)], stdout=said, stderr=said)
    until((tmp_path / "began").exists, 20, "the update is under way")
    weir.kill()
    weir.wait()
    (tmp_path / "killed").touch()
    until((tmp_path / "ended").exists, 20, "pulumi has ended in good order")


def test_an_update_outlives_whoever_reads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`weir set … 2>&1 | head -1`: nobody reads any more, and the update goes to its end."""
    project(tmp_path, f"head -c {MUCH} /dev/zero | tr '\\0' x; echo on; : >ended", monkeypatch)
    read, write = os.pipe()
    os.close(read)
    try:
        assert (
            subprocess.run(
                [sys.executable, "-c", UP, str(tmp_path)], stdout=write, stderr=write, timeout=60, check=False
            ).returncode
            == 0
        )
    finally:
        os.close(write)
    assert (tmp_path / "ended").exists()
