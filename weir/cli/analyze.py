"""`weir analyze`: the verdict from recorded counts, offline."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

import click
from rich import box
from rich.padding import Padding
from rich.table import Table

from weir.analysis import (
    CONFIDENCE,
    NO_WORSE,
    UNDECIDED,
    WORSE,
    Comparison,
    Look,
    RecordError,
    Share,
    Verdict,
    replay,
)
from weir.cli.options import counted, json_option, length
from weir.console import Console, Text
from weir.errors import UsageError, VerdictError

_FORM = '{"at": 12.5, "stable": {"requests": 900, "failures": 1}, "canary": {"requests": 100, "failures": 4}}'


@click.command("analyze")
@click.argument("file", type=click.Path(path_type=Path, allow_dash=True))
@click.option(
    "--worse",
    metavar="TIMES",
    default=1.5,
    show_default=True,
    help="So many times the stable version's odds of a failure are tolerated.",
)
@click.option(
    "--tolerated", metavar="PERCENT", default=0.1, show_default=True, help="So is any share of failures up to this."
)
@click.option(
    "--false-aborts",
    metavar="CHANCE",
    default=0.01,
    show_default=True,
    help="The most probability that a canary that is no worse is called worse, over all looks.",
)
@click.option(
    "--latency-worse",
    metavar="TIMES",
    default=2.0,
    show_default=True,
    help="As --worse, for answers slower than a bound.",
)
@click.option(
    "--latency-tolerated",
    metavar="DURATION",
    default="5ms",
    show_default=True,
    help="An answer that is slower by no more is tolerated.",
)
@click.option(
    "--margin",
    metavar="TIMES",
    default=2.0,
    show_default=True,
    help="No worse is what is shown to have odds below so "
    "many times the stable version's, or those of the tolerated share.",
)
@click.option("--strict", is_flag=True, help="Exit code 3 as well when it is undecided.")
@json_option
def command(
    file: Path,
    worse: float,
    tolerated: float,
    false_aborts: float,
    latency_worse: float,
    latency_tolerated: str,
    margin: float,
    strict: bool,
    as_json: bool,
) -> None:
    """Say whether the canary is worse than the stable version, from recorded counts: worse, no worse, or undecided.

    FILE has a look a line, which is what came since the last one; - is stdin:

    {"at": 12.5, "stable": {"requests": 900, "failures": 1, "slower": {"0.25": 3}}, "canary": {…}}

    Ends with 3 when the canary is worse, 2 for lines that are no looks. docs/guide/how-weir-decides.md explains it all.
    """
    try:
        comparison = Comparison(
            worse=worse,
            tolerated=tolerated / 100,
            false_aborts=false_aborts,
            latency_worse=latency_worse,
            latency_tolerated=length("--latency-tolerated", latency_tolerated).seconds,
            margin=margin,
        )
    except ValueError as error:
        raise UsageError(str(error)) from None
    looks, last, since = 0, None, None
    first: Look | None = None
    with _opened(file) as lines:
        try:
            for look, verdict in replay(lines, comparison):
                looks, first = looks + 1, first or look
                if last is None or verdict.decision != last[1].decision:
                    since = look.at
                last = look, verdict
        except RecordError as error:
            raise UsageError(f"{file}: {error}") from None
        except UnicodeDecodeError as error:
            raise UsageError(f"{file}: is not text in UTF-8 (byte {error.start})") from None
    if first is None or last is None or since is None:
        raise UsageError(f"{file}: has no look; a line of it is such as {_FORM}")
    look, verdict = last
    if as_json:
        click.echo(json.dumps({**verdict.as_json(), "looks": looks, "since": since}, indent=2))
    else:
        click.echo(f"{file}: {counted(looks, 'look')}, {first.at:g} to {look.at:g} s")
        _show(Console(), verdict, since)
    if verdict.decision == WORSE:
        raise VerdictError(f"the canary is worse than the stable version, since {since:g} s")
    if strict and verdict.decision != NO_WORSE:
        raise VerdictError("it is undecided whether the canary is worse; --strict takes that for a no")


@contextmanager
def _opened(file: Path) -> Iterator[TextIO]:
    if str(file) == "-":
        yield sys.stdin
        return
    try:
        with file.open(encoding="utf-8-sig") as lines:
            yield lines
    except OSError as error:
        raise UsageError(f"{file}: cannot be read: {error.strerror}") from None


def _show(console: Console, verdict: Verdict, since: float) -> None:
    if verdict.decision == UNDECIDED:
        said = "it is undecided whether the canary is worse"
    else:
        said = f"the canary is {verdict.decision} than the stable version, since {since:g} s"
    style = {WORSE: "bold red", NO_WORSE: "green"}.get(verdict.decision, "bold")
    console.print(Padding(Text(said, style=style), (0, 1)))
    console.print(_table(verdict))
    ratio = verdict.ratio
    times = f"{_times(ratio.low)} or more" if ratio.high is None else f"{_times(ratio.low)} to {_times(ratio.high)}"
    now = ", ".join(f"{name} {_evidence(value)}" for name, value in verdict.evidence.items())
    lines = [
        f"odds of a failure: {times} times the stable version's ({100 * CONFIDENCE:.0f} %)",
        f"evidence that it is worse: {_evidence(verdict.against)} at its highest, {verdict.against_enough:,.0f} is "
        f"enough (now: {now})",
        f"evidence that it is worse by less than the margin: {_evidence(verdict.proof)} at its highest, "
        f"{verdict.proof_enough:,.0f} is enough",
    ]
    if verdict.more is not None:
        lines.append(str(verdict.more))
    for line in lines:
        console.print(Padding(Text(line), (0, 1)))


def _times(ratio: float) -> str:
    return f"{ratio:,.0f}" if ratio >= 10 else f"{ratio:.2g}"


def _table(verdict: Verdict) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=True)
    for column in ("", "stable", "canary"):
        table.add_column(column, justify="right" if column else "left", no_wrap=True)
    table.add_row("requests", f"{verdict.stable.answers:,}", f"{verdict.canary.answers:,}")
    for judged in (verdict.judged[0], verdict.slowest):
        if judged is not None:
            table.add_row(judged.name, *map(_seen, (judged.stable, judged.canary)))
            table.add_row(f"  {100 * CONFIDENCE:.0f} % interval", *map(_between, (judged.stable, judged.canary)))
    return table


def _seen(share: Share) -> str:
    return f"{share.bad:,} ({_percent(share.bad / share.answers)})" if share.answers else "0"


def _between(share: Share) -> str:
    interval = share.interval
    return f"{_percent(interval.low)} to {_percent(1.0 if interval.high is None else interval.high)}"


def _percent(share: float) -> str:
    """With the digits that tell something."""
    percent = 100 * share
    return "0 %" if not percent else f"{percent:.3g} %" if percent >= 0.001 else "under 0.001 %"


def _evidence(value: float) -> str:
    return "over a million" if value > 1e6 else f"{value:,.0f}" if value >= 10 else f"{value:.2g}"
