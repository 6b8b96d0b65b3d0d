"""`weir promote`: a canary becomes the stable version."""

from __future__ import annotations

from decimal import Decimal

import click

from weir.cli.context import Context, require_version
from weir.cli.options import release_options, stack_option
from weir.cli.release import Release, only_edit, release
from weir.model import Service
from weir.stack.edit import StackEdit


@click.command("promote")
@click.argument("service")
@click.argument("version")
@stack_option
@release_options
def command(service: str, version: str, stack: str, yes: bool, no_apply: bool, reason: str, verbose: bool) -> None:
    """Make VERSION the stable version of SERVICE: it gets all requests that other canaries leave. The old stable
    version gets none, and its pods stay until it is removed from the config.
    """
    context = Context(stack, verbose=verbose)
    require_version(context.service(service), service, version)

    def edit(file: StackEdit, service: str, settings: Service) -> None:
        if version != settings.stable:
            file.set_stable(service, version)
            # At 0 %, so that it is named: to go back is one command, and to retire it one line.
            file.set_canary(service, settings.stable, Decimal(0))
            file.set_canary(service, version, None)

    change = Release(
        context, {service: edit}, f"weir promote {service} {version}", yes, reason, about={service: (version,)}
    )
    (only_edit if no_apply else release)(change)
