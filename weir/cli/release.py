"""What `weir set`, `promote` and `abort` share: edit the stack file, say what that changes for traffic, ask, apply, see that callers obey."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import click

from weir import stackfile
from weir.cli.diff import text_of
from weir.cli.options import kubectl_for, load_stack, real_namespace
from weir.cli.recovery import recovered, say
from weir.cluster.connections import connect_ahead
from weir.cluster.errors import ClusterError
from weir.cluster.live import Live
from weir.cluster.proxies import Obeyed, wait_for
from weir.cluster.want import Want
from weir.engine.history import message
from weir.engine.journal import Entry, Operation, operation, path_of
from weir.engine.preview import parse
from weir.engine.stack import EngineError, InterruptedUpdateError, RefusedError, Stack
from weir.errors import UsageError
from weir.model import RouteTraffic, Service, ServiceTraffic, StackConfig, traffic
from weir.model.changes import changes, percents
from weir.model.routing import host
from weir.stackedit import StackEdit, overwrite


def release_options(function: Callable[..., None]) -> Callable[..., None]:
    """Gives the parameters `yes`, `no_apply` and `reason`."""
    yes = click.option("--yes", "-y", is_flag=True, help="Do not ask.")
    no_apply = click.option("--no-apply", is_flag=True, help="Only edit the stack file, for a pull request; no cluster needed.")
    reason = click.option("--reason", metavar="TEXT", default="", help="Why; weir history shows it.")
    return yes(no_apply(reason(function)))


def ready(stack: str, *, no_apply: bool = False) -> StackConfig:
    """The config to change, once what an earlier command left undone is set right. With `no_apply` the cluster is nobody's business."""
    return load_stack(stack, None) if no_apply else recovered(stack, repair=True)


def require_version(settings: Service, service: str, version: str) -> None:
    """UsageError with the versions there are, when this is none of them."""
    if version not in settings.versions:
        raise UsageError(f"{service} has no version {version} (versions: {', '.join(settings.versions)})")


def release(stack: str, service: str, edit: Callable[[StackEdit], None], what: str, *, yes: bool, no_apply: bool, reason: str) -> None:
    """Change the stack file by `edit` and bring the stack to it. Until it is applied, whatever ends the command puts the file back as it was.

    `what`: the command as typed.
    """
    project = stackfile.project_dir()
    path = stackfile.stack_path(stack, project)
    was = load_stack(stack, None)
    changed = StackEdit(path)
    before = changed.text
    edit(changed)
    if changed.text == before:
        click.echo(f"{path.name} says so already; weir status {service} shows what the cluster has")
        return
    if no_apply:
        with put_back(changed):
            changed.write()
            load_stack(stack, None)
        click.echo(f"{path.name} is changed; commit it, or apply it with pulumi up")
        return
    with operation(path_of(project, stack), Entry(what, before=before, after=changed.text)) as entry:
        target = Stack(stack, project)
        with put_back(changed):
            changed.write()
            config = load_stack(stack, None)
            # Without kubectl nobody could see callers follow: said before anything is applied, while the file can still be put back.
            kubectl_for(config, None, config.propagation.istiod_namespace)
            both = [traffic(each.services[service], each.namespace) for each in (was, config)]
            say(f"what changes for traffic in {stack}:")
            if yes:
                # The update previews by itself. Were there more to change than this, its own lines say so.
                click.echo("\n".join(f"{service}: {line}" for line in changes(*both)))
            else:
                click.echo(text_of(parse(json.loads(target.preview()))))
                if not agreed():
                    raise click.Abort()
        alone = weights_alone(*both)
        # Until it is known how this one ends, nothing is.
        stands = _brought_about.pop(path, None) == before
        only = _rules(service) if alone and stands else ()
        want = divided(config, stack, service)
        try:
            apply(entry, target, config, service, message(what, reason), want, preview=yes and not alone, only=only)
            _brought_about[path] = changed.text
        except RefusedError:
            undo(changed)
            raise
        except EngineError as error:
            if _split(target, was, service) != percents(both[0].routes[-1].weights):
                raise
            undo(changed)
            raise type(error)(f"{str(error).splitlines()[0]}\nthe cluster divides requests as before") from None


_brought_about: dict[Path, str] = {}
"""Stack files with which this process has brought about the whole stack: where only shares have changed since, nothing but the rules can differ."""


def _rules(service: str) -> tuple[str, ...]:
    """Patterns of the URNs of a service's rules: its VirtualService, its DestinationRules of a version each, and that of its host."""
    return f"**VirtualService::{service}", f"**DestinationRule::{service}-*", f"**DestinationRule::{service}"


def weights_alone(before: ServiceTraffic, after: ServiceTraffic) -> bool:
    """Whether only shares change between versions that got requests before: then there is nothing that a preview could refuse."""
    same = replace(before, routes=after.routes) == after
    kept = [(replace(route, weights={}), _receiving(route)) for route in before.routes]
    return same and kept == [(replace(route, weights={}), _receiving(route)) for route in after.routes]


def _receiving(route: RouteTraffic) -> frozenset[str]:
    return frozenset(version for version, weight in route.weights.items() if weight > 0)


def apply(
    entry: Operation, target: Stack, config: StackConfig, service: str, why: str, want: Want, *, preview: bool, only: Sequence[str] = ()
) -> None:
    """Bring the stack to its file, and return when callers do as wanted. Whatever keeps it from that says what stands where, and what to type.

    `why` goes into the history. `preview`: nobody has previewed it yet. `only`: patterns of the resources that can have changed. Raises
    RefusedError where the preview refuses: then nothing was applied.
    """
    entry.note("applying")
    start = time.monotonic()
    connect_ahead(kubectl_for(config, None, config.propagation.istiod_namespace))
    try:
        asking = None if config.ephemeral else kubectl_for(config, None, config.namespace)
        target.up(why, preview=preview, asking=asking, only=only)
    except RefusedError:
        raise
    except EngineError as error:
        told = f"{error}\n{_what_stands(config, target, service)}"
        raise (InterruptedUpdateError if isinstance(error, InterruptedUpdateError) else EngineError)(told) from None
    try:
        found = follow(config, want)
    except KeyboardInterrupt:
        say("the update is done: the cluster has what the stack file says; whether all callers follow by now is not known")
        raise
    say(f"applied: all of {found.proxies} proxies follow, {time.monotonic() - start:.1f} s after the start")


def divided(config: StackConfig, stack: str, service: str) -> Want:
    """That callers divide requests as the default route of the config says."""
    namespace = real_namespace(config, stack, None)
    route = traffic(config.services[service], namespace).routes[-1]
    shares = tuple((version, weight) for version, weight in route.weights.items() if weight > 0)
    return Want(host(service, namespace), shares=shares)


def follow(config: StackConfig, want: Want) -> Obeyed:
    """Return when every caller's proxy does as wanted. Raises ClusterError where that is not known in time."""
    settings = config.propagation
    try:
        istiod = kubectl_for(config, None, settings.istiod_namespace)
        return wait_for(
            istiod, want, settings.timeout.seconds, age=lambda: Live(kubectl_for(config, None, want.namespace)).age(want.service), tell=say
        )
    except ClusterError as error:
        raise ClusterError(f"the update is done; whether callers follow is not known: {error}") from None


def agreed() -> bool:
    """Whether the person at the terminal says yes. Raises UsageError where there is none."""
    if not sys.stdin.isatty():
        raise UsageError("there is nobody to ask: say --yes to apply, or --no-apply to edit the stack file alone")
    return click.confirm("apply it?", err=True)


@contextmanager
def put_back(file: StackEdit) -> Iterator[None]:
    """Whatever ends the block with an error, the file is as it was read."""
    try:
        yield
    except BaseException:
        undo(file)
        raise


def undo(file: StackEdit) -> None:
    """Make the file what it was when it was read, unless somebody else has changed it meanwhile, and say so."""
    found = file.path.read_text(encoding="utf-8")
    if found == file.text:
        overwrite(file.path, file.original)
    if found in (file.original, file.text):
        say(f"{file.path.name} is as it was; nothing was applied")
    else:
        say(f"{file.path.name} was changed by somebody else meanwhile and is left; nothing was applied")


def _split(target: Stack, config: StackConfig, service: str) -> Mapping[str, Fraction] | None:
    """How the cluster divides the requests of the default route; None where that cannot be seen."""
    try:
        namespace = real_namespace(config, target.name, None)
        there = Live(kubectl_for(config, None, namespace)).traffic(service, host(service, namespace))
    except (ClusterError, EngineError):
        return None
    return None if there is None else percents(there.routes[-1].weights)


def _what_stands(config: StackConfig, target: Stack, service: str) -> str:
    """How the cluster differs from the stack file after an update that did not end well, and what to type."""
    file = f"Pulumi.{target.name.rsplit('/', 1)[-1]}.yaml"
    ways = f"pulumi up goes on; to go back, undo the change in {file} (git diff {file}) and run pulumi up"
    try:
        namespace = real_namespace(config, target.name, None)
        there = Live(kubectl_for(config, None, namespace)).traffic(service, host(service, namespace))
    except (ClusterError, EngineError) as error:
        return f"{file} has the change; whether the cluster has it cannot be seen ({error}); {ways}"
    if there is None:
        return f"{file} has the change, and {service} is not in the cluster yet; {ways}"
    differ = changes(there, traffic(config.services[service], namespace))
    if not differ:
        return f"the cluster divides the traffic of {service} as {file} says; what is left to do: pulumi up"
    return "\n".join([f"{file} has the change, and the cluster has not yet:", *(f"  {service}: {line}" for line in differ), ways])
