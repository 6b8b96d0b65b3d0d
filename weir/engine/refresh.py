"""Pulumi's state after an update that failed: what such an update has changed in an object whose pods did not become
ready is in the cluster, and not always in the state. By that state going back would change nothing.
"""

from __future__ import annotations

from weir.engine.errors import EngineError
from weir.engine.said import words
from weir.engine.stack import Stack

_SECONDS = 600


def refresh(engine: Stack) -> None:
    """Have the state say what the cluster has; nothing else changes. Raises EngineError."""
    asked = engine.ask("refresh", "--yes", "--skip-preview", "--stack", engine.name, seconds=_SECONDS)
    if asked.returncode:
        raise EngineError(f"pulumi refresh of stack {engine.name} failed, and nothing was changed: {words(asked)}")
