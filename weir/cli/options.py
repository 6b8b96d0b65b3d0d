"""Options that commands share: which stack, and how to report."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from weir.model import StackConfig

Command = TypeVar("Command", bound=Callable[..., Any])

stack_option = click.option(
    "--stack",
    metavar="NAME",
    default="dev",
    show_default=True,
    envvar="PULUMI_STACK",
    show_envvar=True,
    help="The stack; its file is Pulumi.NAME.yaml.",
)
"""Gives the parameter `stack`."""

json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON instead of text.")
"""Gives the parameter `as_json`."""

_file_option = click.option(
    "--file", metavar="FILE", type=click.Path(path_type=Path), help="A stack file to use instead of that of a stack."
)


def stack_options(function: Command) -> Command:
    """Gives the parameters `stack` and `file`, which `load_stack` takes."""
    return stack_option(_file_option(function))


def load_stack(stack: str, file: Path | None) -> StackConfig:
    """The checked config of the file, or without one of the stack. Raises StackFileError or ConfigError."""
    # Imported here, because every command imports this module and only those that read a config pay for pydantic.
    from weir import stackfile
    from weir.model import load

    return load(stackfile.find(stack, file).config)
