"""What to expect of a rollout, by the traffic there is: of `weir rollout --plan`, and before one begins."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Mapping, Sequence

import click
from rich.progress import track

from weir.analysis import Share
from weir.cli.context import Context
from weir.cli.recovery import say
from weir.cli.rollout_planview import Plan, for_programs, view
from weir.cli.rollout_steps import measured_service
from weir.console import Console
from weir.errors import WeirError
from weir.measurement.answers import Answers
from weir.measurement.caller import Caller
from weir.measurement.watched import Watched
from weir.rollout.member import comparison_settings
from weir.rollout.plan import Recent, expected
from weir.rollout.state import State

WINDOW = 10
"""Seconds. Envoy counts from the begin of its process on: what came in a time takes that time to know."""

Source = Callable[[Sequence[State]], Mapping[str, Recent]]
"""What the service of each of these rollouts got a moment ago, by its name. Raises WeirError."""


def print_plan(context: Context, states: Sequence[State], source: Source, *, as_json: bool) -> None:
    """Print what to expect; nothing is changed. Raises WeirError."""
    plans = plan(context, states, source)
    if as_json:
        found = [for_programs(each) for each in plans]
        click.echo(json.dumps(found[0] if len(found) == 1 else {"services": found}, indent=2))
        return
    for each in plans:
        Console().print(view(each))


def first_screen(context: Context, states: Sequence[State], source: Source) -> None:
    """Show what to expect before somebody is asked; that it cannot be told stops nobody."""
    try:
        for each in plan(context, states, source):
            Console(stderr=True).print(view(each))
    except WeirError as error:  # a caller that cannot be asked does not keep a release from its begin
        say(f"what to expect is not known: {error}")


def plan(context: Context, states: Sequence[State], source: Source) -> list[Plan]:
    """What to expect of each of these rollouts. Raises WeirError."""
    found, recents = [], source(states)
    for state in states:
        analysis, recent = context.service(state.service).rollout.analysis, recents[state.service]
        settings, patience = comparison_settings(analysis, len(state.services)), analysis.patience.seconds
        steps = recent.stable.answers and expected(
            state.steps, settings, recent, patience=patience, control=bool(state.control)
        )
        found.append(Plan(state, analysis, recent, steps or ()))
    return found


def from_envoys(context: Context) -> Source:
    """Measures for some seconds at callers' Envoys, as the rollout itself is going to."""

    def source(states: Sequence[State]) -> Mapping[str, Recent]:
        watched = _watched(context, [state.service for state in states])
        watched.look()
        began = time.monotonic()
        _wait(f"measuring the traffic of {', '.join(state.service for state in states)} for {WINDOW} s")
        found = watched.look()
        seconds = time.monotonic() - began
        return {state.service: seen(found.get(state.service, {}), state.stable, seconds) for state in states}

    return source


def seen(answers: Mapping[str, Answers], stable: str, seconds: float) -> Recent:
    """What the answers of some seconds, by version, say of a service. Requests of no version are not the split's."""
    of_stable = answers.get(stable, Answers())
    requests = sum(each.requests for version, each in answers.items() if version)
    return Recent(seconds, requests, Share(of_stable.requests, of_stable.failures), of_stable.timed > 0)


def _watched(context: Context, names: Sequence[str]) -> Watched:
    return Watched(lambda: Caller.all(context.kubectl), {name: measured_service(context, name) for name in names})


def _wait(what: str) -> None:
    console = Console(stderr=True)
    drawn = console.is_terminal and sys.stderr.isatty()
    if not drawn:
        say(f"{what} …")
    for _ in track(range(WINDOW), what, console=console, transient=True, disable=not drawn):
        time.sleep(1)
