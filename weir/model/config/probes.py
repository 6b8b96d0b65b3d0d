"""Probes: when a pod gets requests, and when its container is started anew."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from pydantic import PlainValidator, model_validator

from weir.model.config.base import Part, exactly_one, key, required
from weir.model.values.numbers import Count, FromOne, whole
from weir.model.values.problems import shown
from weir.model.values.schema import described
from weir.model.values.text import SomeText, Text


def probe_port(value: Any) -> int | str:
    """A port of the container: its number, or its name, which is one of those that its service gives
    (`weir.model.validation.port_checks`).
    """
    if isinstance(value, str) and any(map(str.isalpha, value)):
        return value
    try:
        return whole(value, 1, 65535)
    except ValueError:
        raise ValueError(f"must be a port from 1 to 65535, or the name of one, was {shown(value)}") from None


def _probe_header(value: Any) -> str:
    if not isinstance(value, str) or not re.fullmatch(r"[-A-Za-z0-9]+", value):
        raise ValueError(f"must be the name of a header (letters, digits and '-'), was {shown(value)}")
    return value


ProbePort = Annotated[
    int | str,
    PlainValidator(probe_port),
    described("port, or its name", anyOf=[{"type": "integer"}, {"type": "string", "minLength": 1}]),
]


class HttpHeader(Part):
    """A header of the probe's request."""

    message = "HTTPHeader"

    name: Annotated[str, PlainValidator(_probe_header), described("name of a header")] = required(
        "its name", example="x-probe"
    )
    value: Text = required("its value", example="1")


class HttpGet(Part):
    """Succeeds when GET returns a status from 200 to 399."""

    message = "HTTPGetAction"

    path: SomeText | None = key("the path; / when left out", example="/healthz")
    port: ProbePort = required("the port: its number, or its name; http where the service has no ports", example="http")
    scheme: Literal["HTTP", "HTTPS"] | None = key("the scheme; HTTP when left out", example="HTTPS")
    host: SomeText | None = key("the host; the pod's address when left out", example="localhost")
    http_headers: tuple[HttpHeader, ...] = key("headers to send", (), example=[{"name": "x-probe", "value": "1"}])


class TcpSocket(Part):
    """Succeeds when the port accepts connections."""

    message = "TCPSocketAction"

    port: ProbePort = required("the port: its number, or its name; http where the service has no ports", example="http")


class Grpc(Part):
    """Succeeds when gRPC's health service reports SERVING."""

    message = "GRPCAction"

    port: Annotated[int, PlainValidator(lambda value: whole(value, 1, 65535)), described("port", type="integer")] = (
        required("the port", example=9000)
    )
    service: Text | None = key("the service to ask about", example="shop.Cart")


class Exec(Part):
    """Succeeds when a command in the container exits with 0."""

    message = "ExecAction"

    command: tuple[Text, ...] = required("the command and its arguments", example=["/bin/healthy"])

    @model_validator(mode="after")
    def _has_a_command(self) -> Exec:
        if not self.command:
            raise ValueError("must have a command")
        return self


class Probe(Part):
    """How Kubernetes looks whether a pod is well: exactly one of httpGet, tcpSocket, grpc and exec."""

    message = "Probe"

    http_get: HttpGet | None = key("by a request", example={"path": "/healthz", "port": "http"})
    tcp_socket: TcpSocket | None = key("by a connection", example={"port": "http"})
    grpc: Grpc | None = key("by gRPC's health service", example={"port": 9000})
    exec: Exec | None = key("by a command", example={"command": ["/bin/healthy"]})
    initial_delay_seconds: Count | None = key("wait before the first look", example=1, unit="seconds")
    period_seconds: FromOne | None = key("time between looks; 10 in Kubernetes", example=2, unit="seconds")
    timeout_seconds: FromOne | None = key("how long an answer may take; 1 in Kubernetes", example=1, unit="seconds")
    success_threshold: FromOne | None = key("good looks in a row until it is well; 1 in Kubernetes", example=1)
    failure_threshold: FromOne | None = key("bad looks in a row until it is not; 3 in Kubernetes", example=3)

    @model_validator(mode="after")
    def _one_way(self) -> Probe:
        exactly_one(self, "http_get", "tcp_socket", "grpc", "exec")
        return self


class OnceProbe(Probe):
    """A probe whose first success is enough, which is all Kubernetes takes for life and start."""

    @model_validator(mode="after")
    def _once(self) -> OnceProbe:
        if self.success_threshold not in (None, 1):
            raise ValueError(f"successThreshold must be 1 here, as Kubernetes demands, was {self.success_threshold}")
        return self
