"""What `weir set`, `promote`, `abort` and `drill` share: edit the stack file, say what that changes in the cluster, ask, apply just that."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path

import click

from weir.cli.options import find_service, kubectl_for, load_stack, load_text, real_namespace
from weir.cli.planned import Edit, Planned, plan
from weir.cli.recovery import forget_drills, left_over, over, say, without_drill
from weir.cluster.errors import ClusterError
from weir.cluster.kubectl import Kubectl
from weir.cluster.live import Live, live
from weir.engine.history import message
from weir.engine.journal import Entry, Operation, operation, path_of
from weir.engine.stack import EngineError, Stack
from weir.errors import UsageError, WeirError
from weir.model import Service, StackConfig, warnings
from weir.program_environment import FOLLOWED, ROUTES_ALONE, TAKE_BACK, WARNED
from weir.stack import stackfile
from weir.stack.edit import StackEdit, overwrite, read


def release_options(function: Callable[..., None]) -> Callable[..., None]:
    """Gives the parameters `yes`, `no_apply` and `reason`."""
    yes = click.option("--yes", "-y", is_flag=True, help="Do not ask.")
    no_apply = click.option("--no-apply", is_flag=True, help="Only edit the stack file, for a pull request; no cluster needed.")
    reason = click.option("--reason", metavar="TEXT", default="", help="Why; weir history shows it.")
    return yes(no_apply(reason(function)))


def service_of(stack: str, service: str) -> Service:
    """What the stack file says of a service. Raises UsageError with those there are."""
    return find_service(load_stack(stack, None), service)


def require_version(settings: Service, service: str, version: str) -> None:
    """UsageError with the versions there are, when this is none of them."""
    if version not in settings.versions:
        raise UsageError(f"{service} has no version {version} (versions: {', '.join(settings.versions)})")


@dataclass(frozen=True, slots=True)
class Release:
    """A change of one service. `what`: the command as typed; `yes`: nobody is asked; `take_back`: whether it undoes what somebody has edited by hand.

    `about`: the versions that are asked for. `shielded`: Ctrl-C does not stop it. `tell`: where what changes is told.
    """

    stack: str
    service: str
    edit: Edit
    what: str
    yes: bool = False
    reason: str = ""
    take_back: bool = False
    about: Collection[str] = ()
    shielded: bool = False
    tell: Callable[[str], None] = click.echo


def only_edit(change: Release) -> None:
    """Change the stack file and nothing else."""
    path = stackfile.stack_path(change.stack, stackfile.project_dir())
    file = StackEdit(path)
    change.edit(file, change.service, load_text(path, file.text).services[change.service])
    if file.text == file.original:
        click.echo(f"{path.name} says so already")
        return
    load_text(path, file.text)
    file.write()
    click.echo(f"{path.name} is changed; commit it, or apply it with pulumi up")


def release(change: Release) -> None:
    """Change the stack file and bring the cluster to it, for the service and the drills that are over.

    The stack file is written after the yes; what ends the command before the cluster has anything of it puts it back.
    """
    project = stackfile.project_dir()
    path = stackfile.stack_path(change.stack, project)
    target = Stack(change.stack, project)
    left_over(target, repair=True)
    file = StackEdit(path)
    config = load_text(path, file.text)
    edits: dict[str, Edit] = {service: without_drill for service, _ in over(change.stack, project, config)}
    edits[change.service] = _both(edits.get(change.service), change.edit)
    for service, edit in edits.items():
        edit(file, service, config.services[service])
    kubectl = kubectl_for(config, None, real_namespace(config, change.stack, None))
    with operation(path_of(project, change.stack), Entry(change.what, before=file.original, after=file.text)) as entry:
        planned = plan(target, file, edits, live(kubectl), entry, take_back=change.take_back, about=change.about)
        if planned.empty:
            # Whoever edited the cluster by hand to what is asked now has it.
            _write(entry, file)
            change.tell(
                f"{path.name} says so{' already' * (file.text == file.original)}, and so does the cluster; weir status {change.service} shows it"
            )
            _say_left(planned, path)
            return
        _show(change, planned, path)
        if not change.yes:
            _ask(change.stack, planned, kubectl, path)
        _write(entry, file)
        _apply(change, target, file, planned, _policies(change, config, project), kubectl, entry)
        forget_drills(change.stack, project)


def _both(first: Edit | None, second: Edit) -> Edit:
    def edit(file: StackEdit, service: str, settings: Service) -> None:
        for each in (first, second):
            if each is not None:
                each(file, service, settings)

    return edit


def _show(change: Release, planned: Planned, path: Path) -> None:
    say(f"what changes for traffic in stack {change.stack}:")
    for service, lines in planned.lines.items():
        for line in lines:
            change.tell(f"{service}: {line}")
    for warning in warnings(planned.config):
        say(f"warning: {warning}")
    _say_left(planned, path)


def _say_left(planned: Planned, path: Path) -> None:
    if planned.left:
        count = f"{len(planned.left)} more change{'s' * (len(planned.left) > 1)}"
        shown = ", ".join(planned.left[:5]) + (", …" if len(planned.left) > 5 else "")
        say(f"{count} in {path.name} {'are' if len(planned.left) > 1 else 'is'} not applied ({shown}): pulumi up")


def _ask(stack: str, planned: Planned, kubectl: Kubectl, path: Path) -> None:
    """Return after a yes to what still is so."""
    if not sys.stdin.isatty():
        raise UsageError("there is nobody to ask: say --yes to apply, or --no-apply to edit the stack file alone")
    try:
        agreed = click.confirm(f"apply it to stack {stack}?", err=True)
    except click.Abort:
        agreed = False
    if not agreed:
        say(f"{path.name} is as it was; nothing was applied")
        raise click.Abort
    if not planned.stands(Live(kubectl)):
        raise WeirError("the cluster has changed since this was shown; nothing was applied: run the same command again")


def _write(entry: Operation, file: StackEdit) -> None:
    """Write the stack file, if it is what it was when it was read."""
    entry.note("applying")
    if file.text != file.original:
        file.write()
    elif read(file.path) != file.original:
        raise UsageError(f"{file.path} has been changed by somebody else meanwhile; nothing was applied: run the same command again")


def _apply(change: Release, target: Stack, file: StackEdit, planned: Planned, policies: str, kubectl: Kubectl, entry: Operation) -> None:
    """Bring the cluster to what was shown, and return when callers follow. Whatever keeps it from that says what stands, and what to type."""
    start = time.monotonic()
    report = entry.report()
    try:
        target.up(
            message(change.what, change.reason),
            # Of the versions that newly get requests it says whether they have pods; all else is refused before the one object changes.
            preview=planned.newly or bool(policies),
            asking=kubectl,
            only=[f"**VirtualService::{service}" for service in planned.found],
            config=entry.bind(planned.text),
            environment={
                TAKE_BACK: change.service if change.take_back else "",
                WARNED: "1",
                ROUTES_ALONE: json.dumps(list(planned.found)),
                FOLLOWED: str(report),
            },
            policies=policies,
            shielded=change.shielded,
        )
    except EngineError as error:
        raise _failure(change, error, file, planned, kubectl) from None
    say(f"applied: {_followed(report, planned, kubectl.namespace)}, {time.monotonic() - start:.1f} s after the start")


def _followed(report: Path, planned: Planned, namespace: str) -> str:
    """How many proxies follow, which the program has seen to within the update. Raises ClusterError where it could not."""
    try:
        seen = json.loads(report.read_text(encoding="utf-8"))
        proxies = max(seen[planned.config.host(service, namespace)] for service in planned.found)
    except (FileNotFoundError, KeyError):
        raise ClusterError("the update is done; whether all callers follow is not known, as said above") from None
    return {0: "no proxy uses it", 1: "the one proxy there is follows"}.get(proxies, f"all of {proxies} proxies follow")


def _failure(change: Release, error: EngineError, file: StackEdit, planned: Planned, kubectl: Kubectl) -> EngineError:
    """What stands after an update that did not end well, and on the last line what to type."""
    stack = f" --stack {change.stack}"
    # What Pulumi has recorded is told below, by what stands.
    what = str(error).partition("; what it did")[0]
    try:
        there = Live(kubectl)
        same, done, by_hand = planned.stands(there), planned.done(there), planned.edited(there)
    except ClusterError as broken:
        told = [f"whether the cluster has it cannot be seen ({broken})", f"once it answers: weir status {change.service}{stack}"]
        return type(error)("\n".join([what, *told]))
    if same and not done:
        undo(file)
        told = [f"{what}; nothing was applied: the cluster has what it had"]
        told.append(
            f"put back what was edited by hand, and go on: pulumi up --refresh{stack}"
            if by_hand
            else f"once that is set right, again: {change.what}{stack}"
        )
    elif done:
        told = [
            f"{what}; the cluster has what was shown all the same, and {file.path.name} says so",
            f"to have Pulumi know it: pulumi up --refresh{stack}",
        ]
    else:
        told = [
            f"{what}; the cluster has neither what it had nor what was shown: weir status {change.service}{stack}",
            f"to bring it to {file.path.name}: pulumi up --refresh{stack}",
        ]
    return type(error)("\n".join(told))


def _policies(change: Release, config: StackConfig, project: Path) -> str:
    """The policy pack that is asked. Nothing stands in the way of taking something back, an abort or the end of a drill: neither waits for it."""
    return "" if change.take_back or change.shielded or config.policy_pack is None else str(project / config.policy_pack)


def undo(file: StackEdit) -> None:
    """Make the file what it was when it was read, unless somebody else has changed it meanwhile, and say so."""
    if read(file.path) == file.text:
        overwrite(file.path, file.original)
        say(f"{file.path.name} is as it was")
    else:
        say(f"{file.path.name} was changed by somebody else meanwhile, and is left")
