"""Options that commands share: which stack, and how to report."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from weir.errors import UsageError

if TYPE_CHECKING:
    from weir.model.values.durations import Duration

Command = TypeVar("Command", bound=Callable[..., Any])


def counted(count: int, what: str) -> str:
    """So many of it, in words: 1 client, 2 clients."""
    return f"{count} {what}{'' if count == 1 else 's'}"


def selected_stack() -> str:
    """The stack that is meant where none is named."""
    # A command that is told its stack does without.
    from weir.engine.selected import selected
    from weir.stack import stackfile

    try:
        return selected(stackfile.project_dir()) or "dev"
    except stackfile.StackFileError:
        return "dev"


stack_option = click.option(
    "--stack",
    metavar="NAME",
    default=selected_stack,
    show_default="PULUMI_STACK, then the one that pulumi stack select has selected, then dev",
    help="The stack; its file is Pulumi.NAME.yaml.",
)
"""Gives the parameter `stack`."""

json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON instead of text.")
"""Gives the parameter `as_json`."""

verbose_option = click.option("--verbose", "-v", is_flag=True, help="Show all that Pulumi prints.")
"""Gives the parameter `verbose`, which a Context takes."""

_file_option = click.option(
    "--file", metavar="FILE", type=click.Path(path_type=Path), help="A stack file to use instead of that of a stack."
)


def stack_options(function: Command) -> Command:
    """Gives the parameters `stack` and `file`, which a Context takes."""
    return stack_option(_file_option(function))


def release_options(function: Callable[..., None]) -> Callable[..., None]:
    """Gives the parameters `yes`, `no_apply`, `reason` and `verbose`."""
    yes = click.option("--yes", "-y", is_flag=True, help="Do not ask.")
    no_apply = click.option(
        "--no-apply", is_flag=True, help="Only edit the stack file, for a pull request; no cluster needed."
    )
    reason = click.option("--reason", metavar="TEXT", default="", help="Why; weir history shows it.")
    return yes(no_apply(reason(verbose_option(function))))


def length(option: str, text: str) -> Duration:
    """The length of time, or none, that an option was given. Raises UsageError."""
    # The model takes a while to import, and weir --help does without.
    from weir.model.values.durations import length_or_zero

    try:
        return length_or_zero(text)
    except ValueError as error:
        raise UsageError(f"{option} {error}") from None
