"""What commands before this one have left: a change that was killed, a drill that outlived its end or its process.

Whoever only looks says what is left and which command sees to it. Nothing is carried through unseen: what a change that was killed has brought
about is in the cluster, and the next release compares with that and shows it.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import click

from weir.cli.options import load_stack
from weir.engine.journal import Entry, drills, forget, held, left_behind, path_of
from weir.engine.stack import EngineError, NoStackError, Stack
from weir.model import Service, StackConfig
from weir.model.routing.expiry import ago, endings
from weir.stack import stackfile
from weir.stack.edit import StackEdit, read


def say(text: str) -> None:
    """Tell on stderr: stdout is for what was asked."""
    click.echo(text, err=True)


def looked(stack: str) -> StackConfig:
    """The config of the stack, for a command that changes nothing: what is left over it says. Raises what `load_stack` raises."""
    project = stackfile.project_dir()
    config = load_stack(stack, None)
    left_over(Stack(stack, project), repair=False)
    for service, why in over(stack, project, config):
        say(f"the drill of {service} {why}; it is removed by: weir drill {service} --clean --stack {stack}")
    return config


def last_update(target: Stack) -> tuple[str, str]:
    """How the last update of the stack ended, and what to say of that; nothing where it succeeded, or Pulumi cannot be asked."""
    try:
        newest = next((entry for entry in target.history(5) if entry.get("kind") == "update"), None)
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
        f"the last update ({when}) {result}: the cluster may have some of it; weir diff --stack {target.name} shows what is left of it",
    )


def left_over(target: Stack, *, repair: bool) -> None:
    """Say that a change was killed, and how far it got. `repair`: remove the lock of its pulumi, and forget it: what follows compares with the cluster.

    Raises EngineError where its pulumi still runs.
    """
    place = path_of(target.project, target.name)
    entry = left_behind(place)
    if entry is None:
        return
    if entry.phase != "editing":
        file = stackfile.stack_path(target.name, target.project)
        state = "has its change" if read(file) == entry.after else "has been edited since"
        follows = "" if repair else f": weir status shows it, the same command or pulumi up --stack {target.name} goes on"
        say(
            f"`{entry.command}`, begun {_since(entry)} ago, was killed while it applied; {file.name} {state}, the cluster may not have it{follows}"
        )
    if repair:
        if entry.phase != "editing" and (unlocked := target.unlock()):
            say(unlocked)
        forget(place)


def _since(entry: Entry) -> str:
    return ago(datetime.now(UTC) - datetime.fromisoformat(entry.began))


def over(stack: str, project: Path, config: StackConfig) -> Iterator[tuple[str, str]]:
    """The services whose drill must go, and why: its end has passed, or its process is gone."""
    now = datetime.now(UTC)
    orphans = {service for service in drills(project, stack) if left_behind(path_of(project, stack, service))}
    for ending in endings(config):
        if not ending.drill or held(path_of(project, stack, ending.service)):
            continue
        if ending.until <= now:
            yield ending.service, f"ended {ago(now - ending.until)} ago and is left standing"
        elif ending.service in orphans:
            yield ending.service, "has lost its process, which was killed"


def forget_drills(stack: str, project: Path) -> None:
    """Forget the drills of processes that are gone and that no longer stand in the stack file."""
    standing = {ending.service for ending in endings(load_stack(stack, None)) if ending.drill}
    for service in drills(project, stack):
        if service not in standing and left_behind(path_of(project, stack, service)):
            forget(path_of(project, stack, service))


def without_drill(file: StackEdit, service: str, _: Service) -> None:
    """The edit that takes a drill away."""
    file.remove_drill(service)
