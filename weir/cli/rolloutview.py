"""How a rollout goes, on a terminal of 80 columns or more: steps, failures and times of both versions, the evidence,
what is waited for. Elsewhere a line says so now and then.
"""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime

import click
from rich.console import Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table

from weir.analysis import Judged, Share, Verdict
from weir.console import Console, Text
from weir.model.values.numbers import plain
from weir.rollout.protocols import Seen
from weir.rollout.state import State
from weir.rollout.words import between, percent, shares

_LINE_EVERY = 30.0
_BAR = 30
_SHOWN = 3
_FEW = 0.05


class Screen:
    """Where a rollout is shown: on stderr, stdout is for a report."""

    def __init__(self) -> None:
        self._console = Console(stderr=True)
        self._live: Live | None = None
        self._said = -_LINE_EVERY

    @contextmanager
    def drawn(self) -> Iterator[None]:
        """A terminal is drawn on within the block."""
        if not (self._console.is_terminal and sys.stderr.isatty()):
            yield
            return
        with Live(console=self._console, auto_refresh=False, transient=True) as self._live:
            yield
        self._live = None

    def tell(self, text: str) -> None:
        """A line that stays."""
        if self._live is not None:
            self._live.console.print(Text(text))
        else:
            click.echo(text, err=True)

    def show(self, seen: Sequence[Seen]) -> None:
        """What a look has led to, service by service."""
        now = datetime.now(UTC)
        if self._live is not None:
            self._live.update(pictures(seen, now), refresh=True)
        elif time.monotonic() - self._said >= _LINE_EVERY:
            self._said = time.monotonic()
            for each in seen:
                click.echo(line(each, now), err=True)


def line(seen: Seen, now: datetime) -> str:
    """How it goes, in one line."""
    state, verdict = seen.state, seen.verdict
    slow = verdict.slowest
    times = f"{slow.name}: {_bad(slow.canary)}, {state.compared} {_bad(slow.stable)}; " if slow else ""
    return (
        f"{state.service}: {state.version} at {plain(state.step.share)} % for {_seconds(state.seconds(now))}; "
        f"failed: {shares(verdict.canary)}, {state.compared} {shares(verdict.stable)}; {times}{waits(seen)}"
    )


def waits(seen: Seen) -> str:
    """What is waited for."""
    left = f" ({_seconds(seen.next.seconds)} left)" if seen.next.seconds is not None else ""
    return f"{seen.next.why}{left}"


def pictures(seen: Sequence[Seen], now: datetime) -> RenderableType:
    """Several services for a terminal: those first with the most evidence against them, as many as have room."""
    first = sorted(seen, key=lambda each: -each.verdict.against / each.verdict.against_enough)[:_SHOWN]
    more = len(seen) - len(first)
    said = [Text(f"and {more} more services", style="dim")] if more else []
    return Group(*(picture(each, now) for each in first), *said)


def picture(seen: Seen, now: datetime) -> RenderableType:
    """The same for a terminal."""
    state, verdict = seen.state, seen.verdict
    head = Text.assemble(
        "rollout of ",
        (state.service, "bold"),
        f": {state.version} takes over from {state.stable}; Ctrl-C asks what to do",
    )
    return Group(
        head, _steps(state, now), _versions(state, verdict), _evidence(verdict), Text(waits(seen), style="dim")
    )


def _steps(state: State, now: datetime) -> Text:
    text = Text("steps  ")
    for index, step in enumerate(state.steps):
        style = "green" if index < state.index else "bold" if index == state.index else "dim"
        text.append(f"{plain(step.share)} %", style)
        if index == state.index and state.since:
            text.append(f" for {_seconds(state.seconds(now))} of {_seconds(step.pause)}")
        text.append("  →  ", "dim")
    text.append("stable", "dim")
    return text


def _versions(state: State, verdict: Verdict) -> Table:
    """Failures of both versions, and answers that took longer than a bound, where times are known."""
    table = Table(box=None, pad_edge=False, show_header=False, padding=(0, 3, 0, 0))
    for column in range(4):
        table.add_column(justify="right" if column else "left")
    for what, judged in (("failed", verdict.judged[0]), ("", latency(verdict))):
        if judged is None:
            continue
        heads = "requests" if what else "timed", what or judged.name, "95 % at all times"
        table.add_row("", *heads, style="bold")
        for name, share in ((state.version, judged.canary), (state.compared, judged.stable)):
            table.add_row(name, f"{share.answers:,}", _bad(share), between(share.interval) if share.answers else "–")
    return table


def latency(verdict: Verdict) -> Judged | None:
    """The bound with the most evidence against the version; where there is none at any, the first that few answers of
    the stable version exceed. None where no times are known.
    """
    few = (each for each in verdict.judged[1:] if each.stable.bad <= _FEW * each.stable.answers)
    return verdict.slowest or next(few, None)


def _bad(share: Share) -> str:
    return f"{share.bad:,} ({percent(share.bad / share.answers)})" if share.answers else "–"


def _evidence(verdict: Verdict) -> RenderableType:
    table = Table(box=None, pad_edge=False, show_header=False, padding=(0, 2, 0, 0))
    for name, value, enough, style in (
        ("worse", verdict.against, verdict.against_enough, "red"),
        ("no worse", verdict.proof, verdict.proof_enough, "green"),
    ):
        # What is still needed shrinks by the factor that evidence grows by.
        share = min(1.0, max(0.0, math.log(max(value, 1.0)) / math.log(enough)))
        bar = ProgressBar(total=1.0, completed=share, width=_BAR, complete_style=style, finished_style=style)
        table.add_row(name, bar, f"{value:,.1f} of {enough:,.0f}" if value < 1e6 else "over a million")
    return table


def _seconds(seconds: float) -> str:
    minutes, rest = divmod(max(0, round(seconds)), 60)
    return f"{minutes}:{rest:02d}"
