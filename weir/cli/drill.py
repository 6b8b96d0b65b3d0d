"""`weir drill`: a fault for a limited time that ends by itself."""

from __future__ import annotations

import re
import signal
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import click

from weir.cli.context import Context
from weir.cli.drillview import Watched, watch
from weir.cli.options import json_option, stack_option, verbose_option
from weir.cli.recovery import forget_drills, over, say, without_drill
from weir.cli.release import Release, release
from weir.cluster.live import Live
from weir.engine.errors import EngineError
from weir.engine.journal import Entry, drills, held, left_behind, operation, path_of
from weir.errors import UsageError, WeirError
from weir.model import Duration, Service
from weir.model.values.instants import Instant
from weir.model.values.numbers import percent as read_percent
from weir.model.values.numbers import plain
from weir.stack.edit import StackEdit

MAX_LENGTH = timedelta(hours=24)
"""Longer is no rehearsal any more: write a fault with `until` into the config, where a pull request shows it."""

_ANSWERING = timedelta(minutes=2)
"""How long an answer may take, and the update, until the end that was shown would come before the drill's time is
over.
"""


@click.command("drill")
@click.argument("service", required=False)
@click.option("--delay", metavar="DURATION", help="Delay requests by this long, such as 3s.")
@click.option(
    "--abort",
    "abort_with",
    metavar="STATUS",
    help="Answer requests with this HTTP status, or a status of gRPC by name.",
)
@click.option(
    "--percent", metavar="PERCENT", default="100", show_default=True, help="The share of requests that gets the fault."
)
@click.option(
    "--for", "length", metavar="DURATION", default="5m", show_default=True, help="When it ends, at most 24h from now."
)
@click.option(
    "--match",
    "matches",
    metavar="HEADER=VALUE",
    multiple=True,
    help="Only requests with this header; several must all be there.",
)
@click.option(
    "--client",
    metavar="NAME",
    help="The client to measure from (label app=NAME); the first of the stack when left out.",
)
@click.option(
    "--clean",
    is_flag=True,
    help="Remove the drill of SERVICE; without SERVICE, every drill that has expired or whose process is gone.",
)
@click.option("--reason", metavar="TEXT", default="", help="Why; weir history shows it.")
@click.option("--yes", "-y", is_flag=True, help="Do not ask.")
@verbose_option
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
    verbose: bool,
    stack: str,
    as_json: bool,
) -> None:
    """Inject a fault into SERVICE for a limited time, show what it does to latency and errors, and take it away again.

    It ends after the given time, or on Ctrl-C. If this process is killed, `weir drill --clean` or the next release
    removes it. Its end is in the stack file and on the object in the cluster; from then on `weir check` refuses it, and
    an update leaves it out.
    """
    context = Context(stack, verbose=verbose)
    if clean:
        _clean(context, service)
        return
    if service is None:
        raise UsageError("name the service to drill: weir drill SERVICE --delay 3s --percent 50 --for 5m")
    wanted = Wanted.read(service, delay, abort_with, percent, length, matches)
    _refuse_second(context, service)
    watched = Watched.find(context, service, client, tuple(map(header, matches)))
    watched.longest = wanted.delay_seconds
    watched.measure_before()
    with operation(path_of(context.project, context.stack, service), Entry(wanted.typed, "drilling")):
        _begin(context, wanted, reason, yes=yes)
        try:
            # Its time begins when callers have it.
            watch(watched, datetime.now(UTC) + wanted.lasting)
        except BaseException as error:
            _take_away(context, wanted, "was ended" if isinstance(error, KeyboardInterrupt) else "could not be watched")
            watched.show(as_json=as_json)
            raise
        _take_away(context, wanted, "is over")
    watched.show(as_json=as_json)


def _begin(context: Context, wanted: Wanted, reason: str, *, yes: bool) -> None:
    """Write the drill, ask, apply it, and return when callers have it. What was begun and did not succeed is taken
    away again.
    """
    # The end that is written is for a process that is killed: it leaves time to answer, and to reach callers.
    until = Instant.at(
        datetime.now(UTC) + wanted.lasting + _ANSWERING + timedelta(seconds=context.config.propagation.timeout.seconds)
    )

    def edit(file: StackEdit, service: str, _: Service) -> None:
        file.set_drill(service, {**wanted.drill, "until": until.text})

    say(
        f"the drill lasts {wanted.length} from when callers' proxies have it; if this process is killed, it expires at "
        f"{until.text}, and weir drill {wanted.service} --clean removes it"
    )
    try:
        release(Release(context, {wanted.service: edit}, wanted.typed, yes, reason, tell=say))
        if until.moment - wanted.lasting <= datetime.now(UTC):
            say(f"callers got the fault later than expected: it ends at {until.text}")
    except BaseException as error:
        if context.anew().config.services[wanted.service].drill is None:
            raise
        _take_away(context, wanted, "could not be started")
        if isinstance(error, EngineError):
            raise type(error)(f"{str(error).splitlines()[0].partition(';')[0]}; the drill is removed again") from None
        raise


def _take_away(context: Context, wanted: Wanted, why: str) -> None:
    """Remove the drill; Ctrl-C does not stop this: it is what Ctrl-C asks for."""
    was = signal.signal(signal.SIGINT, lambda *_: say("removing the drill"))
    try:
        say(f"the drill of {wanted.service} {why}: removing it")
        _remove(context, wanted.service, wanted.typed, why)
        say(f"{wanted.service} is as before the drill")
    finally:
        signal.signal(signal.SIGINT, was)


def _remove(context: Context, service: str, what: str, why: str) -> None:
    """Take a drill out of the stack file and the cluster, and nothing else, and return when callers are rid of it."""
    release(Release(context, {service: without_drill}, what, True, why, shielded=True, tell=say))


def _clean(context: Context, service: str | None) -> None:
    """Remove what is over; with a service, its drill whether or not it is over."""
    if service is not None and (entry := held(path_of(context.project, context.stack, service))):
        raise WeirError(
            f"{entry.command} is under way (process {entry.pid}); end it with Ctrl-C there, or wait until it ends"
        )
    if service is not None:
        context.service(service)
    doomed = _standing_still(context) if service is None else [service]
    for name in doomed:
        _remove(context, name, f"weir drill {name} --clean", "")
        say(f"{name} has no drill any more")
    if not doomed:
        forget_drills(context)
        say("no drill to remove")


def _standing_still(context: Context) -> list[str]:
    """The services with a drill that is over, be it in the stack file or, when that has been put back by hand, in the
    cluster alone.
    """
    config, live = context.config, Live(context.kubectl)
    now = datetime.now(UTC)
    found = [name for name, _ in over(context)]
    orphans = [
        name
        for name in drills(context.project, context.stack)
        if left_behind(path_of(context.project, context.stack, name))
    ]
    for name in config.services:
        there = live.traffic(name, config.host(name, live.kubectl.namespace))
        faults = [route.fault for route in there.routes if route.fault and route.fault.until] if there else []
        found += [name] if any(name in orphans or fault.until.moment <= now for fault in faults if fault.until) else []
    return list(dict.fromkeys(found))


def _refuse_second(context: Context, service: str) -> None:
    """One fault a service at a time: two would hide what each of them does."""
    settings = context.service(service)
    if settings.drill is not None and service not in dict(over(context)):
        raise UsageError(
            f"{service} has a drill until {settings.drill.until}; wait for its end, or remove it: weir drill "
            f"{service} --clean"
        )
    if settings.fault is not None:
        raise UsageError(f"{service} has a fault in its config; remove it from {context.path.name} first")


@dataclass(frozen=True, slots=True)
class Wanted:
    """What was asked for: the drill as the stack file has it but for its end, how long it lasts, and the command as
    typed.
    """

    service: str
    drill: Mapping[str, Any]
    lasting: timedelta
    length: str
    delay_seconds: float
    typed: str

    @classmethod
    def read(
        cls,
        service: str,
        delay: str | None,
        abort_with: str | None,
        percent: str,
        length: str,
        matches: tuple[str, ...],
    ) -> Wanted:
        """Raises UsageError for what cannot be a drill."""
        if delay is None and abort_with is None:
            raise UsageError("say what to inject: --delay 3s, --abort 503, or both")
        try:
            share = plain(read_percent(percent.strip().removesuffix("%").strip()))
        except ValueError as error:
            raise UsageError(f"--percent {error}") from None
        if share == 0:
            raise UsageError("--percent 0 selects no request; give a share above 0, such as --percent 50")
        drill: dict[str, Any] = {}
        if delay is not None:
            drill["delay"] = {"percentage": share, "fixedDelay": delay}
        if abort_with is not None:
            status = {"httpStatus": int(abort_with)} if abort_with.isdigit() else {"grpcStatus": abort_with}
            drill["abort"] = {"percentage": share, **status}
        if matches:
            drill["match"] = {"headers": {name: {"exact": value} for name, value in map(header, matches)}}
        options = [
            ("--delay", delay),
            ("--abort", abort_with),
            ("--percent", percent),
            *(("--match", match) for match in matches),
        ]
        typed = " ".join(f"{name} {value}" for name, value in options if value is not None)
        lasting = _duration("--for", length)
        if not timedelta(seconds=1) <= lasting <= MAX_LENGTH:
            raise UsageError(
                f'--for must be from 1s to 24h, was "{length}"; for longer write a fault with until into the config'
            )
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
