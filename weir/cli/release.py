"""What `weir set`, `promote` and `abort` share: edit the stack file, say what that changes for traffic, ask, apply, see that callers obey."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from weir import stackfile
from weir.cli.diff import text_of
from weir.cli.options import kubectl_for, load_stack, real_namespace
from weir.cluster.errors import ClusterError
from weir.cluster.proxies import Want, wait_for
from weir.engine import EngineError, Stack
from weir.engine.preview import parse
from weir.errors import UsageError
from weir.model import Service, StackConfig, traffic
from weir.model.routing import host
from weir.stackedit import StackEdit


def release_options(function: Callable[..., None]) -> Callable[..., None]:
    """Gives the parameters `yes` and `no_apply`."""
    yes = click.option("--yes", "-y", is_flag=True, help="Do not ask.")
    no_apply = click.option("--no-apply", is_flag=True, help="Only edit the stack file, for a pull request; no cluster needed.")
    return yes(no_apply(function))


def require_version(settings: Service, service: str, version: str) -> None:
    """UsageError with the versions there are, when this is none of them."""
    if version not in settings.versions:
        raise UsageError(f"{service} has no version {version} (versions: {', '.join(settings.versions)})")


def release(stack: str, service: str, edit: Callable[[StackEdit], None], *, yes: bool, no_apply: bool) -> None:
    """Change the stack file by `edit` and bring the stack to it. Until it is applied, whatever ends the command puts the file back as it was."""
    path = stackfile.stack_path(stack, stackfile.project_dir())
    before = path.read_text(encoding="utf-8")
    changed = StackEdit(path)
    edit(changed)
    if changed.text == before:
        click.echo(f"{path.name} says so already; weir status {service} shows what the cluster has")
        return
    with _put_back(path, before):
        changed.write()
        config = load_stack(stack, None)
        if no_apply:
            click.echo(f"{path.name} is changed; commit it, or apply it with pulumi up")
            return
        target = Stack(stack, path.parent)
        _say(f"what changes for traffic in {stack}:")
        click.echo(text_of(parse(json.loads(target.preview()))))
        if not yes and not _agreed():
            raise click.Abort()
    start = time.monotonic()
    try:
        target.up()
    except EngineError as error:
        raise EngineError(
            f"{error}\n{path.name} has the new split, and the cluster may not have it: pulumi up goes on; weir status {service} shows what there is"
        ) from None
    _obeyed(config, stack, service, start)


def _say(text: str) -> None:
    click.echo(text, err=True)


def _agreed() -> bool:
    if not sys.stdin.isatty():
        raise UsageError("there is nobody to ask: say --yes to apply, or --no-apply to edit the stack file alone")
    return click.confirm("apply it?", err=True)


@contextmanager
def _put_back(path: Path, before: str) -> Iterator[None]:
    try:
        yield
    except BaseException:
        path.write_text(before, encoding="utf-8")
        _say(f"{path.name} is as it was; nothing was applied")
        raise


def _obeyed(config: StackConfig, stack: str, service: str, start: float) -> None:
    """Wait until every caller's proxy divides requests as the config says, and say how long all of it took."""
    namespace = real_namespace(config, stack, None)
    route = traffic(config.services[service], namespace).routes[-1]
    shares = tuple((version, weight) for version, weight in route.weights.items() if weight > 0)
    settings = config.propagation
    kubectl = kubectl_for(config, None, settings.istiod_namespace)
    try:
        obeyed = wait_for(kubectl, Want(host(service, namespace), shares=shares), settings.timeout.seconds)
    except ClusterError as error:
        raise ClusterError(f"the update is done; whether callers follow is not known: {error}") from None
    _say(f"applied: all of {obeyed.proxies} proxies follow, {time.monotonic() - start:.1f} s after the start")
