"""Strategies for several ports of a service, and what else of it names one."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from tests.unit.model.strategies_values import free_ports, ports

_port_names = st.lists(
    st.sampled_from(["http", "grpc", "web", "0a", "a-b-c", "x" * 15, "tcp-1"]), min_size=1, max_size=3, unique=True
)
_http = st.sampled_from(["http", "http2", "grpc", "grpc-web"])
_protocols = _http | st.sampled_from(["tcp", "tls", "https", "mongo", "mysql", "redis"])


def _several_ports(draw: st.DrawFn) -> list[dict[str, Any]]:
    """Ports that are each another's, and lead to the same port of the pods only with one protocol."""
    names = draw(_port_names)
    numbers = draw(st.lists(free_ports, min_size=len(names), max_size=len(names), unique_by=int))
    entries: list[dict[str, Any]] = []
    behind: dict[int, str] = {}
    for name, number in zip(names, numbers, strict=True):
        entry: dict[str, Any] = {"name": name, "port": number}
        if draw(st.booleans()):
            entry["targetPort"] = draw(st.sampled_from([8080, *numbers]) | ports)
        # The first one speaks HTTP, which at least one must.
        protocol = draw(_protocols if entries else _http)
        protocol = behind.setdefault(int(entry.get("targetPort", number)), protocol)
        entries.append(entry | ({} if protocol == "http" and draw(st.booleans()) else {"protocol": protocol}))
    return draw(st.permutations(entries))


def with_several_ports(draw: st.DrawFn, written: dict[str, Any]) -> dict[str, Any]:
    """The service with several ports in place of one, which all that names a port is one of."""
    entries = _several_ports(draw)
    http = [each["port"] for each in entries if each.get("protocol", "http") in ("http", "http2", "grpc", "grpc-web")]
    behind: dict[int, str] = {}
    for each in entries:
        behind.setdefault(int(each.get("targetPort", each["port"])), each["name"])
    written = {key: value for key, value in written.items() if key not in ("port", "targetPort", "protocol")}
    for part in (written, *(version for version in written["versions"].values() if version)):
        for probe in (part.get(f"{kind}Probe", {}) for kind in ("readiness", "liveness", "startup")):
            for way in ("httpGet", "tcpSocket"):
                if probe.get(way, {}).get("port") == "http":
                    probe[way] = {**probe[way], "port": draw(st.sampled_from(sorted(behind.values())))}
        policy = part.get("trafficPolicy", {})
        if policy.get("portLevelSettings"):
            settings = [
                {**entry, "port": {"number": each["port"]}}
                for entry, each in zip(policy["portLevelSettings"], entries, strict=False)
            ]
            part["trafficPolicy"] = {**policy, "portLevelSettings": settings}
    for route in written.get("routes", ()):
        for match in route.get("match", ()):
            asks = match.get("sourceLabels") or match.get("sourceNamespace")
            if "port" in match or asks:
                match.pop("gateways", None)
                match["port"] = draw(st.sampled_from(http))
    return {**written, "ports": entries}
