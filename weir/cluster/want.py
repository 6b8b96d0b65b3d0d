"""What proxies are to do, and whether the configuration that istiod makes for one of them says so."""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from weir.cluster.istiod import CLUSTERS, ENDPOINTS, ROUTES

_CLUSTER = re.compile(r"outbound\|\d+\|([a-zA-Z0-9-]*)\|([a-zA-Z0-9.*-]+)")
_FAULT = "envoy.filters.http.fault"


@dataclass(frozen=True, slots=True)
class Want:
    """What every caller of `host` (a full name) is to know: the versions in `known`, each with a pod that is ready; no route to those in `gone`.

    Of the route named `route`, `shares`: the versions and their weights above 0, as the VirtualService has them; `fault`: whether it has
    one (a route that is not there has none). None for no matter what.
    """

    host: str
    known: frozenset[str] = frozenset()
    gone: frozenset[str] = frozenset()
    shares: tuple[tuple[str, int], ...] | None = None
    fault: bool | None = None
    route: str = "default"

    @property
    def service(self) -> str:
        """The name of the service."""
        return self.host.split(".")[0]

    @property
    def namespace(self) -> str:
        """The namespace of the service."""
        return self.host.split(".")[1]

    @property
    def types(self) -> tuple[str, ...]:
        """The types of configuration that tell."""
        return (
            *((CLUSTERS, ENDPOINTS) if self.known else ()),
            *((ROUTES,) if self.gone or self.shares is not None or self.fault is not None else ()),
        )

    def __str__(self) -> str:
        name = self.service
        parts = [f"know {name} {', '.join(sorted(self.known))}"] if self.known else []
        parts += [f"let go of {name} {', '.join(sorted(self.gone))}"] if self.gone else []
        parts += [f"follow the new split of {name}"] if self.shares is not None else []
        parts += [f"{'have' if self.fault else 'are rid of'} the fault of {name}"] if self.fault is not None else []
        return " and ".join(parts)


def concerned(dump: dict[str, Any], want: Want) -> bool:
    """Whether the proxy has the service at all: Istio may hide it from some (exportTo, Sidecar)."""
    return any(host == want.host for _, host in _CLUSTER.findall(_section(dump, "ClustersConfigDump")))


def declared(dump: dict[str, Any], want: Want) -> bool:
    """Whether clusters and routes are as wanted."""
    clusters = {subset for subset, host in _CLUSTER.findall(_section(dump, "ClustersConfigDump")) if host == want.host}
    routed = {subset for subset, host in _CLUSTER.findall(_section(dump, "RoutesConfigDump")) if host == want.host}
    if want.shares is not None and not _follows(dump, want):
        return False
    if want.fault is not None and not _faulty(dump, want):
        return False
    return want.known <= clusters and not want.gone & routed


def _follows(dump: dict[str, Any], want: Want) -> bool:
    """Whether the route divides requests as wanted, wherever the proxy has it. One version alone may have any weight in Envoy, or none."""
    wanted = _proportions(dict(want.shares or ()))
    found = [route for part in dump.get("configs", []) for route in _routes(part, want)]
    return bool(found) and all(_proportions(_weights(route, want.host)) == wanted for route in found)


def _faulty(dump: dict[str, Any], want: Want) -> bool:
    found = [route for part in dump.get("configs", []) for route in _routes(part, want)]
    faults = [_FAULT in route.get("typedPerFilterConfig", {}) for route in found]
    return all(faults) and bool(faults) if want.fault else not any(faults)


def _proportions(weights: dict[str, int]) -> dict[str, Fraction]:
    total = sum(weights.values())
    return {version: Fraction(weight, total) for version, weight in weights.items()}


def _routes(part: dict[str, Any], want: Want) -> list[dict[str, Any]]:
    configs = [entry.get("routeConfig", {}) for entry in part.get("dynamicRouteConfigs", [])]
    hosts = [host for config in configs for host in config.get("virtualHosts", [])]
    own = [host for host in hosts if want.host in host.get("domains", []) or host.get("name", "").startswith(f"{want.host}:")]
    return [route for host in own for route in host.get("routes", []) if route.get("name") == want.route]


def _weights(route: dict[str, Any], host: str) -> dict[str, int]:
    action = route.get("route", {})
    entries = action.get("weightedClusters", {}).get("clusters", []) or [{"name": action.get("cluster", ""), "weight": 1}]
    found = {}
    for entry in entries:
        match = _CLUSTER.fullmatch(entry.get("name", ""))
        if match and match[2] == host and int(entry.get("weight", 0)) > 0:
            found[match[1]] = int(entry["weight"])
    return found


def serving(endpoints: list[dict[str, Any]], host: str) -> set[str]:
    """The versions with at least one pod that takes requests."""
    found = set()
    for assignment in endpoints:
        match = _CLUSTER.fullmatch(assignment.get("clusterName", ""))
        pods = [pod for group in assignment.get("endpoints", []) for pod in group.get("lbEndpoints", [])]
        if match and match[2] == host and any(pod.get("healthStatus", "HEALTHY") in ("HEALTHY", "UNKNOWN") for pod in pods):
            found.add(match[1])
    return found


def _section(dump: dict[str, Any], name: str) -> str:
    return str([part for part in dump.get("configs", []) if part.get("@type", "").endswith(name)])


def push_of(dump: dict[str, Any]) -> int:
    """The number of the push that the configuration is of; 0 where it has none."""
    for part in dump.get("configs", []):
        number = str(part.get("versionInfo", "")).rpartition("/")[2]
        if number.isdigit():
            return int(number)
    return 0
