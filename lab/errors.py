"""The lab's one error: a message for the person at the terminal that says what to do."""

from __future__ import annotations

from pathlib import Path


class LabError(Exception):
    """An operation of the lab failed; the text says what happened and what to do about it."""


def last_lines(path: Path, count: int = 15) -> str:
    """The end of a log, indented, for an error message; says so when there is none."""
    try:
        lines = path.read_text(errors="replace").splitlines()[-count:]
    except FileNotFoundError:
        return f"    ({path} was never written)"
    return "\n".join(f"    {line}" for line in lines) or f"    ({path} is empty)"
