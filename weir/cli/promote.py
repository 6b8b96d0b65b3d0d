"""`weir promote`: a canary becomes the stable version."""

from __future__ import annotations

import click

from weir.cli.options import find_service, stack_option
from weir.cli.release import ready, release, release_options, require_version
from weir.stackedit import StackEdit


@click.command("promote")
@click.argument("service")
@click.argument("version")
@stack_option
@release_options
def command(service: str, version: str, stack: str, yes: bool, no_apply: bool, reason: str) -> None:
    """Make VERSION the stable version of SERVICE: it gets all that other canaries leave. The old one gets nothing, and stays until it is removed."""
    settings = find_service(ready(stack, no_apply=no_apply), service)
    require_version(settings, service, version)
    old = settings.stable

    def edit(file: StackEdit) -> None:
        if version != old:
            file.set_stable(service, version)
            file.set_canary(service, version, None)

    release(stack, service, edit, f"weir promote {service} {version}", yes=yes, no_apply=no_apply, reason=reason)
