"""Rules of hosts at gateways: gateways and services that exist, entries that can be joined with their services'
routes, and each host once at a gateway.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

from weir.model.config.gateways import Expose
from weir.model.config.hosts import HostRoute
from weir.model.config.stack import Service, StackConfig
from weir.model.routing.hosts import joined
from weir.model.routing.resolve import full_gateway, routes
from weir.model.values.hosts import ANY, covers
from weir.model.values.names import MAX_LABEL
from weir.model.values.problems import Path, Problem, nearest


def check_hosts(config: StackConfig, unsound: Collection[str]) -> Iterator[Problem]:
    """Every problem of hosts. `unsound`: services with a problem of their own, which cannot be resolved."""
    for host, settings in config.hosts.items():
        path: Path = ("hosts", host)
        yield from check_gateways(path, settings.gateways, config)
        gateways = tuple(full_gateway(name, config.namespace) for name in settings.gateways)
        for index, entry in enumerate(settings.routes):
            here: Path = (*path, "routes", index)
            if entry.service not in (*config.services, *unsound):
                near = nearest(entry.service, config.services)
                there = f"did you mean {near}?" if near else f"services: {', '.join(config.services) or 'none'}"
                yield Problem((*here, "service"), f'no such service "{entry.service}" ({there})')
            elif entry.service not in unsound:
                yield from _joined(here, entry, gateways, config)
    for name, service in config.services.items():
        if service.expose is not None and ANY in service.expose.hosts and name not in unsound:
            yield from _joined(("services", name, "expose"), HostRoute(service=name), (), config)
    yield from _twice(config)


def check_gateways(path: Path, gateways: Sequence[str], config: StackConfig) -> Iterator[Problem]:
    """A problem for each that is to be the stack's and is none."""
    for index, gateway in enumerate(gateways):
        if "/" not in gateway and gateway not in config.gateways:
            there = (
                f"gateways of this stack: {', '.join(config.gateways)}"
                if config.gateways
                else "this stack has no weir:gateways"
            )
            message = f'no such gateway "{gateway}" ({there}; one of another namespace is written namespace/name)'
            yield Problem((*path, "gateways", index), message)


def check_exposed_routes(path: Path, service: Service, expose: Expose) -> Iterator[Problem]:
    """A problem for each that is to be bound at gateways and is for callers in the mesh alone."""
    for index, name in enumerate(expose.routes):
        route = next((each for each in service.routes if each.name == name), None)
        if (
            route is not None
            and route.match
            and all(
                match.asks_who_calls or (match.gateways and set(match.gateways).isdisjoint(expose.gateways))
                for match in route.match
            )
        ):
            yield Problem(
                (*path, index),
                f"route {name} is for callers in the mesh alone, so that nothing can match at a gateway; remove it "
                "here",
            )


def _joined(here: Path, entry: HostRoute, gateways: tuple[str, ...], config: StackConfig) -> Iterator[Problem]:
    for route in routes(config.services[entry.service], config.namespace):
        full = f"{entry.label}_{route.name}"
        if len(full) > MAX_LABEL:
            yield Problem(
                here,
                f"must have a shorter name: with that of route {route.name} it is {full}, at most {MAX_LABEL} "
                f"characters, was {len(full)}",
            )
        try:
            joined(route, entry, gateways)
        except ValueError as error:
            yield Problem(here, f"cannot have route {route.name} of {entry.service}: it {error}")


@dataclass(frozen=True, slots=True)
class _Claim:
    """One host at one gateway: where it is written, by whom. `alone`: it has a VirtualService of its own there."""

    path: Path
    host: str
    whose: str
    alone: bool


def _twice(config: StackConfig) -> Iterator[Problem]:
    """Istio puts VirtualServices of one host at a gateway behind each other, in an order that nobody writes down. Two
    hosts are one there where a server of the gateway has no more than both cover.
    """
    told: set[Path] = set()
    for gateway, claims in _claims(config).items():
        own = config.gateways.get(gateway.removeprefix(f"{config.namespace}/"))
        written = [host.rpartition("/") for server in (own.servers if own else ()) for host in server.hosts]
        served = {host.lower() for scope, _, host in written if scope in ("", "*", ".", config.namespace)}
        same: defaultdict[str, list[_Claim]] = defaultdict(list)
        for claim in claims:
            same[claim.host].append(claim)
        groups = [*same.values(), *([each for each in claims if covers(each.host, pattern)] for pattern in served)]
        for first, *others in filter(None, groups):
            for other in others:
                if (first.alone or other.alone) and other.path not in told:
                    told.add(other.path)
                    yield Problem(
                        other.path,
                        f"is one host with {first.host} of {first.whose} at gateway {gateway}, where Istio puts both "
                        "behind each other in no defined order; keep it in one place: a host of weir:hosts with an "
                        "entry for each service",
                    )


def _claims(config: StackConfig) -> dict[str, list[_Claim]]:
    found: defaultdict[str, list[_Claim]] = defaultdict(list)
    for name, service in config.services.items():
        if service.expose is not None:
            for index, host in enumerate(service.expose.hosts):
                path: Path = ("services", name, "expose", "hosts", index)
                for gateway in service.expose.gateways:
                    claim = _Claim(path, host.lower(), f"service {name}", host == ANY)
                    found[full_gateway(gateway, config.namespace)].append(claim)
    for host, settings in config.hosts.items():
        for gateway in settings.gateways:
            claim = _Claim(("hosts", host), host.lower(), "weir:hosts", alone=True)
            found[full_gateway(gateway, config.namespace)].append(claim)
    return found
