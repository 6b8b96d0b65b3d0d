"""How an update goes, for whoever waits: one line a phase.

On a terminal the phases under way stand in one line that moves, below those that are done. Elsewhere a phase gets a
line when it ends, and one now and then as long as it lasts. Pulumi's own lines are for --verbose.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

import click

from weir.engine.events import Changed, Changing, Event, Said, Settled
from weir.visible import visible

if TYPE_CHECKING:
    from rich.live import Live

_LINE_SECONDS = 10.0
"""From one line of a phase that lasts to the next, where there is no terminal."""

_DRAW_SECONDS = 0.1
_BRIEF_SECONDS = 2.0
_FRAMES = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏"
_COLOURS = {"ok": "green", "!!": "red", "warning:": "yellow", "error:": "red"}
_PODS = ("Deployment", "StatefulSet")
_CHECK, _ROUTES, _PROXIES, _STATE = "check", "routes", "proxies", "state"


@dataclass(slots=True)
class _Phase:
    """One that is under way.

    doing, done  what it is called meanwhile and afterwards
    since        when it began, and `told` when it was last spoken of, in seconds of the clock
    objects      those that still change, by their URN
    """

    doing: str
    done: str
    since: float
    told: float
    objects: set[str] = field(default_factory=set)


class Progress:
    """Listens to one update while its block runs, and tells on stderr."""

    def __init__(self, report: Path, clock: Callable[[], float] = time.monotonic) -> None:
        """`report`: the file in which the program writes down how many proxies have acknowledged each route."""
        self._report, self._clock = report, clock
        self._phases: dict[str, _Phase] = {}
        self._detail = ""
        self._said: set[tuple[str, str]] = set()
        self._failed = False
        self._live: Live | None = None
        self._console: Any = None
        self._drawing, self._drawn = True, 0.0
        self._terminal = sys.stderr.isatty() and os.environ.get("TERM") not in ("dumb", "unknown")

    def __enter__(self) -> Progress:
        self._begin(_CHECK, "checking", "checked")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.over()
        for name in list(self._phases):
            self._end(name, failed=kind is not None)

    def hear(self, event: Event) -> None:
        """What happens, in its order."""
        match event:
            case Changing():
                self._end(_CHECK)
                self._begin(*_phase_of(event)).objects.add(event.urn)
            case Changed(urn, failed):
                for name in [name for name, phase in self._phases.items() if urn in phase.objects]:
                    self._changed(name, urn, failed=failed)
            case Said(text=text, passing=True):
                self._detail = " ".join(text.split())
            case Said(severity, text) if (severity, text) not in self._said:
                self._said.add((severity, text))
                self._failed |= severity == "error"
                self._line("" if severity == "info" else f"{severity}:", text)
            case Settled() if not self._failed:
                self._end(_CHECK)
                self._end(_PROXIES)
                self._begin(_STATE, "recording it in Pulumi's state", "recorded in Pulumi's state")

    def _changed(self, name: str, urn: str, *, failed: bool) -> None:
        phase = self._phases[name]
        phase.objects.discard(urn)
        if failed or not phase.objects:
            self._end(name, failed=failed)
            if name == _ROUTES and not failed:
                self._begin(_PROXIES, "waiting for proxies")

    def pass_time(self) -> None:
        """Many times a second, as long as the update lasts."""
        now = self._clock()
        if self._terminal:
            if self._drawing and now - self._drawn >= _DRAW_SECONDS:
                self._drawn = now
                self._draw(now)
            return
        for phase in self._phases.values():
            if now - phase.told >= _LINE_SECONDS:
                phase.told = now
                self._line("  ..", f"{phase.doing}: {_seconds(now - phase.since)} so far{self._more()}")

    def over(self) -> None:
        """It has ended: the line that moves is taken away, others may print."""
        self._drawing = False
        if self._live is not None:
            self._live.stop()
            self._live = None

    def _begin(self, name: str, doing: str, done: str = "") -> _Phase:
        if name not in self._phases:
            self._detail, now = "", self._clock()
            self._phases[name] = _Phase(doing, done, now, now)
        return self._phases[name]

    def _end(self, name: str, *, failed: bool = False) -> None:
        phase = self._phases.pop(name, None)
        if phase is None:
            return
        took, self._detail = self._clock() - phase.since, ""
        if name == _STATE and took < _BRIEF_SECONDS:
            return
        if failed:
            self._line("  !!", f"{phase.doing}: stopped after {_seconds(took)}")
        elif name == _PROXIES:
            self._line(*self._acknowledged(took))
        else:
            self._line("  ok", f"{phase.done} ({_seconds(took)})")

    def _acknowledged(self, took: float) -> tuple[str, str]:
        """What proxies have done, as far as the program has said so."""
        try:
            count = max(json.loads(self._report.read_text(encoding="utf-8")).values())
        except (OSError, ValueError):
            return "  !!", f"waited for proxies; it is not known whether they have acknowledged it ({_seconds(took)})"
        many = f"proxies acknowledged: {count} of {count}" if count else "no proxy uses it"
        return "  ok", f"{many} ({_seconds(took)})"

    def _more(self) -> str:
        return f": {self._detail}" if self._detail else ""

    def _line(self, mark: str, text: str) -> None:
        """One that stays."""
        # Before anything else, which would take away what looks like a style, or a control character.
        head, text = f"{mark} " if mark else "", visible(text)
        if not self._terminal:
            click.echo(head + text, err=True)
            return
        from weir.console import Console, Text  # as below

        self._console = self._console or Console(stderr=True)
        self._console.print(Text.assemble((head, _COLOURS.get(mark.strip(), "")), text), soft_wrap=True)

    def _draw(self, now: float) -> None:
        # A tenth of a second, which passes while pulumi starts.
        from rich.live import Live

        from weir.console import Console, Text

        if self._live is None:
            self._console = self._console or Console(stderr=True)
            self._live = Live(console=self._console, auto_refresh=False, transient=True)
            self._live.start()
        frame = _FRAMES[int(now / _DRAW_SECONDS) % len(_FRAMES)]
        doing = ", ".join(f"{phase.doing} {_seconds(now - phase.since)}" for phase in self._phases.values())
        line = Text(f"   {frame} {doing}{self._more()}", no_wrap=True, overflow="ellipsis")
        self._live.update(line, refresh=True)


def _phase_of(event: Changing) -> tuple[str, str, str]:
    """The phase that changes the object: its name, and what it is called."""
    if event.removed:
        return "removal", "removing what is not used any more", "removed what is not used any more"
    if event.kind == "VirtualService":
        return _ROUTES, "applying routes", "routes applied"
    if event.kind in _PODS:
        return f"pods of {event.name}", f"waiting for pods of {event.name}", f"pods of {event.name} ready"
    return "objects", "applying objects", "objects applied"


def _seconds(value: float) -> str:
    return f"{value:.1f} s" if value < 60 else f"{int(value // 60)} min {int(value % 60)} s"
