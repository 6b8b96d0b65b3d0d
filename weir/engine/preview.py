"""A preview of an update, run or saved (`pulumi preview --json`), as what changes for each
service's traffic and pods.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import chain
from typing import Any

from pydantic import ValidationError

from weir.errors import UsageError
from weir.model.manifests.diff import differences, host_differences, host_of, ports_of, service_of
from weir.model.manifests.kubernetes import Manifest
from weir.model.routing.diff import TrafficChange
from weir.model.routing.words import as_json

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
    """What an update would do.

    `services`: the changes of each, by name.
    `hosts`: those of each host at gateways.
    `others`: by kind, how many objects of other kinds are created, updated, deleted or replaced.
    """

    services: Mapping[str, tuple[TrafficChange, ...]]
    others: Mapping[str, Mapping[str, int]]
    hosts: Mapping[str, tuple[TrafficChange, ...]] = field(default_factory=dict)

    @property
    def empty(self) -> bool:
        """Whether nothing changes."""
        return not self.services and not self.others and not self.hosts


def parse(document: Any) -> Preview:
    """The changes in a preview's JSON. Raises PreviewError for anything else."""
    steps = document.get("steps", []) if isinstance(document, dict) and "changeSummary" in document else None
    if not isinstance(steps, list) or not all(map(_is_step, steps)):
        raise PreviewError("this is not a preview in JSON; make one with: pulumi preview --json > preview.json")
    before: list[tuple[str, Manifest]] = []
    after: list[tuple[str, Manifest]] = []
    others: dict[str, Counter[str]] = {}
    for step in steps:
        op = _OPS.get(step["op"], "")
        old, new = (_masked((step.get(state) or {}).get("inputs") or {}) for state in ("oldState", "newState"))
        token = str((step.get("newState") or step.get("oldState") or {}).get("type", ""))
        if not op or not token.startswith(_KUBERNETES):
            continue
        kind = token.rpartition(":")[2]
        with _foreign(kind):
            known = service_of(kind, new or old) or host_of(kind, new or old)
            if kind == "Service" and not (old and new and ports_of(old) != ports_of(new)):
                known = None  # nothing of it is told
        if known is None:
            others.setdefault(kind, Counter())[_DONE[op]] += 1
            continue
        before += [(kind, old)] if old else []
        after += [(kind, new)] if new else []
    with _foreign("of a service"):
        services, hosts = differences(before, after), host_differences(before, after)
        # What cannot be told is no object of weir's either.
        for change in chain.from_iterable((*services.values(), *hosts.values())):
            as_json(change)
    return Preview(services, {kind: dict(ops) for kind, ops in sorted(others.items())}, hosts)


def _is_step(step: Any) -> bool:
    """Whether it is an operation, and its states are mappings with mappings in them, where they are there."""
    if not isinstance(step, dict) or not isinstance(step.get("op"), str):
        return False
    states = [step.get(state) or {} for state in ("oldState", "newState")]
    return all(isinstance(state, dict) and isinstance(state.get("inputs") or {}, dict) for state in states)


@contextmanager
def _foreign(what: str) -> Iterator[None]:
    """Whoever writes objects of these kinds by hand may write anything: what cannot be read is no object of weir's."""
    try:
        yield
    except ValidationError as broken:
        first = broken.errors(include_url=False)[0]
        reason = f"{'.'.join(map(str, first['loc']))}: {first['msg']}"
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as broken:
        reason = f"{type(broken).__name__} {broken}"
    else:
        return
    raise PreviewError(f"this preview has an object {what} that weir did not write: {' '.join(reason.split())[:200]}")


def _masked(value: Any) -> Any:
    """The value without any secret: what is one is shown as such, whether or not the preview has it in the clear."""
    if isinstance(value, dict):
        return "[secret]" if _SECRET in value else {name: _masked(inner) for name, inner in value.items()}
    return [_masked(inner) for inner in value] if isinstance(value, list) else value
