"""The updates of a stack in Pulumi's history, all of them: unasked, pulumi leaves out all but the ten newest."""

from __future__ import annotations

import json
import subprocess
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from weir.engine.stack import Stack

_PAGE = 100


def updates(
    stack: Stack, newest: int = 0, *options: str
) -> tuple[subprocess.CompletedProcess[str], list[dict[str, Any]]]:
    """As `pulumi stack history --json` has them, newest first; so many, or all. Besides, pulumi's last answer, which is
    an error where nothing is known. Raises EngineError where it does not answer, NoStackError.
    """
    found: list[dict[str, Any]] = []
    size, page = min(newest or _PAGE, _PAGE), 0
    while True:
        page += 1
        where = (f"--page-size={size}", f"--page={page}")
        asked = stack.ask("stack", "history", "--json", "--stack", stack.name, *where, *options)
        told = [] if asked.returncode else json.loads(asked.stdout or "[]") or []
        found += told
        if len(told) < size or len(found) >= newest > 0:
            return asked, found[: newest or None]
