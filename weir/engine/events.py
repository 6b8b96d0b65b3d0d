"""What the engine is at, from its event log (`pulumi up --event-log`), while it is written.

The events are Pulumi's own (sdk/go/common/apitype/events.go), one a line as JSON. Few of them are of use here.
"""

from __future__ import annotations

import json
import os
import re
import tempfile
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, Protocol

EVENT_LOG = {"PULUMI_DEBUG_COMMANDS": "true"}
"""Environment with which pulumi has the option `--event-log`."""

_EVERY = 0.03
"""Seconds between two looks: the log of a preview is gone as soon as the update after it begins."""

_REST_SECONDS = 2.0
_CHANGES = ("create", "update", "delete", "replace", "create-replacement", "delete-replaced", "import")
_STACK = "pulumi:pulumi:Stack"
_NO_REASON = re.compile(r"(update|preview) (failed|canceled)$|program exited with non-zero exit code")
"""Errors that say no more than that there was one."""
_UNHANDLED = "an unhandled error occurred: "
"""What stands before an error that the program has mostly told already."""
_TOOLS = re.compile(r"using pulumi-\S+ from \$PATH at ")
"""A warning about what whoever set PATH knows."""
_HOOK = re.compile(r'(before|after) hook "[^"]*" failed: ')


@dataclass(frozen=True, slots=True)
class Changing:
    """An object begins to change. `removed`: it goes."""

    urn: str
    kind: str
    name: str
    removed: bool


@dataclass(frozen=True, slots=True)
class Changed:
    """It has changed, or could not be."""

    urn: str
    failed: bool


@dataclass(frozen=True, slots=True)
class Said:
    """What the program, a provider, a policy or the engine has to say. `passing`: it is of no interest afterwards."""

    severity: Literal["error", "warning", "info"]
    text: str
    passing: bool = False


@dataclass(frozen=True, slots=True)
class Settled:
    """The program has waited for all that it waits for; what is left is to remove things, and to keep the state."""


Event = Changing | Changed | Said | Settled


class Listener(Protocol):
    """Is told how an update goes, by one thread."""

    def hear(self, event: Event) -> None:
        """What happens, in its order."""

    def pass_time(self) -> None:
        """Many times a second, as long as the update lasts."""

    def over(self) -> None:
        """It has ended: whatever was drawn is taken away, others may print."""


def parse(document: Mapping[str, Any]) -> Event | None:
    """The event, where it is of use; None for all others, those of previews that are no messages among them."""
    match document:
        case {
            "diagnosticEvent": {"severity": ("error" | "warning" | "info") as severity, "message": str(text)} as said
        }:
            passing = bool(said.get("ephemeral"))
            told = _told(text.strip(), str(said.get("urn", "")) if severity == "error" else "")
            return Said(severity, told, passing) if told else None
        case {"policyEvent": {"message": str(text), "policyName": name, "enforcementLevel": level}}:
            # The policy's description comes first, and is the same for whatever it finds.
            found = text.strip().partition("\n")[2].strip() or text.strip()
            return Said("error" if level == "mandatory" else "warning", f"policy {name}: {found}")
        case {"errorEvent": {"error": str(text)}}:
            return Said("error", text.strip())
        case {"resourcePreEvent": {"metadata": {"op": op, "urn": urn} as metadata} as event} if op in _CHANGES:
            kind = str(metadata.get("type", ""))
            if event.get("planning") or not kind.startswith("kubernetes:"):
                return None
            return Changing(urn, kind.rpartition(":")[2], urn.rpartition("::")[2], op.startswith("delete"))
        case {"resOutputsEvent": {"metadata": {"type": kind, "urn": urn}} as event} if not event.get("planning"):
            return Settled() if kind == _STACK else Changed(urn, failed=False)
        case {"resOpFailedEvent": {"metadata": {"urn": urn}}}:
            return Changed(urn, failed=True)
    return None


def _told(text: str, urn: str) -> str:
    """The message without what says nothing. `urn`: of the object that an error is about."""
    text = text.removeprefix(_UNHANDLED)
    if _NO_REASON.match(text) or _TOOLS.match(text):
        return ""
    words = _HOOK.sub("", text, count=1)
    if words != text or not urn:
        return words
    kind, _, name = urn.rpartition("::")
    return f"{kind.rpartition(':')[2]} {name}: {text}"


class EventLog:
    """The log of one update, in a file without a name: whatever becomes of this process, nothing is left, and pulumi
    can write to it.
    """

    explained = False
    """Whether an error said why the update failed."""

    def __init__(self, listener: Listener) -> None:
        """Nothing is followed yet."""
        self._file = tempfile.TemporaryFile()  # noqa: SIM115 - it lasts as long as the update
        self._listener = listener
        self._offset, self._last = 0, b""
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._follow, daemon=True, name="weir-follows")

    @property
    def descriptor(self) -> int:
        """Has to be inherited by pulumi."""
        return self._file.fileno()

    @property
    def option(self) -> str:
        """What to start pulumi with."""
        return f"--event-log=/dev/fd/{self.descriptor}"

    def started(self) -> None:
        """Pulumi runs."""
        self._thread.start()

    def rest(self) -> None:
        """Return when the listener has been told all; pulumi has ended."""
        self._ended.set()
        self._thread.join(_REST_SECONDS)

    def _follow(self) -> None:
        try:
            while not self._ended.wait(_EVERY):
                self._read()
                self._listener.pass_time()
            self._read()
        finally:
            self._listener.over()

    def _read(self) -> None:
        size = os.fstat(self.descriptor).st_size
        # The update after a preview begins the file anew.
        if size < self._offset or self._at(self._offset - len(self._last), len(self._last)) != self._last:
            self._offset, self._last = 0, b""
        whole = self._at(self._offset, max(0, size - self._offset))
        lines = whole[: whole.rfind(b"\n") + 1].splitlines(keepends=True)
        for line in lines:
            self._offset += len(line)
            self._last = line
            self._hear(line)

    def _at(self, offset: int, length: int) -> bytes:
        return os.pread(self.descriptor, length, offset)

    def _hear(self, line: bytes) -> None:
        try:
            event = parse(json.loads(line))
        except ValueError:
            return
        if event is not None:
            self.explained |= isinstance(event, Said) and event.severity == "error"
            self._listener.hear(event)
