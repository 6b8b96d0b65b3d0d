"""The ports of a Service that somebody else has made, as keys of the config; and what its routes say of ports."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, get_args

from weir.model.adopted_routes import Keys, destinations
from weir.model.adopted_versions import port_numbers
from weir.model.config.ports import HTTP, PASSED_THROUGH, Ports
from weir.model.manifests.kubernetes import Manifest
from weir.model.manifests.subsets import routes
from weir.model.values.hosts import MESH
from weir.model.values.names import port_name

_ONE = get_args(Ports.model_fields["protocol"].annotation)
"""What a service with one port may speak."""


def adopted_ports(service: Manifest, workloads: Sequence[Manifest]) -> Keys:
    """The keys of its ports. What Istio knows nothing of, it takes for HTTP where it is."""
    ports = [each for each in service["spec"].get("ports", []) if each.get("protocol", "TCP") == "TCP"]
    entries = [_entry(each, workloads) for each in ports] or [{"port": 80}]
    if len(entries) > 1 and any(map(_is_http, entries)):
        return {"ports": entries}
    [one, *_] = entries
    protocol = one.get("protocol", "http")
    return {
        **{key: one[key] for key in ("port", "targetPort") if key in one},
        **({"protocol": protocol} if protocol in _ONE and protocol != "http" else {}),
    }


def _is_http(entry: Keys) -> bool:
    return entry.get("protocol", "http") in HTTP


def _entry(port: Mapping[str, Any], workloads: Sequence[Manifest]) -> Keys:
    number, target, protocol = port["port"], port.get("targetPort", port["port"]), _protocol(port)
    if isinstance(target, str):
        target = next((found for each in workloads for found in port_numbers(each, target)), number)
    return {
        "name": _name(port),
        "port": number,
        **({"targetPort": target} if target != number else {}),
        **({"protocol": protocol} if protocol in (*HTTP, *PASSED_THROUGH) and protocol != "http" else {}),
    }


def _name(port: Mapping[str, Any]) -> str:
    """Its name, where a container's port may have it, too."""
    try:
        return port_name(port.get("name"))
    except ValueError:
        return f"port-{port['port']}"


def _protocol(port: Mapping[str, Any]) -> str:
    """As Istio reads it: the protocol of the application, else what stands before the first hyphen of the name
    (ConvertProtocol in pkg/config/kube).
    """
    name = str(port.get("name", "http")).lower()
    return str(
        port.get("appProtocol") or ("grpc-web" if name.startswith("grpc-web") else name.partition("-")[0])
    ).lower()


def without_copies(http: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """The routes, but for copies for gateways that differ from the route behind them in the port alone."""
    found: list[Mapping[str, Any]] = []
    for route, copy in routes(http):
        if copy is not None and (_but_for_ports(copy) != _but_for_ports(route) or _from_mesh(copy)):
            found.append(copy)
        found.append(route)
    return found


def http_numbers(keys: Keys) -> list[int]:
    """The numbers of its ports for which routes hold."""
    return [each["port"] for each in keys.get("ports", [keys]) if _is_http(each)]


def odd_ports(
    http: Sequence[Mapping[str, Any]], keys: Keys, is_own: Callable[[Mapping[str, Any]], bool]
) -> Iterator[str]:
    """What the routes, without copies, say of ports that the config cannot say. `is_own`: whether a destination is the
    service.
    """
    numbers = http_numbers(keys)
    for index, route in enumerate(http):
        for each in filter(is_own, destinations([route])):
            port = each.get("port", {}).get("number")
            if port is not None and (port != numbers[0] or (len(numbers) > 1 and _from_mesh(route))):
                yield f"port {port}, to which {route.get('name') or f'route-{index + 1}'} sends requests"


def _from_mesh(route: Mapping[str, Any]) -> bool:
    """Whether it takes requests of sidecars."""
    entered = [match.get("gateways") or [MESH] for match in route.get("match") or [{}]]
    return any(MESH in each for each in entered)


def _but_for_ports(route: Mapping[str, Any]) -> Any:
    def stripped(value: Any) -> Any:
        if isinstance(value, Mapping):
            return {key: stripped(inner) for key, inner in value.items() if key != "port"}
        return [stripped(each) for each in value] if isinstance(value, list) else value

    return {key: stripped(value) for key, value in route.items() if key != "match"}
