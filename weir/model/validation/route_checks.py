"""Rules of routes: versions that exist, shares that add up, names once, and no setting that a route of its kind cannot
have.

What Istio's validation refuses of a route is refused here for the same reason; the rest would be a route that does not
do what it says.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from decimal import Decimal

from weir.model.config.base import given
from weir.model.config.drills import SUFFIX
from weir.model.config.routes import Route, Traffic
from weir.model.config.stack import Service
from weir.model.routing.resolve import DEFAULT_ROUTE
from weir.model.values.hosts import MESH
from weir.model.values.names import MAX_LABEL
from weir.model.values.problems import Path, Problem, shown

_NOT_OF_THE_DEFAULT = ("canary", "fault", "mirrors", "rewrite")
_NOT_OF_AN_ANSWER = ("stable", "canary", "fault", "timeout", "retries", "mirrors", "rewrite")


def check_routes(
    path: Path, service: Service, versions: Sequence[str], gateways: Sequence[str] = ()
) -> Iterator[Problem]:
    """Every problem of the default route and of those before it. `versions`: the names that a route may have, at least
    one. `gateways`: those at which the service is reached.
    """
    yield from _stable(path, service, versions)
    yield from _targets(path, service, service, _NOT_OF_THE_DEFAULT, versions)
    names = {DEFAULT_ROUTE: "the default route"}
    for index, route in enumerate(service.routes):
        here: Path = (*path, "routes", index)
        if route.name in names:
            yield Problem(
                (*here, "name"), f'the name "{route.name}" is taken by {names[route.name]}; choose another name'
            )
        names.setdefault(route.name, f"route {index + 1}")
        if route.stable and route.stable not in versions:
            yield Problem((*here, "stable"), no_such_version(versions, route.stable))
        yield from _targets(here, service, route, _NOT_OF_AN_ANSWER, versions)
        yield from _entrances(here, service, route, gateways)
    yield from _drill(path, service)


def _drill(path: Path, service: Service) -> Iterator[Problem]:
    if service.drill is None:
        return
    here: Path = (*path, "drill")
    if service.answers_itself and not any(not route.answers_itself for route in service.routes):
        yield Problem(here, "has no effect: every route answers by itself; remove it")
    if service.fault is not None:
        yield Problem(here, "has no effect on the default route, which has a fault already; remove one of them")
    if service.drill.match is None:
        return
    for index, route in enumerate(service.routes):
        if len(route.name) > MAX_LABEL - len(SUFFIX):
            yield Problem(
                (*path, "routes", index, "name"),
                (
                    f"must be at most {MAX_LABEL - len(SUFFIX)} characters beside a drill with a match, was "
                    f"{len(route.name)}"
                ),
            )
        taken = {name.lower() for match in route.match for name in (*match.headers, *match.without_headers)}
        for header in service.drill.match.headers:
            if header.lower() in taken:
                yield Problem(
                    (*here, "match", "headers", header),
                    f"route {route.name} matches on this header too; choose another one for the drill",
                )


def _stable(path: Path, service: Service, versions: Sequence[str]) -> Iterator[Problem]:
    if not service.stable:
        message = f"missing: the version that gets what the canaries leave (versions: {', '.join(versions)})"
        yield Problem((*path, "stable"), message)
    elif service.stable not in versions:
        yield Problem((*path, "stable"), no_such_version(versions, service.stable))


def _targets(
    path: Path, service: Service, route: Traffic, not_of_an_answer: tuple[str, ...], versions: Sequence[str]
) -> Iterator[Problem]:
    if route.answers_itself:
        answer = "redirect" if route.redirect is not None else "directResponse"
        for name in given(route, *not_of_an_answer):
            yield Problem((*path, name), f"has no effect beside {answer}, which answers by itself; remove one of them")
        return
    stable, canary = service.split(route)
    for version in canary:
        if version not in versions:
            yield Problem((*path, "canary", version), no_such_version(versions))
        elif version == stable:
            message = (
                "is the stable version, which gets what the canaries leave; remove it here, or make another version "
                "stable"
            )
            yield Problem((*path, "canary", version), message)
    total = sum(canary.values(), Decimal(0))
    if total > 100:
        parts = ", ".join(f"{version} {percent}" for version, percent in canary.items())
        yield Problem((*path, "canary"), f"must add up to at most 100, was {total} ({parts}); lower one of them")
    for index, mirror in enumerate(route.mirrors):
        if mirror.version not in versions:
            yield Problem((*path, "mirrors", index, "version"), no_such_version(versions, mirror.version))


def _entrances(path: Path, service: Service, route: Route, exposed: Sequence[str]) -> Iterator[Problem]:
    bound = service.expose.routes if service.expose else ()
    unbound = service.expose.gateways if service.expose and bound and route.name not in bound else ()
    for number, match in enumerate(route.match):
        for index, gateway in enumerate(match.gateways):
            if gateway in unbound:
                yield Problem(
                    (*path, "match", number, "gateways", index),
                    f"expose.routes leaves this route in the mesh, so that nothing can match at {gateway}; add "
                    f"{route.name} there, or remove it here",
                )
            elif gateway != MESH and gateway not in exposed:
                there = f"exposed at: {', '.join(exposed)}" if exposed else "not exposed at any"
                message = (
                    f'the service is not exposed at "{gateway}" ({there}), so that nothing can match; add it there, '
                    "or remove it here"
                )
                yield Problem((*path, "match", number, "gateways", index), message)


def no_such_version(versions: Sequence[str], given: str = "") -> str:
    """What to say of a version that the service does not have."""
    quoted = f" {shown(given)}" if given else ""
    return f"no such version{quoted} (versions: {', '.join(versions)})"
