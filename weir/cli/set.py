"""`weir set`: move canaries."""

from __future__ import annotations

from decimal import Decimal

import click

from weir.cli.context import Context, require_version
from weir.cli.options import release_options, stack_option
from weir.cli.release import Release, only_edit, release
from weir.errors import UsageError
from weir.model import Service
from weir.model.values.numbers import percent
from weir.stack.edit import StackEdit


@click.command("set")
@click.argument("service")
@click.argument("shares", metavar="VERSION=PERCENT...", nargs=-1, required=True)
@stack_option
@release_options
def command(
    service: str, shares: tuple[str, ...], stack: str, yes: bool, no_apply: bool, reason: str, verbose: bool
) -> None:
    """Give canaries of SERVICE their share of the requests; the stable version gets what is left.

    The command edits the stack file (comments and order stay), shows what changes, asks, and applies it. It ends when
    every caller's proxy has acknowledged the change. Canaries that are not named stay as they are.
    """
    context = Context(stack, verbose=verbose)
    settings = context.service(service)
    wanted = dict(_share(text) for text in shares)
    for version in wanted:
        if version == settings.stable:
            raise UsageError(
                f"{version} is the stable version of {service}, which gets what the canaries leave; name the "
                "canaries alone"
            )
        require_version(settings, service, version)

    def edit(file: StackEdit, service: str, _: Service) -> None:
        for version, share in wanted.items():
            file.set_canary(service, version, share)

    change = Release(
        context, {service: edit}, f"weir set {service} {' '.join(shares)}", yes, reason, about={service: wanted}
    )
    (only_edit if no_apply else release)(change)


def _share(text: str) -> tuple[str, Decimal]:
    version, equals, share = text.partition("=")
    if not version or not equals:
        raise UsageError(f"{text}: must be VERSION=PERCENT, such as v2=20")
    try:
        return version, percent(share.strip().removesuffix("%").strip())
    except ValueError as error:
        raise UsageError(f"{text}: the percent {error}") from None
