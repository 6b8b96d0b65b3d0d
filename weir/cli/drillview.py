"""The live view of a drill: latency and errors of requests that meet the fault, beside those before it and those that
it leaves alone.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime

import click
from rich.console import Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table

from weir.cli.context import Context
from weir.cli.statusview import latency
from weir.cluster.errors import ClusterError
from weir.console import Console, Text
from weir.errors import WeirError
from weir.measurement.caller import Caller
from weir.measurement.latency import Latencies
from weir.measurement.sending import Sending, send

_BEFORE = 100
_BATCH = 20
_EVERY = 2.0
"""Seconds from one batch to the next: ten requests a second are enough to see a fault, and harm nobody."""

_LINE_EVERY = 30.0
"""Seconds between two lines where there is no terminal to draw on."""


@dataclass
class Watched:
    """Requests of a client to a service under a drill; without a caller nothing is measured, and `why` says why.

    `headers` are those that the fault asks for; `longest`: the seconds by which it delays.
    """

    service: str
    url: str
    caller: Caller | None
    headers: tuple[tuple[str, str], ...]
    why: str = ""
    longest: float = 0.0
    before: Latencies = field(default_factory=Latencies)
    during: Latencies = field(default_factory=Latencies)
    others: Latencies = field(default_factory=Latencies)

    @classmethod
    def find(cls, context: Context, service: str, client: str | None, headers: tuple[tuple[str, str], ...]) -> Watched:
        """Who can send requests to the service in this stack, from inside the mesh."""
        port = context.config.services[service].main_port.port
        url = f"http://{service}/" if port == 80 else f"http://{service}:{port}/"
        name = client or next(iter(context.config.clients), None)
        if name is None:
            return cls(
                service,
                url,
                None,
                headers,
                "the stack has no weir:clients to send requests from; --client names another workload",
            )
        try:
            return cls(service, url, Caller.find(context.kubectl, name), headers)
        except WeirError as error:
            return cls(service, url, None, headers, str(error))

    def measure_before(self) -> None:
        """What the service is like without the fault; where nobody can send requests, or may, nothing is measured,
        which does not keep a drill.
        """
        if self.caller is not None:
            try:
                self.before.add(send(self.caller, Sending(self.url, _BEFORE, 10)))
            except WeirError as error:
                self.caller, self.why = None, str(error)
        if self.caller is None:
            click.echo(f"latency and errors are not shown: {self.why}", err=True)

    def measure(self) -> None:
        """One batch of requests that the fault may meet and, where it meets some alone, one of others."""
        if self.caller is None:
            return
        # All at once: those that are delayed do not keep the others waiting.
        self.during.add(send(self.caller, Sending(self.url, _BATCH, _BATCH, 15 + self.longest, self.headers)))
        if self.headers:
            self.others.add(send(self.caller, Sending(self.url, _BATCH, _BATCH)))

    @property
    def rows(self) -> Iterator[tuple[str, Latencies]]:
        """What was measured, by name."""
        yield "before", self.before
        yield "with the fault", self.during
        if self.headers:
            yield "others", self.others

    def show(self, *, as_json: bool) -> None:
        """Print all that was measured."""
        if as_json:
            names = {"before": self.before, "during": self.during, **({"others": self.others} if self.headers else {})}
            click.echo(
                json.dumps(
                    {"service": self.service, **{name: found.as_json() for name, found in names.items()}}, indent=2
                )
            )
        elif self.caller is not None:
            Console().print(self.table())

    def table(self) -> Table:
        """For a terminal of any width."""
        table = Table(box=None, pad_edge=False, padding=(0, 3, 0, 0))
        for column in ("", "requests", "errors", "p50", "p99", "slowest"):
            table.add_column(column, justify="left" if not column else "right")
        for name, found in self.rows:
            share = f"{100 * found.errors / found.requests:.1f} %" if found.requests else "–"
            table.add_row(
                name, f"{found.requests:,}", share, *(latency(found.quantile(each)) for each in (0.5, 0.99, 1))
            )
        return table


def watch(watched: Watched, until: datetime) -> None:
    """Measure and show until that moment. A terminal is drawn on; elsewhere a line says how it goes every half a
    minute.
    """
    start = datetime.now(UTC)
    console = Console(stderr=True)
    with _drawn(console) as draw:
        said = time.monotonic()
        while (left := (until - datetime.now(UTC)).total_seconds()) > 0:
            began = time.monotonic()
            try:
                # What is delayed must be back before the end, which nothing may put off.
                if left > watched.longest + 1:
                    watched.measure()
            except ClusterError as error:
                watched.caller, watched.why = None, str(error)
                click.echo(f"latency and errors are no longer shown: {error}", err=True)
            draw(_view(watched, (until - start).total_seconds(), left))
            if not console.is_terminal and time.monotonic() - said >= _LINE_EVERY:
                said = time.monotonic()
                click.echo(f"{watched.service}: {left:.0f} s left; {_in_a_line(watched)}", err=True)
            while time.monotonic() - began < _EVERY and datetime.now(UTC) < until:
                time.sleep(0.1)


@contextmanager
def _drawn(console: Console) -> Iterator[Callable[[RenderableType], None]]:
    if not console.is_terminal or not sys.stderr.isatty():
        yield lambda _: None
        return
    with Live(console=console, auto_refresh=False, transient=True) as live:
        yield lambda view: live.update(view, refresh=True)


def _view(watched: Watched, whole: float, left: float) -> RenderableType:
    minutes, seconds = divmod(round(left), 60)
    head = Text.assemble("drill of ", (watched.service, "bold"), f": {minutes}:{seconds:02d} left; Ctrl-C ends it")
    return Group(head, ProgressBar(total=whole, completed=whole - left, width=50), watched.table())


def _in_a_line(watched: Watched) -> str:
    return "; ".join(
        (
            f"{name} p50 {latency(found.quantile(0.5))} p99 {latency(found.quantile(0.99))} errors {found.errors} of "
            f"{found.requests}"
        )
        for name, found in watched.rows
    )
