"""`weir rollout`: a version from no requests to all of them, step by step, and back where it is worse."""

from __future__ import annotations

import getpass
import json
import socket
import sys
import time
from dataclasses import replace
from datetime import UTC, datetime

import click

from weir.cli.context import Context
from weir.cli.options import json_option, stack_option
from weir.cli.recovery import say
from weir.cli.release import require_version
from weir.cli.rollout_plan import first_screen, from_envoys, print_plan
from weir.cli.rollout_steps import Answered, Moves, run_check
from weir.cli.rolloutview import Screen
from weir.errors import UsageError, VerdictError
from weir.model import Duration
from weir.model.values.numbers import plain
from weir.rollout import record
from weir.rollout.run import SAVE_SECONDS, Run
from weir.rollout.state import State, for_programs, given_steps, in_words, steps_of


@click.command("rollout")
@click.argument("service")
@click.argument("version", required=False)
@click.option("--steps", metavar="PERCENT,…", help="The steps, such as 5,25,50; the config's when left out.")
@click.option("--pause", metavar="DURATION", help="How long each step lasts at least; the config's when left out.")
@click.option("--continue", "going_on", is_flag=True, help="Let a step go on that waits for somebody to say so.")
@click.option("--once", is_flag=True, help="Do what is due and end, for a schedule.")
@click.option("--plan", is_flag=True, help="Say what to expect, by the traffic there is, and change nothing.")
@click.option("--reason", metavar="TEXT", default="", help="Why; weir history shows it.")
@click.option("--yes", "-y", is_flag=True, help="Do not ask.")
@stack_option
@json_option
def command(
    service: str,
    version: str | None,
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
    take. Without VERSION it goes on where a rollout was left. Ends with 0 when the version is promoted, 3 when it was
    taken back or is held.
    """
    context, typed = Context(stack), _typed(service, version, steps, pause)
    settings = context.service(service)
    if plan:
        if version is None:
            raise UsageError(f"--plan wants to know which version: weir rollout {service} VERSION --plan")
        states = [begin(context, service, version, steps, pause, typed)]
        print_plan(context, states, from_envoys(context), as_json=as_json)
        return
    kept = record.read(context.kubectl, service)
    if kept is not None and not kept.state.over:
        kept = _taken_over(context, kept, version, going_on=going_on)
    elif version is None:
        raise UsageError(f"no rollout of {service} is under way; to begin one: weir rollout {service} VERSION")
    else:
        state = begin(context, service, version, steps, pause, typed)
        if not yes:
            _ask(context, state)
        kept = record.write(context.kubectl, state, kept)
    screen = Screen()
    answered = Answered(context, kept.state)
    run = Run(
        context.kubectl,
        settings.rollout,
        kept,
        traffic=Moves(context, reason, screen.tell),
        source=answered,
        check=run_check(context),
        show=screen.show,
    )
    state = _watched(run, screen, once=once)
    if as_json:
        click.echo(json.dumps(for_programs(state), indent=2))
    else:
        click.echo(f"{service}: {in_words(state, datetime.now(UTC))}")
    if state.phase in ("aborted", "held"):
        raise VerdictError(_what_next(state))


def _watched(run: Run, screen: Screen, *, once: bool) -> State:
    """Run it. On Ctrl-C somebody at a terminal says what becomes of it; elsewhere it is left as it is."""
    while True:
        try:
            with screen.drawn():
                return run.until_end(once=once)
        except KeyboardInterrupt:
            state = run.state
            share = f"{state.version} at {plain(state.step.share)} %"
            if not sys.stdin.isatty():
                say(f"the rollout of {state.service} is left with {share}; to go on: weir rollout {state.service}")
                raise
            asked = click.prompt(
                f"{share}: hold it there, abort, or go on?", type=click.Choice(["hold", "abort", "go on"]), err=True
            )
            if asked != "go on":
                run.end("hold" if asked == "hold" else "abort")
                return run.state


def _typed(service: str, version: str | None, steps: str | None, pause: str | None) -> str:
    given = [f"--steps {steps}"] if steps else []
    given += [f"--pause {pause}"] if pause else []
    return " ".join(["weir rollout", service, *([version] if version else []), *given])


def _what_next(state: State) -> str:
    if state.phase == "aborted":
        return f"{state.version} of {state.service} was taken back: {state.why}"
    return (
        f"{state.version} of {state.service} is held at {plain(state.step.share)} %: {state.why}. To go on: weir "
        f"rollout {state.service} --continue; to end it: weir abort {state.service}"
    )


def _taken_over(context: Context, kept: record.Kept, version: str | None, *, going_on: bool) -> record.Kept:
    """The rollout that is under way, once no other process is at it. Raises UsageError."""
    state = kept.state
    if version not in (None, state.version):
        raise UsageError(
            f"a rollout of {state.service} to {state.version} is under way (begun by {state.who}); to end it: weir "
            f"abort {state.service}"
        )
    _refuse_another(context, kept)
    if going_on:
        # What was seen led to the hold; who goes on in spite of it begins anew.
        evidence = {} if state.phase == "held" else state.evidence
        state = replace(state, phase="step", released=True, evidence=evidence, why="")
    elif state.phase == "held":
        raise UsageError(_what_next(state))
    return record.write(context.kubectl, state, kept)


def _refuse_another(context: Context, kept: record.Kept) -> None:
    """Raise UsageError where another process goes on with the rollout: it writes down what it sees."""
    end = time.monotonic() + SAVE_SECONDS + 3
    say(f"looking for another process that goes on with the rollout of {kept.state.service} …")
    while time.monotonic() < end:
        now = record.read(context.kubectl, kept.state.service)
        if now is None or now.resource_version != kept.resource_version:
            raise UsageError(
                f"another process goes on with the rollout of {kept.state.service}, begun by {kept.state.who}; weir "
                f"status {kept.state.service} shows it"
            )
        time.sleep(0.5)


def _ask(context: Context, state: State) -> None:
    said = [
        f"{plain(step.share)} % for {step.pause:g} s{', then until somebody lets it go on' if step.manual else ''}"
        for step in state.steps
    ]
    say(f"{state.service}: {state.version} takes over from {state.stable}: {'; '.join(said)}; then promoted")
    if not sys.stdin.isatty():
        raise UsageError("no terminal to ask on: use --yes")
    first_screen(context, [state], from_envoys(context))
    if not click.confirm("begin?", err=True):
        raise click.Abort


def begin(context: Context, service: str, version: str, steps: str | None, pause: str | None, typed: str) -> State:
    """The state of a rollout that begins. Raises UsageError."""
    settings = context.service(service)
    require_version(settings, service, version)
    if version == settings.stable:
        raise UsageError(f"{version} is the stable version of {service} already, and gets all that canaries leave")
    length = Duration.parse(pause) if pause else settings.rollout.pause
    ways = given_steps(steps, length) if steps else steps_of(settings.rollout)
    if pause and not steps:
        ways = tuple(replace(step, pause=length.seconds) for step in ways)
    who = f"{getpass.getuser()}@{socket.gethostname()}"
    return State(service, version, settings.stable, ways, typed, who, datetime.now(UTC))
