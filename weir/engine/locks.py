"""The locks that a file backend keeps of the updates of a stack: one that was killed leaves its own."""

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
    backend = os.environ.get("PULUMI_BACKEND_URL", "")
    if not backend.startswith("file://"):
        return []
    place = Path(backend.removeprefix("file://")).expanduser() / ".pulumi" / "locks"
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
