"""What Pulumi has said, in as few words as tell it."""

from __future__ import annotations

import json
import subprocess

from weir.engine.file_backend import unreadable

_ASK_SECONDS = 60.0


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


def too_old(pulumi: str) -> str:
    """What to say of a pulumi that is older than the SDK of the program; nothing where it is not, or nobody knows."""
    # Only an update that failed asks: for weir history it would be a twelfth of its time.
    from importlib import metadata

    needed = metadata.version("pulumi")
    try:
        asked = subprocess.run(
            [pulumi, "version"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=_ASK_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    found = asked.stdout.strip().removeprefix("v")
    if not release(found) or release(found) >= release(needed):
        return ""
    return f"; pulumi on PATH is {found}, and weir needs {needed} or newer ({pulumi})"
