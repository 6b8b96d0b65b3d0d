"""What is valid in a config and surely not meant. Each warning has a name, which `weir check --strict` and the
reference speak of.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from weir.model.config.base import given
from weir.model.config.containers import amount
from weir.model.config.routes import Traffic
from weir.model.config.stack import Service, StackConfig
from weir.model.config.traffic_policy import TrafficPolicy
from weir.model.config.versions import Container, Version
from weir.model.routing.combined import condition
from weir.model.routing.resolve import DEFAULT_ROUTE, RouteTraffic, ServiceTraffic, traffic
from weir.model.validation.elsewhere import elsewhere_warnings
from weir.model.validation.gateway_warnings import edge_warnings
from weir.model.validation.host_warnings import host_warnings, unseen, unserved
from weir.model.validation.path_warnings import path_warnings
from weir.model.validation.policy_warnings import policy_warnings
from weir.model.values.problems import Path, Problem

LARGE_BODY_BYTES = 100 * 1024
"""From here on Istio warns of the load on its control plane."""

WARNINGS: Mapping[str, str] = {
    "hidden-route": "A route never gets a request: one before it takes all, or takes every match it has.",
    "fault-disables-retries": "Envoy does neither retry nor time out on a route with a fault.",
    "grpc-abort-of-http": "To a caller that does not speak gRPC, an abort with a gRPC status looks like status 200.",
    "timeout-cuts-retries": "The timeout is over before the retries are: (attempts + 1) × perTryTimeout is longer.",
    "version-without-pods": "A version gets requests and has 0 replicas: they are answered 503.",
    "mirror-to-itself": "A version gets copies of requests that it gets anyway.",
    "mirror-keeps-host": "An external host gets copies with the host of the service: Istio rewrites that of no copy.",
    "hash-across-split": "A consistent hash holds within a version only: a split draws the version for each request.",
    "unused-version": "No route names the version.",
    "passthrough-past-versions": "PASSTHROUGH sends requests to the address that the caller chose, past every version.",
    "failover-without-outliers": "Failover needs outlierDetection to find failing pods, and there is none.",
    "unverified-server": "The server's certificate is not checked, or only against authorities in the proxy's image.",
    "tls-without-sidecar": "Sidecars ignore credentialName, which only gateways read, and send plain text.",
    "large-body": "Every proxy of the mesh holds the body of a direct response.",
    "port-without-service": "Settings, or a match, are for a port that the Service does not have.",
    "port-past-versions": "A port that passes through leads to the pods of several versions, whatever their shares.",
    "path-without-slash": "A path begins with no slash: nothing matches it, and nothing answers it.",
    "query-in-path": "A match asks for a ? in the path, which ends before the query.",
    "rewrite-slashes": "A prefix and what replaces it do not both end with a slash: /common/api becomes //api.",
    "rewrite-group": "A rewrite names a group that its expression does not have: the path stays, or ends there.",
    "gateway-without-host": "A gateway of this stack serves none of the hosts that are exposed at it.",
    "host-without-default": "Requests to a host that none of its entries takes are answered 404.",
    "workload-without-image": "Settings of pods have no effect: without an image weir manages no pods.",
    "gateway-out-of-sight": "Requests at a gateway go to a service whose rules the gateway's namespace does not see.",
    "fractional-bytes": "Memory or storage is not a whole number of bytes: 100m is a tenth of one; 100Mi was meant.",
    "host-of-two": (
        "Two services claim one host, as an exposed host or as a name in the mesh: which of them gets a request is not "
        "defined."
    ),
    "host-served-twice": "Two servers of gateways for the same pods have one port and host: Istio takes only one.",
    "shared-certificate": (
        "Two gateways for the same pods have one certificate: a browser that keeps its connection gets 404 for the "
        "other's hosts."
    ),
}
"""Name and meaning of every warning."""


@dataclass(frozen=True, slots=True)
class Warned(Problem):
    """One warning: where, its name, and what it means here."""

    name: str = ""

    def __str__(self) -> str:
        # Named, since a slotted dataclass is created again, and super() would look in the old one.
        return f"{Problem.__str__(self)} ({self.name})"


def warnings(config: StackConfig) -> tuple[Warned, ...]:
    """Every warning of a config that was loaded, which is to say that has no errors."""
    found: list[Warned] = []
    for name, service in config.services.items():
        path: Path = ("services", name)
        found += _drill(path, service, config.namespace)
        # A drill is for some minutes: what it does to routes is said of it alone.
        routes = traffic(service.model_copy(update={"drill": None}), config.namespace)
        for check in (_hidden, _faults, _pods, _mirrors, _hashes):
            found += check(path, service, routes)
        found += _unused(path, service, routes)
        found += _bodies(path, service)
        if service.expose is not None:
            found += map(_warned, unserved((*path, "expose"), service.expose.gateways, service.expose.hosts, config))
            found += map(_warned, unseen((*path, "expose", "gateways"), name, service.expose.gateways, config))
        found += _workloads(path, service)
        found += _amounts(path, service)
        others = [*policy_warnings(path, service), *path_warnings(path, service, config)]
        found += map(_warned, (*others, *elsewhere_warnings(path, service)))
    return (*found, *map(_warned, (*host_warnings(config), *edge_warnings(config))))


def _warned(found: tuple[Path, str, str]) -> Warned:
    where, message, name = found
    return Warned(where, message, name=name)


def _at(path: Path, service: Service, route: RouteTraffic) -> Path:
    """Where the route is written; the default route is the service itself."""
    if route.name == DEFAULT_ROUTE:
        return path
    return (*path, "routes", next(index for index, entry in enumerate(service.routes) if entry.name == route.name))


def _written(service: Service, route: RouteTraffic) -> Traffic:
    return next((entry for entry in service.routes if entry.name == route.name), service)


def _hidden(path: Path, service: Service, routes: ServiceTraffic) -> Iterator[Warned]:
    seen: set[str] = set()
    all_taken_by = ""
    for route in routes.routes:
        matches = {condition(match) for match in route.match}
        where = _at(path, service, route)
        what = "the default route" if route.name == DEFAULT_ROUTE else f"route {route.name}"
        if all_taken_by:
            yield Warned(
                where, f"{what} never gets a request: route {all_taken_by} before it takes all", "hidden-route"
            )
        elif matches and matches <= seen:
            yield Warned(where, f"{what} never gets a request: routes before it take all it matches", "hidden-route")
        seen |= matches
        if route.takes_all:
            all_taken_by = all_taken_by or route.name


def _faults(path: Path, service: Service, routes: ServiceTraffic) -> Iterator[Warned]:
    for route in routes.routes:
        where = _at(path, service, route)
        if (
            route.fault is not None
            and route.fault.active
            and (route.timeout or (route.retries and route.retries.attempts))
        ):
            retried = route.retries is not None and route.retries.attempts > 0
            off = " and ".join([*(["retries"] if retried else []), *(["timeout"] if route.timeout else [])])
            yield Warned(
                (*where, "fault"), f"switches {off} of this route off while it is there", "fault-disables-retries"
            )
        abort = route.fault.abort if route.fault else None
        if abort is not None and abort.grpc_status is not None and abort.percentage > 0 and not service.speaks_grpc:
            message = (
                "looks like an answer with status 200 to callers that do not speak gRPC; use httpStatus, or say "
                "protocol: grpc"
            )
            yield Warned((*where, "fault", "abort", "grpcStatus"), message, "grpc-abort-of-http")
        retries = route.retries
        if route.timeout and retries and retries.attempts and retries.per_try_timeout:
            tries = (retries.attempts + 1) * retries.per_try_timeout.nanoseconds
            if tries > route.timeout.nanoseconds:
                own = _written(service, route)
                key = "retries" if own.retries or not own.timeout else "timeout"
                message = (
                    f"{retries.attempts + 1} tries of {retries.per_try_timeout} take {tries / 10**9:g} s, the timeout "
                    f"is {route.timeout}; raise the timeout, or lower attempts or perTryTimeout"
                )
                yield Warned((*where, key), message, "timeout-cuts-retries")


def _drill(path: Path, service: Service, namespace: str) -> Iterator[Warned]:
    if service.drill is None or not service.drill.active:
        return
    met = [
        route
        for route in traffic(service, namespace).routes
        if route.fault and route.fault.until == service.drill.until
    ]
    off = [
        *(["retries"] if any(route.retries and route.retries.attempts for route in met) else []),
        *(["timeout"] if any(route.timeout for route in met) else []),
    ]
    if off:
        yield Warned((*path, "drill"), f"switches {' and '.join(off)} off while it is there", "fault-disables-retries")


def _pods(path: Path, service: Service, routes: ServiceTraffic) -> Iterator[Warned]:
    if service.routing_only:
        return
    for route in routes.routes:
        for version, weight in route.weights.items():
            if weight > 0 and service.scaling(version) == 0 and version in routes.labels:
                own = _written(service, route)
                where = (*_at(path, service, route), *(("canary", version) if version in own.canary else ("stable",)))
                share = f"{100 * weight / sum(route.weights.values()):.10g} %"
                message = (
                    f"sends {share} of the requests to {version}, which has 0 replicas; give it pods, or send it "
                    "nothing"
                )
                yield Warned(where, message, "version-without-pods")


def _mirrors(path: Path, service: Service, routes: ServiceTraffic) -> Iterator[Warned]:
    for route in routes.routes:
        for index, mirror in enumerate(route.mirrors):
            if route.weights.get(mirror.version, 0) > 0 and mirror.percentage != 0:
                message = (
                    f"{mirror.version} already gets requests of this route and would get the copies too; mirror to "
                    "another version"
                )
                yield Warned((*_at(path, service, route), "mirrors", index), message, "mirror-to-itself")


def _hashes(path: Path, service: Service, routes: ServiceTraffic) -> Iterator[Warned]:
    def hashes(policy: TrafficPolicy | None) -> bool:
        balancers = [policy.at_port(port.port).load_balancer for port in service.http_ports] if policy else []
        return any(each is not None and each.consistent_hash is not None for each in balancers)

    for route in routes.routes:
        split = [version for version, weight in route.weights.items() if weight > 0]
        if len(split) > 1 and (hashes(routes.policy) or any(hashes(routes.versions[version]) for version in split)):
            message = (
                "draws the version anew for each request, so the consistent hash does not keep a user on "
                f"{' or '.join(split)}; use a route with a match for that"
            )
            yield Warned((*_at(path, service, route), "canary"), message, "hash-across-split")


def _unused(path: Path, service: Service, routes: ServiceTraffic) -> Iterator[Warned]:
    named = {version for route in routes.routes for version in route.weights}
    named |= {mirror.version for route in routes.routes for mirror in route.mirrors}
    for version in service.versions:
        if version not in named:
            yield Warned(
                (*path, "versions", version),
                f"no route names it; add it to canary, as {version}: 0 at first",
                "unused-version",
            )


def _bodies(path: Path, service: Service) -> Iterator[Warned]:
    written: list[tuple[Path, Traffic]] = [(path, service)]
    written += [((*path, "routes", index), route) for index, route in enumerate(service.routes)]
    for where, own in written:
        body = own.direct_response.body if own.direct_response else None
        if body is not None and body.size > LARGE_BODY_BYTES:
            yield Warned(
                (*where, "directResponse", "body"),
                f"has {body.size} bytes, which every proxy holds; serve it from a pod",
                "large-body",
            )


def _workloads(path: Path, service: Service) -> Iterator[Warned]:
    if not service.routing_only:
        return
    # By its selector, pods that weir is yet to make are found beside those of somebody else's.
    beside = any(version.workload for version in service.versions.values())
    described = ({*Container.model_fields} - {"image"}) | {"kubernetes", *(() if beside else ("selector",))}
    for where, part in _described(path, service):
        for name in given(part, *(field for field in type(part).model_fields if field in described)):
            yield Warned(
                (*where, name),
                "has no effect: without an image weir manages no pods; add image, or remove it",
                "workload-without-image",
            )


def _described(path: Path, service: Service) -> Iterator[tuple[Path, Service | Version]]:
    """What describes pods: the service, then each of its versions."""
    yield path, service
    yield from (((*path, "versions", name), version) for name, version in service.versions.items())


def _amounts(path: Path, service: Service) -> Iterator[Warned]:
    for where, part in _described(path, service):
        if part.resources is None:
            continue
        for kind, amounts in (("requests", part.resources.requests), ("limits", part.resources.limits)):
            for name in ("memory", "ephemeral-storage"):
                if name in amounts and amount(amounts[name]) % 1:
                    message = f"is not a whole number of bytes, was {amounts[name]}; did you mean Mi?"
                    yield Warned((*where, "resources", kind, name), message, "fractional-bytes")
