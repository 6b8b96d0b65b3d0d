"""`weir history`: who changed the traffic of a stack, when, from what to what, why, and at which commit."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import click
from rich.table import Table

from weir.cli.context import Context
from weir.cli.left_over import say_left_over
from weir.cli.options import json_option, stack_option
from weir.console import Console, Text
from weir.engine.history import Change, read_history
from weir.engine.history import as_json as update_as_json
from weir.model.routing.words import as_json as change_as_json


@click.command("history")
@click.argument("service", required=False)
@stack_option
@click.option("--limit", metavar="N", type=click.IntRange(1), default=20, show_default=True, help="The newest so many.")
@click.option("--all", "everything", is_flag=True, help="Also updates that changed no traffic.")
@json_option
def command(service: str | None, stack: str, limit: int, everything: bool, as_json: bool) -> None:
    """List the changes of a stack's traffic, or of SERVICE's, newest first, from the history that Pulumi keeps of the
    stack.

    Only updates are known, by whatever command they were made; edits by hand are shown by weir status.
    """
    context = Context(stack)
    say_left_over(context)
    found = [_of(change, service) for change in read_history(context.engine.revealed_history())]
    kept = [change for change in found if everything or change.traffic or not change.known][:limit]
    if as_json:
        click.echo(
            json.dumps({"stack": stack, "updates": [document(change) for change in kept]}, indent=2, ensure_ascii=False)
        )
        return
    if not kept:
        click.echo(f"no change of traffic is recorded for {stack}")
        return
    Console().print(f"stack {stack}\n", _table(kept), highlight=False)


def _commit(change: Change) -> str:
    """Which commit was checked out: who made the update need not be its author."""
    if not change.commit:
        return ""
    subject = f" “{change.subject}”" if change.subject else ""
    author = f" of {change.author}" if change.author else ""
    return f" at commit {change.commit}{subject}{author}{' with uncommitted changes' if change.dirty else ''}"


def _of(change: Change, service: str | None) -> Change:
    if service is None:
        return change
    return replace(change, traffic={name: changed for name, changed in change.traffic.items() if name == service})


def document(change: Change) -> dict[str, Any]:
    """For programs; keys are only ever added. `details`: what it changed as data, by service, as `weir diff` has it."""
    details = {name: list(map(change_as_json, changed)) for name, changed in change.traffic.items()}
    return {**update_as_json(change), "details": details}


def _nothing(change: Change) -> str:
    if change.known:
        return "no traffic changed"
    return "what changed is not known: its config, or that of the update before it, cannot be read or decrypted"


def _table(changes: list[Change]) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 1, 0))
    table.add_column("", no_wrap=True)
    table.add_column("when (UTC)", no_wrap=True)
    table.add_column("what", ratio=1)
    for change in changes:
        lines = [Text(f"{name}: {line}") for name, told in change.changes.items() for line in told] or [
            Text(_nothing(change))
        ]
        if change.result:
            lines.append(Text(f"this update {change.result}: the cluster may have some of it", style="red"))
        lines.append(Text(f"{change.command}{f' by {change.who}' if change.who else ''}{_commit(change)}", style="dim"))
        if change.reason:
            lines.append(Text(f"“{change.reason}”", style="dim"))
        table.add_row(str(change.number), change.when.strftime("%Y-%m-%d %H:%M"), Text("\n").join(lines))
    return table
