"""Istio's objects of a service read back into the traffic they make: what stands in a cluster, a preview or a state,
in weir's own terms.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any, TypeVar

from weir.model.config.actions import CorsPolicy, Fault, Headers, Mirror, Retries, Rewrite
from weir.model.config.answers import DirectResponse, Redirect
from weir.model.config.base import Part
from weir.model.config.matches import Match
from weir.model.config.traffic_policy import TrafficPolicy
from weir.model.manifests.annotations import FAULT_UNTIL
from weir.model.manifests.kubernetes import Manifest
from weir.model.manifests.subsets import routes
from weir.model.routing.resolve import RouteTraffic, ServiceTraffic
from weir.model.values.durations import Duration
from weir.model.values.hosts import MESH
from weir.model.values.numbers import AS_ISTIO_WRITES

SomePart = TypeVar("SomePart", bound=Part)


def read(virtual_service: Manifest, rules: Iterable[Manifest]) -> ServiceTraffic:
    """The traffic that these objects of one service make, as Istio merges them: subsets side by side, the first policy
    for all wins.

    Raises pydantic's ValidationError, or KeyError, for objects that weir would not have written.
    """
    spec = virtual_service["spec"]
    notes = virtual_service.get("metadata", {}).get("annotations") or {}
    own, *exposed = spec["hosts"]
    versions: dict[str, TrafficPolicy | None] = {}
    labels: dict[str, Mapping[str, str]] = {}
    policy: TrafficPolicy | None = None
    for rule in (each["spec"] for each in rules if each["spec"]["host"] == own):
        policy = policy or _optional(TrafficPolicy, rule.get("trafficPolicy"))
        labels |= {subset["name"]: subset.get("labels", {}) for subset in rule.get("subsets", [])}
        versions |= {
            subset["name"]: _optional(TrafficPolicy, subset.get("trafficPolicy")) for subset in rule.get("subsets", [])
        }
    return ServiceTraffic(
        routes=tuple(
            replace(
                _route(route, notes.get(f"{FAULT_UNTIL}{route['name']}")), gateway_port=_port(copy) if copy else None
            )
            for route, copy in routes(spec["http"])
        ),
        versions=versions,
        labels=labels,
        policy=policy,
        gateways=tuple(name for name in spec.get("gateways", []) if name != MESH),
        hosts=tuple(exposed),
        export_to=tuple(spec.get("exportTo", [])),
    )


def _route(spec: Mapping[str, Any], fault_until: str | None) -> RouteTraffic:
    destinations = spec.get("route", [])
    fault = spec.get("fault")
    if fault is not None and fault_until is not None:
        fault = {**fault, "until": fault_until}
    return RouteTraffic(
        name=spec["name"],
        match=tuple(_part(Match, match) for match in spec.get("match", [])),
        weights={entry["destination"]["subset"]: entry["weight"] for entry in destinations},
        fault=_optional(Fault, fault),
        timeout=Duration.parse(spec["timeout"]) if "timeout" in spec else None,
        retries=_optional(Retries, spec.get("retries")),
        mirrors=tuple(_mirror(mirror) for mirror in spec.get("mirrors", [])),
        headers=_optional(Headers, spec.get("headers")),
        version_headers={
            entry["destination"]["subset"]: _part(Headers, entry["headers"])
            for entry in destinations
            if "headers" in entry
        },
        cors_policy=_optional(CorsPolicy, spec.get("corsPolicy")),
        rewrite=_optional(Rewrite, spec.get("rewrite")),
        redirect=_optional(Redirect, spec.get("redirect")),
        direct_response=_optional(DirectResponse, spec.get("directResponse")),
        port=_port(spec),
    )


def _port(spec: Mapping[str, Any]) -> int | None:
    """The port that all destinations of a route have; None where it has none."""
    found = {entry["destination"].get("port", {}).get("number") for entry in spec.get("route", [])}
    if len(found) > 1:
        raise ValueError(f"route {spec.get('name')} sends to several ports")
    port = next(iter(found), None)
    return None if port is None else int(port)


def _mirror(spec: Mapping[str, Any]) -> Mirror:
    return _part(
        Mirror,
        {
            "version": spec["destination"]["subset"],
            **{name: value for name, value in spec.items() if name != "destination"},
        },
    )


def _part(kind: type[SomePart], spec: Mapping[str, Any]) -> SomePart:
    return kind.model_validate(dict(spec), context=AS_ISTIO_WRITES)


def _optional(kind: type[SomePart], spec: Mapping[str, Any] | None) -> SomePart | None:
    return None if spec is None else _part(kind, spec)
