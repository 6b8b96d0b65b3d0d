"""Knowing when proxies obey: whether every caller of a service knows a version, or has let go of it.

For one proxy, the configuration that istiod makes for it shows whether a change has reached istiod and is on its way, and the number of the
push it came with; from then on istiod's own books tell which proxies have accepted a push of that number or a later one. Only a
proxy that was passed over by that push is asked about one by one: it may have no use for the service at all.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

from weir.cluster.connections import disconnect, istiods
from weir.cluster.errors import ClusterError, UnaskedError
from weir.cluster.istiod import CLUSTERS, ENDPOINTS, ROUTES, Istiod, Proxy
from weir.cluster.kubectl import Kubectl

_INTERVAL = 0.05
"""Seconds between looks. istiod waits 100 ms at the least between two pushes, so that no push is missed."""

_PASSED_OVER = 0.5
"""Seconds after which a proxy that the push did not reach is asked about by itself."""

RECONNECTING = 35.0
"""Seconds an istiod must have been ready before its books count for what proxies have let go of: one that has just come back does not know the
proxies that have yet to come back to it, and Envoy tries again after 30 s at the latest."""

_CLUSTER = re.compile(r"outbound\|\d+\|([a-zA-Z0-9-]*)\|([a-zA-Z0-9.*-]+)")


_FAULT = "envoy.filters.http.fault"


class DisobeyedError(ClusterError):
    """Proxies did not follow in time; the text names them."""


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
    def types(self) -> tuple[str, ...]:
        """The types of configuration that tell."""
        return (
            *((CLUSTERS, ENDPOINTS) if self.known else ()),
            *((ROUTES,) if self.gone or self.shares is not None or self.fault is not None else ()),
        )

    def __str__(self) -> str:
        name = self.host.split(".")[0]
        parts = [f"know {name} {', '.join(sorted(self.known))}"] if self.known else []
        parts += [f"let go of {name} {', '.join(sorted(self.gone))}"] if self.gone else []
        parts += [f"follow the new split of {name}"] if self.shares is not None else []
        parts += [f"{'have' if self.fault else 'are rid of'} the fault of {name}"] if self.fault is not None else []
        return " and ".join(parts)


@dataclass(frozen=True, slots=True)
class Obeyed:
    """How many proxies were asked about, and how long it took them, in seconds."""

    proxies: int
    seconds: float


@dataclass(slots=True)
class _Watch:
    """What is known of the proxies of one istiod."""

    push: int | None = None
    settled: set[str] = field(default_factory=set)
    since: dict[str, float] = field(default_factory=dict)


def wait_for(
    kubectl: Kubectl,
    want: Want,
    timeout: float,
    *,
    clock: Callable[[], float] = time.monotonic,
    pause: Callable[[float], None] = time.sleep,
) -> Obeyed:
    """Return when every proxy that knows the service does what is wanted; `kubectl` is set to istiod's namespace.

    `timeout` in seconds. An istiod that is away is asked again until then. Raises
    DisobeyedError with the proxies that lag, or ClusterError when istiod does not answer by then; UnaskedError at once where istiod
    cannot be asked at all.
    """
    start = clock()
    while True:
        try:
            there = istiods(kubectl)
            young = RECONNECTING - min(istiod.ready_for for istiod in there)
            if not want.gone or young <= 0:
                return _wait(there, want, start, timeout, clock, pause)
            # This wait is not the proxies' fault, and does not count as their delay.
            start += young
            pause(young)
        except (UnaskedError, DisobeyedError):
            raise
        except ClusterError as error:
            disconnect(kubectl)
            if clock() - start >= timeout:
                raise ClusterError(f"istiod could not be asked for {timeout:g} s whether proxies {want}: {error}") from None
            pause(0.5)


def _wait(
    there: list[Istiod], want: Want, start: float, timeout: float, clock: Callable[[], float], pause: Callable[[float], None]
) -> Obeyed:
    watches = {istiod.pod: _Watch() for istiod in there}
    while True:
        lagging: dict[str, Proxy] = {}
        total = 0
        for istiod in there:
            proxies = istiod.proxies()
            total += len(proxies)
            lagging |= {proxy.name: proxy for proxy in _lagging(istiod, proxies, want, watches[istiod.pod], clock())}
        if not lagging:
            return Obeyed(total, clock() - start)
        if clock() - start >= timeout:
            raise DisobeyedError(f"after {timeout:g} s {len(lagging)} of {total} proxies do not {want}: {_names(lagging.values(), want)}")
        pause(_INTERVAL)


def _lagging(istiod: Istiod, proxies: list[Proxy], want: Want, watch: _Watch, now: float) -> list[Proxy]:
    """The proxies of this istiod that are not known to obey; what is found out is noted in `watch`."""
    watch.settled &= {proxy.name for proxy in proxies}
    behind = [proxy for proxy in proxies if proxy.name not in watch.settled]
    for proxy in behind:
        if watch.push is not None and _accepted(proxy, want, watch.push):
            watch.settled.add(proxy.name)
            continue
        waited = now - watch.since.setdefault(proxy.name, now)
        if watch.push is not None and waited < _PASSED_OVER:
            continue
        dump = istiod.configuration(proxy.name)
        if not _concerned(dump, want):
            watch.settled.add(proxy.name)
        elif not _done(dump, istiod.endpoints(proxy.name) if want.known else [], want):
            # Where one waits for the change, all do: no need to ask about the others yet.
            if watch.push is None:
                break
        elif watch.push is None:
            watch.push = _push(dump)
            if _accepted(proxy, want, watch.push):
                watch.settled.add(proxy.name)
        elif waited >= 2 * _PASSED_OVER and _accepted(proxy, want, 0):
            # A later push, of another type, has moved the number on; this one's own was accepted long ago.
            watch.settled.add(proxy.name)
    return [proxy for proxy in behind if proxy.name not in watch.settled]


def _accepted(proxy: Proxy, want: Want, push: int) -> bool:
    """Whether the proxy has accepted all that tells, and the first of it by this push or a later one."""
    sent = [proxy.sent.get(kind) for kind in want.types]
    first = sent[0]
    return all(status is None or status.accepted for status in sent) and first is not None and first.push >= push


def _concerned(dump: dict[str, Any], want: Want) -> bool:
    """Whether the proxy has the service at all: Istio may hide it from some (exportTo, Sidecar)."""
    return any(host == want.host for _, host in _CLUSTER.findall(_section(dump, "ClustersConfigDump")))


def _done(dump: dict[str, Any], endpoints: list[dict[str, Any]], want: Want) -> bool:
    clusters = {subset for subset, host in _CLUSTER.findall(_section(dump, "ClustersConfigDump")) if host == want.host}
    routed = {subset for subset, host in _CLUSTER.findall(_section(dump, "RoutesConfigDump")) if host == want.host}
    if want.shares is not None and not _follows(dump, want):
        return False
    if want.fault is not None and not _faulty(dump, want):
        return False
    return want.known <= clusters & _serving(endpoints, want.host) and not want.gone & routed


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


def _serving(endpoints: list[dict[str, Any]], host: str) -> set[str]:
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


def _push(dump: dict[str, Any]) -> int:
    for part in dump.get("configs", []):
        number = str(part.get("versionInfo", "")).rpartition("/")[2]
        if number.isdigit():
            return int(number)
    return 0


def _names(proxies: Iterable[Proxy], want: Want) -> str:
    """Up to five proxies, each with the reason for which it refused what it was sent, if it did."""
    named = []
    for proxy in proxies:
        refusal = next((status.refusal for kind in want.types if (status := proxy.sent.get(kind)) and status.refusal), "")
        named.append(f"{proxy.name} ({refusal[:200]})" if refusal else proxy.name)
    return ", ".join(named[:5]) + (f" and {len(named) - 5} more" if len(named) > 5 else "")
