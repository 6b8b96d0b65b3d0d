"""The config of an earlier update, from Pulumi's history: of which update, and what its services were."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from weir.errors import UsageError
from weir.model import ConfigError
from weir.model.validation.load import decoded

_PREFIX = "weir:"
_SERVICES = "services"
# What a rollout calls its updates: what stood between two of its steps is nothing that anybody goes back to.
_STEP = re.compile(r"weir rollout .*\(step \d+ of \d+: .*\)")
_ROLLBACK = re.compile(r"weir rollback (?P<services>.*)--to (?P<number>\d+)")


@dataclass(frozen=True, slots=True)
class Earlier:
    """An update that succeeded.

    `number`: as weir history counts it. `title`: the first line of its message.
    `config`: its keys without `weir:`, as parsed YAML, those with secrets decrypted. `hiding`: the latter.
    `unknown`: those that Pulumi could not decrypt; they are not in `config`.
    """

    number: int
    when: datetime
    title: str
    config: Mapping[str, Any]
    hiding: frozenset[str]
    unknown: frozenset[str]

    @property
    def services(self) -> dict[str, Any]:
        """What it says of each service."""
        found = self.config.get(_SERVICES)
        return dict(found) if isinstance(found, dict) else {}

    @property
    def is_step(self) -> bool:
        """Whether it is a step of a rollout, in the middle of which nothing was to stay."""
        return bool(_STEP.fullmatch(self.title))


def update(entries: Sequence[Mapping[str, Any]], number: int) -> Earlier:
    """One update of `pulumi stack history --json` (newest first, as there). Raises UsageError for one that is not
    there, and one to which nobody can go back.
    """
    if not 1 <= number <= len(entries):
        there = f"it has 1 to {len(entries)}" if entries else "it has none yet"
        raise UsageError(f"there is no update {number} in the history of the stack: {there}; weir history lists them")
    entry = entries[len(entries) - number]
    if entry.get("kind") != "update":
        raise UsageError(
            f"update {number} is a {entry.get('kind')}, which applied no config; weir history --all lists all updates"
        )
    if entry.get("result") != "succeeded":
        raise UsageError(
            f"update {number} did not succeed ({entry.get('result')}): what its config says may never have stood. "
            "Name one that succeeded: weir history"
        )
    return _earlier(number, entry)


def updates(entries: Sequence[Mapping[str, Any]]) -> Iterator[Earlier]:
    """All to which somebody can go back, newest first."""
    for back, entry in enumerate(entries):
        if entry.get("kind") == "update" and entry.get("result") == "succeeded":
            yield _earlier(len(entries) - back, entry)


@dataclass(frozen=True, slots=True)
class Last:
    """How the last update ended, and where the next rollback begins.

    `succeeded`: whether it did. `again`: the update to which it was to go back, and did not get; None where that is
    not so. `below`: all updates before that one can be gone back to.
    """

    succeeded: bool
    again: int | None
    below: int


def last_update(entries: Sequence[Mapping[str, Any]], services: Collection[str]) -> Last:
    """Where the last update went back itself, with one of these services, what it has left is nothing to go back to;
    and where it succeeded, what it went back to is not either.
    """
    last = next((entry for entry in entries if entry.get("kind") == "update"), {})
    succeeded = last.get("result") == "succeeded"
    found = _ROLLBACK.fullmatch(_title(last))
    named = found["services"].split() if found else []
    if found is None or (named and set(named).isdisjoint(services)):
        return Last(succeeded, None, len(entries) + 1)
    number = int(found["number"])
    return Last(succeeded, None if succeeded else number, number)


def _title(entry: Mapping[str, Any]) -> str:
    return (str(entry.get("message") or "").splitlines() or [""])[0]


def _earlier(number: int, entry: Mapping[str, Any]) -> Earlier:
    config, hiding, unknown = {}, set(), set()
    for key, value in (entry.get("config") or {}).items():
        name = key.removeprefix(_PREFIX)
        if name == key:
            continue
        if value.get("secret"):
            hiding.add(name)
        try:
            config[name] = decoded(name, value["value"])
        except (KeyError, ConfigError):
            unknown.add(name)
            continue
        if value.get("secret") and isinstance(config[name], str):
            # Pulumi has said that it cannot: a key that is a secret as a whole is refused.
            del config[name]
            unknown.add(name)
    when = datetime.fromisoformat(str(entry["startTime"])).astimezone(UTC)
    return Earlier(number, when, _title(entry), config, frozenset(hiding), frozenset(unknown))
