"""`weir abort`: no canary gets anything."""

from __future__ import annotations

from decimal import Decimal

import click

from weir.cli.context import Context
from weir.cli.notified import notified
from weir.cli.options import release_options, stack_option
from weir.cli.recovery import say
from weir.cli.release import Release, only_edit, release
from weir.cli.rollout_steps import add_control
from weir.cli.under_way import rolled_out_with
from weir.engine.journal import path_of, wait_for_other
from weir.model import Service
from weir.rollout.state import State
from weir.stack.edit import StackEdit

_STEP_SECONDS = 60.0
"""How long it waits for a step of the rollout that is being made."""


@click.command("abort")
@click.argument("service")
@stack_option
@release_options
def command(service: str, stack: str, yes: bool, no_apply: bool, reason: str, verbose: bool) -> None:
    """Set every canary of SERVICE to 0 %: the stable version gets all requests again. Pods stay, and need not be ready.

    It compares with the cluster: an edit of the VirtualService by hand is undone.
    """
    context = Context(stack, verbose=verbose)
    if not no_apply:
        # A step of the rollout may be on its way, and is written down in the file.
        wait_for_other(path_of(context.project, context.stack), _STEP_SECONDS, say)
    context.service(service)
    # Who rolls out as one with others is taken back with them.
    services = {service: None} if no_apply else rolled_out_with(context.kubectl, service)

    def edit(file: StackEdit, service: str, settings: Service) -> None:
        if state := services[service]:
            add_control(file, state)
        for version, share in settings.canary.items():
            if share > 0:
                file.set_canary(service, version, Decimal(0))

    edits = dict.fromkeys((each for each in services if each in context.config.services), edit)
    with notified(context) as told:

        def ended(state: State) -> None:
            told(state)
            if state.control:
                say(f"{state.control} is removed by who runs the rollout, else by: weir rollout {state.service} --once")

        change = Release(
            context, edits, f"weir abort {service}", yes, reason, take_back=True, ends_rollout=True, ended=ended
        )
        (only_edit if no_apply else release)(change)
