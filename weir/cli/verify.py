"""`weir verify`: requests from a client inside the mesh, judged against the stack config."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import click
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from weir.cli.context import Context
from weir.cli.options import json_option, stack_options
from weir.cli.recovery import last_update, looked, say
from weir.cluster.live import Live
from weir.console import Console
from weir.errors import UsageError, VerdictError
from weir.measurement.caller import Caller
from weir.measurement.clusters import measured
from weir.measurement.judge import ERROR_RATE
from weir.measurement.measure import Measurement, Target, measure
from weir.measurement.report import as_json as report
from weir.measurement.report import show
from weir.model import Sender, StackConfig, expectation, mesh, plain_route, traffic, without_ended

_MAX_REQUESTS = 100_000
_SHOW_PROGRESS_AFTER = 2.0


@click.command()
@click.argument("service", required=False)
@stack_options
@click.option(
    "--client", metavar="NAME", help="The client to send from (label app=NAME); the first of the stack when left out."
)
@click.option(
    "--requests",
    metavar="N",
    type=click.IntRange(1, _MAX_REQUESTS),
    help="Requests per service; 1000 when left out, 200 under a delay fault. More show smaller shifts.",
)
@click.option("--namespace", metavar="NAME", help="The namespace; that of the stack when left out.")
@json_option
def command(
    service: str | None,
    stack: str,
    file: Path | None,
    client: str | None,
    requests: int | None,
    namespace: str | None,
    as_json: bool,
) -> None:
    """Send requests from a client inside the mesh and judge the traffic against the config.

    Split, delays, aborts, mirrors and errors of SERVICE, or of every service with versions, are held against exact
    binomial bounds, on the route that a plain GET / takes. Ends with 0 when traffic is what the config says, 3 when it
    is not, 1 when it could not be measured, 2 for bad config or usage.
    """
    context = Context(stack, file, given_namespace=namespace)
    if file is None:
        looked(context)
    # An update leaves out a fault whose end has passed, so it is no part of what is promised.
    config = without_ended(context.config, datetime.now(UTC))
    names = _services(config, service)
    sender = _client(config, client)
    caller = Caller.find(context.kubectl, sender)
    targets = _targets(config, context.namespace, names, Sender(context.namespace, caller.labels))
    measurements = _measure(caller, targets, requests)
    _say_unready(context, names)
    if as_json:
        click.echo(json.dumps(report(stack, caller, measurements, ERROR_RATE), indent=2))
    else:
        click.echo(f"stack {stack}, namespace {context.namespace}")
        show(Console(), caller, measurements, ERROR_RATE)
    failed = [_failures(measurement) for measurement in measurements if not measurement.verdict.ok]
    if failed:
        raise VerdictError(f"traffic is not what the config says: {'; '.join(failed)}")


def _say_unready(context: Context, names: list[str]) -> None:
    """Traffic may be right while the last update is not: what callers do not see yet is said."""
    live = Live(context.kubectl)
    for name in names:
        for version in context.config.services[name].versions:
            if failure := live.failure(name, version):
                say(f"{version} of {name} did not become ready: {failure}")
    if context.file is None and (remark := last_update(context)[1]):
        say(remark)


def _services(config: StackConfig, service: str | None) -> list[str]:
    names = [name for name, entry in config.services.items() if entry.versions]
    if service is None:
        if not names:
            raise UsageError(
                "no service of this stack has versions, so there is nothing to verify; add some to weir:services"
            )
        return names
    if service not in names:
        why = "has no versions" if service in config.services else "is not a service of this stack"
        raise UsageError(f"{service} {why} (services with versions: {', '.join(names) or 'none'})")
    return [service]


def _client(config: StackConfig, client: str | None) -> str:
    if client is not None:
        return client
    if not config.clients:
        raise UsageError(
            "this stack has no weir:clients to send requests from; add one, or name a workload with a sidecar with "
            "--client"
        )
    return next(iter(config.clients))


def _targets(config: StackConfig, namespace: str, names: list[str], sender: Sender) -> list[Target]:
    objects = mesh(config, namespace).services
    targets = []
    for name in names:
        service, host = config.services[name], objects[name].host
        port = service.main_port.port
        authority = name if port == 80 else f"{name}:{port}"
        routes = traffic(service, namespace)
        route = plain_route(routes, authority, port, sender)
        if not route.weights:
            raise UsageError(f"route {route.name} of {name} answers GET / by itself; there is no split to verify")
        twice = [version for version in expectation(route).mirrors if route.weights.get(version)]
        if twice:
            raise UsageError(
                f"{name}: {twice[0]} gets copies of requests that it gets anyway; the counters cannot tell them apart"
            )
        counted = measured(service, routes, host)
        targets.append(Target(name, counted, tuple(service.versions), expectation(route)))
    return targets


def _measure(caller: Caller, targets: list[Target], requests: int | None) -> list[Measurement]:
    measurements = []
    for target in targets:
        with _progress(f"requests to {target.name}", target.sending(requests).requests) as advance:
            share = ERROR_RATE / len(targets)
            measurements.append(measure(caller, target, requests=requests, error_rate=share, advance=advance))
    return measurements


def _failures(measurement: Measurement) -> str:
    failed = [check.name for check in measurement.verdict.checks if not check.ok]
    return f"{measurement.target.name} ({', '.join(failed)})"


@contextmanager
def _progress(what: str, total: int) -> Iterator[Callable[[int], None]]:
    """A progress bar on the terminal's stderr that shows up only when it is waited for; gives what advances it."""
    console = Console(stderr=True)
    columns = (TextColumn(" {task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    progress = Progress(*columns, console=console, transient=True, disable=not console.is_terminal)
    task = progress.add_task(what, total=total)
    timer = threading.Timer(_SHOW_PROGRESS_AFTER, progress.start)
    timer.daemon = True
    timer.start()
    try:
        yield lambda count: progress.advance(task, count)
    finally:
        timer.cancel()
        timer.join()  # or it could start after the stop
        progress.stop()
