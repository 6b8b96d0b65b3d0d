"""What `weir set`, `promote`, `abort` and `drill` share: edit the stack file, say what that changes in the cluster,
ask, apply just that.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Collection, Mapping
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from pathlib import Path

import click

from weir.cli.context import Context
from weir.cli.planned import Edit, Planned, plan
from weir.cli.progress import Progress
from weir.cli.recovery import forget_drills, left_over, over, say, without_drill
from weir.cli.under_way import UnderWay, say_ended
from weir.cluster.errors import ClusterError
from weir.cluster.live import Live, live, look_ahead
from weir.engine.errors import EngineError
from weir.engine.gate import Gate, Hold
from weir.engine.history import message
from weir.engine.journal import Entry, Operation, operation, path_of
from weir.errors import UsageError, WeirError
from weir.model import Service, warnings
from weir.program_environment import FOLLOWED, ROLLED_OUT, ROUTES_ALONE, TAKE_BACK, WARNED
from weir.rollout.state import State
from weir.stack.edit import StackEdit, overwrite, read


@dataclass(frozen=True, slots=True)
class Release:
    """A change of one service, or of several at once.

    `edits`: by service; the first one is named in messages.
    `what`: the command as typed; `again`: the one to run where it failed, in place of that.
    `yes`: nobody is asked.
    `take_back`: it undoes what somebody has edited by hand.
    `about`: the versions that are asked for, by service.
    `shielded`: Ctrl-C does not stop it.
    `tell`: where what changes is told.
    `rollout`: it is a step of the service's rollout, which shows how it goes. `hold`: holds its requests back, while
    all else is prepared.
    `ends_rollout`: it may be done while one is under way, and ends it; `ended`: told of that.
    """

    context: Context
    edits: Mapping[str, Edit]
    what: str
    yes: bool = False
    reason: str = ""
    take_back: bool = False
    about: Mapping[str, Collection[str]] = field(default_factory=dict)
    shielded: bool = False
    tell: Callable[[str], None] = click.echo
    rollout: bool = False
    hold: Hold | None = None
    again: str = ""
    ends_rollout: bool = False
    ended: Callable[[State], None] = lambda _: None

    @property
    def service(self) -> str:
        """The service that it is about, the first of several."""
        return next(iter(self.edits))


def only_edit(change: Release) -> None:
    """Change the stack file and nothing else."""
    file = StackEdit(change.context.path)
    services = change.context.saying(file.text).config.services
    for service, edit in change.edits.items():
        edit(file, service, services[service])
    if file.text == file.original:
        click.echo(f"nothing to change: {file.path.name} already has it")
        return
    change.context.saying(file.text).config  # noqa: B018 - reading it is checking
    file.write()
    click.echo(f"{file.path.name} is changed; commit it, or apply it with pulumi up")


def release(change: Release) -> None:
    """Change the stack file and bring the cluster to it, for the service and the drills that are over.

    The stack file is written after the yes; what ends the command before the cluster has anything of it puts it back.
    """
    left_over(change.context, repair=True)
    look_ahead(change.context.kubectl)
    file = StackEdit(change.context.path)
    # All of it goes by this text, whatever becomes of the file meanwhile.
    context = change.context.saying(file.text)
    change = replace(change, context=context)
    edits: dict[str, Edit] = {service: without_drill for service, _ in over(context)}
    edits |= {service: _both(edits.get(service), edit) for service, edit in change.edits.items()}
    for service, edit in edits.items():
        edit(file, service, context.config.services[service])
    there = live(context.kubectl)
    under_way = UnderWay(context.kubectl, change.edits, ends=change.ends_rollout)
    with operation(
        path_of(context.project, context.stack), Entry(change.what, before=file.original, after=file.text)
    ) as entry:
        planned = plan(context, file, edits, there, entry, take_back=change.take_back, about=change.about)
        if not change.rollout and not change.ends_rollout:
            under_way.refuse()
        if planned.empty:
            # Whoever edited the cluster by hand to what is asked now has it.
            write(entry, file)
            change.tell(
                f"nothing to apply: {file.path.name}{' already' * (file.text == file.original)} has it, and so does "
                f"the cluster; weir status {change.service} shows it"
            )
            _say_left(context, planned)
            say_ended(under_way.end(change.what), change.ended)
            return
        _show(change, planned)
        if not change.yes:
            require_yes(context)
            if not planned.stands(Live(context.kubectl)):
                raise WeirError(
                    "the cluster has changed since this was shown; nothing was applied: run the same command again"
                )
        write(entry, file)
        # First whoever goes on with it, who would move traffic once more.
        ended = under_way.end(change.what)
        _apply(change, file, planned, entry)
        say_ended(ended, change.ended)
        forget_drills(context.saying(file.text))


def _both(first: Edit | None, second: Edit) -> Edit:
    def edit(file: StackEdit, service: str, settings: Service) -> None:
        for each in (first, second):
            if each is not None:
                each(file, service, settings)

    return edit


def _show(change: Release, planned: Planned) -> None:
    if change.rollout:
        return
    say(f"what changes for traffic in stack {change.context.stack}:")
    for service, lines in planned.lines.items():
        for line in lines:
            change.tell(f"{service}: {line}")
    for warning in warnings(planned.config):
        say(f"warning: {warning}")
    _say_left(change.context, planned)


def _say_left(context: Context, planned: Planned) -> None:
    if planned.left:
        count = f"{len(planned.left)} more change{'s' * (len(planned.left) > 1)}"
        shown = ", ".join(planned.left[:5]) + (", …" if len(planned.left) > 5 else "")
        say(
            f"{count} in {context.path.name} {'are' if len(planned.left) > 1 else 'is'} not applied ({shown}): "
            "pulumi up"
        )


def require_yes(context: Context) -> None:
    """Return after a yes to what was shown. Raises UsageError where nobody can be asked, click.Abort after a no."""
    if not sys.stdin.isatty():
        raise UsageError("no terminal to ask on: use --yes to apply, or --no-apply to edit the stack file alone")
    try:
        agreed = click.confirm(f"apply it to stack {context.stack}?", err=True)
    except click.Abort:
        agreed = False
    if not agreed:
        say(f"nothing was applied; {context.path.name} is unchanged")
        raise click.Abort


def write(entry: Operation, file: StackEdit) -> None:
    """Write the stack file, if it is what it was when it was read."""
    entry.note("applying")
    if file.text != file.original:
        file.write()
    elif read(file.path) != file.original:
        raise UsageError(
            f"{file.path} was changed by somebody else in the meantime; nothing was applied: run the same command again"
        )


def _apply(change: Release, file: StackEdit, planned: Planned, entry: Operation) -> None:
    """Apply what was shown, and return when every caller's proxy has acknowledged it.

    Raises EngineError: its text says what the cluster has, and its last line is the command to run.
    """
    start = time.monotonic()
    gate = Gate(change.hold) if change.hold else None
    report = entry.report()
    policies = _policies(change)
    asked = {name: list(each) for name, each in change.about.items()}
    shown = nullcontext() if change.context.verbose or change.rollout else Progress(report)
    try:
        with shown as listener:
            change.context.engine.up(
                message(change.what, change.reason),
                # Of the versions that newly get requests it says whether they have pods; all else is refused before the
                # one object changes.
                preview=planned.newly or bool(policies),
                asking=change.context.kubectl,
                only=[f"**VirtualService::{name}" for name in planned.found],
                config=entry.bind(planned.text),
                environment={
                    TAKE_BACK: json.dumps(list(planned.found)) if change.take_back else "",
                    WARNED: "1",
                    ROUTES_ALONE: json.dumps(list(planned.found)),
                    FOLLOWED: str(report),
                    **({ROLLED_OUT: json.dumps(asked)} if change.rollout else {}),
                },
                policies=policies,
                shielded=change.shielded,
                quiet=change.rollout,
                listener=listener,
                gate=gate,
            )
    except EngineError as error:
        raise _failure(change, error, file, planned) from None
    tell = change.tell if change.rollout else say
    seconds = time.monotonic() - (gate.opened if gate and gate.opened else start)
    tell(f"applied in {seconds:.1f} s: {_followed(report, planned, change.context.kubectl.namespace)}")


def _followed(report: Path, planned: Planned, namespace: str) -> str:
    """How many proxies follow, which the program has seen to within the update. Raises ClusterError where it could
    not.
    """
    try:
        seen = json.loads(report.read_text(encoding="utf-8"))
        # Of a host at gateways under the name of its VirtualService.
        known_as = {service: planned.config.host(service, namespace) for service in planned.services}
        changed = [name for name, spec in planned.found.items() if spec != planned.wanted[name]]
        proxies = max(seen[known_as.get(name, name)] for name in changed or planned.found)
    except (FileNotFoundError, KeyError):
        raise ClusterError(
            "the update is done; it is not known whether every caller's proxy has acknowledged it: see the warning "
            "above"
        ) from None
    return {0: "no proxy uses it", 1: "the one proxy has acknowledged it"}.get(
        proxies, f"all {proxies} proxies have acknowledged it"
    )


def _failure(change: Release, error: EngineError, file: StackEdit, planned: Planned) -> EngineError:
    """What stands after an update that did not end well, and on the last line what to type."""
    stack = f" --stack {change.context.stack}"
    # What Pulumi has recorded is told below, by what stands.
    what = str(error).partition("; what it did")[0]
    try:
        there = Live(change.context.kubectl)
        same, done, by_hand = planned.stands(there), planned.done(there), planned.edited(there)
    except ClusterError as broken:
        told = [
            f"it is not known whether the cluster has the change ({broken})",
            f"once the cluster answers, run: weir status {change.service}{stack}",
        ]
        return type(error)("\n".join([what, *told]))
    if same and not done:
        undo(file)
        told = [f"{what}; nothing was applied: traffic is unchanged"]
        told.append(
            f"to undo the edit by hand and go on: pulumi up --refresh{stack}"
            if by_hand
            else f"once that is fixed, run again: {change.again or change.what}{stack}"
        )
    elif done:
        told = [
            f"{what}; the change is in the cluster all the same, and in {file.path.name}",
            f"to record it in Pulumi's state: pulumi up --refresh{stack}",
        ]
    else:
        told = [
            f"{what}; the cluster has neither the old traffic nor what was shown: weir status {change.service}{stack}",
            f"to apply {file.path.name}: pulumi up --refresh{stack}",
        ]
    return type(error)("\n".join(told))


def _policies(change: Release) -> str:
    """The policy pack that is asked. Nothing stands in the way of taking something back, an abort or the end of a
    drill: neither waits for it.
    """
    pack = change.context.config.policy_pack
    return "" if change.take_back or change.shielded or pack is None else str(change.context.project / pack)


def undo(file: StackEdit) -> None:
    """Make the file what it was when it was read, unless somebody else has changed it meanwhile, and say so."""
    if read(file.path) == file.text:
        overwrite(file.path, file.original)
        say(f"{file.path.name} is as it was")
    else:
        say(f"{file.path.name} was changed by somebody else in the meantime, and is left as it is")
