"""`weir abort`: no canary gets anything."""

from __future__ import annotations

from decimal import Decimal

import click

from weir.cli.context import Context
from weir.cli.options import stack_option
from weir.cli.release import Release, only_edit, release, release_options
from weir.model import Service
from weir.stack.edit import StackEdit


@click.command("abort")
@click.argument("service")
@stack_option
@release_options
def command(service: str, stack: str, yes: bool, no_apply: bool, reason: str, verbose: bool) -> None:
    """Set every canary of SERVICE to 0 %: the stable version gets all requests again. Pods stay, and need not be ready.

    It compares with the cluster: an edit of the VirtualService by hand is undone.
    """
    context = Context(stack, verbose=verbose)
    context.service(service)
    change = Release(context, service, _edit, f"weir abort {service}", yes, reason, take_back=True, ends_rollout=True)
    (only_edit if no_apply else release)(change)


def _edit(file: StackEdit, service: str, settings: Service) -> None:
    for version, share in settings.canary.items():
        if share > 0:
            file.set_canary(service, version, Decimal(0))
