"""What became of a stack's traffic, update by update, from Pulumi's own history: who, when, from, to, why, and at
which commit.

Each entry of the history has the config with which the update ran. The traffic before and after it is what the configs
of two successful updates in a row say: nothing else has to be recorded.
"""

from __future__ import annotations

import getpass
import socket
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from weir.model import ConfigError, Manifest, StackConfig, load, mesh, without_ended
from weir.model.manifests.diff import differences, host_differences
from weir.model.routing.diff import TrafficChange
from weir.model.routing.words import describe

_PREFIX = "weir:"
_IN_NO_OBJECT = ("weir:notify",)  # Pulumi may not be able to decrypt it, and nothing is lost
_KINDS = ("update", "destroy")


@dataclass(frozen=True, slots=True)
class Change:
    """One update.

    `number`: counted from 1.
    `who`, `reason`: what somebody gave, else empty.
    `commit`: git's hash; `dirty`: files had been changed since.
    `traffic`: what it changed, by service.
    `subject`, `author`: of the commit, whose author need not have made the update.
    `known`: whether anybody can tell what it changed, which takes its config and that of the update before it.
    """

    number: int
    when: datetime
    result: str
    command: str
    reason: str
    who: str
    commit: str
    dirty: bool
    traffic: Mapping[str, tuple[TrafficChange, ...]]
    subject: str = ""
    author: str = ""
    known: bool = True

    @property
    def changes(self) -> dict[str, tuple[str, ...]]:
        """What it changed, by service, in words."""
        return {name: tuple(map(describe, changed)) for name, changed in self.traffic.items()}


def message(command: str, reason: str = "") -> str:
    """What weir gives an update for the history: the command as typed, why, and who typed it."""
    lines = [command, *([f"reason: {reason}"] if reason else []), f"by: {getpass.getuser()}@{socket.gethostname()}"]
    return "\n".join(lines)


def read_history(entries: Sequence[Mapping[str, Any]]) -> list[Change]:
    """Every update of `pulumi stack history --json` (newest first, as there), with what it changed for traffic."""
    found: list[Change] = []
    before: StackConfig | None = None
    known = True
    for number, entry in enumerate(reversed(entries), start=1):
        destroyed = entry.get("kind") == "destroy"
        after = None if destroyed else _config(entry)
        # A refresh or an import changes no traffic. Of a config that nobody can read nothing can be told, nor of what
        # came after it.
        counts, readable = entry.get("kind") in _KINDS, destroyed or after is not None
        traffic = _traffic(before, after) if counts and readable and known else {}
        found.append(_change(number, entry, traffic, known=not counts or (readable and known)))
        if counts and entry.get("result") == "succeeded":
            before, known = after, readable
    return found[::-1]


def _traffic(before: StackConfig | None, after: StackConfig | None) -> Mapping[str, tuple[TrafficChange, ...]]:
    sides = _objects(before), _objects(after)
    hosts = {f"host {name}": changed for name, changed in host_differences(*sides).items()}
    return {**differences(*sides), **hosts}


def _change(
    number: int, entry: Mapping[str, Any], traffic: Mapping[str, tuple[TrafficChange, ...]], *, known: bool
) -> Change:
    environment: Mapping[str, str] = entry.get("environment") or {}
    first, notes = _message(str(entry.get("message") or ""))
    # Without one of its own Pulumi gives an update the subject of the commit.
    given = "by" in notes or "pulumi.flag.message" in environment
    return Change(
        number,
        _time(entry),
        "" if entry.get("result") == "succeeded" else str(entry.get("result", "")),
        first if "by" in notes else str(entry.get("kind", "")),
        notes.get("reason", "") if "by" in notes else first if given else "",
        notes.get("by", ""),
        environment.get("git.head", "")[:12],
        environment.get("git.dirty") == "true",
        traffic,
        "" if given else first,
        environment.get("git.author", ""),
        known=known,
    )


def _message(text: str) -> tuple[str, dict[str, str]]:
    """The first line, and what weir wrote below it."""
    first, *lines = text.splitlines() or [""]
    notes = dict(line.split(": ", 1) for line in lines if line.startswith(("reason: ", "by: ")))
    return first, notes


def _time(entry: Mapping[str, Any]) -> datetime:
    return datetime.fromisoformat(str(entry["startTime"])).astimezone(UTC)


def _config(entry: Mapping[str, Any]) -> StackConfig | None:
    """The config of an update; None where today's weir cannot read it, or Pulumi could not decrypt it.

    A secret in it is as good as text here: that a variable is another one is said, and never what it is.
    """
    config = {
        key: value
        for key, value in (entry.get("config") or {}).items()
        if key.startswith(_PREFIX) and key not in _IN_NO_OBJECT
    }
    if any(value.get("secret") and "value" not in value for value in config.values()):
        return None
    written = {key.removeprefix(_PREFIX): value.get("value", "") for key, value in config.items()}
    try:
        return without_ended(load(written), _time(entry))
    except ConfigError:
        return None


def _objects(config: StackConfig | None) -> list[tuple[str, Manifest]]:
    return [] if config is None else [(each["kind"], each) for each in mesh(config, config.namespace).objects()]


def as_json(change: Change) -> dict[str, Any]:
    """For programs: update, time (RFC 3339), result (empty: succeeded), command, reason, who, commit, dirty, its
    subject and author, known, changes by service, and by host at gateways as "host NAME".
    """
    document = {
        name: getattr(change, name)
        for name in ("result", "command", "reason", "who", "commit", "dirty", "known", "subject", "author")
    }
    return {
        "update": change.number,
        "time": change.when.strftime("%Y-%m-%dT%H:%M:%SZ"),
        **document,
        "changes": {name: list(lines) for name, lines in change.changes.items()},
    }
