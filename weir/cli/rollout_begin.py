"""How a rollout begins, or goes on where it was left: from what is typed and what is kept to the states to run."""

from __future__ import annotations

import getpass
import socket
import sys
import time
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from uuid import uuid4

import click

from weir.cli.context import Context, require_version
from weir.cli.options import length
from weir.cli.recovery import say
from weir.cli.rollout_due import AnotherGoesOnError
from weir.cli.rollout_plan import first_screen, from_envoys
from weir.cli.rollout_retire import given_up
from weir.cli.rollout_steps import share_out
from weir.errors import UsageError, VerdictError, WeirError
from weir.model import ConfigError, Duration
from weir.model.config.control import control_of, copied, why_no_control
from weir.model.values.numbers import plain
from weir.rollout import record
from weir.rollout.keeper import SAVE_SECONDS
from weir.rollout.member import at_begin
from weir.rollout.state import State, Step, given_steps, steps_of
from weir.stack.edit import StackEdit

_TRIES = 5

Kept = dict[str, record.Kept]
"""By service."""


def parse(what: tuple[str, ...]) -> dict[str, str | None]:
    """The version of each service: of `backend v2`, `backend=v2 cart=v3`, or `backend`. Raises UsageError."""
    if any("=" in each for each in what):
        pairs = dict(each.split("=", 1) for each in what if each.count("=") == 1)
        if len(pairs) < len(what) or not all(service and version for service, version in pairs.items()):
            raise UsageError(f"{' '.join(what)}: several services are named SERVICE=VERSION, each once")
        return dict(pairs)
    if not what:
        return {}
    if len(what) > 2:
        raise UsageError(f"{' '.join(what)}: several services are named SERVICE=VERSION, such as {what[0]}={what[1]}")
    return {what[0]: what[1] if len(what) == 2 else None}


def begun(context: Context, states: list[State]) -> Kept:
    """The states of a rollout that begins, kept for the first time; all of them, or none that counts. Raises
    UsageError where one is under way meanwhile.
    """
    before = record.read_all(context.kubectl, [each.service for each in states])
    given_up(before.values())
    try:
        return record.write(context.kubectl, states, before)
    except WeirError as error:
        # Those that were kept have nobody who goes on with them.
        there = record.read_all(context.kubectl, [each.service for each in states])
        mine = {
            state.service: state for state in states if state.service in there and there[state.service].state == state
        }
        if mine:
            over = [replace(each, phase="aborted", why=f"it could not begin: {error}") for each in mine.values()]
            record.write(context.kubectl, over, {service: there[service] for service in mine})
        raise


def states_of(
    context: Context,
    versions: Mapping[str, str],
    steps: str | None,
    pause: str | None,
    typed: str,
    reason: str = "",
) -> list[State]:
    """The states of a rollout that begins, service by service. Raises UsageError."""
    found = [_state(context, service, version, steps, pause, typed) for service, version in versions.items()]
    first = found[0]
    if other := next((each for each in found if each.steps != first.steps), None):
        raise UsageError(
            f"{first.service} and {other.service} have different steps in the config, and go through them as one: "
            "give --steps"
        )
    together = tuple(each.service for each in found) if len(found) > 1 else ()
    owner = uuid4().hex
    return [replace(each, together=together, reason=reason, owner=owner) for each in found]


def _state(context: Context, service: str, version: str, steps: str | None, pause: str | None, typed: str) -> State:
    settings = context.service(service)
    require_version(settings, service, version)
    if version == settings.stable:
        raise UsageError(f"{version} is the stable version of {service} already, and gets all that canaries leave")
    who = f"{getpass.getuser()}@{socket.gethostname()}"
    least = length("--pause", pause) if pause else settings.rollout.pause
    if steps:
        ways = _given(steps, least)
    else:
        ways = tuple(replace(step, pause=least.seconds) if pause else step for step in steps_of(settings.rollout))
    control = control_of(settings.stable) if settings.rollout.control else ""
    if control and (why := why_no_control(settings, settings.stable, version)):
        raise UsageError(f"{service} can have no control, which its rollout asks for: {why}; take control: true out")
    if control in settings.versions:
        _require_own(context, service, settings.stable, version, control)
    return State(
        service,
        version,
        settings.stable,
        ways,
        typed,
        who,
        datetime.now(UTC),
        control=control,
        settings=at_begin(settings.rollout),
    )


def _require_own(context: Context, service: str, stable: str, version: str, control: str) -> None:
    """Raise UsageError where the version that the control is to be is somebody else's. What a rollout has left that was
    killed is as it would be made now.
    """
    versions = StackEdit(context.path).settings(service)["versions"]
    if versions[control] != copied(versions[stable] or {}, versions[version] or {}):
        raise UsageError(
            f"{service} has a version {control}, which is what its rollout calls the control of {stable}; give it "
            "another name, or take control: true out"
        )


def _given(steps: str, pause: Duration) -> tuple[Step, ...]:
    try:
        return given_steps(steps, pause)
    except ValueError as error:
        raise UsageError(f"--steps {error}") from None


def typed(what: tuple[str, ...], steps: str | None, pause: str | None) -> str:
    """The command, for the record."""
    given = [f"--steps {steps}"] if steps else []
    given += [f"--pause {pause}"] if pause else []
    return " ".join(["weir rollout", *what, *given])


def taken_over(context: Context, kept: Kept, asked: Mapping[str, str | None], *, going_on: bool) -> Kept:
    """The rollout that is under way, once no other process is at it. Raises UsageError; VerdictError where
    it is held.
    """
    first = next(iter(kept.values())).state
    for service, version in asked.items():
        state = kept[service].state if service in kept else None
        if state is None or version not in (None, state.version):
            raise UsageError(
                f"a rollout of {first.service} to {first.version} is under way (begun by {first.who}); to end it: weir "
                f"abort {first.service}"
            )
    _refuse_another(context, kept)
    states = [each.state for each in kept.values()]
    held = next((each for each in states if each.phase == "held"), None)
    if held and not going_on:
        raise VerdictError(what_next(held))
    if held:
        states = [each if each.over else each.let_go_on(datetime.now(UTC)) for each in states]
    owner = uuid4().hex
    return record.write(context.kubectl, [replace(each, owner=owner) for each in states], kept)


def opened(context: Context, asked: Mapping[str, str | None]) -> bool:
    """Open the gate of the step that the rollout is at; whether another process goes on with it, which then is said.
    Raises UsageError where nothing waits for somebody to say so.
    """
    for left in reversed(range(_TRIES)):
        kept = under_way(context, asked)
        states = [each.state for each in kept.values() if not each.state.over]
        if not states or any(each.phase == "held" for each in states):
            return False
        first = states[0]
        if not first.step.manual or all(each.released for each in states):
            raise UsageError(
                f"nothing of the rollout of {first.service} waits for somebody: its step of {plain(first.step.share)} "
                f"% has no gate that is closed; weir status {first.service} shows it"
            )
        try:
            now = record.write(context.kubectl, [replace(each, released=True) for each in states], kept)
            break
        except record.AnotherWroteError:
            # Who waits at the gate writes down what it sees, now and then.
            if not left:
                raise
    say(f"the gate of {first.service} at {plain(first.step.share)} % is open")
    try:
        _refuse_another(context, now)
    except AnotherGoesOnError as error:
        say(str(error))
        return True
    return False


def under_way(context: Context, services: Mapping[str, str | None]) -> Kept:
    """The rollout that one of these services is in, with all of its services; nothing where there is none. Raises
    UsageError where some of it is gone.
    """
    asked = record.read_all(context.kubectl, services)
    others = {name for each in asked.values() for name in each.state.together} - set(asked)
    asked |= record.read_all(context.kubectl, others)
    for service in services:
        there = record.of_one(asked, service)
        if all(each.state.over for each in there.values()):
            continue
        names = there[service].state.services
        if lost := [name for name in names if name not in there]:
            raise UsageError(
                f"the rollout of {service} goes on as one with {' and '.join(lost)}, of which the cluster has no state "
                f"of it any more; to end it: weir abort {service}"
            )
        return {name: there[name] for name in names}
    return {}


def _refuse_another(context: Context, kept: Kept) -> None:
    """Raise AnotherGoesOnError where another process goes on with the rollout: it writes down what it sees."""
    first = next(iter(kept.values()))
    end = time.monotonic() + SAVE_SECONDS + 3
    say(f"looking for another process that goes on with the rollout of {first.state.service} …")
    while time.monotonic() < end:
        now = record.read(context.kubectl, first.state.service)
        if now is None or now.resource_version != first.resource_version:
            raise AnotherGoesOnError(
                f"another process goes on with the rollout of {first.state.service}, begun by {first.state.who}; weir "
                f"status {first.state.service} shows it"
            )
        time.sleep(0.5)


def what_next(state: State) -> str:
    """What to type after an end that is none of the good ones."""
    if state.phase == "aborted":
        return f"{state.version} of {state.service} was taken back: {state.why}"
    return (
        f"{state.version} of {state.service} is held at {plain(state.step.share)} %: {state.why}. To go on: weir "
        f"rollout {state.service} --continue; to end it: weir abort {state.service}"
    )


def ask(context: Context, states: list[State]) -> None:
    """Return after a yes. Raises UsageError where nobody can be asked, Abort after a no."""
    said = [
        f"{plain(step.share)} % for {step.pause:g} s{', then until somebody lets it go on' if step.manual else ''}"
        for step in states[0].steps
    ]
    for state in states:
        keep = context.service(state.service).rollout.keep
        then = f"promoted; {state.stable} is retired {keep} later" if keep else "promoted"
        beside = f", compared with fresh pods of it ({state.control})" if state.control else ""
        say(f"{state.service}: {state.version} takes over from {state.stable}{beside}: {'; '.join(said)}; then {then}")
    if not sys.stdin.isatty():
        raise UsageError("no terminal to ask on: use --yes")
    first_screen(context, states, from_envoys(context))
    if not click.confirm("begin?", err=True):
        raise click.Abort


def require_steps(context: Context, states: list[State]) -> None:
    """Raise UsageError where the config of a step would be refused: none is begun that cannot
    end.
    """
    for index, step in enumerate(states[0].steps):
        file = StackEdit(context.path)
        for state in states:
            share_out(file, replace(state, index=index), context.service(state.service))
        try:
            context.saying(file.text).config  # noqa: B018 - reading it is checking
        except ConfigError as error:
            raise UsageError(
                f"the config would not be sound at {plain(step.share)} %, and nothing was begun:\n{error}"
            ) from None
