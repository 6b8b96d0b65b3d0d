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

from weir import stackfile
from weir.cli.drillview import Watched, watch
from weir.cli.options import find_service, json_option, load_stack, real_namespace, stack_option
from weir.cli.recovery import recovered, remove_drills, say
from weir.cli.release import agreed, apply, follow, put_back, ready, undo
from weir.cluster.want import Want
from weir.engine.history import message
from weir.engine.journal import Entry, Operation, held, operation, path_of
from weir.engine.stack import RefusedError, Stack
from weir.errors import UsageError, WeirError
from weir.model import Duration, StackConfig, traffic
from weir.model.changes import changes
from weir.model.instants import Instant
from weir.model.numbers import percent as read_percent
from weir.model.numbers import plain
from weir.model.routing import host
from weir.stackedit import StackEdit

MAX_LENGTH = timedelta(hours=24)
"""Longer is no rehearsal any more: write a fault with `until` into the config, where a pull request shows it."""


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

    It ends by itself, on Ctrl-C, and, should this process be killed, by the next weir command or `weir drill --clean`. Its end stands in the
    stack file and on the object in the cluster; `weir check` refuses it from then on, and an update leaves it out.
    """
    if clean:
        _clean(stack, service)
        return
    if service is None:
        raise UsageError("name the service to drill: weir drill SERVICE --delay 3s --percent 50 --for 5m")
    wanted = Wanted.read(service, delay, abort_with, percent, length, matches)
    config = ready(stack)
    find_service(config, service)
    _refuse_second(stack, config, service)
    watched = Watched.find(config, stack, service, client, tuple(map(header, matches)))
    watched.longest = wanted.delay_seconds
    watched.measure_before()
    project = stackfile.project_dir()
    with operation(path_of(project, stack, service), Entry(wanted.typed, "drilling")):
        until = _begin(stack, project, wanted, message(wanted.typed, reason), yes=yes)
        try:
            watch(watched, until)
        except BaseException as error:
            _take_away(stack, project, wanted, "was ended" if isinstance(error, KeyboardInterrupt) else "could not be watched")
            watched.show(as_json=as_json)
            raise
        _take_away(stack, project, wanted, "is over")
    watched.show(as_json=as_json)


def _begin(stack: str, project: Path, wanted: Wanted, why: str, *, yes: bool) -> datetime:
    """Write the drill, ask, apply it, and return its end. What was begun and did not succeed is taken away again."""
    begun = False
    file = StackEdit(stackfile.stack_path(stack, project))
    plain_config = load_stack(stack, None)
    try:
        with operation(path_of(project, stack), Entry(wanted.typed, before=file.text)) as entry:
            with put_back(file):
                until = wanted.write(file, entry)
                config = load_stack(stack, None)
                for line in changes(*(traffic(each.services[wanted.service], each.namespace) for each in (plain_config, config))):
                    say(f"{wanted.service}: {line}")
                if not yes:
                    if not agreed():
                        raise click.Abort()
                    # The time begins now, however long somebody thought about it.
                    until = wanted.write(file, entry)
                    config = load_stack(stack, None)
            begun = True
            want = met(config, stack, wanted.service, standing=True)
            apply(entry, Stack(stack, project), config, wanted.service, why, want, preview=True)
    except RefusedError:
        undo(file)
        raise
    except BaseException:
        if begun:
            _take_away(stack, project, wanted, "did not begin in good order")
        raise
    return until


def _take_away(stack: str, project: Path, wanted: Wanted, why: str) -> None:
    """Remove the drill; Ctrl-C does not stop this: it is what Ctrl-C asks for."""
    was = signal.signal(signal.SIGINT, lambda *_: say("the drill is being removed; a moment"))
    try:
        say(f"the drill of {wanted.service} {why}: removing it")
        config = load_stack(stack, None)
        want = met(config, stack, wanted.service, standing=False)
        remove_drills(stack, project, [wanted.service], message(wanted.typed, why), shielded=True)
        follow(config, want)
        say(f"{wanted.service} is as before the drill")
    finally:
        signal.signal(signal.SIGINT, was)


def met(config: StackConfig, stack: str, service: str, *, standing: bool) -> Want:
    """What proxies do when a drill stands, or no longer does: the first route that it meets has a fault, or none."""
    namespace = real_namespace(config, stack, None)
    settings = config.services[service]
    routes = traffic(settings, namespace).routes
    ending = settings.drill.until if settings.drill else None
    route = next((route for route in routes if route.fault and route.fault.until == ending), routes[-1])
    return Want(host(service, namespace), fault=standing, route=route.name)


def _clean(stack: str, service: str | None) -> None:
    """Remove what is over; with a service, its drill whether or not it is over."""
    project = stackfile.project_dir()
    if service is not None and (entry := held(path_of(project, stack, service))):
        raise WeirError(f"{entry.command} is under way (process {entry.pid}); end it with Ctrl-C there, or wait until it ends")
    before = {name for name, settings in load_stack(stack, None).services.items() if settings.drill}
    config = recovered(stack, repair=False)
    if service is None:
        if before == {name for name, settings in config.services.items() if settings.drill}:
            say("no drill to remove")
    elif find_service(config, service).drill is not None:
        remove_drills(stack, project, [service], message(f"weir drill {service} --clean"))
        say(f"the drill of {service} is removed")
    elif service not in before:
        say(f"{service} has no drill")


def _refuse_second(stack: str, config: StackConfig, service: str) -> None:
    """One fault a service at a time: two would hide what each of them does."""
    settings = config.services[service]
    if settings.drill is not None:
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
        return cls(service, drill, lasting, seconds, f"weir drill {service} {typed} --for {length}")

    def write(self, file: StackEdit, entry: Operation) -> datetime:
        """Write it into the stack file, to end when its time from now is over, and return that moment."""
        until = Instant.at(datetime.now(UTC) + self.lasting)
        file.set_drill(self.service, {**self.drill, "until": until.text})
        entry.note("editing", after=file.text)
        file.write()
        return until.moment


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
