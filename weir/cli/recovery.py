"""What earlier commands have left behind: a change that was killed, a drill that has expired or lost its process.

Read-only commands say what is left and which command removes it. No killed change is completed unseen: the next release
compares with the cluster and shows what it would change.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

import click

from weir.cli.context import Context
from weir.engine.errors import EngineError, NoStackError
from weir.engine.journal import Entry, drills, forget, held, left_behind, path_of
from weir.model import Service
from weir.model.routing.expiry import ago, endings
from weir.stack.edit import StackEdit, read


def say(text: str) -> None:
    """Tell on stderr: stdout is for what was asked."""
    click.echo(text, err=True)


def looked(context: Context) -> None:
    """Say what is left over, for a command that changes nothing. Raises what the config raises."""
    drills_over = list(over(context))
    left_over(context, repair=False)
    for service, why in drills_over:
        say(f"the drill of {service} {why}; to remove it: weir drill {service} --clean --stack {context.stack}")


def last_update(context: Context) -> tuple[str, str]:
    """How the last update of the stack ended, and what to say of that; nothing where it succeeded, or Pulumi cannot be
    asked.
    """
    try:
        newest = next((entry for entry in context.engine.history(5) if entry.get("kind") == "update"), None)
    except NoStackError as error:
        return "", str(error)
    except EngineError:
        return "", ""
    result = str((newest or {}).get("result", ""))
    if newest is None or result in ("succeeded", "in-progress"):
        return result, ""
    when = f"{str(newest['startTime'])[:16].replace('T', ' ')} UTC"
    return (
        result,
        (
            f"the last update ({when}) {result}: the cluster may have part of it; weir diff --stack {context.stack} "
            "shows what is still to be applied"
        ),
    )


def left_over(context: Context, *, repair: bool) -> None:
    """Say that a change was killed, and how far it got. `repair`: remove the lock of its pulumi, and forget it: what
    follows compares with the cluster.

    Raises EngineError where its pulumi still runs.
    """
    place = path_of(context.project, context.stack)
    entry = left_behind(place)
    if entry is None:
        return
    if entry.phase != "editing":
        state = "has its change" if read(context.path) == entry.after else "has been edited since"
        follows = "" if repair else f"; see weir status. To finish, run it again, or pulumi up --stack {context.stack}"
        say(
            f"`{entry.command}`, started {_since(entry)} ago, was killed during its update; {context.path.name} "
            f"{state}, and the cluster may not have the change{follows}"
        )
    if repair:
        if entry.phase != "editing" and (unlocked := context.engine.unlock()):
            say(unlocked)
        forget(place)


def _since(entry: Entry) -> str:
    return ago(datetime.now(UTC) - datetime.fromisoformat(entry.began))


def over(context: Context) -> Iterator[tuple[str, str]]:
    """The services whose drill must go, and why: its end has passed, or its process is gone."""
    now = datetime.now(UTC)
    project, stack = context.project, context.stack
    orphans = {service for service in drills(project, stack) if left_behind(path_of(project, stack, service))}
    for ending in endings(context.config):
        if not ending.drill or held(path_of(project, stack, ending.service)):
            continue
        if ending.until <= now:
            yield ending.service, f"expired {ago(now - ending.until)} ago and was not removed"
        elif ending.service in orphans:
            yield ending.service, "was not removed, because its process was killed"


def forget_drills(context: Context) -> None:
    """Forget the drills of processes that are gone and that no longer stand in the stack file."""
    project, stack = context.project, context.stack
    standing = {ending.service for ending in endings(context.config) if ending.drill}
    for service in drills(project, stack):
        if service not in standing and left_behind(path_of(project, stack, service)):
            forget(path_of(project, stack, service))


def without_drill(file: StackEdit, service: str, _: Service) -> None:
    """The edit that takes a drill away."""
    file.remove_drill(service)
