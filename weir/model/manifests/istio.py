"""The plain Istio objects of a service: a DestinationRule for each version and one for all, and the VirtualService
that divides the traffic. A version at an external host has a ServiceEntry, too.

The ServiceEntry has a host of weir's own, at which the external one is the endpoint. So what callers send to the
external host past the service stays as it is, whoever has a ServiceEntry for it, and the version is a subset as every
other (docs/decisions/0032-versions-elsewhere.md).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import replace

from weir.model.config.actions import Mirror
from weir.model.config.base import as_written
from weir.model.config.gateways import Gateway
from weir.model.config.stack import Service
from weir.model.config.versions import Elsewhere
from weir.model.manifests.annotations import EXTERNAL_HOST, FAULT_UNTIL, VERSION_HOST
from weir.model.manifests.kubernetes import Manifest, metadata
from weir.model.routing.hosts import HostTraffic
from weir.model.routing.resolve import RouteTraffic, ServiceTraffic, at_gateways
from weir.model.values.hosts import MESH

_API = "networking.istio.io/v1"


def version_rule(service: str, version: str, traffic: ServiceTraffic, namespace: str, there: str) -> Manifest | None:
    """The subset of one version of the host `there`: the pods with its labels, or its external host. Istio merges the
    rules of a host, so each version comes and goes alone.

    None for another Service: a rule of this namespace would hide its own rules from callers here.
    """
    place = traffic.elsewhere.get(version)
    if place is not None and not place.external:
        return None
    parts = {"subsets": [_subset(version, traffic)]}
    host = external_host(version, there) if place else there
    return _rule(f"{service}-{version}", service, version, parts, traffic, namespace, host)


def external_host(version: str, there: str) -> str:
    """The name in the mesh of a version at an external host, of the service `there`."""
    return f"{version}.{there}"


def belongs(host: str, there: str) -> bool:
    """Whether a host is that of a service, or of one of its versions at external hosts."""
    return host == there or host.endswith(f".{there}")


def service_entry(
    service: str, version: str, settings: Service, traffic: ServiceTraffic, namespace: str, there: str
) -> Manifest | None:
    """What the mesh knows of the external host of a version of the host `there`; None where it has none."""
    place = traffic.elsewhere.get(version)
    if place is None or not place.external:
        return None
    # The ports are those of the service: a ServiceEntry at a port of its own would take part in what its proxies listen
    # on there.
    ports = settings.http_ports
    return {
        "apiVersion": _API,
        "kind": "ServiceEntry",
        "metadata": metadata(f"{service}-{version}", namespace, service, version),
        "spec": {
            "hosts": [external_host(version, there)],
            "location": "MESH_EXTERNAL",
            "resolution": "DNS",
            "ports": [{"number": each.port, "name": each.name, "protocol": each.protocol.upper()} for each in ports],
            "endpoints": [{"address": place.host, "ports": {each.name: place.port for each in ports}}],
            **({"exportTo": list(traffic.export_to)} if traffic.export_to else {}),
        },
    }


def host_rule(service: str, traffic: ServiceTraffic, namespace: str, there: str) -> Manifest | None:
    """How all pods of the service are treated; None where nothing is said of it.

    Where exportTo is written it has all subsets as well: it alone is enough for a caller, at the moment when no other
    rule is seen as it is.
    """
    parts: Manifest = {} if traffic.policy is None else {"trafficPolicy": as_written(traffic.policy)}
    if traffic.export_to:
        parts["subsets"] = [_subset(version, traffic) for version in traffic.labels]
    return _rule(service, service, None, parts, traffic, namespace, there) if parts else None


def _subset(version: str, traffic: ServiceTraffic) -> Manifest:
    policy = traffic.versions[version]
    return {
        "name": version,
        **({"labels": dict(traffic.labels[version])} if version in traffic.labels else {}),
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
    spec["http"] = [entry for route in traffic.routes for entry in _routes(route, traffic, there)]
    if traffic.export_to:
        spec["exportTo"] = list(traffic.export_to)
    notes = _ends(traffic.routes) | {
        f"{EXTERNAL_HOST if place.external else VERSION_HOST}{version}": str(place)
        for version, place in traffic.elsewhere.items()
    }
    return _routed(metadata(name, namespace, name), spec, notes)


def host_virtual_service(own: Manifest, traffic: HostTraffic) -> Manifest:
    """The routes of a host at gateways, in the order in which they are tried. `own` is its metadata."""
    routes = [(route, entry) for entry in traffic.entries for route in entry.routes]
    http = [_route(route, entry.elsewhere, entry.host) for route, entry in routes]
    spec = {"hosts": [traffic.host], "gateways": list(traffic.gateways), "http": http}
    return _routed(own, spec, _ends(route for route, _ in routes))


def _ends(routes: Iterable[RouteTraffic]) -> dict[str, str]:
    return {
        f"{FAULT_UNTIL}{route.name}": route.fault.until.text for route in routes if route.fault and route.fault.until
    }


def _routed(own: Manifest, spec: Manifest, notes: Mapping[str, str]) -> Manifest:
    metadata = {**own, **({"annotations": dict(notes)} if notes else {})}
    return {"apiVersion": _API, "kind": "VirtualService", "metadata": metadata, "spec": spec}


def gateway(name: str, settings: Gateway, namespace: str) -> Manifest:
    """A Gateway of the stack."""
    return {
        "apiVersion": _API,
        "kind": "Gateway",
        "metadata": metadata(name, namespace, name),
        "spec": as_written(settings),
    }


def _routes(route: RouteTraffic, traffic: ServiceTraffic, there: str) -> list[Manifest]:
    """The route; where requests from gateways go to another port than those of sidecars, a copy of it for gateways
    first, of the same name.
    """
    own = _route(route, traffic.elsewhere, there)
    if route.gateway_port is None:
        return [own]
    copy = replace(route, match=at_gateways(route.match, traffic.gateways), port=route.gateway_port)
    return [_route(copy, traffic.elsewhere, there), own]


def _route(route: RouteTraffic, elsewhere: Mapping[str, Elsewhere], there: str) -> Manifest:
    spec: Manifest = {"name": route.name}
    if route.match:
        spec["match"] = [as_written(match) for match in route.match]
    if route.weights:
        spec["route"] = [
            {
                "destination": _destination(version, route, elsewhere.get(version), there),
                "weight": weight,
                **_headers(route, version),
            }
            for version, weight in route.weights.items()
        ]
    if route.timeout:
        spec["timeout"] = route.timeout.text
    if route.mirrors:
        spec["mirrors"] = [_mirror(mirror, route, elsewhere, there) for mirror in route.mirrors]
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


def _destination(version: str, route: RouteTraffic, place: Elsewhere | None, there: str) -> Manifest:
    if place is not None and not place.external:
        return {"host": place.host, "port": {"number": place.port}}
    port = {} if route.port is None else {"port": {"number": route.port}}
    return {"host": there if place is None else external_host(version, there), "subset": version, **port}


def _headers(route: RouteTraffic, version: str) -> Manifest:
    headers = route.version_headers.get(version)
    return {} if headers is None else {"headers": as_written(headers)}


def _mirror(mirror: Mirror, route: RouteTraffic, elsewhere: Mapping[str, Elsewhere], there: str) -> Manifest:
    spec = as_written(mirror)
    version = spec.pop("version")
    return {"destination": _destination(version, route, elsewhere.get(version), there), **spec}
