"""`weir check`: whether the config of a stack is sound, before anything is touched."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from weir.cli.context import Context
from weir.cli.left_over import say_left_over
from weir.cli.options import counted, json_option, stack_options
from weir.model import ConfigError, Problem, Warned, ended, warnings


@click.command("check")
@stack_options
@click.option("--strict", is_flag=True, help="Fail on warnings as well: exit code 2.")
@json_option
def command(stack: str, file: Path | None, strict: bool, as_json: bool) -> None:
    """Check the config of the stack and report all errors: exit code 2 if there are any, 0 if it is valid.

    A fault whose end has passed is an error as well.

    Config that is valid but surely a mistake is a warning, on stderr, with a name; docs/reference/config.md explains
    each.
    """
    context = Context(stack, file)
    if file is None:
        say_left_over(context)
    try:
        config = context.config
        over = ended(config, datetime.now(UTC))
        if over:
            raise ConfigError(context.stack_file.place(over))
    except ConfigError as error:
        if not as_json:
            raise
        click.echo(json.dumps({"ok": False, "problems": _as_json(error.problems), "warnings": []}, indent=2))
        sys.exit(error.exit_code)
    found = context.stack_file.place(warnings(config))
    refused = strict and bool(found)
    versions = sum(len(service.versions) for service in config.services.values())
    counts = {"services": len(config.services), "versions": versions, "clients": len(config.clients)}
    if as_json:
        click.echo(json.dumps({"ok": not refused, "problems": [], "warnings": _as_json(found), **counts}, indent=2))
    else:
        for warning in found:
            click.echo(f"warning: {warning}", err=True)
        said = f"sound; {', '.join(counted(count, what.removesuffix('s')) for what, count in counts.items())}"
        warned = f"; {counted(len(found), 'warning')}" if found else ""
        click.echo(
            f"{file or f'Pulumi.{stack}.yaml'}: {said}{warned}"
            if not refused
            else f"{counted(len(found), 'warning')}, refused by --strict",
            err=refused,
        )
    if refused:
        sys.exit(ConfigError.exit_code)


def _as_json(problems: Iterable[Problem]) -> list[dict[str, Any]]:
    return [
        {
            **({"name": problem.name} if isinstance(problem, Warned) else {}),
            "path": problem.where,
            "message": problem.message,
            "place": problem.place,
        }
        for problem in problems
    ]
