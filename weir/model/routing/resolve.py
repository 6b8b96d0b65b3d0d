"""The traffic of one service, resolved: every route with all it takes from its service, in the order in which routes
are tried.

Config becomes this (`traffic`), this becomes Istio's objects (`weir.model.manifests.istio`), and objects read back
become it again (`weir.model.manifests.read`): what is equal here is the same traffic.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace

from weir.model.config.actions import CorsPolicy, Fault, Headers, Mirror, Retries, Rewrite
from weir.model.config.answers import DirectResponse, Redirect
from weir.model.config.drills import SUFFIX, Drill, DrillMatch
from weir.model.config.matches import Match
from weir.model.config.routes import Route, Traffic
from weir.model.config.stack import Service
from weir.model.config.traffic_policy import TrafficPolicy
from weir.model.config.versions import Elsewhere
from weir.model.routing.external import external_headers, external_policy
from weir.model.routing.weights import weights
from weir.model.values.durations import Duration
from weir.model.values.hosts import ANY, MESH

DEFAULT_ROUTE = "default"
"""The name of the route that takes what no other does."""


@dataclass(frozen=True, slots=True)
class RouteTraffic:
    """One route. `weights` by version, empty where the proxy answers by itself; `match` is empty where it takes every
    request.

    `port`: the Service's port that its requests go to; None: the one that was asked for, which Istio finds itself.
    `gateway_port`: the same of its requests that come in at gateways, where that is another; None: as `port`.
    """

    name: str
    match: tuple[Match, ...] = ()
    weights: Mapping[str, int] = field(default_factory=dict)
    fault: Fault | None = None
    timeout: Duration | None = None
    retries: Retries | None = None
    mirrors: tuple[Mirror, ...] = ()
    headers: Headers | None = None
    version_headers: Mapping[str, Headers] = field(default_factory=dict)
    cors_policy: CorsPolicy | None = None
    rewrite: Rewrite | None = None
    redirect: Redirect | None = None
    direct_response: DirectResponse | None = None
    port: int | None = None
    gateway_port: int | None = None

    @property
    def takes_all(self) -> bool:
        """Whether no request passes it by."""
        return not self.match or any(match.takes_all for match in self.match)


@dataclass(frozen=True, slots=True)
class ServiceTraffic:
    """All routes of a service, the default one last, and how its pods are treated: `versions` has a subset's policy or
    None.

    `labels` are those of a version's pods, by which its subset finds them; `elsewhere` are the versions without pods.
    `gateways` and `hosts` are those it is exposed at, gateways in full; empty for the mesh alone. `export_to` is empty
    for all.
    """

    routes: tuple[RouteTraffic, ...]
    versions: Mapping[str, TrafficPolicy | None]
    labels: Mapping[str, Mapping[str, str]]
    policy: TrafficPolicy | None = None
    gateways: tuple[str, ...] = ()
    hosts: tuple[str, ...] = ()
    export_to: tuple[str, ...] = ()
    elsewhere: Mapping[str, Elsewhere] = field(default_factory=dict)


def traffic(service: Service, namespace: str) -> ServiceTraffic:
    """What the config says of a service's traffic. `namespace` is where its gateways without a namespace are."""
    # Exposed as every host it has a VirtualService of its own at the gateways (weir.model.routing.hosts).
    expose = None if service.expose is None or ANY in service.expose.hosts else service.expose
    gateways = tuple(full_gateway(name, namespace) for name in expose.gateways) if expose else ()
    bound = expose.routes if expose else ()
    made = (
        _in_the_mesh(route) if bound and route.name.removesuffix(SUFFIX) not in bound else route
        for route in routes(service, namespace)
    )
    return ServiceTraffic(
        routes=tuple(_to_port(route, service, gateways) for route in made),
        versions={name: external_policy(version) for name, version in service.versions.items()},
        labels={name: service.told_apart_by(name) for name in service.with_pods},
        policy=service.traffic_policy,
        gateways=gateways,
        hosts=expose.hosts if expose else (),
        export_to=service.export_to or (),
        elsewhere={name: there for name, version in service.versions.items() if (there := version.elsewhere)},
    )


def routes(service: Service, namespace: str) -> tuple[RouteTraffic, ...]:
    """All routes of a service, the default one last, wherever they are bound."""
    own = [_route(service, route, route.name, _matches(route, namespace)) for route in service.routes]
    return tuple(_drilled([*own, _route(service, service, DEFAULT_ROUTE, ())], service.drill))


def full_gateway(name: str, namespace: str) -> str:
    """A gateway as `namespace/name`, whichever way Istio takes; `mesh` stays what it is (resolveGatewayName in
    pilot/pkg/model of Istio's source).
    """
    if name == MESH:
        return name
    there, slash, own = name.rpartition("/")
    if not slash and "." in name:
        own, there, *_ = name.split(".")
    return f"{namespace if there in ('', '.') else there}/{own}"


def _route(service: Service, own: Traffic, name: str, match: tuple[Match, ...]) -> RouteTraffic:
    """What the route says, and from its service stable, timeout and retries where it names none."""
    if own.answers_itself:
        return RouteTraffic(
            name,
            match,
            headers=own.headers,
            cors_policy=own.cors_policy,
            redirect=own.redirect,
            direct_response=own.direct_response,
        )
    divided = weights(*service.split(own))
    timeout = service.timeout if own.timeout is None else own.timeout
    return RouteTraffic(
        name,
        match,
        weights=divided,
        fault=own.fault,
        # Istio refuses a limit of zero; one that is left out is none, whatever the mesh has.
        timeout=timeout if timeout is not None and timeout.nanoseconds else None,
        retries=own.retries or service.retries,
        mirrors=own.mirrors,
        headers=own.headers,
        version_headers={
            name: headers for name in divided if (headers := external_headers(service.versions[name], own)) is not None
        },
        cors_policy=own.cors_policy,
        rewrite=own.rewrite,
    )


def at_gateways(matches: tuple[Match, ...], gateways: tuple[str, ...]) -> tuple[Match, ...]:
    """What of a route's requests comes in at `gateways`, all those of its service, as matches for these alone.

    A match that asks who calls cannot be written so, and is left out (docs/decisions/0014-who-calls-beside-where.md).
    """
    if not matches:
        return (Match.model_construct(_fields_set={"gateways"}, gateways=gateways),) if gateways else ()
    found = []
    for match in matches:
        where = tuple(name for name in match.gateways or gateways if name != MESH)
        if where and not match.asks_who_calls:
            found.append(match.model_copy(update={"gateways": where}))
    return tuple(found)


def _to_port(route: RouteTraffic, service: Service, gateways: tuple[str, ...]) -> RouteTraffic:
    """The route with the port its requests go to, where Istio would not find it.

    A destination without one means the only port of the Service; else the port of the listener, which in a sidecar is
    the port that was asked for, and at a gateway is that of its server (GetDestinationCluster in
    pilot/pkg/networking/core/route).
    """
    versions = (*route.weights, *(mirror.version for mirror in route.mirrors))
    places = [service.versions[version].elsewhere for version in versions]
    # Another Service has a port of its own.
    if len(service.all_ports) == 1 or all(place is not None and not place.external for place in places):
        return route
    from_mesh = not route.match or any(MESH in match.gateways or not match.gateways for match in route.match)
    if len(service.http_ports) == 1 or not from_mesh:
        return replace(route, port=service.main_port.port)
    return replace(route, gateway_port=service.main_port.port) if at_gateways(route.match, gateways) else route


def _matches(route: Route, namespace: str) -> tuple[Match, ...]:
    return tuple(
        match.model_copy(update={"gateways": tuple(full_gateway(name, namespace) for name in match.gateways)})
        if match.gateways
        else match
        for match in route.match
    )


def _in_the_mesh(route: RouteTraffic) -> RouteTraffic:
    """The route for callers in the mesh alone. What asks for the calling pod is that already, and Istio would no
    longer ask.
    """
    inside = {"gateways": (MESH,)}
    if not route.match:
        return replace(route, match=(Match.model_validate({"gateways": [MESH]}),))
    return replace(
        route,
        match=tuple(match if match.asks_who_calls else match.model_copy(update=inside) for match in route.match),
    )


def _drilled(routes: Iterable[RouteTraffic], drill: Drill | None) -> Iterator[RouteTraffic]:
    """The routes with the drill in them, in the order in which they are tried."""
    for route in routes:
        # A route that answers by itself has no faults, and a fault of its own is what somebody wrote for it.
        if drill is None or not route.weights or route.fault is not None:
            yield route
        elif drill.match is None:
            yield replace(route, fault=drill.fault())
        else:
            yield replace(
                route, name=f"{route.name}{SUFFIX}", match=_both(route.match, drill.match), fault=drill.fault()
            )
            yield route


def _both(matches: tuple[Match, ...], wanted: DrillMatch) -> tuple[Match, ...]:
    """What meets one of the matches and has the headers too."""
    if not matches:
        return (Match.model_construct(_fields_set={"headers"}, headers=wanted.headers),)
    return tuple(match.model_copy(update={"headers": {**match.headers, **wanted.headers}}) for match in matches)
