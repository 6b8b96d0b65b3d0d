"""What a weir command does first: see whether one before it was killed, or a drill outlived its end, and set that right.

A change that was killed before it applied anything is taken back, as Ctrl-C would have done. One that was killed while it applied is
carried through. A drill whose process is gone, or whose end has passed, is removed.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import click

from weir import stackfile
from weir.cli.options import load_stack
from weir.engine.history import message
from weir.engine.journal import Entry, drills, forget, held, left_behind, operation, path_of
from weir.engine.stack import Stack
from weir.model import StackConfig
from weir.model.endings import ago, endings
from weir.stackedit import StackEdit, overwrite


def say(text: str) -> None:
    """Tell on stderr: stdout is for what was asked."""
    click.echo(text, err=True)


def recovered(stack: str, *, repair: bool) -> StackConfig:
    """The config of the stack, once what was left undone on it is set right.

    Without `repair`, for commands that only look, a change that was killed is spoken of and left; drills are removed all the same: that
    they end is promised. Raises what `load_stack` raises, and EngineError where setting right fails.
    """
    project = stackfile.project_dir()
    _finish(stack, project, repair)
    config = load_stack(stack, None)
    return load_stack(stack, None) if _end_drills(stack, project, config) else config


def _finish(stack: str, project: Path, repair: bool) -> None:
    """See to a change that was killed."""
    place = path_of(project, stack)
    entry = left_behind(place)
    if entry is None:
        return
    file = stackfile.stack_path(stack, project)
    text = file.read_text(encoding="utf-8")
    what = f"`{entry.command}`, begun {_since(entry)} ago, was killed"
    if entry.phase == "editing":
        if text != entry.after or entry.after == entry.before:
            say(f"{what} before it changed anything")
        elif repair:
            overwrite(file, entry.before)
            say(f"{what} before it applied anything: {file.name} is as it was before")
        else:
            say(
                f"{what} before it applied anything: {file.name} has its change, the cluster has not; any of weir set, promote, abort takes it back first"
            )
            return
        forget(place)
        return
    if not repair:
        say(
            f"{what} while it applied: the cluster may not have all of {file.name}; pulumi up goes on, and so does any of weir set, promote, abort first"
        )
        return
    say(f"{what} while it applied {'its change' if text == entry.after else file.name}: going on from there")
    target = Stack(stack, project)
    if unlocked := target.unlock():
        say(unlocked)
    target.up(message(entry.command, "carried through after it was killed"))
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
            yield ending.service, f"ended {ago(now - ending.until)} ago and was left standing"
        elif ending.service in orphans:
            yield ending.service, "lost its process, which was killed"


def _end_drills(stack: str, project: Path, config: StackConfig) -> bool:
    doomed = dict(over(stack, project, config))
    if doomed:
        for service, why in doomed.items():
            say(f"the drill of {service} {why}: removing it")
        remove_drills(stack, project, list(doomed), message("weir drill --clean", "drills that were left standing"))
    for service in drills(project, stack):
        # Its drill is gone from the file, by hand or just now.
        if left_behind(path_of(project, stack, service)):
            forget(path_of(project, stack, service))
    return bool(doomed)


def remove_drills(stack: str, project: Path, services: list[str], why: str, *, shielded: bool = False) -> None:
    """Take the drills of these services out of the stack file and out of the cluster."""
    file = stackfile.stack_path(stack, project)
    with operation(path_of(project, stack), Entry(why.splitlines()[0])) as entry:
        edit = StackEdit(file)
        before = edit.text
        for service in services:
            edit.remove_drill(service)
        # Applying at once: a drill is never put back.
        entry.note("applying", before=before, after=edit.text)
        edit.write()
        target = Stack(stack, project)
        if unlocked := target.unlock():
            say(unlocked)
        target.up(why, shielded=shielded)
