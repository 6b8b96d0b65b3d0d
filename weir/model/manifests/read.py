"""Istio's objects of a service read back into the traffic they make: what stands in a cluster, a preview or a state,
in weir's own terms.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from typing import Any, TypeVar

from weir.model.config.actions import CorsPolicy, Fault, Headers, Mirror, Retries, Rewrite
from weir.model.config.answers import DirectResponse, Redirect
from weir.model.config.base import Part
from weir.model.config.matches import Match
from weir.model.config.traffic_policy import TrafficPolicy
from weir.model.config.versions import Elsewhere
from weir.model.manifests.annotations import EXTERNAL_HOST, FAULT_UNTIL, VERSION_HOST
from weir.model.manifests.istio import belongs
from weir.model.manifests.kubernetes import Manifest
from weir.model.manifests.subsets import routes, version_of
from weir.model.routing.resolve import RouteTraffic, ServiceTraffic
from weir.model.values.durations import Duration
from weir.model.values.hosts import MESH
from weir.model.values.numbers import AS_ISTIO_WRITES

SomePart = TypeVar("SomePart", bound=Part)


def read(virtual_service: Manifest, rules: Iterable[Manifest]) -> ServiceTraffic:
    """The traffic that these objects of one service make, as Istio merges them: subsets side by side, the first policy
    for all wins.

    A version that is another Service has the name that stands in the annotations, else `HOST:PORT`.

    Raises pydantic's ValidationError, or KeyError, for objects that weir would not have written.
    """
    spec = virtual_service["spec"]
    notes = virtual_service.get("metadata", {}).get("annotations") or {}
    own, *exposed = spec["hosts"]
    versions: dict[str, TrafficPolicy | None] = {}
    labels: dict[str, Mapping[str, str]] = {}
    policy: TrafficPolicy | None = None
    for rule in (each["spec"] for each in rules if belongs(each["spec"]["host"], own)):
        policy = policy or _optional(TrafficPolicy, rule.get("trafficPolicy") if rule["host"] == own else None)
        labels |= {subset["name"]: subset["labels"] for subset in rule.get("subsets", []) if "labels" in subset}
        versions |= {
            subset["name"]: _optional(TrafficPolicy, subset.get("trafficPolicy")) for subset in rule.get("subsets", [])
        }
    elsewhere = _elsewhere(spec, notes, own)
    versions |= {version: None for version in elsewhere if version not in versions}
    names = {str(place): version for version, place in elsewhere.items() if not place.external}
    return ServiceTraffic(
        routes=tuple(
            replace(
                _route(route, notes.get(f"{FAULT_UNTIL}{route['name']}"), names),
                gateway_port=_port(copy, names) if copy else None,
            )
            for route, copy in routes(spec["http"])
        ),
        versions=versions,
        labels=labels,
        policy=policy,
        gateways=tuple(name for name in spec.get("gateways", []) if name != MESH),
        hosts=tuple(exposed),
        export_to=tuple(spec.get("exportTo", [])),
        elsewhere=elsewhere,
    )


def _elsewhere(spec: Mapping[str, Any], notes: Mapping[str, str], own: str) -> dict[str, Elsewhere]:
    """The versions without pods: those in the annotations, and what routes name beside them."""
    services, outside = (
        {name.removeprefix(prefix): at for name, at in notes.items() if name.startswith(prefix)}
        for prefix in (VERSION_HOST, EXTERNAL_HOST)
    )
    for route in spec["http"]:
        for entry in (*route.get("route", []), *route.get("mirrors", [])):
            place = entry["destination"]
            version = version_of(place)
            if place.get("host", own) != own and "subset" in place:
                outside.setdefault(version, ":0")
            elif place.get("host", own) != own and version and version not in services.values():
                services[version] = version
    return {
        version: Elsewhere(host, int(port), external)
        for external, found in ((False, services), (True, outside))
        for version, at in found.items()
        for host, _, port in [at.rpartition(":")]
    }


def _route(spec: Mapping[str, Any], fault_until: str | None, names: Mapping[str, str]) -> RouteTraffic:
    def version(entry: Mapping[str, Any]) -> str:
        known_as = version_of(entry["destination"])
        return str(entry["destination"]["subset"]) if known_as not in names else names[known_as]

    destinations = spec.get("route", [])
    fault = spec.get("fault")
    if fault is not None and fault_until is not None:
        fault = {**fault, "until": fault_until}
    return RouteTraffic(
        name=spec["name"],
        match=tuple(_part(Match, match) for match in spec.get("match", [])),
        weights={version(entry): entry["weight"] for entry in destinations},
        fault=_optional(Fault, fault),
        timeout=Duration.parse(spec["timeout"]) if "timeout" in spec else None,
        retries=_optional(Retries, spec.get("retries")),
        mirrors=tuple(_mirror(mirror, version(mirror)) for mirror in spec.get("mirrors", [])),
        headers=_optional(Headers, spec.get("headers")),
        version_headers={
            version(entry): _part(Headers, entry["headers"]) for entry in destinations if "headers" in entry
        },
        cors_policy=_optional(CorsPolicy, spec.get("corsPolicy")),
        rewrite=_optional(Rewrite, spec.get("rewrite")),
        redirect=_optional(Redirect, spec.get("redirect")),
        direct_response=_optional(DirectResponse, spec.get("directResponse")),
        port=_port(spec, names),
    )


def _port(spec: Mapping[str, Any], others: Collection[str]) -> int | None:
    """The port that all destinations of a route have, but for those that are `others`, which are not the service's;
    None where it has none.
    """
    places = [entry["destination"] for entry in (*spec.get("route", []), *spec.get("mirrors", []))]
    found = {place.get("port", {}).get("number") for place in places if version_of(place) not in others}
    if len(found) > 1:
        raise ValueError(f"route {spec.get('name')} sends to several ports")
    port = next(iter(found), None)
    return None if port is None else int(port)


def _mirror(spec: Mapping[str, Any], version: str) -> Mirror:
    settings = {name: value for name, value in spec.items() if name != "destination"}
    # A Service of which nobody has noted the name goes by one that no version may have.
    own = _part(Mirror, {"version": spec["destination"].get("subset", "other"), **settings})
    return own.model_copy(update={"version": version})


def _part(kind: type[SomePart], spec: Mapping[str, Any]) -> SomePart:
    return kind.model_validate(dict(spec), context=AS_ISTIO_WRITES)


def _optional(kind: type[SomePart], spec: Mapping[str, Any] | None) -> SomePart | None:
    return None if spec is None else _part(kind, spec)
