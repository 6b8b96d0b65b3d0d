"""What a killed command has left of a stack, said by a command that only looks at the stack file."""

from __future__ import annotations

from weir.cli.context import Context


def say_left_over(context: Context) -> None:
    """Say what is left over, if there is anything; nothing of it is touched."""
    if (context.project / ".weir" / "operations").is_dir():
        # It needs the engine, a sixth of the time of weir check, and there is rarely anything.
        from weir.cli.recovery import left_over

        left_over(context, repair=False)
