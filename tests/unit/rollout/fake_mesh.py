"""A rollout without a cluster: traffic that is noted, looks that are given, ConfigMaps in a file."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from threading import Event
from typing import Any

from weir.analysis import Counts
from weir.cluster.kubectl import Kubectl
from weir.engine.errors import HeldBackError
from weir.model.config.rollout import Rollout
from weir.rollout import record
from weir.rollout.ahead import Ahead
from weir.rollout.run import Run
from weir.rollout.state import State, Step

# ConfigMaps in a file, which are written as the API server does, and printed as kubectl prints several: one after the
# other. https://kubernetes.io/docs/reference/using-api/api-concepts/#resource-versions
KUBECTL = f"""#!{sys.executable} -IS
import json, sys
from pathlib import Path
place = Path(__file__).with_name("maps.json")
maps = json.loads(place.read_text()) if place.exists() else dict()
if "get" in sys.argv:
    asked = [each for each in sys.argv if each.startswith("weir-rollout-")]
    found = [maps[each] for each in asked if each in maps]
    if len(asked) > 1:
        print(json.dumps({{"kind": "List", "items": found}}))
    elif found:
        print(json.dumps(found[0]))
    sys.exit()
new, failed = json.load(sys.stdin), False
for each in new.get("items", [new]):
    name = each["metadata"]["name"]
    there = maps.get(name)
    if "create" in sys.argv and there:
        failed = True
        print('Error from server (AlreadyExists): configmaps "a" already exists', file=sys.stderr)
        continue
    version = each["metadata"].get("resourceVersion")
    if "replace" in sys.argv and (not there or version != there["metadata"]["resourceVersion"]):
        failed = True
        print('Error from server (Conflict): Operation cannot be fulfilled on configmaps "a"', file=sys.stderr)
        continue
    each["metadata"]["resourceVersion"] = str(int(there["metadata"]["resourceVersion"]) + 1 if there else 1)
    maps[name] = each
    print(json.dumps(each, indent=4))
place.with_suffix(".new").write_text(json.dumps(maps))
place.with_suffix(".new").rename(place)
sys.exit(failed)
"""
STATE = State(
    "backend", "v2", "v1", (Step(Decimal(5), 0.0), Step(Decimal(50), 0.0)), "weir rollout backend v2", "ann@host",
    datetime(2026, 11, 27, 12, tzinfo=UTC),
)  # fmt: skip
GOOD = Counts(10_000, 10), Counts(1_000, 1)
BAD = Counts(10_000, 10), Counts(1_000, 200)
BOTH = [replace(STATE, service=each, together=("backend", "cart")) for each in ("backend", "cart")]


class FakeMesh:
    """Notes what is done to the traffic, and answers each look with the next of some counts, the last one for ever."""

    def __init__(self, *looks: Any) -> None:
        self.done: list[str] = []
        self._looks: Iterator[Any] = iter(looks)
        self._last: Any = None

    def move(self, states: Sequence[State], ahead: Ahead | None) -> None:
        _held(ahead)
        self.done.append(f"{states[0].step.share} %")

    def promote(self, states: Sequence[State], ahead: Ahead | None) -> None:
        _held(ahead)
        self.done.append("promoted")

    def take_back(self, states: Sequence[State]) -> None:
        self.done.append("0 %")

    def anew(self) -> None:
        self.look()

    def look(self) -> Any:
        self._last = next(self._looks, self._last)
        if isinstance(self._last, Exception):
            raise self._last
        found = {"backend": self._last} if isinstance(self._last, tuple) else self._last
        return found or {}


def _held(ahead: Ahead | None) -> None:
    if ahead and not ahead(Event()):
        raise HeldBackError


def write(kubectl: Kubectl, *states: State) -> dict[str, record.Kept]:
    """The states, whatever there was."""
    return record.write(kubectl, states, record.read_all(kubectl, [each.service for each in states]))


def rollout(
    kubectl: Kubectl,
    mesh: FakeMesh,
    kept: dict[str, record.Kept] | None = None,
    check: str | Callable[..., str] = "",
    told: Callable[[State], None] = lambda _: None,
    tell: Callable[[str], None] = lambda _: None,
    made_of: Callable[[], Mapping[str, str]] = dict,
    **settings: Any,
) -> Run:
    kept = kept or write(kubectl, STATE)
    return Run(
        kubectl,
        dict.fromkeys(kept, Rollout.model_validate(settings)),
        kept,
        traffic=mesh,
        source=mesh,
        check=check if callable(check) else lambda *_: check,
        show=lambda _: None,
        told=told,
        tell=tell,
        made_of=made_of,
    )


def both(backend: Any, cart: Any) -> dict[str, Any]:
    return {"backend": backend, "cart": cart}
