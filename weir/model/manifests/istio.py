"""The plain Istio objects of a service: a DestinationRule for each version and one for all, and the VirtualService
that divides the traffic.
"""

from __future__ import annotations

import hashlib
from dataclasses import replace

from weir.model.config.actions import Mirror
from weir.model.config.base import as_written
from weir.model.config.gateways import Gateway
from weir.model.manifests.annotations import FAULT_UNTIL
from weir.model.manifests.kubernetes import Manifest, metadata
from weir.model.routing.resolve import RouteTraffic, ServiceTraffic, at_gateways
from weir.model.values.hosts import MESH

_API = "networking.istio.io/v1"


def version_rule(service: str, version: str, traffic: ServiceTraffic, namespace: str, there: str) -> Manifest:
    """The subset of one version of the host `there`: the pods with its labels. Istio merges the rules of a host, so
    each version comes and goes alone.
    """
    return _rule(
        f"{service}-{version}", service, version, {"subsets": [_subset(version, traffic)]}, traffic, namespace, there
    )


def host_rule(service: str, traffic: ServiceTraffic, namespace: str, there: str) -> Manifest | None:
    """How all pods of the service are treated; None where nothing is said of it.

    Where exportTo is written it has all subsets as well: it alone is enough for a caller, at the moment when no other
    rule is seen as it is.
    """
    parts: Manifest = {} if traffic.policy is None else {"trafficPolicy": as_written(traffic.policy)}
    if traffic.export_to:
        parts["subsets"] = [_subset(version, traffic) for version in traffic.versions]
    return _rule(service, service, None, parts, traffic, namespace, there) if parts else None


def _subset(version: str, traffic: ServiceTraffic) -> Manifest:
    policy = traffic.versions[version]
    return {
        "name": version,
        "labels": dict(traffic.labels[version]),
        **({} if policy is None else {"trafficPolicy": as_written(policy)}),
    }


def _rule(
    name: str, service: str, version: str | None, parts: Manifest, traffic: ServiceTraffic, namespace: str, there: str
) -> Manifest:
    spec = {"host": there, **parts}
    if traffic.export_to:
        # The same on all rules of a host: Istio merges only rules that are seen alike. And a name that goes with it:
        # another exportTo makes other rules, whole, before those go that there are
        # (docs/decisions/0020-rules-that-are-seen-otherwise.md).
        spec["exportTo"] = list(traffic.export_to)
        name = f"{name}-{hashlib.sha256(' '.join(sorted(traffic.export_to)).encode()).hexdigest()[:5]}"
    return {
        "apiVersion": _API,
        "kind": "DestinationRule",
        "metadata": metadata(name, namespace, service, version),
        "spec": spec,
    }


def virtual_service(name: str, traffic: ServiceTraffic, namespace: str, there: str) -> Manifest:
    """The routes of a service, whose host is `there`, for every caller in the mesh and at the gateways it is exposed
    at, in the order in which they are tried.
    """
    spec: Manifest = {"hosts": [there, *traffic.hosts]}
    if traffic.gateways:
        spec["gateways"] = [MESH, *traffic.gateways]
    spec["http"] = [entry for route in traffic.routes for entry in _routes(route, traffic.gateways, there)]
    if traffic.export_to:
        spec["exportTo"] = list(traffic.export_to)
    ends = {
        f"{FAULT_UNTIL}{route.name}": route.fault.until.text
        for route in traffic.routes
        if route.fault and route.fault.until
    }
    own = {**metadata(name, namespace, name), **({"annotations": ends} if ends else {})}
    return {"apiVersion": _API, "kind": "VirtualService", "metadata": own, "spec": spec}


def gateway(name: str, settings: Gateway, namespace: str) -> Manifest:
    """A Gateway of the stack."""
    return {
        "apiVersion": _API,
        "kind": "Gateway",
        "metadata": metadata(name, namespace, name),
        "spec": as_written(settings),
    }


def _routes(route: RouteTraffic, gateways: tuple[str, ...], there: str) -> list[Manifest]:
    """The route; where requests from gateways go to another port than those of sidecars, a copy of it for gateways
    first, of the same name.
    """
    own = _route(route, there)
    if route.gateway_port is None:
        return [own]
    copy = replace(route, match=at_gateways(route.match, gateways), port=route.gateway_port)
    return [_route(copy, there), own]


def _route(route: RouteTraffic, there: str) -> Manifest:
    spec: Manifest = {"name": route.name}
    if route.match:
        spec["match"] = [as_written(match) for match in route.match]
    if route.weights:
        spec["route"] = [_destination(version, weight, route, there) for version, weight in route.weights.items()]
    if route.timeout:
        spec["timeout"] = route.timeout.text
    if route.mirrors:
        spec["mirrors"] = [_mirror(mirror, route, there) for mirror in route.mirrors]
    if route.fault:
        spec["fault"] = route.fault.spec()
    parts = {
        "retries": route.retries,
        "headers": route.headers,
        "corsPolicy": route.cors_policy,
        "rewrite": route.rewrite,
        "redirect": route.redirect,
        "directResponse": route.direct_response,
    }
    return spec | {name: as_written(part) for name, part in parts.items() if part is not None}


def _destination(version: str, weight: int, route: RouteTraffic, there: str) -> Manifest:
    spec: Manifest = {"destination": _to(version, route, there), "weight": weight}
    if version in route.version_headers:
        spec["headers"] = as_written(route.version_headers[version])
    return spec


def _mirror(mirror: Mirror, route: RouteTraffic, there: str) -> Manifest:
    spec = as_written(mirror)
    return {"destination": _to(spec.pop("version"), route, there), **spec}


def _to(version: str, route: RouteTraffic, there: str) -> Manifest:
    return {"host": there, "subset": version, **({} if route.port is None else {"port": {"number": route.port}})}
