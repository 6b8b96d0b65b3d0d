"""What a command finds when one before it was killed: the entry of it, the stack file, and a pulumi that writes down
what it was asked.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from weir.cli.context import Context
from weir.cli.recovery import left_over, looked, over
from weir.engine.errors import EngineError
from weir.engine.journal import Entry, Phase, operation, path_of
from weir.model.values.instants import Instant

PULUMI = f"""#!{sys.executable} -IS
import json, sys
from pathlib import Path
with (Path(__file__).parent / "calls.jsonl").open("a") as calls:
    calls.write(json.dumps(sys.argv[1:]) + "\\n")
print("{{}}")
"""
STACK = (
    "config:\n  weir:namespace: demo\n  weir:services:\n    backend:\n      versions: {v1: {}, v2: {}}\n      "
    "stable: v1\n"
)


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project with one stack, and a pulumi that always succeeds."""
    (tmp_path / "Pulumi.yaml").write_text("name: weir\nruntime: python\n")
    (tmp_path / "Pulumi.dev.yaml").write_text(STACK)
    pulumi = tmp_path / "pulumi"
    pulumi.write_text(PULUMI)
    pulumi.chmod(0o755)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("WEIR_TOOL_PULUMI", str(pulumi))
    monkeypatch.delenv("PULUMI_BACKEND_URL", raising=False)
    return tmp_path


def killed(project: Path, entry: Entry, service: str = "") -> None:
    """Leave the entry as a process that was killed does: written, and locked by nobody."""
    path = path_of(project, "dev", service)
    with operation(path, entry):
        text = path.read_text()
    path.write_text(text)


def calls(project: Path) -> list[str]:
    """The commands that pulumi was asked for."""
    written = project / "calls.jsonl"
    return [json.loads(line)[0] for line in written.read_text().splitlines()] if written.exists() else []


def everything(project: Path) -> dict[str, str]:
    """Every file of the project."""
    return {str(path): path.read_text() for path in project.rglob("*") if path.is_file()}


def drilled(until: datetime) -> str:
    return STACK + f"      drill: {{delay: {{percentage: 50, fixedDelay: 3s}}, until: '{Instant.at(until)}'}}\n"


@pytest.mark.parametrize("repair", [True, False])
def test_nothing_left_nothing_done(project: Path, repair: bool, capfd: pytest.CaptureFixture[str]) -> None:
    """Where all ended well, nothing is said and nobody is asked."""
    left_over(Context("dev"), repair=repair)
    looked(Context("dev"))
    assert capfd.readouterr() == ("", "")
    assert calls(project) == []


@pytest.mark.parametrize("text", [STACK, STACK.replace("v1", "v0")], ids=["as it left it", "edited since"])
@pytest.mark.parametrize("phase", ["editing", "applying"])
def test_a_look_changes_nothing(project: Path, phase: Phase, text: str, capfd: pytest.CaptureFixture[str]) -> None:
    """Whatever was killed, and whatever drill is over: no file changes, pulumi is not asked; what is left and what to
    type is said.
    """
    text += drilled(datetime.now(UTC) - timedelta(minutes=12, seconds=5))[len(STACK) :]
    (project / "Pulumi.dev.yaml").write_text(text)
    killed(
        project, Entry("weir set backend v2=50", phase, before="old", after=text if text.startswith(STACK) else STACK)
    )
    killed(project, Entry("weir drill backend", "drilling"), "backend")
    before = everything(project)
    looked(Context("dev"))
    said = capfd.readouterr().err
    assert everything(project) == before
    assert (
        "the drill of backend expired 12 min ago and was not removed; to remove it: weir drill backend --clean "
        "--stack dev"
    ) in said
    told = re.search(
        (
            r"`weir set backend v2=50`, started \d+ s ago, was killed during its update; Pulumi.dev.yaml (.*), and the "
            r"cluster may not"
        ),
        said,
    )
    assert bool(told) is (phase == "applying")
    assert told is None or told[1] == ("has its change" if text.startswith(STACK) else "has been edited since")


def test_a_change_that_was_killed_is_forgotten_and_not_carried_through(
    project: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """The next release compares with the cluster, and shows what it does: before its question nothing is applied, no
    file is written.
    """
    killed(project, Entry("weir set backend v2=50", "applying", before="old", after=STACK))
    left_over(Context("dev"), repair=True)
    assert "was killed during its update; Pulumi.dev.yaml has its change" in capfd.readouterr().err
    assert (project / "Pulumi.dev.yaml").read_text() == STACK
    assert calls(project) == ["stack"]
    assert not path_of(project, "dev").exists()


def test_which_drills_are_over(project: Path) -> None:
    """One whose end has passed, one whose process was killed; not one whose process lives, nor one of which nobody
    knows a process.
    """
    context = saying(project, drilled(datetime.now(UTC) + timedelta(hours=1)))
    assert list(over(context)) == []
    with operation(path_of(project, "dev", "backend"), Entry("weir drill backend", "drilling")):
        assert list(over(context)) == []
    killed(project, Entry("weir drill backend", "drilling"), "backend")
    assert list(over(context)) == [("backend", "was not removed, because its process was killed")]
    context = saying(project, drilled(datetime.now(UTC) - timedelta(hours=3)))
    assert list(over(context)) == [("backend", "expired 3 h ago and was not removed")]


def saying(project: Path, text: str) -> Context:
    (project / "Pulumi.dev.yaml").write_text(text)
    return Context("dev")


@pytest.mark.parametrize("holder", ["alive", "zombie", "gone"])
def test_the_lock_of_an_update_that_is_gone_is_removed(
    project: Path, monkeypatch: pytest.MonkeyPatch, holder: str
) -> None:
    """A file backend keeps the lock of a pulumi that was killed, whether or not anybody has asked for its end yet; one
    which still runs is waited for.
    """
    state = project / "state"
    lock = state / ".pulumi/locks/organization/weir/dev/1.json"
    lock.parent.mkdir(parents=True)
    killed(project, Entry("weir set backend v2=50", "applying", before="old", after=STACK))
    monkeypatch.setenv("PULUMI_BACKEND_URL", f"file://{state}")
    process = subprocess.Popen(["sleep", "60"])
    try:
        if holder != "alive":
            process.kill()
            # Ended, and not asked for: that is what a zombie is.
            os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        if holder == "gone":
            process.wait()
        lock.write_text(json.dumps({"pid": process.pid, "hostname": os.uname().nodename}))
        if holder == "alive":
            with pytest.raises(
                EngineError, match=f"an update of stack dev still runs \\(process {process.pid}\\); wait for its end"
            ):
                left_over(Context("dev"), repair=True)
            assert path_of(project, "dev").exists()
        else:
            left_over(Context("dev"), repair=True)
            assert calls(project) == ["stack", "cancel"]
    finally:
        process.kill()
        process.wait()
