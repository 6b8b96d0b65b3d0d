"""The control of a rollout comes before its first step and goes after its end, each by an update that brings nothing
else.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial

from weir.cli.besides import besides
from weir.cli.context import Context
from weir.cli.recovery import say
from weir.cli.rollout_steps import add_control
from weir.cli.whole_update import BesidesError, Whole, whole_update
from weir.errors import WeirError
from weir.rollout import record
from weir.rollout.state import State
from weir.stack.edit import StackEdit


def with_controls(context: Context, states: Iterable[State]) -> Context:
    """The stack as its file is to be, with the controls."""
    file = StackEdit(context.path)
    for state in states:
        add_control(file, state)
    return context.saying(file.text)


def prepare(context: Context, states: Sequence[State], reason: str) -> None:
    """Make the controls, without requests, and return once their pods are ready: before the first step. Whoever was
    killed before that has it done again. Raises WeirError.
    """
    mine = [state for state in states if state.control and state.phase == "begun"]
    if not mine:
        return
    file = StackEdit(context.path)
    for state in mine:
        add_control(file, state)
    try:
        _update(context, file, mine, "create", reason)
    except BesidesError as error:
        first = mine[0]
        raise WeirError(
            f"{first.control} of {first.service} was not made, and no request has moved: the update would bring more "
            f"than that ({error}). Apply that first, or take it out of {file.path.name}; then go on: weir rollout "
            f"{first.service}; or end it: weir abort {first.service}"
        ) from None


def clear_away(context: Context, services: Collection[str], reason: str) -> dict[str, State]:
    """Remove the controls of these services' rollouts that are over. Returns these rollouts, by service. Raises
    WeirError: the next call tries again.
    """
    found = record.read_all(context.kubectl, services)
    kept = {service: each for service, each in found.items() if each.state.over and each.state.control}
    if not kept:
        return {}
    states = [each.state for each in kept.values()]
    file = StackEdit(context.path)
    for state in states:
        file.remove_version(state.service, state.control)
    try:
        _update(context, file, states, "delete", reason)
    except BesidesError as error:
        file.write()
        what = ", ".join(f"{state.control} of {state.service}" for state in states)
        say(
            f"{what} stays in the cluster, without requests: an update would bring more than its end ({error}). It is "
            f"out of {file.path.name}; pulumi up removes it with the rest"
        )
    after = {state.service: replace(state, control="") for state in states}
    # Who has written meanwhile has the control to clear away, which is gone: that does no harm.
    with suppress(record.AnotherWroteError):
        record.write(context.kubectl, list(after.values()), kept)
    return after


def _update(context: Context, file: StackEdit, states: Sequence[State], op: str, reason: str) -> None:
    controls = {state.service: state.control for state in states}
    who = ", ".join(f"{state.service} {state.version}" for state in states)
    what = f"weir rollout {who} (control {'made' if op == 'create' else 'removed'})"
    whole_update(
        Whole(
            context.saying(file.text),
            file,
            tuple(controls),
            what,
            yes=True,
            reason=reason,
            tell=say,
            besides=partial(besides, op, controls),
            rollout=True,
        )
    )
