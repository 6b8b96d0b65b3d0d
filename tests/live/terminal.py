"""A terminal of a given width for a command, as a person has it: typed into, read as it looks, interrupted."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pexpect
import pyte

_LINES = 40
_SECONDS = 120


class Terminal:
    """A command that runs in a terminal of so many columns."""

    def __init__(self, command: str, columns: int, directory: Path, environment: Mapping[str, str]) -> None:
        self._screen = pyte.HistoryScreen(columns, _LINES, history=2000, ratio=1)
        self._stream = pyte.Stream(self._screen)
        settings = {**environment, "TERM": "xterm-256color", "COLUMNS": str(columns), "LINES": str(_LINES)}
        self._process = pexpect.spawn(
            "bash",
            ["-c", command],
            cwd=str(directory),
            env=settings,
            dimensions=(_LINES, columns),
            timeout=_SECONDS,
            encoding="utf-8",
        )

    def until(self, text: str) -> None:
        """Return when this has been printed."""
        try:
            self._process.expect_exact(text)
        except (pexpect.EOF, pexpect.TIMEOUT):
            raise AssertionError(f"{text!r} does not come:\n{self._process.before}") from None
        self._stream.feed(self._process.before + self._process.after)

    def type(self, text: str) -> None:
        """Type a line."""
        self._process.sendline(text)

    def interrupt(self) -> None:
        """Ctrl-C."""
        self._process.sendintr()

    def end(self) -> int:
        """Wait for the command's end; its exit code."""
        self._process.expect(pexpect.EOF)
        self._stream.feed(self._process.before)
        self._process.close()
        return int(self._process.exitstatus if self._process.exitstatus is not None else -1)

    def text(self) -> str:
        """All lines as they look, those that have scrolled away included, without blanks at their ends."""
        above = [
            "".join(line[column].data for column in range(self._screen.columns)) for line in self._screen.history.top
        ]
        return "\n".join(line.rstrip() for line in [*above, *self._screen.display]).rstrip()
