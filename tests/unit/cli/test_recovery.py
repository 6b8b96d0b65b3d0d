"""What a command finds when one before it was killed: the entry of it, the stack file, and a pulumi that writes down what it was asked."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from weir.cli.recovery import recovered
from weir.engine.journal import Entry, operation, path_of
from weir.engine.stack import EngineError
from weir.model.instants import Instant

PULUMI = f"""#!{sys.executable} -IS
import json, sys
from pathlib import Path
with (Path(__file__).parent / "calls.jsonl").open("a") as calls:
    calls.write(json.dumps(sys.argv[1:]) + "\\n")
print("{{}}")
"""
STACK = "config:\n  weir:namespace: demo\n  weir:services:\n    backend:\n      versions: {v1: {}, v2: {}}\n      stable: v1\n"


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


def ups(project: Path) -> list[str]:
    """The messages of the updates that pulumi was asked for."""
    calls = project / "calls.jsonl"
    lines = calls.read_text().splitlines() if calls.exists() else []
    return [
        arguments[arguments.index("--message") + 1].rpartition("\nby: ")[0] for line in lines if (arguments := json.loads(line))[0] == "up"
    ]


def drilled(until: datetime) -> str:
    return STACK + f"      drill: {{delay: {{percentage: 50, fixedDelay: 3s}}, until: '{Instant.at(until)}'}}\n"


@pytest.mark.parametrize("repair", [True, False])
def test_nothing_left_nothing_done(project: Path, repair: bool, capfd: pytest.CaptureFixture[str]) -> None:
    """Where all ended well, nothing is said and nobody is asked."""
    recovered("dev", repair=repair)
    assert capfd.readouterr() == ("", "")
    assert ups(project) == []


def test_a_change_that_was_killed_before_it_applied_is_taken_back(project: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """The file is as before, as Ctrl-C would have left it; a command that only looks says so and leaves it."""
    after = STACK.replace("stable: v1", "stable: v2")
    (project / "Pulumi.dev.yaml").write_text(after)
    killed(project, Entry("weir promote backend v2", before=STACK, after=after))
    recovered("dev", repair=False)
    assert "was killed before it applied anything: Pulumi.dev.yaml has its change, the cluster has not" in capfd.readouterr().err
    assert (project / "Pulumi.dev.yaml").read_text() == after
    recovered("dev", repair=True)
    assert re.search(r"`weir promote backend v2`, begun \d+ s ago, was killed before it applied anything", capfd.readouterr().err)
    assert (project / "Pulumi.dev.yaml").read_text() == STACK
    assert ups(project) == []
    recovered("dev", repair=True)


def test_somebody_elses_edit_since_is_kept(project: Path) -> None:
    """A file that is neither as before nor as after is somebody's own, and stays."""
    killed(project, Entry("weir set backend v2=5", before="a", after="b"))
    recovered("dev", repair=True)
    assert (project / "Pulumi.dev.yaml").read_text() == STACK
    assert not path_of(project, "dev").exists()


def test_a_change_that_was_killed_while_it_applied_is_carried_through(project: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """One update goes on from there; a command that only looks says what to type."""
    killed(project, Entry("weir set backend v2=50", "applying", before="old", after=STACK))
    recovered("dev", repair=False)
    assert "was killed while it applied: the cluster may not have all of Pulumi.dev.yaml; pulumi up goes on" in capfd.readouterr().err
    assert ups(project) == []
    recovered("dev", repair=True)
    assert "was killed while it applied its change: going on from there" in capfd.readouterr().err
    assert ups(project) == ["weir set backend v2=50\nreason: carried through after it was killed"]
    assert not path_of(project, "dev").exists()


@pytest.mark.parametrize("repair", [True, False])
def test_a_drill_that_is_over_is_removed_by_any_command(project: Path, repair: bool, capfd: pytest.CaptureFixture[str]) -> None:
    """Whoever wrote it: out of the file, and out of the cluster by an update."""
    (project / "Pulumi.dev.yaml").write_text(drilled(datetime.now(UTC) - timedelta(minutes=12, seconds=5)))
    recovered("dev", repair=repair)
    assert "the drill of backend ended 12 min ago and was left standing: removing it" in capfd.readouterr().err
    assert (project / "Pulumi.dev.yaml").read_text() == STACK
    assert len(ups(project)) == 1


def test_a_drill_whose_process_was_killed_is_removed_at_once(project: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Its end need not have come; one whose process lives is left alone, and so is one of which nobody knows a process."""
    text = drilled(datetime.now(UTC) + timedelta(hours=1))
    (project / "Pulumi.dev.yaml").write_text(text)
    recovered("dev", repair=True)
    with operation(path_of(project, "dev", "backend"), Entry("weir drill backend", "drilling")):
        recovered("dev", repair=True)
    assert (project / "Pulumi.dev.yaml").read_text() == text
    killed(project, Entry("weir drill backend", "drilling"), "backend")
    recovered("dev", repair=True)
    assert "the drill of backend lost its process, which was killed: removing it" in capfd.readouterr().err
    assert (project / "Pulumi.dev.yaml").read_text() == STACK
    assert not path_of(project, "dev", "backend").exists()


@pytest.mark.parametrize(("phase", "in_file"), [("editing", True), ("applying", True), ("editing", False)])
def test_a_drill_that_was_killed_as_it_began(project: Path, phase: str, in_file: bool) -> None:
    """Whether or not it had been applied: neither the file nor the cluster has it in the end, and no entry is left."""
    text = drilled(datetime.now(UTC) + timedelta(hours=1))
    (project / "Pulumi.dev.yaml").write_text(text if in_file else STACK)
    killed(project, Entry("weir drill backend", phase, before=STACK, after=text))  # type: ignore[arg-type]
    killed(project, Entry("weir drill backend", "drilling"), "backend")
    recovered("dev", repair=True)
    assert (project / "Pulumi.dev.yaml").read_text() == STACK
    assert bool(ups(project)) is (phase == "applying")
    assert list((project / ".weir" / "operations").iterdir()) == []


@pytest.mark.parametrize("holder", ["alive", "zombie", "gone"])
def test_the_lock_of_an_update_that_is_gone_is_removed(project: Path, monkeypatch: pytest.MonkeyPatch, holder: str) -> None:
    """A file backend keeps the lock of a pulumi that was killed, whether or not anybody has asked for its end yet; one which still runs is waited for."""
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
            with pytest.raises(EngineError, match=f"an update of stack dev still runs \\(process {process.pid}\\); wait for its end"):
                recovered("dev", repair=True)
            assert path_of(project, "dev").exists()
        else:
            recovered("dev", repair=True)
            calls = [json.loads(line)[0] for line in (project / "calls.jsonl").read_text().splitlines()]
            assert calls == ["stack", "cancel", "up"]
    finally:
        process.kill()
        process.wait()
