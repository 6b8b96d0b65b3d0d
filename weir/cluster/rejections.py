"""What a proxy rejects (NACK): Envoy's reason in a line, and which object of Istio's it is about, made by whom.

Envoy's text has the reason and then, mostly, the whole configuration that it rejects. Where in that the fault is
stands in the reason (`VirtualHosts[3]…Routes[0]`), and istiod notes at each route and cluster which object it was made
of (`filterMetadata.istio.config`).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

from weir.cluster.errors import ClusterError
from weir.cluster.istiod import CLUSTERS, LISTENERS, ROUTES, Istiod
from weir.cluster.kubectl import Kubectl

_MAX_REASON = 200
_CUT = "...(truncated)"
"""The end of a text that Envoy has cut, at 4096 characters (limitErrorDetails in its source): the reason would stand
behind it.
"""

_LOG_SECONDS = 30
_LOGS = "kubectl logs {0} -n {1} -c istio-proxy"
_WHAT = {CLUSTERS: "clusters", ROUTES: "routes", LISTENERS: "listeners"}
_CONSTRAINT = re.compile(r"Proto constraint validation failed \((?P<why>.*?)\)(?=[:\s]|$)", re.DOTALL)
_FIELD = re.compile(r'field: "([^"]+)", reason: (.*)', re.DOTALL)
_STEP = re.compile(r"ValidationError\.([\w\[\]]+): ")
_PLACE = re.compile(r"VirtualHosts\[(\d+)\](?:.*?Routes\[(\d+)\])?", re.DOTALL)
_TABLE = re.compile(r'\bname: "([^"]+)"')
_CLUSTER = re.compile(r"(?:outbound|inbound)\|\d*\|[^|\s]*\|[^\s:,]+")
_OBJECT = re.compile(r"/namespaces/([^/]+)/([^/]+)/([^/]+)$")
_KINDS = {"virtual-service": "VirtualService", "destination-rule": "DestinationRule", "gateway": "Gateway"}


@dataclass(frozen=True, slots=True)
class Culprit:
    """The object that a rejected configuration was made of; `part`: the route or the subset in it, where that can be
    told.
    """

    kind: str
    namespace: str
    name: str
    part: str = ""

    def __str__(self) -> str:
        return f"{self.kind} {self.namespace}/{self.name}{f' ({self.part})' if self.part else ''}"


@dataclass(frozen=True, slots=True)
class Rejection:
    """One proxy's; `reason` in a line; `culprit` where it can be told."""

    proxy: str
    kind: str
    reason: str
    culprit: Culprit | None = None

    @property
    def what(self) -> str:
        """The type in words."""
        return _WHAT.get(self.kind, "configuration")


class RejectedError(ClusterError):
    """Proxies reject configuration. `standing`: they did so before the change, so that it is not the change's fault."""

    def __init__(self, rejections: tuple[Rejection, ...], total: int, *, standing: bool) -> None:
        self.rejections, self.standing = rejections, standing
        first = rejections[0]
        names = ", ".join(each.proxy for each in rejections[:3]) + (
            f" and {len(rejections) - 3} more" if len(rejections) > 3 else ""
        )
        whose = f" of {first.culprit}" if first.culprit else ""
        since = " since before this update, so they do not accept the update either" if standing else ""
        super().__init__(
            f"{len(rejections)} of {total} proxies reject the {first.what}{whose}{since} ({names}): {first.reason}"
        )


def rejection(kubectl: Kubectl, istiod: Istiod, proxy: str, kind: str, text: str) -> Rejection:
    """What the proxy rejects, by Envoy's text; where that is cut off, as it is for all but small configurations, by
    the proxy's own log.
    """
    if text.endswith(_CUT):
        text = (
            _logged(kubectl, proxy) or f"Envoy's reason is cut off; see it with {_LOGS.format(*proxy.rsplit('.', 1))}"
        )
    found: Culprit | None = None
    # Without its configuration nobody can be named; the reason stands all the same.
    with suppress(ClusterError):
        found = culprit(kind, text, istiod.configuration(proxy))
    return Rejection(proxy, kind, reason(text), found)


def _logged(kubectl: Kubectl, proxy: str) -> str:
    """What the proxy has logged of the last configuration that it rejected; empty where that cannot be read."""
    pod, _, namespace = proxy.rpartition(".")
    command = ["logs", pod, "-c", "istio-proxy", f"--since={_LOG_SECONDS}s", "--request-timeout=5s"]
    try:
        said = replace(kubectl, namespace=namespace).call(command, timeout=_LOG_SECONDS).stdout
    except ClusterError:
        return ""
    _, found, text = said.rpartition(" rejected: ")
    match = _CONSTRAINT.search(text)
    return text[: match.end()] if found and match else ""


def reason(text: str) -> str:
    """Envoy's reason without the configuration behind it: of a violated rule of its API the
    innermost, with the field.
    """
    match = _CONSTRAINT.search(text)
    line = " ".join((_innermost(match["why"]) if match else text).split())
    return line if len(line) <= _MAX_REASON else f"{line[:_MAX_REASON]}…"


def _innermost(why: str) -> str:
    """The last of the steps into the message, with the one before it, where it names a field alone."""
    *around, last = why.split("| caused by ")
    field, outer = _FIELD.fullmatch(last.strip()), _STEP.search(around[-1]) if around else None
    return f"{outer[1] if outer else ''}{'.' if outer else ''}{field[1]}: {field[2]}" if field else last


def culprit(kind: str, text: str, dump: Mapping[str, Any]) -> Culprit | None:
    """The object that the text is about, in the configuration that istiod makes for the proxy."""
    if kind == ROUTES:
        return _of_routes(text, dump)
    if kind == CLUSTERS and (match := _CLUSTER.search(text)):
        return _of_cluster(match[0], dump)
    return None


def _of_routes(text: str, dump: Mapping[str, Any]) -> Culprit | None:
    table, place = _TABLE.search(text), _PLACE.search(text)
    for config in _entries(dump, "dynamicRouteConfigs", "routeConfig"):
        hosts = config.get("virtualHosts", [])
        if place is None:
            domain = next(
                (host for host in hosts if any(_quoted(text, name) for name in host.get("domains", []))), None
            )
            if domain is not None and domain.get("routes"):
                return _object(domain["routes"][0], "")
            continue
        if (table and config.get("name") != table[1]) or int(place[1]) >= len(hosts):
            continue
        routes = hosts[int(place[1])].get("routes", [])
        index = int(place[2] or 0)
        if index < len(routes):
            return _object(
                routes[index], f"route {routes[index]['name']}" if place[2] and routes[index].get("name") else ""
            )
    return None


def _of_cluster(name: str, dump: Mapping[str, Any]) -> Culprit | None:
    for cluster in _entries(dump, "dynamicActiveClusters", "cluster"):
        if cluster.get("name") == name:
            subset = name.split("|")[2]
            return _object(cluster, f"subset {subset}" if subset else "")
    return None


def _entries(dump: Mapping[str, Any], several: str, one: str) -> Iterator[Mapping[str, Any]]:
    for part in dump.get("configs", []):
        for entry in part.get(several, []):
            yield entry.get(one, {})


def _object(made: Mapping[str, Any], part: str) -> Culprit | None:
    path = made.get("metadata", {}).get("filterMetadata", {}).get("istio", {}).get("config", "")
    match = _OBJECT.search(path)
    return Culprit(_KINDS.get(match[2], match[2]), match[1], match[3], part) if match else None


def _quoted(text: str, name: str) -> bool:
    return name != "*" and re.search(rf"(?<![\w.-]){re.escape(name)}(?![\w.-])", text) is not None
