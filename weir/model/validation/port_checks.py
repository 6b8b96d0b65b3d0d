"""Rules of ports: each entry once, one at least for HTTP; no probe, match or policy for a port that there is not."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from weir.model.config.base import given
from weir.model.config.matches import Match
from weir.model.config.probes import Probe
from weir.model.config.stack import Service, StackConfig
from weir.model.config.traffic_policy import TrafficPolicy
from weir.model.config.versions import Container
from weir.model.routing.hosts import gateways_of
from weir.model.values.hosts import MESH
from weir.model.values.problems import Path, Problem, shown

_PROBES = {"readiness_probe": "readinessProbe", "liveness_probe": "livenessProbe", "startup_probe": "startupProbe"}


def check_ports(path: Path, service: Service, config: StackConfig) -> Iterator[Problem]:
    """Every problem of the ports of a service, and of what names one."""
    if "ports" in service.model_fields_set:
        yield from _entries(path, service)
    yield from _probes(path, service, service)
    for name, version in service.versions.items():
        yield from _probes((*path, "versions", name), version, service)
    # Of a service with one port, which may have been left out, a warning says as much (port-without-service).
    if service.ports:
        yield from _policy((*path, "trafficPolicy"), service.traffic_policy, service)
        for name, version in service.versions.items():
            yield from _policy((*path, "versions", name, "trafficPolicy"), version.traffic_policy, service)
        for index, route in enumerate(service.routes):
            for number, match in enumerate(route.match):
                yield from _match((*path, "routes", index, "match", number), match, service, config)


def _entries(path: Path, service: Service) -> Iterator[Problem]:
    for key in given(service, "port", "target_port", "protocol"):
        yield Problem((*path, key), "must not stand beside ports; write it as an entry of ports")
    names: dict[str, int] = {}
    numbers: dict[int, str] = {}
    behind: dict[int, tuple[str, str]] = {}
    for index, port in enumerate(service.ports):
        here: Path = (*path, "ports", index)
        if port.name in names:
            yield Problem(
                (*here, "name"), f'the name "{port.name}" is taken by port {names[port.name]}; choose another name'
            )
        if port.port in numbers:
            yield Problem(
                (*here, "port"), f"port {port.port} has an earlier entry, {numbers[port.port]}; merge the two entries"
            )
        other, protocol = behind.setdefault(port.container_port, (port.name, port.protocol))
        if protocol != port.protocol:
            yield Problem(
                (*here, "protocol"),
                f"must be {protocol}, which {other} has: both lead to the pods' port {port.container_port}, where pods "
                f"speak one protocol, was {port.protocol}",
            )
        names.setdefault(port.name, port.port)
        numbers.setdefault(port.port, port.name)
    if not any(port.is_http for port in service.ports):
        yield Problem(
            (*path, "ports"),
            "must have an entry with protocol http, http2, grpc or grpc-web: weir divides requests of HTTP; add it, "
            "such as {name: http, port: 80}",
        )


def _probes(path: Path, part: Container, service: Service) -> Iterator[Problem]:
    for field, key in _PROBES.items():
        probe: Probe | None = getattr(part, field)
        for way, action in (("httpGet", probe.http_get), ("tcpSocket", probe.tcp_socket)) if probe else ():
            names = service.pod_ports.values()
            if action is not None and isinstance(action.port, str) and action.port not in names:
                there = ", ".join(names)
                message = (
                    f"no such port {shown(action.port)} (ports of the pods: {there}); use one of these or a number"
                )
                yield Problem((*path, key, way, "port"), message)


def _policy(path: Path, policy: TrafficPolicy | None, service: Service) -> Iterator[Problem]:
    numbers = [port.port for port in service.all_ports]
    for index, entry in enumerate(policy.port_level_settings if policy else ()):
        if entry.port.number not in numbers:
            message = f"no such port {entry.port.number} (ports: {', '.join(map(str, numbers))}); use one of these"
            yield Problem((*path, "portLevelSettings", index, "port"), message)


def _match(path: Path, match: Match, service: Service, config: StackConfig) -> Iterator[Problem]:
    names = match.gateways or (MESH, *gateways_of(str(path[1]), config))
    if told := unmet_port(match, names, config, service):
        yield Problem((*path, "port"), f"{told}; use one of these")
    if match.asks_who_calls and match.port is None and service.expose and len(service.http_ports) > 1:
        numbers = ", ".join(str(port.port) for port in service.http_ports)
        yield Problem(
            (*path, match.asks_who_calls[0]),
            "needs port beside it, since the service has several ports of HTTP and is exposed at gateways; write a "
            f"match for each port that is meant ({numbers})",
        )


def unmet_port(match: Match, names: Sequence[str], config: StackConfig, service: Service | None = None) -> str:
    """What to say of a match for a port at which no request comes in; empty where one may. `names`: where they come
    in. At a sidecar, that is the Service's port; at a gateway, those of its servers.
    """
    if match.port is None:
        return ""
    there: dict[str, list[int]] = {}
    for name in names:
        gateway = config.gateways.get(name.removeprefix(f"{config.namespace}/"))
        if name == MESH and service and (not service.routing_only or service.model_fields_set & {"port", "ports"}):
            there["the Service"] = [port.port for port in service.http_ports]
        elif gateway is not None:
            there[f"gateway {name}"] = sorted({server.port.number for server in gateway.servers})
        else:
            return ""  # somebody else's, whose ports nobody has said
    if any(match.port in ports for ports in there.values()):
        return ""
    told = ", ".join(f"{what} has {' and '.join(map(str, ports))}" for what, ports in there.items())
    return f"no request comes in at port {match.port}, so that nothing can match: {told}"
