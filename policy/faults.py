"""Faults end: none in production without an end, and none anywhere that is past it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from policy.known import UNKNOWN, Props, mapping
from policy.routes import notes, routes, service
from policy.rule import EVERY_STACK, PRODUCTION, VIRTUAL_SERVICE, Rule
from weir.model import RouteTraffic
from weir.model.manifests.annotations import FAULT_UNTIL
from weir.model.manifests.hosts import of_host
from weir.model.routing.expiry import ago
from weir.model.routing.words import fault
from weir.model.values.instants import Instant


def endless(props: Props, now: datetime) -> list[str]:
    """A message for each route with a fault and no annotation that says when the fault ends. `now` only serves the
    example in it.
    """
    return [
        f"{service(props)}: the fault of route {route.name} has no end ({_words(route)}); say when it ends,"
        f' until: "{Instant.at(now + timedelta(hours=1))}" beside it, or remove it'
        for route, end in _faults(props)
        if end is None
    ]


def over(props: Props, now: datetime) -> list[str]:
    """A message for each route with a fault whose end has passed, or is no moment (RFC 3339)."""
    found = []
    for route, end in _faults(props):
        if end is None:
            continue
        what = f"{service(props)}: the fault of route {route.name}"
        try:
            until = Instant.parse(end).moment
        except ValueError as error:
            found.append(f"{what} has an end (annotation {FAULT_UNTIL}{route.name}) that {error}")
            continue
        if until <= now:
            found.append(
                f"{what} expired {ago(now - until)} ago, at {end} ({_words(route)}); remove it, or the drill"
                f"{_of_service(props)}"
            )
    return found


def _of_service(props: Props) -> str:
    """The command that ends a drill; a host at gateways has those of its services."""
    return " of its service" if of_host(mapping(props.get("spec"))) else f": weir drill {service(props)} --clean"


def _faults(props: Props) -> Iterator[tuple[RouteTraffic, object]]:
    """Each route with a fault, and the end its annotation has; None without one. Nothing while that is not known."""
    written = notes(props)
    if written is None:
        return
    for route in routes(props):
        end = written.get(f"{FAULT_UNTIL}{route.name}")
        if route.fault is not None and end is not UNKNOWN:
            yield route, end


def _words(route: RouteTraffic) -> str:
    assert route.fault is not None
    return fault(route.fault)


ENDLESS = Rule(
    name="fault-has-end",
    description="A fault in production says when it ends.",
    kinds=(VIRTUAL_SERVICE,),
    stacks=PRODUCTION,
    judge=lambda props, _settings, _stack: endless(props, datetime.now(UTC)),
)
OVER = Rule(
    name="fault-not-over",
    description="A fault whose end has passed is gone.",
    kinds=(VIRTUAL_SERVICE,),
    stacks=EVERY_STACK,
    judge=lambda props, _settings, _stack: over(props, datetime.now(UTC)),
)
