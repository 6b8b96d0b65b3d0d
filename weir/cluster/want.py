"""What proxies are to do, and whether the configuration that istiod makes for one of them says so."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from weir.cluster.istiod import CLUSTERS, ENDPOINTS, ROUTES

_CLUSTER = re.compile(r"outbound\|(?P<port>\d+)\|(?P<subset>[a-zA-Z0-9-]*)\|(?P<host>[a-zA-Z0-9.*-]+)")
_BY_DNS = ("STRICT_DNS", "LOGICAL_DNS")
"""Types of a cluster whose endpoints Envoy finds by itself."""
_FAULT = "envoy.filters.http.fault"


@dataclass(frozen=True, slots=True)
class RouteWant:
    """What a route of a service is to do: divide requests by `shares`, the versions and their weights above 0, as the
    VirtualService has them; have a `fault` or none. None for no matter what.

    `at`: the host that the requests ask for, and `service` the full name of the one that gets them; both the host of
    the Want where they are left out.
    """

    name: str
    shares: tuple[tuple[str, int], ...] | None = None
    fault: bool | None = None
    at: str = ""
    service: str = ""


@dataclass(frozen=True, slots=True)
class Want:
    """What every proxy that calls `host` (a full name) is expected to have; without a host, every gateway's proxy.

    `known`: versions that it has, each with a ready pod; one that is another Service as `HOST:PORT`.
    `gone`: versions that it has no route to.
    `changed`: the type of configuration in which a rule has changed.
    `routes`: how the new configuration differs from the old one; without it, the newest push of that type counts, once
    no other follows.
    `seen_by`: the namespaces whose proxies see the rules; None for all.
    `again`: the change is from an earlier update that gave up waiting; the newest push counts.
    """

    host: str
    known: frozenset[str] = frozenset()
    gone: frozenset[str] = frozenset()
    routes: tuple[RouteWant, ...] = ()
    changed: str = ""
    seen_by: frozenset[str] | None = None
    again: bool = False

    @property
    def service(self) -> str:
        """The name of the service."""
        return self.host.split(".")[0]

    @property
    def namespace(self) -> str:
        """The namespace of the service."""
        return self.host.partition(".")[2].partition(".")[0]

    def concerns(self, namespace: str) -> bool:
        """Whether proxies of the namespace may have the rules: who has a Service may yet not see them (exportTo)."""
        return self.seen_by is None or namespace in self.seen_by

    @property
    def types(self) -> tuple[str, ...]:
        """The types of configuration that tell, the one first whose push brings it."""
        return (
            *((CLUSTERS, ENDPOINTS) if self.known else ()),
            *((ROUTES,) if self.gone else ()),
            *((self.changed,) if self.changed else ()),
        )

    def __str__(self) -> str:
        name = self.service
        parts = [f"acknowledged {name} {', '.join(sorted(self.known))}"] if self.known else []
        parts += [f"drained {name} {', '.join(sorted(self.gone))}"] if self.gone else []
        parts += [f"acknowledged the change{f' of {name}' if name else ''}"] if self.changed else []
        return " and ".join(parts)


def seen_by(namespace: str, *specs: Mapping[str, Any] | None) -> frozenset[str] | None:
    """The namespaces that see one of these rules of `namespace`, by their `exportTo`; None for all, as where a rule
    has none.
    """
    found = [each for spec in specs if spec is not None for each in spec.get("exportTo") or ["*"]]
    return None if "*" in found or not found else frozenset(namespace if each == "." else each for each in found)


def concerned(dump: dict[str, Any], want: Want) -> bool:
    """Whether the proxy has the service at all: Istio may hide it from some (exportTo, Sidecar)."""
    return any(match["host"] == want.host for match in _CLUSTER.finditer(_section(dump, "ClustersConfigDump")))


def declared(dump: dict[str, Any], want: Want) -> bool:
    """Whether clusters and routes are as wanted."""
    clusters, routed = (
        {_version(match, want.host) for match in _CLUSTER.finditer(_section(dump, part))}
        for part in ("ClustersConfigDump", "RoutesConfigDump")
    )
    return want.known <= clusters and not want.gone & routed


def _version(cluster: re.Match[str], there: str) -> str:
    """The version of the service `there` that a cluster is: its subset; else `HOST:PORT`, which may be a version, too.

    That of an external host is a subset of a name below the service's (`weir.model.manifests.istio.external_host`).
    Empty for a subset of another service.
    """
    host = cluster["host"]
    if cluster["subset"]:
        return cluster["subset"] if host == there or host.endswith(f".{there}") else ""
    return f"{host}:{cluster['port']}"


def told(dump: dict[str, Any], want: Want) -> bool | None:
    """Whether the routes that a change is told by are as after it; None where the proxy has none of them."""
    there = [
        route
        for route in want.routes
        if any(_routes(part, route.at or want.host, route.name) for part in dump.get("configs", []))
    ]
    return all(_as_wanted(dump, want.host, route) for route in there) if there else None


def _as_wanted(dump: dict[str, Any], host: str, want: RouteWant) -> bool:
    """Whether the route divides requests as wanted, wherever the proxy has it, and has a fault or none. One version
    alone may have any weight in Envoy, or none.
    """
    found = [route for part in dump.get("configs", []) for route in _routes(part, want.at or host, want.name)]
    if want.shares is not None:
        wanted = _proportions(dict(want.shares))
        if not found or any(_proportions(_weights(route, want.service or host)) != wanted for route in found):
            return False
    faults = [_FAULT in route.get("typedPerFilterConfig", {}) for route in found]
    if want.fault is None:
        return True
    return all(faults) and bool(faults) if want.fault else not any(faults)


def _proportions(weights: dict[str, int]) -> dict[str, Fraction]:
    total = sum(weights.values())
    return {version: Fraction(weight, total) for version, weight in weights.items()}


def _routes(part: dict[str, Any], there: str, name: str) -> list[dict[str, Any]]:
    configs = [entry.get("routeConfig", {}) for entry in part.get("dynamicRouteConfigs", [])]
    hosts = [host for config in configs for host in config.get("virtualHosts", [])]
    own = [host for host in hosts if there in host.get("domains", []) or host.get("name", "").startswith(f"{there}:")]
    return [route for host in own for route in host.get("routes", []) if _named(route, name)]


def _named(route: dict[str, Any], name: str) -> bool:
    """Whether it is of this route of the VirtualService: a match with a name of its own has that behind the route's
    (BuildHTTPRoutes in Istio's source).
    """
    found = str(route.get("name", ""))
    return found == name or found.startswith(f"{name}.")


def _weights(route: dict[str, Any], host: str) -> dict[str, int]:
    action = route.get("route", {})
    entries = action.get("weightedClusters", {}).get("clusters", []) or [
        {"name": action.get("cluster", ""), "weight": 1}
    ]
    found = {}
    for entry in entries:
        match = _CLUSTER.fullmatch(entry.get("name", ""))
        if match and (version := _version(match, host)) and int(entry.get("weight", 0)) > 0:
            found[version] = int(entry["weight"])
    return found


def resolved(dump: dict[str, Any], host: str) -> set[str]:
    """The versions whose endpoints each proxy finds by DNS: istiod knows of none."""
    return {
        _version(match, host)
        for part in dump.get("configs", [])
        for entry in part.get("dynamicActiveClusters", [])
        if (cluster := entry.get("cluster", {})).get("type") in _BY_DNS
        and (match := _CLUSTER.fullmatch(cluster.get("name", "")))
    }


def serving(endpoints: list[dict[str, Any]], host: str) -> set[str]:
    """The versions with at least one pod that takes requests."""
    found = set()
    for assignment in endpoints:
        match = _CLUSTER.fullmatch(assignment.get("clusterName", ""))
        pods = [pod for group in assignment.get("endpoints", []) for pod in group.get("lbEndpoints", [])]
        if match and any(pod.get("healthStatus", "HEALTHY") in ("HEALTHY", "UNKNOWN") for pod in pods):
            found.add(_version(match, host))
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
