"""`weir quickstart`: what `make up` runs. The lab, the stack on it, its traffic measured, and what to try next."""

from __future__ import annotations

import os

import click
from rich.markup import escape
from rich.panel import Panel

from lab.lifecycle import up
from lab.paths import LabPaths
from lab.progress import Progress
from weir.cli import verify
from weir.cli.context import Context
from weir.cli.env import shell_settings
from weir.cli.options import stack_option
from weir.console import Console, Text
from weir.model import StackConfig


@click.command("quickstart")
@stack_option
@click.pass_context
def command(called: click.Context, stack: str) -> None:
    """Start the lab, bring the stack up on it, measure its traffic, say what to try next. Safe to run again."""
    # A mistake in the stack file is said now, and not after minutes of building.
    context = Context(stack)
    config = context.config
    up(LabPaths(context.project), Progress())
    os.environ.update(shell_settings(context))
    context.engine.ensure()
    context.engine.up()
    # Again: an ephemeral namespace is known only now.
    os.environ.update(shell_settings(context.anew()))
    called.invoke(
        verify.command, service=None, stack=stack, file=None, client=None, requests=None, namespace=None, as_json=False
    )
    Console().print(
        Panel(Text.from_markup(_next(config, stack)), title="the lab is up", title_align="left", padding=(1, 2))
    )


def _next(config: StackConfig, stack: str) -> str:
    """The next three commands to try, with the names of this stack."""
    lines = ['[bold]eval "$(.venv/bin/weir env)"[/]', "  the lab's pulumi, kubectl and settings, for this shell", ""]
    client = next(iter(config.clients), None)
    name, service = next(iter(config.services.items()), (None, None))
    if client and name and service:
        number = service.main_port.port
        port = "" if number == 80 else f":{number}"
        lines += [
            f"[bold]kubectl exec deploy/{client} -- curl -s http://{name}{port}[/]",
            "  one request, as the service's callers send it",
            "",
        ]
        canary = next((version for version in service.versions if version != service.stable), None)
        if canary:
            key = f"services.{name}.canary.{canary}"
            lines += [
                escape(f"pulumi config set --path 'weir:{key}' 50 && pulumi up --yes && weir verify").join(
                    ("[bold]", "[/]")
                ),
                f"  move the canary of {name} to 50 % and see the traffic follow",
                "",
            ]
    lines.append(f"Config: Pulumi.{stack}.yaml. The tutorial: docs/guide/tutorial.md. The end: make down")
    return "\n".join(lines)
