"""The ports of a service. Routes hold for those that speak HTTP; all others pass through."""

from __future__ import annotations

from typing import Literal, get_args

from weir.model.config.base import Part, key, required
from weir.model.values.names import PortName
from weir.model.values.numbers import Port, ServicePort

PORT_NAME = "http"
"""The name of the one port of a service that has no `ports`, and of the pods' port behind it."""

HTTP = ("http", "http2", "grpc", "grpc-web")
"""Protocols for which routes hold (IsHTTP in pkg/config/protocol of Istio's source)."""


class NamedPort(Part):
    """A port of the Service, and the port of the pods behind it."""

    message = "ServicePort"

    name: PortName = required("its name, once in its service", example="http")
    port: ServicePort = required("the port of the Service, once in its service", example=80)
    target_port: Port | None = key("the port the pods listen on; port when left out", example=8080)
    protocol: Literal["http", "http2", "grpc", "grpc-web", "tcp", "tls", "https", "mongo", "mysql", "redis"] = key(
        "what the pods speak on it; routes hold for http, http2, grpc and grpc-web, all others pass through",
        "http",
        example="grpc",
        becomes="ServicePort.appProtocol",
    )

    @property
    def is_http(self) -> bool:
        """Whether routes hold for it."""
        return self.protocol in HTTP

    @property
    def container_port(self) -> int:
        """The port the pods listen on."""
        return self.port if self.target_port is None else self.target_port


PASSED_THROUGH = tuple(each for each in get_args(NamedPort.model_fields["protocol"].annotation) if each not in HTTP)
"""Protocols of connections that pass through, without a route."""


class Ports(Part):
    """The ports of a service: one, or several by name."""

    port: ServicePort = key("the port of the Service", 80, example=80, becomes="Service.spec.ports.port")
    target_port: Port | None = key(
        "the port the pods listen on; port when left out", example=5678, becomes="Service.spec.ports.targetPort"
    )
    protocol: Literal["http", "http2", "grpc"] = key(
        "what the pods speak on the port", "http", example="grpc", becomes="Service.spec.ports.name"
    )
    ports: tuple[NamedPort, ...] = key(
        "its ports in place of port, targetPort and protocol, where it has several; one of them must speak HTTP",
        (),
        example=[{"name": "http", "port": 80}, {"name": "metrics", "port": 9090, "protocol": "tcp"}],
        becomes="Service.spec.ports",
    )

    @property
    def all_ports(self) -> tuple[NamedPort, ...]:
        """Its ports: the entries of ports, or the one that port, targetPort and protocol say."""
        one = {"name": PORT_NAME, "port": self.port, "targetPort": self.target_port, "protocol": self.protocol}
        return self.ports or (NamedPort.model_validate(one),)

    @property
    def http_ports(self) -> tuple[NamedPort, ...]:
        """Those for which routes hold, in their order."""
        return tuple(port for port in self.all_ports if port.is_http)

    @property
    def main_port(self) -> NamedPort:
        """The first one that speaks HTTP: what gateways send requests to, and `weir verify` too."""
        return next(iter(self.http_ports), self.all_ports[0])

    @property
    def pod_ports(self) -> dict[int, str]:
        """The ports the pods listen on, each with its name: that of the first port of the Service that leads to it.

        Kubernetes merges the ports of a container by their number, so that each has one name.
        """
        names: dict[int, str] = {}
        for port in self.all_ports:
            names.setdefault(port.container_port, port.name)
        return names

    @property
    def speaks_grpc(self) -> bool:
        """Whether one of them is for gRPC."""
        return any(port.protocol in ("grpc", "grpc-web") for port in self.http_ports)
