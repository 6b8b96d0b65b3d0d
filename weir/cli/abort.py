"""`weir abort`: no canary gets anything."""

from __future__ import annotations

from decimal import Decimal

import click

from weir.cli.options import find_service, stack_option
from weir.cli.release import ready, release, release_options
from weir.stackedit import StackEdit


@click.command("abort")
@click.argument("service")
@stack_option
@release_options
def command(service: str, stack: str, yes: bool, no_apply: bool, reason: str) -> None:
    """Set every canary of SERVICE to 0 %: the stable version gets all requests again. Pods stay."""
    canaries = [version for version, share in find_service(ready(stack, no_apply=no_apply), service).canary.items() if share > 0]

    def edit(file: StackEdit) -> None:
        for version in canaries:
            file.set_canary(service, version, Decimal(0))

    release(stack, service, edit, f"weir abort {service}", yes=yes, no_apply=no_apply, reason=reason)
