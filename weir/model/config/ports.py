"""The ports of a service, of which weir steers those that speak HTTP."""

from __future__ import annotations

from typing import Literal

from weir.model.config.base import Part, key, required
from weir.model.values.names import PortName
from weir.model.values.numbers import Port, ServicePort

PORT_NAME = "http"
"""The name of the one port of a service that has no `ports`, and of the pods' port behind it."""

_HTTP = ("http", "http2", "grpc", "grpc-web")


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
        return self.protocol in _HTTP

    @property
    def container_port(self) -> int:
        """The port the pods listen on."""
        return self.port if self.target_port is None else self.target_port
