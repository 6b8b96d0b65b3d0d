"""What a command starts before its own modules are imported, to go on beside that. What it gains: decision 0027."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from itertools import pairwise

from weir.errors import WeirError

_RELEASES = ("set", "promote", "abort")
_RUN_THE_PROGRAM = (*_RELEASES, "drill", "diff")
_EXCEPT_WITH = ("--help", "--no-apply", "--clean", "--preview")


def start(arguments: Sequence[str]) -> None:
    """Start what takes longest of the command with these arguments: the process that serves the program; for a release
    also kubectl, which reads what the release compares with.
    """
    if (
        not arguments
        or arguments[0] not in _RUN_THE_PROGRAM
        or any(each.startswith(_EXCEPT_WITH) for each in arguments)
    ):
        return
    # No other command needs them here.
    from weir.engine.warm.program import server
    from weir.stack.stackfile import project_dir

    server(project_dir())
    if arguments[0] in _RELEASES:
        _read_cluster(arguments)


def _read_cluster(arguments: Sequence[str]) -> None:
    """Whatever is wrong the command itself says."""
    # A release alone needs them here.
    from weir.cli.context import Context
    from weir.cli.options import selected_stack
    from weir.cluster.live import look_ahead

    named = [each.removeprefix("--stack=") for each in arguments if each.startswith("--stack=")]
    named += [after for each, after in pairwise(arguments) if each == "--stack"]
    with suppress(WeirError):
        if kubectl := Context(named[-1] if named else selected_stack()).early_kubectl():
            look_ahead(kubectl)
