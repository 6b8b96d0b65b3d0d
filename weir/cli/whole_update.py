"""A change of the stack file that needs more than routes: all that an update would do is shown, asked, and done in the
engine's order, as by `pulumi up`.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from weir.cli.context import Context
from weir.cli.diff import text_of
from weir.cli.recovery import left_over, say
from weir.cli.release import require_yes, undo, write
from weir.cli.under_way import UnderWay
from weir.engine.errors import EngineError, RefusedError
from weir.engine.history import message
from weir.engine.journal import Entry, operation, path_of
from weir.engine.preview import Preview, parse
from weir.engine.refresh import refresh
from weir.errors import WeirError
from weir.jsontext import loads
from weir.model import warnings
from weir.model.routing.words import describe
from weir.program_environment import WARNED
from weir.stack.edit import StackEdit


@dataclass(frozen=True, slots=True)
class Whole:
    """The change.

    `file`: edited, and not written yet. `services`: those that it is about. `what`: the command as typed.
    `yes`: nobody is asked. `tell`: where what changes is told.
    `history`: the stack's, newest first, when the change was made up.
    `besides`: given the preview, what the update would bring that is no part of the change, in words: where there is
    any, nothing is applied. `rollout`: it is part of the services' rollout. `stale`: the last update failed.
    """

    context: Context
    file: StackEdit
    services: Collection[str]
    what: str
    yes: bool
    reason: str
    tell: Callable[[str], None]
    history: Sequence[Mapping[str, Any]] = ()
    besides: Callable[[Any], str] = lambda _: ""
    rollout: bool = False
    stale: bool = False


class BesidesError(WeirError):
    """The update would bring more than the change; the text says what."""


def whole_update(change: Whole) -> None:
    """Show it, ask, write the stack file, and apply it. Raises EngineError, whose text says what stands, and
    BesidesError.
    """
    context, file = change.context, change.file
    left_over(context, repair=True)
    under_way = UnderWay(context.kubectl, change.services, ends=False)
    with operation(
        path_of(context.project, context.stack), Entry(change.what, before=file.original, after=file.text)
    ) as entry:
        if not change.rollout:
            under_way.refuse()
        config = entry.bind(file.text)
        if change.stale:
            say("the last update failed, asking the cluster what it has …")
            refresh(context.engine)
        say("asking Pulumi what changes …")
        preview = loads(context.engine.preview(config))
        found = parse(preview)
        if more := change.besides(preview):
            raise BesidesError(more)
        _show(change, found)
        if found.empty:
            write(entry, file)
            return
        if not change.yes:
            _ask(change)
        write(entry, file)
        start = time.monotonic()
        pack = context.config.policy_pack
        try:
            context.engine.up(
                message(change.what, change.reason),
                # What a preview refuses it has refused by now; policies speak in one of their own.
                preview=pack is not None,
                asking=context.kubectl,
                config=config,
                environment={WARNED: "1"},
                policies="" if pack is None else str(context.project / pack),
            )
        except RefusedError:
            undo(file)
            raise
        except EngineError as error:
            stack = f" --stack {context.stack}"
            raise type(error)(
                f"{error}\n{file.path.name} has what was to be applied; to see what is left: weir diff{stack}\n"
                f"to go on: pulumi up{stack}"
            ) from None
        say(f"applied in {time.monotonic() - start:.1f} s")


def _show(change: Whole, found: Preview) -> None:
    say(f"what an update changes in stack {change.context.stack}:")
    hosts = {f"host {name}": told for name, told in found.hosts.items()}
    lines = {name: list(map(describe, told)) for name, told in {**found.services, **hosts}.items()}
    for line in text_of(lines, found.others).splitlines():
        change.tell(line)
    for warning in warnings(change.context.saying(change.file.text).config):
        say(f"warning: {warning}")


def _ask(change: Whole) -> None:
    """Return after a yes to what still is so."""
    require_yes(change.context)
    newest = next(iter(change.context.engine.history(1)), {})
    if newest.get("startTime") != next(iter(change.history), {}).get("startTime"):
        raise WeirError("the stack was updated since this was shown; nothing was applied: run the same command again")
