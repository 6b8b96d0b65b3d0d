"""`weir check`: whether the config of a stack is sound, before anything is touched."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import click

from weir.cli.options import json_option, load_stack, stack_options
from weir.model import ConfigError


@click.command("check")
@stack_options
@json_option
def command(stack: str, file: Path | None, as_json: bool) -> None:
    """Read the config of the stack and say all that is wrong with it: exit code 2 then, 0 when it is sound."""
    try:
        config = load_stack(stack, file)
    except ConfigError as error:
        if not as_json:
            raise
        problems = [{"path": problem.where, "message": problem.message} for problem in error.problems]
        click.echo(json.dumps({"ok": False, "problems": problems}, indent=2))
        sys.exit(error.exit_code)
    versions = sum(len(service.versions) for service in config.services.values())
    counts = {"services": len(config.services), "versions": versions, "clients": len(config.clients)}
    if as_json:
        click.echo(json.dumps({"ok": True, "problems": [], **counts}, indent=2))
    else:
        click.echo(f"{file or f'Pulumi.{stack}.yaml'}: sound; {', '.join(f'{count} {what}' for what, count in counts.items())}")
