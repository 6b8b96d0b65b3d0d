"""What is written down before a change begins, and what is left of it when the process is killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from threading import Timer

import pytest

from weir.engine.journal import (
    BusyError,
    Entry,
    drills,
    forget,
    held,
    left_behind,
    operation,
    path_of,
    wait_for_other,
)

_HOLD = """
import sys, time
from pathlib import Path
from weir.engine.journal import Entry, operation
with operation(Path(sys.argv[1]), Entry("weir set backend v2=50", before="a", after="b")) as entry:
    entry.note("applying")
    print("held", flush=True)
    time.sleep(60)
"""


def holder(path: Path) -> subprocess.Popen[str]:
    """A process that holds the entry, until it is killed."""
    process = subprocess.Popen([sys.executable, "-c", _HOLD, str(path)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    return process


def test_what_ends_leaves_nothing(tmp_path: Path) -> None:
    """However the block ends, with or without an error, there is no entry any more."""
    path = path_of(tmp_path, "organization/weir/dev")
    assert path.name == "dev.json"
    with operation(path, Entry("weir set")):
        assert path.exists()
    with pytest.raises(KeyboardInterrupt), operation(path, Entry("weir set")):
        raise KeyboardInterrupt
    assert not path.exists()
    assert left_behind(path) is None


def test_one_change_at_a_time_and_what_a_killed_one_leaves(tmp_path: Path) -> None:
    """While a process holds the entry no other can; once it is killed, the entry tells how far it got."""
    path = path_of(tmp_path, "dev")
    process = holder(path)
    try:
        assert left_behind(path) is None
        found = held(path)
        assert found is not None
        assert (found.command, found.pid, found.phase) == ("weir set backend v2=50", process.pid, "applying")
        with pytest.raises(
            BusyError, match=rf"weir set backend v2=50 \(process {process.pid}, since .*end it with Ctrl-C there"
        ):
            operation(path, Entry("weir abort")).__enter__()
        assert held(path) is not None
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
        assert process.stdout is not None
        process.stdout.close()
    left = left_behind(path)
    assert left is not None
    assert (left.before, left.after, left.phase) == ("a", "b", "applying")
    assert held(path) is None
    forget(path)
    assert left_behind(path) is None


def test_a_look_holds_nobody_off(tmp_path: Path) -> None:
    """Somebody who only looks has the lock for a moment: whoever comes to change something waits for that."""
    path = path_of(tmp_path, "dev")
    path.parent.mkdir(parents=True)
    path.write_text("")
    reader = subprocess.Popen(
        [
            sys.executable,
            "-c",
            (
                "import fcntl, sys, time; f = open(sys.argv[1]); fcntl.flock(f, fcntl.LOCK_EX); print(1, flush=True); "
                "time.sleep(0.3)"
            ),
            str(path),
        ],
        stdout=subprocess.PIPE,
    )
    assert reader.stdout is not None
    reader.stdout.readline()
    start = time.monotonic()
    with operation(path, Entry("weir set")):
        assert time.monotonic() - start < 10
    reader.wait()
    reader.stdout.close()


def test_an_entry_that_was_cut_off_is_none(tmp_path: Path) -> None:
    """Half an entry was written before anything was changed, so there is nothing to set right."""
    path = path_of(tmp_path, "dev")
    path.parent.mkdir(parents=True)
    path.write_text('{"command": "weir s')
    assert left_behind(path) is None
    with operation(path, Entry("weir set")) as entry:
        assert entry.entry.pid == os.getpid()


def test_drills_have_entries_of_their_own(tmp_path: Path) -> None:
    """One for each service, beside that of the stack, and none of another stack's."""
    with (
        operation(path_of(tmp_path, "dev", "backend"), Entry("weir drill")),
        operation(path_of(tmp_path, "prod", "web"), Entry("weir drill")),
    ):
        assert drills(tmp_path, "dev") == ["backend"]
    assert drills(tmp_path, "dev") == []


def test_what_an_update_is_bound_to_is_its_users_alone_and_goes_with_the_entry(tmp_path: Path) -> None:
    """A copy of the stack file may have in it what that has: nobody else reads it. After a kill it goes with what was
    left.
    """
    path = path_of(tmp_path, "dev")
    with operation(path, Entry("weir set")) as entry:
        entry.bind("first")
        copy = entry.bind("second")
        assert (copy.read_text(), copy.stat().st_mode & 0o777) == ("second", 0o600)
        held_text = path.read_text()
    assert not copy.exists()
    path.write_text(held_text)
    copy.write_text("second")
    forget(path)
    assert list(path.parent.iterdir()) == []


def test_who_waits_for_another_says_for_whom(tmp_path: Path) -> None:
    """And goes on once that has ended, or after its time."""
    path, told = tmp_path / "dev.json", list[str]()
    wait_for_other(path, 10, told.append)
    assert told == []
    with operation(path, Entry("weir rollout backend v2")) as entry:
        wait_for_other(path, 0.3, told.append)
        Timer(0.3, entry._file.close).start()
        began = time.monotonic()
        wait_for_other(path, 60, told.append)
        assert time.monotonic() - began < 30
    assert told[0] == (
        f"weir rollout backend v2 (process {os.getpid()}) is changing this stack: its end is waited for, 0.3 s at the "
        "most"
    )
