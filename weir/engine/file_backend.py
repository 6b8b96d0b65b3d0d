"""What an update that was killed leaves in a file backend of Pulumi: its lock, and perhaps a file that it had begun."""

from __future__ import annotations

import json
import os
import socket
from pathlib import Path

from weir.stack import stackfile


def held(project: Path, stack: str) -> list[int]:
    """The processes of this machine whose locks the file backend holds for the stack; none of any other backend, which
    end them by themselves.
    """
    backend = _place()
    if backend is None:
        return []
    place = backend / "locks"
    name = stackfile.qualified(stack, project)
    here, found = socket.gethostname(), []
    # Old backends have no organization and project in the path.
    for file in sorted({*place.glob(f"*/{name}/*.json"), *place.glob(f"{name.partition('/')[2]}/*.json")}):
        try:
            lock = json.loads(file.read_text())
        except (OSError, ValueError):
            continue  # gone meanwhile
        if lock.get("hostname") == here:
            found.append(int(lock["pid"]))
    return found


def unreadable() -> list[Path]:
    """The notes beside the states that are empty, for which Pulumi says no more than `EOF`: it writes a state whole,
    and the note beside it not (gocloud.dev/blob/fileblob, setAttrs). A state is read without its note.
    """
    backend = _place()
    return [] if backend is None else sorted(file for file in backend.rglob("*.attrs") if file.stat().st_size == 0)


def _place() -> Path | None:
    """The directory of the file backend; None where the states are elsewhere."""
    backend = os.environ.get("PULUMI_BACKEND_URL", "")
    # Options of the backend may stand behind the path.
    path = backend.removeprefix("file://").partition("?")[0]
    return Path(path).expanduser() / ".pulumi" if backend.startswith("file://") else None
