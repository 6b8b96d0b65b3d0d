"""A preview of an update, run or saved (`pulumi preview --json`), as what changes for each service's traffic and pods."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from weir.errors import UsageError
from weir.model.differences import differences, service_of
from weir.model.workloads import Manifest

_KUBERNETES = "kubernetes:"
_DONE = {"create": "created", "update": "updated", "delete": "deleted", "replace": "replaced"}
_OPS = {
    "create": "create",
    "update": "update",
    "delete": "delete",
    "replace": "replace",
    "create-replacement": "replace",
    "delete-replaced": "",
    "discard-replaced": "",
}


_SECRET = "4dabf18193072939515e22adb298388d"
"""The key by which Pulumi marks a value as a secret (sdk/go/common/resource, SigKey)."""


class PreviewError(UsageError):
    """The text is no preview in JSON, or one of objects that weir did not write."""


@dataclass(frozen=True, slots=True)
class Preview:
    """What an update would do: `services` by name, each with its lines; `others`: how many objects of other kinds are created, updated, deleted or replaced."""

    services: Mapping[str, tuple[str, ...]]
    others: Mapping[str, Mapping[str, int]]

    @property
    def empty(self) -> bool:
        """Whether nothing changes."""
        return not self.services and not self.others


def parse(document: Any) -> Preview:
    """The changes in a preview's JSON. Raises PreviewError for anything else."""
    if not isinstance(document, dict) or not isinstance(document.get("steps", []), list) or "changeSummary" not in document:
        raise PreviewError("this is no preview in JSON; make one with: pulumi preview --json > preview.json")
    before: list[tuple[str, Manifest]] = []
    after: list[tuple[str, Manifest]] = []
    others: dict[str, Counter[str]] = {}
    for step in document.get("steps", []):
        op = _OPS.get(step["op"], "")
        old, new = (_masked((step.get(state) or {}).get("inputs") or {}) for state in ("oldState", "newState"))
        token = str((step.get("newState") or step.get("oldState") or {}).get("type", ""))
        if not op or not token.startswith(_KUBERNETES):
            continue
        kind = token.rpartition(":")[2]
        if service_of(kind, new or old) is None:
            others.setdefault(kind, Counter())[_DONE[op]] += 1
            continue
        before += [(kind, old)] if old else []
        after += [(kind, new)] if new else []
    try:
        told = differences(before, after)
    except (KeyError, TypeError, ValidationError) as broken:
        raise PreviewError(f"this preview has an object that weir did not write: {broken}") from None
    return Preview(told, {kind: dict(ops) for kind, ops in sorted(others.items())})


def _masked(value: Any) -> Any:
    """The value without any secret: what is one is shown as such, whether or not the preview has it in the clear."""
    if isinstance(value, dict):
        return "[secret]" if _SECRET in value else {name: _masked(inner) for name, inner in value.items()}
    return [_masked(inner) for inner in value] if isinstance(value, list) else value
