"""What the caller's Envoy has been told: the routes of a service in its configuration dump.

Istio gives each service port a virtual host named `HOST:PORT` in Envoy's route configuration, with one Envoy route for
each match of its VirtualService. Reading it back tells when an update has arrived at the caller, and proves what no
request shows, such as retries. Formats: https://www.envoyproxy.io/docs/envoy/latest/operations/admin#get--config_dump
and the messages RouteConfiguration, RouteAction and HTTPFault of Envoy's API, in the JSON form of protocol buffers
(fields at their default are left out).
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from weir.measurement.caller import Caller
from weir.measurement.clusters import ClusterName, Measured
from weir.measurement.errors import MeasurementError
from weir.model.routing.expectation import GRPC_ANSWER, Expectation

ADMIN_PATH = "config_dump?resource=dynamic_route_configs"
"""The path of Envoy's admin interface that lists the routes it got from Istio."""

_DENOMINATORS = {"HUNDRED": 100, "TEN_THOUSAND": 10_000, "MILLION": 1_000_000}


@dataclass(frozen=True, slots=True)
class ProxyFault:
    """A fault on a route: `share` of the requests (0..1); `seconds` for a delay, `status` (HTTP's) for an abort, else
    None.
    """

    share: Fraction
    seconds: float | None = None
    status: int | None = None


@dataclass(frozen=True, slots=True)
class ProxyRetries:
    """A route's retry policy: `attempts` after the first try, `per_try_timeout` in seconds or None, the conditions in
    Envoy's words.
    """

    attempts: int
    per_try_timeout: float | None
    retry_on: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ProxyRoute:
    """One Envoy route, named as in the VirtualService (and, where the match has a name, that behind a dot).

    `shares` maps version to share, only those above 0, adding up to 1; the key "" is the service as a whole. It is
    empty for a route that answers or redirects by itself. `timeout` is in seconds, 0 for none.
    """

    name: str
    shares: Mapping[str, Fraction]
    delay: ProxyFault | None
    abort: ProxyFault | None
    retries: ProxyRetries | None
    timeout: float

    def agrees(self, expected: Expectation) -> bool:
        """Whether requests on this route fare as expected: the same split, delay and abort."""
        delay = None if expected.delay is None else ProxyFault(expected.delay.share, seconds=expected.delay.seconds)
        abort = None if expected.abort is None else ProxyFault(expected.abort.share, status=expected.abort.status)
        own = (dict(self.shares), _active(self.delay), _active(self.abort))
        return own == (dict(expected.shares), _active(delay), _active(abort))


@dataclass(frozen=True, slots=True)
class Arrival:
    """Whether the caller's Envoy got what the config says: `agrees`, after waiting `seconds`; `route` is what it has,
    None for no route.
    """

    agrees: bool
    seconds: float
    route: ProxyRoute | None


def read_routes(text: str, service: Measured) -> tuple[ProxyRoute, ...]:
    """The routes of a service in an answer to GET config_dump, whole or reduced by `resource`, in the order in which
    Envoy tries them.

    Empty when the service has no virtual host. Raises MeasurementError when the text is no
    configuration dump.
    """
    try:
        dump = json.loads(text)
        for entry in _route_configs(dump):
            config = entry.get("route_config", {})
            for virtual_host in config.get("virtual_hosts", []):
                if _serves(config, virtual_host, service.host, service.port):
                    return tuple(_route(route, virtual_host, service) for route in virtual_host.get("routes", []))
    except (AttributeError, KeyError, TypeError, ValueError, ZeroDivisionError) as broken:
        raise MeasurementError(
            f"the sidecar's answer to GET {ADMIN_PATH} is not the configuration dump that was expected: {broken!r}"
        ) from broken
    return ()


def route_named(routes: tuple[ProxyRoute, ...], name: str) -> ProxyRoute | None:
    """The Envoy route of a route of the VirtualService; the first of several, which differ in what they match alone."""
    return next((route for route in routes if route.name == name or route.name.startswith(f"{name}.")), None)


def wait_for_route(
    caller: Caller,
    service: Measured,
    expected: Expectation,
    *,
    bound: float = 10.0,
    interval: float = 0.2,
    clock: Callable[[], float] = time.monotonic,
    pause: Callable[[float], None] = time.sleep,
) -> Arrival:
    """Ask the caller's Envoy until its route of that name for the service agrees with `expected`, for `bound` seconds
    at most.

    istiod gathers changes for 100 ms before it pushes them, so that an update which has just ended may still be on its
    way. A route that never agrees is no error: it is returned, and the traffic itself is judged. Raises
    MeasurementError when the sidecar gives no answer.
    """
    start = clock()
    while True:
        route = route_named(read_routes(caller.envoy(ADMIN_PATH), service), expected.route)
        waited = clock() - start
        if route is not None and route.agrees(expected):
            return Arrival(True, waited, route)
        if waited >= bound:
            return Arrival(False, waited, route)
        pause(interval)


def _route_configs(dump: dict[str, Any]) -> list[dict[str, Any]]:
    entries: list[dict[str, Any]] = []
    for part in dump.get("configs", []):
        # With `resource` the parts are the entries themselves; the whole dump holds them in the part RoutesConfigDump.
        entries += [part] if "route_config" in part else part.get("dynamic_route_configs", [])
    return entries


def _serves(config: dict[str, Any], virtual_host: dict[str, Any], host: str, port: int) -> bool:
    if virtual_host.get("name") == f"{host}:{port}":
        return True
    # Istio also knows domains with the port in them, and names the route configuration by the port.
    domains = virtual_host.get("domains", [])
    return f"{host}:{port}" in domains or (host in domains and config.get("name") == str(port))


def _route(route: dict[str, Any], virtual_host: dict[str, Any], service: Measured) -> ProxyRoute:
    action = route.get("route", {})
    filters = route.get("typed_per_filter_config", {})
    fault = filters.get("envoy.filters.http.fault", {})
    return ProxyRoute(
        name=route.get("name", ""),
        shares=_shares(action, service),
        delay=_delay(fault.get("delay")),
        abort=_abort(fault.get("abort")),
        retries=_retries(action.get("retry_policy", virtual_host.get("retry_policy"))),
        timeout=_seconds(action.get("timeout", "15s")),
    )


def _shares(action: dict[str, Any], service: Measured) -> dict[str, Fraction]:
    if "cluster" in action:
        return {_subset(action["cluster"], service): Fraction(1)}
    weights: dict[str, int] = {}
    for cluster in action.get("weighted_clusters", {}).get("clusters", []):
        weight = int(cluster.get("weight", 0))
        if weight > 0:
            subset = _subset(cluster["name"], service)
            weights[subset] = weights.get(subset, 0) + weight
    total = sum(weights.values())
    return {subset: Fraction(weight, total) for subset, weight in weights.items()}


def _subset(cluster: str, service: Measured) -> str:
    parsed = ClusterName.parse(cluster)
    name = service.subset(parsed) or parsed
    # BlackHoleCluster and the like: no subset, and never one that is expected.
    return name.subset if name is not None else cluster


def _delay(delay: dict[str, Any] | None) -> ProxyFault | None:
    if delay is None:
        return None
    return ProxyFault(share=_share(delay.get("percentage", {})), seconds=_seconds(delay.get("fixed_delay", "0s")))


def _abort(abort: dict[str, Any] | None) -> ProxyFault | None:
    if abort is None:
        return None
    status = abort.get("http_status")
    if status is None and "grpc_status" in abort:
        status = GRPC_ANSWER
    return ProxyFault(share=_share(abort.get("percentage", {})), status=None if status is None else int(status))


def _active(fault: ProxyFault | None) -> ProxyFault | None:
    """A fault that hits no request is none."""
    return fault if fault is not None and fault.share > 0 else None


def _share(percentage: dict[str, Any]) -> Fraction:
    return Fraction(int(percentage.get("numerator", 0)), _DENOMINATORS[percentage.get("denominator", "HUNDRED")])


def _retries(policy: dict[str, Any] | None) -> ProxyRetries | None:
    if policy is None:
        return None
    per_try = policy.get("per_try_timeout")
    # Envoy's own default is one retry; Istio writes the number.
    conditions = tuple(word.strip() for word in policy.get("retry_on", "").split(",") if word.strip())
    return ProxyRetries(int(policy.get("num_retries", 1)), None if per_try is None else _seconds(per_try), conditions)


def _seconds(duration: str) -> float:
    """Protocol buffers' JSON form of a duration: `3s`, `0.500s`."""
    if not duration.endswith("s"):
        raise ValueError(f"no duration: {duration}")
    return float(duration[:-1])
