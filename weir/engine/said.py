"""What Pulumi has said, in as few words as tell it."""

from __future__ import annotations

import json
import subprocess

from weir.engine.file_backend import unreadable


def words(result: subprocess.CompletedProcess[str]) -> str:
    """What it printed, in one line of its own words."""
    lines = [line.removeprefix("error: ") for line in result.stderr.strip().splitlines() if line.strip()]
    said = "; ".join(lines)[:300]
    empty = " ".join(map(str, unreadable())) if said.endswith("failed to load checkpoint: EOF") else ""
    why = f"; an update that was killed left an empty file beside the state, which does not need it: rm {empty}"
    return said + (why if empty else "")


def diagnostics(result: subprocess.CompletedProcess[str]) -> str:
    """The errors in a preview's JSON, else what stands on stderr."""
    try:
        messages = [
            entry["message"]
            for entry in json.loads(result.stdout).get("diagnostics", [])
            if entry.get("severity") == "error"
        ]
    except (json.JSONDecodeError, AttributeError, KeyError):
        messages = []
    return "\n".join(message.strip() for message in messages) or words(result)


def release(version: str) -> tuple[int, ...]:
    """The numbers of a version; none for what is not one."""
    parts = version.split("-")[0].split(".")
    return tuple(map(int, parts)) if len(parts) == 3 and all(part.isdigit() for part in parts) else ()
