"""The traffic of one host at gateways, resolved: entry after entry, and in each all the routes of its service that
requests through these gateways can take.

A route's matches are then what it and the entry ask for together.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from weir.model.config.actions import Rewrite
from weir.model.config.base import as_written
from weir.model.config.drills import SUFFIX
from weir.model.config.hosts import HostRoute
from weir.model.config.matches import Match
from weir.model.config.stack import Service, StackConfig
from weir.model.config.versions import Elsewhere
from weir.model.routing.combined import both, condition
from weir.model.routing.resolve import RouteTraffic, full_gateway, routes
from weir.model.values.hosts import ANY


@dataclass(frozen=True, slots=True)
class EntryTraffic:
    """One entry, and its routes in the order in which they are tried; each has the entry's name before its own.

    `host` is the full name of its service; empty where nothing is sent to versions of its own. A version that is
    another Service goes by `HOST:PORT` here; `elsewhere` has those that are named, an external one without its place.
    """

    name: str
    host: str
    routes: tuple[RouteTraffic, ...]
    elsewhere: Mapping[str, Elsewhere] = field(default_factory=dict)

    @property
    def match(self) -> tuple[Match, ...]:
        """What the entry itself asks for: its last route is its service's default one, which asks for nothing."""
        return self.routes[-1].match if self.routes else ()

    @property
    def rewrite(self) -> Rewrite | None:
        """How the entry's requests are rewritten."""
        return self.routes[-1].rewrite if self.routes else None

    @property
    def service(self) -> str:
        """The service with its port, in short, or the other Services; empty where the proxy answers by itself."""
        sent = [route for route in self.routes if route.weights]
        name, port = self.host.partition(".")[0], next((route.port for route in sent if route.port is not None), None)
        if name:
            return name if port is None else f"{name}:{port}"
        return ", ".join(sent[0].weights) if sent else ""

    def data(self) -> dict[str, Any]:
        """For programs, with plain values as JSON has them."""
        return {"name": self.name, "match": [as_written(match) for match in self.match], "service": self.service}


@dataclass(frozen=True, slots=True)
class HostTraffic:
    """All entries of a host, in the order in which they are tried. `gateways` are in full."""

    host: str
    gateways: tuple[str, ...]
    entries: tuple[EntryTraffic, ...]

    def data(self) -> dict[str, Any]:
        """For programs, as above."""
        return {"gateways": list(self.gateways), "entries": [entry.data() for entry in self.entries]}


def host_traffic(host: str, config: StackConfig, namespace: str) -> HostTraffic:
    """What the config says of a host. `namespace` is the real one."""
    settings = config.hosts[host]
    return _resolved(host, settings.gateways, [(entry, ()) for entry in settings.routes], config, namespace)


def entrance(service: str, config: StackConfig, namespace: str) -> HostTraffic | None:
    """The traffic of a service that is exposed as every host: Istio takes no `*` where the mesh is bound, so that it
    is a host with this one entry. None where the service is not exposed so.
    """
    expose = config.services[service].expose
    if expose is None or ANY not in expose.hosts:
        return None
    return _resolved(ANY, expose.gateways, [(HostRoute(service=service), expose.routes)], config, namespace)


def claims(config: StackConfig, namespace: str) -> Iterator[tuple[str, str]]:
    """Every host of the stack at a gateway, with the gateway in full; in lower case, as hosts are compared."""
    exposed = (each.expose for each in config.services.values() if each.expose is not None)
    places = [(host, each.gateways) for each in exposed for host in each.hosts]
    places += [(host, each.gateways) for host, each in config.hosts.items()]
    for host, gateways in places:
        yield from ((host.lower(), full_gateway(name, namespace)) for name in gateways)


def gateways_of(service: str, config: StackConfig) -> tuple[str, ...]:
    """The gateways at which a service is reached, as they are written: those it is exposed at, and those of hosts that
    have an entry for it.
    """
    expose = config.services[service].expose
    shared = [
        name
        for host in config.hosts.values()
        if any(entry.service == service for entry in host.routes)
        for name in host.gateways
    ]
    return tuple(dict.fromkeys((*(expose.gateways if expose else ()), *shared)))


def joined(route: RouteTraffic, entry: HostRoute, gateways: tuple[str, ...]) -> RouteTraffic | None:
    """A route of a service as an entry has it, at gateways in full; None where no request through them can take it.

    Raises ValueError for what cannot be said by both together.
    """
    inner = [each for own in route.match if (each := _entering(own, gateways))]
    if route.match and not inner:
        return None
    match = tuple(_met(route, inner, entry))
    if (inner or entry.match) and not match:
        return None
    found = replace(route, name=f"{entry.label}_{route.name}", match=match)
    if entry.rewrite is None or not route.weights:
        return found
    if route.rewrite is not None:
        raise ValueError("has a rewrite, and so has this entry; remove one of them")
    if entry.rewrite.authority is not None and route.headers is not None and route.headers.hosts:
        raise ValueError("sets the host by headers.request, and this entry by rewrite.authority; remove one of them")
    if (entry.rewrite.uri or entry.rewrite.uri_regex_rewrite) and any(
        each.uri is not None and not each.takes_path for each in inner
    ):
        raise ValueError(
            "matches the path, which Istio compares before this entry rewrites it; remove the rewrite, or match that "
            "path in an entry of its own"
        )
    return replace(found, rewrite=entry.rewrite)


def _resolved(
    host: str,
    gateways: tuple[str, ...],
    entries: list[tuple[HostRoute, tuple[str, ...]]],
    config: StackConfig,
    namespace: str,
) -> HostTraffic:
    at = tuple(full_gateway(name, namespace) for name in gateways)
    found = []
    for entry, only in entries:
        service = config.services[entry.service]
        there = [route for route in routes(service, namespace) if not only or route.name.removesuffix(SUFFIX) in only]
        made = tuple(_reached(route for each in there if (route := joined(each, entry, at))))
        found.append(_sent(EntryTraffic(entry.label, config.host(entry.service, namespace), made), service))
    return HostTraffic(host, at, tuple(found))


def _sent(entry: EntryTraffic, service: Service) -> EntryTraffic:
    """The entry with where its requests go: to the Service's port, without which Istio would take the gateway's, and to
    other Services by what these are called.
    """
    # Somebody else's Service may have any.
    known = service.makes_service or service.model_fields_set & {"port", "ports"}
    port = service.main_port.port if known else None
    places = {name: place for name, version in service.versions.items() if (place := version.elsewhere)}
    names = {name: str(place) for name, place in places.items() if not place.external}
    routes = []
    named: set[str] = set()
    for route in entry.routes:
        versions = {*route.weights, *(mirror.version for mirror in route.mirrors)}
        named |= versions
        routes.append(
            replace(
                route,
                weights={names.get(name, name): weight for name, weight in route.weights.items()},
                version_headers={names.get(name, name): each for name, each in route.version_headers.items()},
                mirrors=tuple(
                    each.model_copy(update={"version": names[each.version]}) if each.version in names else each
                    for each in route.mirrors
                ),
                port=port if versions - names.keys() else None,
            )
        )
    there = {
        names.get(name, name): Elsewhere("", 0, external=True) if place.external else place
        for name, place in places.items()
        if name in named
    }
    return EntryTraffic(entry.name, entry.host if named - names.keys() else "", tuple(routes), there)


def _reached(made: Iterable[RouteTraffic]) -> Iterator[RouteTraffic]:
    """Without those whose every match an earlier one has: it was told apart by callers in the mesh."""
    seen: set[str] = set()
    for route in made:
        asked = {condition(match) for match in route.match}
        if not asked or not asked <= seen:
            yield route
        seen |= asked


def _entering(match: Match, gateways: tuple[str, ...]) -> Match | None:
    """The match as requests through the gateways meet it; None where it is for callers in the mesh alone."""
    if match.asks_who_calls:
        return None
    if not match.gateways:
        return match
    kept = tuple(name for name in match.gateways if name in gateways)
    return match.model_copy(update={"gateways": kept}) if kept else None


def _met(route: RouteTraffic, inner: list[Match], entry: HostRoute) -> Iterator[Match]:
    if not entry.match:
        yield from inner
    for outer in entry.match if not inner else ():
        _keep_path(route, None, outer)
        yield outer
    for own in inner:
        for outer in entry.match:
            found = both(own, outer)
            if found is not None:
                _keep_path(route, own, found)
                yield found


def _keep_path(route: RouteTraffic, own: Match | None, found: Match) -> None:
    """ValueError where the route puts a path in the place of the one that it matches, and would match another here."""
    moves = (route.rewrite and route.rewrite.uri) or (route.redirect and route.redirect.prefix_rewrite)
    was = own.uri if own is not None else None
    if moves and found.uri is not None and not found.takes_path and found.uri != was:
        raise ValueError(
            f'puts "{moves}" in the place of the path that it matches, which would be another one here; match the '
            "path in one of the two alone"
        )
