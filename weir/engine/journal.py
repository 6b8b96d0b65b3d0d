"""What weir is changing right now, written down before it begins: whoever comes after a process that was killed knows
what it was about.

An entry is a file below `.weir/operations` of the project and is locked while its process lives. The kernel gives the
lock up however the process ends, so that an entry without a lock is one that nobody finished.
"""

from __future__ import annotations

import fcntl
import json
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Literal

from weir.errors import WeirError

_LOOKING_SECONDS = 1.0

Phase = Literal["editing", "applying", "drilling"]
"""editing: nothing was applied yet; applying: an update may be half done; drilling: a fault stands that this process
was to remove.
"""


class BusyError(WeirError):
    """Another weir process is changing the same thing; the text says which."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One change: the command as typed, when it began, who it is, how far it got, and the stack file before and after
    it.
    """

    command: str
    phase: Phase = "editing"
    before: str = ""
    after: str = ""
    began: str = field(default_factory=lambda: datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"))
    pid: int = field(default_factory=os.getpid)


class Operation:
    """An entry of this process, while its block runs."""

    def __init__(self, path: Path, file: IO[str], entry: Entry) -> None:
        self._path, self._file, self.entry = path, file, entry

    def note(self, phase: Phase, *, before: str | None = None, after: str | None = None) -> None:
        """Write down how far it got, before that is begun."""
        changed = {name: value for name, value in (("before", before), ("after", after)) if value is not None}
        self.entry = replace(self.entry, phase=phase, **changed)  # type: ignore[arg-type]
        self._file.seek(0)
        self._file.truncate()
        json.dump(asdict(self.entry), self._file)
        self._file.flush()
        os.fsync(self._file.fileno())

    def bind(self, text: str) -> Path:
        """A stack file of its own for the update, which has what was shown, whatever becomes of the stack's; it goes
        with the entry.
        """
        copy = _copy_of(self._path)
        copy.unlink(missing_ok=True)
        copy.touch(mode=0o600, exist_ok=False)
        copy.write_text(text, encoding="utf-8")
        return copy

    def report(self) -> Path:
        """The name of a file, not there yet, in which the update says what came of it; it goes with the entry."""
        path = _report_of(self._path)
        path.unlink(missing_ok=True)
        return path


def _report_of(path: Path) -> Path:
    return path.with_suffix(".report")


def _copy_of(path: Path) -> Path:
    return path.with_suffix(".yaml")


def path_of(project: Path, stack: str, drill_of: str = "") -> Path:
    """Where the entry of a stack's change is, or that of a drill of one of its services."""
    name = stack.rsplit("/", 1)[-1]
    return project / ".weir" / "operations" / (f"{name}.drill.{drill_of}.json" if drill_of else f"{name}.json")


def drills(project: Path, stack: str) -> list[str]:
    """The services of the stack of whose drills there is an entry."""
    pattern = path_of(project, stack, "*")
    return sorted(path.name.removesuffix(".json").split(".drill.", 1)[1] for path in pattern.parent.glob(pattern.name))


@contextmanager
def operation(path: Path, entry: Entry) -> Iterator[Operation]:
    """Hold the entry while the block runs; it is gone when that ends, however it ends but by being killed.

    Raises BusyError while another process holds it. What one that was killed has left must have been seen to before:
    it is overwritten.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with _opened(path) as file:
        own = Operation(path, file, entry)
        own.note(entry.phase)
        try:
            yield own
        finally:
            forget(path)


@contextmanager
def _opened(path: Path) -> Iterator[IO[str]]:
    """The file, locked; for a moment it may be locked by somebody who only looks."""
    deadline = time.monotonic() + _LOOKING_SECONDS
    while True:
        with path.open("a+", encoding="utf-8") as file:
            # Somebody may have removed it between opening and locking: a lock on what has no name any more holds nobody
            # off.
            if _lock(file) and path.exists() and os.fstat(file.fileno()).st_ino == path.stat().st_ino:
                yield file
                return
        if time.monotonic() >= deadline:
            other = _read(path)
            what = f"{other.command} (process {other.pid}, since {other.began})" if other else "another weir command"
            raise BusyError(f"{what} is changing this stack; wait until it ends, or end it with Ctrl-C there")
        time.sleep(0.05)


def wait_for_other(path: Path, seconds: float, tell: Callable[[str], None]) -> None:
    """Return once no other process holds the entry, or after so many seconds; `tell`: told who is waited for."""
    deadline, said = time.monotonic() + seconds, False
    while (other := held(path)) and time.monotonic() < deadline:
        if not said:
            tell(
                f"{other.command} (process {other.pid}) is changing this stack: its end is waited for, {seconds:g} s "
                "at the most"
            )
        said = True
        time.sleep(0.1)


def left_behind(path: Path) -> Entry | None:
    """The entry of a process that is gone without having finished; None where there is none, or its process lives."""
    try:
        with path.open() as file:
            return _read(path) if _lock(file) else None
    except FileNotFoundError:
        return None


def held(path: Path) -> Entry | None:
    """The entry of a process that lives; None where there is none."""
    try:
        with path.open() as file:
            return None if _lock(file) else _read(path)
    except FileNotFoundError:
        return None


def forget(path: Path) -> None:
    """Remove an entry, what it was bound to, and what was reported of it."""
    _copy_of(path).unlink(missing_ok=True)
    _report_of(path).unlink(missing_ok=True)
    path.unlink(missing_ok=True)


def _lock(file: IO[str]) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _read(path: Path) -> Entry | None:
    try:
        return Entry(**json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None  # cut off while it was written: the file it was about was not touched yet
