"""`weir rollout`: a version from no requests to all of them, step by step, and back where it is worse."""

from __future__ import annotations

import json
import sys
from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import Literal

import click

from weir.cli.context import Context
from weir.cli.notified import notified
from weir.cli.options import json_option, stack_option
from weir.cli.recovery import say
from weir.cli.rollout_begin import (
    Kept,
    ask,
    begun,
    opened,
    parse,
    require_steps,
    states_of,
    taken_over,
    typed,
    under_way,
    what_next,
)
from weir.cli.rollout_control import clear_away, prepare, with_controls
from weir.cli.rollout_due import go_on_where_due
from weir.cli.rollout_plan import from_envoys, print_plan
from weir.cli.rollout_retire import retire_when_due, to_retire
from weir.cli.rollout_source import once_seconds, settings_since_begin, sources, tried
from weir.cli.rollout_steps import Moves, run_check, templates_of_versions
from weir.cli.rolloutview import Screen
from weir.engine.errors import InterruptedPreviewError, InterruptedUpdateError
from weir.errors import UsageError, VerdictError, WeirError
from weir.model.values.numbers import plain
from weir.rollout import record
from weir.rollout.run import Run
from weir.rollout.state import State, for_programs, in_words


@click.command("rollout")
@click.argument("what", nargs=-1, metavar="SERVICE [VERSION] | SERVICE=VERSION…")
@click.option("--steps", metavar="PERCENT,…", help="The steps, such as 5,25,50; the config's when left out.")
@click.option("--pause", metavar="DURATION", help="How long each step lasts at least; the config's when left out.")
@click.option("--continue", "going_on", is_flag=True, help="Let a step go on that waits for somebody to say so.")
@click.option(
    "--once",
    is_flag=True,
    help="Do what is due and end, for a schedule; without SERVICE, of every rollout that is under way.",
)
@click.option("--plan", is_flag=True, help="Say what to expect, by the traffic there is, and change nothing.")
@click.option("--reason", metavar="TEXT", default="", help="Why; weir history shows it.")
@click.option("--yes", "-y", is_flag=True, help="Do not ask.")
@stack_option
@json_option
def command(
    what: tuple[str, ...],
    steps: str | None,
    pause: str | None,
    going_on: bool,
    once: bool,
    plan: bool,
    reason: str,
    yes: bool,
    stack: str,
    as_json: bool,
) -> None:
    """Take VERSION of SERVICE from no requests to all of them, step by step, and back where it is worse than the
    stable version.

    Between two steps the requests that both versions get at the same time are compared: failures, and how long answers
    take. Several services, SERVICE=VERSION each, go through the steps as one: where one is worse, all are taken back.
    Without VERSION it goes on where a rollout was left, or waits to retire the version that was stable, where the
    config has rollout.keep. Ends with 0 when the version is promoted, 3 when it was taken back or is held.
    """
    context, asked = Context(stack), parse(what)
    for service in asked:
        context.service(service)
    if not asked and (going_on or not (once or plan)):
        raise UsageError(
            "name the service: weir rollout SERVICE VERSION; --once alone goes on with all that are under way"
        )
    versions = {service: version for service, version in asked.items() if version is not None}
    if plan:
        if not versions or len(versions) < len(asked):
            named = next(iter(asked), "SERVICE")
            raise UsageError(f"--plan wants to know which version: weir rollout {named} VERSION --plan")
        states = states_of(context, versions, steps, pause, typed(what, steps, pause))
        print_plan(context, states, from_envoys(context), as_json=as_json)
        return

    def go_on(service: str) -> None:
        if kept := _taken_over(Context(stack), {service: None}, going_on=going_on):
            _roll(kept, Context(stack), reason, once, as_json)
        else:
            clear_away(context, [service], reason)
            there = record.read_all(context.kubectl, [service]).values()
            _report(retire_when_due(context, there, reason, once=True), as_json)

    if once and not versions:
        go_on_where_due(context, asked, go_on)
        return
    if going_on and opened(context, asked):
        return
    kept = _taken_over(context, asked, going_on=going_on)
    if not kept:
        cleared = clear_away(context, asked, reason)
        context = context.anew()
        if len(versions) < len(asked):
            if left := to_retire(context, asked):
                _report(retire_when_due(context, left, reason), as_json)
                return
            if cleared:
                _report(list(cleared.values()), as_json)
                return
            service = next(iter(asked))
            raise UsageError(f"no rollout of {service} is under way; to begin one: weir rollout {service} VERSION")
        states = states_of(context, versions, steps, pause, typed(what, steps, pause), reason)
        require_steps(context, states)
        tried(with_controls(context, states), states)
        if not yes:
            ask(context, states)
        kept = begun(context, states)
    _roll(kept, context, reason, once, as_json)


def _taken_over(context: Context, asked: Mapping[str, str | None], *, going_on: bool) -> Kept:
    kept = under_way(context, asked)
    return taken_over(context, kept, asked, going_on=going_on) if kept else {}


def _roll(kept: Kept, context: Context, reason: str, once: bool, as_json: bool) -> None:
    """Go on with a rollout, and say what it has come to; nothing where it has ended meanwhile."""
    if not kept:
        return
    states = [each.state for each in kept.values()]
    screen = Screen()
    prepare(context.anew(), states, reason or states[0].reason)
    source, metrics = sources(with_controls(context, states), states, screen.tell)
    with notified(context) as told:
        run = Run(
            context.kubectl,
            {state.service: settings_since_begin(context, state) for state in states},
            kept,
            traffic=Moves(context, reason or states[0].reason, screen.tell),
            source=source,
            check=run_check(context),
            show=screen.show,
            metrics=metrics,
            once_seconds=once_seconds(context),
            told=told,
            tell=screen.tell,
            made_of=partial(templates_of_versions, context, states),
        )
        _watched(run, screen, once=once)
    done = {state.service: state for state in run.states}
    if run.state.over:
        done |= _cleared(context.anew(), done, reason or states[0].reason)
    left = [] if once else to_retire(context, [state.service for state in done.values() if state.retire])
    done |= {state.service: state for state in retire_when_due(context, left, reason or states[0].reason)}
    _report(list(done.values()), as_json)
    if run.state.phase in ("aborted", "held"):
        raise VerdictError(what_next(run.state))


def _cleared(context: Context, services: Collection[str], reason: str) -> dict[str, State]:
    """Remove the controls. What the rollout has come to stands, whether or not that could be done."""
    try:
        return clear_away(context, services, reason)
    except WeirError as error:
        say(f"{error}\nthe control is still to be removed: weir rollout {next(iter(services))} --once")
        return {}


def _report(states: Sequence[State], as_json: bool) -> None:
    """What the rollout has come to, service by service."""
    if as_json and states:
        found = [for_programs(state) for state in states]
        click.echo(json.dumps(found[0] if len(found) == 1 else {"services": found}, indent=2))
    else:
        for state in states:
            click.echo(f"{state.service}: {in_words(state, datetime.now(UTC))}")


def _watched(run: Run, screen: Screen, *, once: bool) -> None:
    """Run it. On Ctrl-C somebody at a terminal says what becomes of it; elsewhere it is left as it is."""
    said: Literal["hold", "abort"] | None = None
    while True:
        try:
            with screen.drawn():
                if said:
                    run.end(said)
                else:
                    run.until_end(once=once)
                return
        except (KeyboardInterrupt, InterruptedPreviewError, InterruptedUpdateError):
            # In the middle of a step Ctrl-C ends its update first.
            state = run.state
            share = f"{' and '.join(f'{each.version} of {each.service}' for each in run.states)} at "
            share += f"{plain(state.step.share)} %"
            if not sys.stdin.isatty():
                say(f"the rollout is left with {share}; to go on: weir rollout {state.service}")
                raise
            choice = click.prompt(
                f"{share}: hold it there, abort, or go on?", type=click.Choice(["hold", "abort", "go on"]), err=True
            )
            said = "hold" if choice == "hold" else "abort" if choice == "abort" else None
