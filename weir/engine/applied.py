"""With which config a stack was last brought about: what stands when the stack file says more than has been applied."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any


def applied(entries: Sequence[Mapping[str, Any]]) -> Iterator[dict[str, Any]]:
    """The configs, weir's keys in full alone, of the updates of `pulumi stack history --json` (newest first, as there), down to the last that succeeded.

    Those that failed since come first: they may have brought about some of what they say. One with a secret in it is left out, since
    history has none in the clear.
    """
    for entry in entries:
        if entry.get("kind") == "destroy" and entry.get("result") == "succeeded":
            return
        if entry.get("kind") != "update":
            continue
        config = {key: value for key, value in (entry.get("config") or {}).items() if key.startswith("weir:")}
        if config and not any(value.get("secret") for value in config.values()):
            yield {key: _decoded(value.get("value", "")) for key, value in config.items()}
        if entry.get("result") == "succeeded":
            return


def _decoded(value: Any) -> Any:
    """Objects stand in the history as JSON text."""
    if isinstance(value, str) and value.lstrip().startswith(("{", "[")):
        try:
            return json.loads(value)
        except json.JSONDecodeError:
            return value
    return value
