"""`weir drill`: a fault for a limited time that ends by itself."""

from __future__ import annotations

import re
import signal
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import click

from weir.cli.drillview import Watched, watch
from weir.cli.options import find_service, json_option, kubectl_for, load_stack, real_namespace, stack_option
from weir.cli.recovery import forget_drills, over, say, without_drill
from weir.cli.release import Release, release
from weir.cluster.live import Live
from weir.engine.journal import Entry, drills, held, left_behind, operation, path_of
from weir.engine.stack import EngineError
from weir.errors import UsageError, WeirError
from weir.model import Duration, Service, StackConfig
from weir.model.values.instants import Instant
from weir.model.values.numbers import percent as read_percent
from weir.model.values.numbers import plain
from weir.stack import stackfile
from weir.stack.edit import StackEdit

MAX_LENGTH = timedelta(hours=24)
"""Longer is no rehearsal any more: write a fault with `until` into the config, where a pull request shows it."""

_ANSWERING = timedelta(minutes=2)
"""How long an answer may take, and the update, until the end that was shown would come before the drill's time is over."""


@click.command("drill")
@click.argument("service", required=False)
@click.option("--delay", metavar="DURATION", help="Delay requests by this long, such as 3s.")
@click.option("--abort", "abort_with", metavar="STATUS", help="Answer requests with this HTTP status, or a status of gRPC by name.")
@click.option("--percent", metavar="PERCENT", default="100", show_default=True, help="The share of requests that is met.")
@click.option("--for", "length", metavar="DURATION", default="5m", show_default=True, help="When it ends, at most 24h from now.")
@click.option(
    "--match", "matches", metavar="HEADER=VALUE", multiple=True, help="Only requests with this header; several must all be there."
)
@click.option("--client", metavar="NAME", help="The client to measure from (label app=NAME); the first of the stack when left out.")
@click.option("--clean", is_flag=True, help="Remove the drill of SERVICE, or those of the stack that are over or lost their process.")
@click.option("--reason", metavar="TEXT", default="", help="Why; weir history shows it.")
@click.option("--yes", "-y", is_flag=True, help="Do not ask.")
@stack_option
@json_option
def command(
    service: str | None,
    delay: str | None,
    abort_with: str | None,
    percent: str,
    length: str,
    matches: tuple[str, ...],
    client: str | None,
    clean: bool,
    reason: str,
    yes: bool,
    stack: str,
    as_json: bool,
) -> None:
    """Inject a fault into SERVICE for a limited time, show what it does to latency and errors, and take it away again.

    It ends by itself, on Ctrl-C, and, should this process be killed, by `weir drill --clean` or the next release. Its end stands in the
    stack file and on the object in the cluster; `weir check` refuses it from then on, and an update leaves it out.
    """
    if clean:
        _clean(stack, service)
        return
    if service is None:
        raise UsageError("name the service to drill: weir drill SERVICE --delay 3s --percent 50 --for 5m")
    wanted = Wanted.read(service, delay, abort_with, percent, length, matches)
    config = load_stack(stack, None)
    find_service(config, service)
    _refuse_second(stack, config, service)
    watched = Watched.find(config, stack, service, client, tuple(map(header, matches)))
    watched.longest = wanted.delay_seconds
    watched.measure_before()
    project = stackfile.project_dir()
    with operation(path_of(project, stack, service), Entry(wanted.typed, "drilling")):
        _begin(stack, wanted, config, reason, yes=yes)
        try:
            # Its time begins when callers have it.
            watch(watched, datetime.now(UTC) + wanted.lasting)
        except BaseException as error:
            _take_away(stack, wanted, "was ended" if isinstance(error, KeyboardInterrupt) else "could not be watched")
            watched.show(as_json=as_json)
            raise
        _take_away(stack, wanted, "is over")
    watched.show(as_json=as_json)


def _begin(stack: str, wanted: Wanted, config: StackConfig, reason: str, *, yes: bool) -> None:
    """Write the drill, ask, apply it, and return when callers have it. What was begun and did not succeed is taken away again."""
    # The end that is written is for a process that is killed: it leaves time to answer, and to reach callers.
    until = Instant.at(datetime.now(UTC) + wanted.lasting + _ANSWERING + timedelta(seconds=config.propagation.timeout.seconds))

    def edit(file: StackEdit, service: str, _: Service) -> None:
        file.set_drill(service, {**wanted.drill, "until": until.text})

    say(f"it lasts {wanted.length} from when callers have it, and ends by itself at {until.text} should this process be killed")
    try:
        release(Release(stack, wanted.service, edit, wanted.typed, yes, reason, tell=say))
        if until.moment - wanted.lasting <= datetime.now(UTC):
            say(f"callers have the fault later than was thought: it ends at {until.text}")
    except BaseException as error:
        if load_stack(stack, None).services[wanted.service].drill is None:
            raise
        _take_away(stack, wanted, "did not begin in good order")
        if isinstance(error, EngineError):
            raise type(error)(f"{str(error).splitlines()[0].partition(';')[0]}; the drill is taken away again") from None
        raise


def _take_away(stack: str, wanted: Wanted, why: str) -> None:
    """Remove the drill; Ctrl-C does not stop this: it is what Ctrl-C asks for."""
    was = signal.signal(signal.SIGINT, lambda *_: say("the drill is being removed; a moment"))
    try:
        say(f"the drill of {wanted.service} {why}: removing it")
        _remove(stack, wanted.service, wanted.typed, why)
        say(f"{wanted.service} is as before the drill")
    finally:
        signal.signal(signal.SIGINT, was)


def _remove(stack: str, service: str, what: str, why: str) -> None:
    """Take a drill out of the stack file and the cluster, and nothing else, and return when callers are rid of it."""
    release(Release(stack, service, without_drill, what, True, why, shielded=True, tell=say))


def _clean(stack: str, service: str | None) -> None:
    """Remove what is over; with a service, its drill whether or not it is over."""
    project = stackfile.project_dir()
    if service is not None and (entry := held(path_of(project, stack, service))):
        raise WeirError(f"{entry.command} is under way (process {entry.pid}); end it with Ctrl-C there, or wait until it ends")
    config = load_stack(stack, None)
    if service is not None:
        find_service(config, service)
    doomed = _standing_still(stack, project, config) if service is None else [service]
    for name in doomed:
        _remove(stack, name, f"weir drill {name} --clean", "")
        say(f"{name} has no drill any more")
    if not doomed:
        forget_drills(stack, project)
        say("no drill to remove")


def _standing_still(stack: str, project: Path, config: StackConfig) -> list[str]:
    """The services with a drill that is over, be it in the stack file or, when that has been put back by hand, in the cluster alone."""
    live = Live(kubectl_for(config, None, real_namespace(config, stack, None)))
    now = datetime.now(UTC)
    found = [name for name, _ in over(stack, project, config)]
    orphans = [name for name in drills(project, stack) if left_behind(path_of(project, stack, name))]
    for name in config.services:
        there = live.traffic(name, config.host(name, live.kubectl.namespace))
        faults = [route.fault for route in there.routes if route.fault and route.fault.until] if there else []
        found += [name] if any(name in orphans or fault.until.moment <= now for fault in faults if fault.until) else []
    return list(dict.fromkeys(found))


def _refuse_second(stack: str, config: StackConfig, service: str) -> None:
    """One fault a service at a time: two would hide what each of them does."""
    settings = config.services[service]
    if settings.drill is not None and service not in dict(over(stack, stackfile.project_dir(), config)):
        raise UsageError(
            f"{service} has a drill until {settings.drill.until}; wait for its end, or remove it: weir drill {service} --clean"
        )
    if settings.fault is not None:
        raise UsageError(f"{service} has a fault in its config; remove it from Pulumi.{stack.rsplit('/', 1)[-1]}.yaml first")


@dataclass(frozen=True, slots=True)
class Wanted:
    """What was asked for: the drill as the stack file has it but for its end, how long it lasts, and the command as typed."""

    service: str
    drill: Mapping[str, Any]
    lasting: timedelta
    length: str
    delay_seconds: float
    typed: str

    @classmethod
    def read(cls, service: str, delay: str | None, abort_with: str | None, percent: str, length: str, matches: tuple[str, ...]) -> Wanted:
        """Raises UsageError for what cannot be a drill."""
        if delay is None and abort_with is None:
            raise UsageError("say what to inject: --delay 3s, --abort 503, or both")
        try:
            share = plain(read_percent(percent.strip().removesuffix("%").strip()))
        except ValueError as error:
            raise UsageError(f"--percent {error}") from None
        if share == 0:
            raise UsageError("--percent 0 meets no request; say how many: --percent 50")
        drill: dict[str, Any] = {}
        if delay is not None:
            drill["delay"] = {"percentage": share, "fixedDelay": delay}
        if abort_with is not None:
            status = {"httpStatus": int(abort_with)} if abort_with.isdigit() else {"grpcStatus": abort_with}
            drill["abort"] = {"percentage": share, **status}
        if matches:
            drill["match"] = {"headers": {name: {"exact": value} for name, value in map(header, matches)}}
        options = [("--delay", delay), ("--abort", abort_with), ("--percent", percent), *(("--match", match) for match in matches)]
        typed = " ".join(f"{name} {value}" for name, value in options if value is not None)
        lasting = _duration("--for", length)
        if not timedelta(seconds=1) <= lasting <= MAX_LENGTH:
            raise UsageError(f'--for must be from 1s to 24h, was "{length}"; for longer write a fault with until into the config')
        seconds = _duration("--delay", delay).total_seconds() if delay is not None else 0.0
        return cls(service, drill, lasting, length, seconds, f"weir drill {service} {typed} --for {length}")


def _duration(option: str, text: str) -> timedelta:
    try:
        return timedelta(seconds=Duration.parse(text).seconds)
    except ValueError as error:
        raise UsageError(f"{option} {error}") from None


def header(text: str) -> tuple[str, str]:
    """Name and value of HEADER=VALUE. Raises UsageError."""
    name, equals, value = text.partition("=")
    if not equals or not re.fullmatch(r"[\w-]+", name) or not value:
        raise UsageError(f'--match must be HEADER=VALUE, such as x-drill=on, was "{text}"')
    return name.lower(), value
