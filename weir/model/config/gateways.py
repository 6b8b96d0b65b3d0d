"""Gateways that a stack creates: Istio's Gateway, for HTTP."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, ClassVar, Literal

from pydantic import PlainValidator, model_validator

from weir.model.config.base import Part, given, key, required
from weir.model.values.hosts import Domain, GatewayReference, LabelKey, LabelValue, ServerHost, covers
from weir.model.values.names import Label, label
from weir.model.values.numbers import GatewayPort
from weir.model.values.schema import described
from weir.model.values.text import Flag, SomeText


class ServerPort(Part):
    """Where a gateway listens."""

    message = "Port"

    number: GatewayPort = required("the port", example=80)
    name: Label = required("a name for it, once in a gateway", example="http")
    protocol: Literal["HTTP", "HTTPS", "HTTP2", "GRPC", "GRPC-WEB"] = required(
        "HTTP, HTTPS, HTTP2, GRPC or GRPC-WEB; weir steers HTTP", example="HTTP"
    )


class ServerTls(Part):
    """TLS towards the callers of a gateway."""

    message = "ServerTLSSettings"

    mode: Literal["SIMPLE", "MUTUAL", "OPTIONAL_MUTUAL", "ISTIO_MUTUAL"] | None = key(
        "how callers prove themselves", example="SIMPLE"
    )
    https_redirect: Flag | None = key("whether HTTP is answered with a redirect to HTTPS", example=True)
    credential_name: Annotated[str, PlainValidator(label), described("name of a Secret")] | None = key(
        "Secret with certificate and key, in the gateway's namespace", example="shop-cert"
    )
    server_certificate: SomeText | None = key("file of the certificate, in the proxy", example="/etc/certs/tls.crt")
    private_key: SomeText | None = key("file of its private key, in the proxy", example="/etc/certs/tls.key")
    ca_certificates: SomeText | None = key(
        "file of the authorities that sign callers' certificates", example="/etc/certs/ca.pem"
    )
    subject_alt_names: tuple[SomeText, ...] = key(
        "names callers' certificates may have", (), example=["partner.example.com"]
    )
    min_protocol_version: Literal["TLSV1_2", "TLSV1_3"] | None = key(
        "the oldest TLS allowed; TLSV1_2 in Istio", example="TLSV1_3"
    )
    max_protocol_version: Literal["TLSV1_2", "TLSV1_3"] | None = key("the newest TLS allowed", example="TLSV1_3")

    @property
    def certificates(self) -> list[str]:
        """The keys that name certificates."""
        return given(self, "credential_name", "server_certificate", "private_key", "ca_certificates")


class Server(Part):
    """A port of a gateway and the hosts it serves there."""

    message = "Server"

    port: ServerPort = required("the port", example={"number": 80, "name": "http", "protocol": "HTTP"})
    hosts: tuple[ServerHost, ...] = required(
        "the hosts: names, *.example.com, or *, perhaps behind a namespace", example=["shop.example.com"]
    )
    tls: ServerTls | None = key("TLS, for HTTPS", example={"mode": "SIMPLE", "credentialName": "shop-cert"})
    name: SomeText | None = key("a name for the server", example="public")

    @model_validator(mode="after")
    def _has_the_tls_of_its_protocol(self) -> Server:
        if not self.hosts:
            raise ValueError("must have at least one host")
        if "*/*" in self.hosts and len(self.hosts) > 1:
            # istiod 1.31 ends with a panic (sanitizeServerHostNamespace) on */* before another host with a namespace.
            raise ValueError("hosts has */*, which is every host; remove the others")
        if self.port.protocol != "HTTPS":
            if self.tls is not None and (self.tls.mode is not None or self.tls.certificates):
                raise ValueError(
                    f"protocol {self.port.protocol} has no certificates; keep httpsRedirect alone in tls, or use HTTPS"
                )
            return self
        tls = self.tls
        if tls is None or tls.mode is None:
            raise ValueError("protocol HTTPS needs tls with a mode, such as {mode: SIMPLE, credentialName: shop-cert}")
        if tls.https_redirect:
            raise ValueError("httpsRedirect belongs to a server of HTTP")
        if tls.mode == "ISTIO_MUTUAL":
            if tls.certificates:
                raise ValueError(f"mode ISTIO_MUTUAL has Istio's certificates; remove {' and '.join(tls.certificates)}")
        elif tls.credential_name is not None:
            if len(tls.certificates) > 1:
                raise ValueError(f"credentialName brings certificates; remove {' and '.join(tls.certificates[1:])}")
        else:
            needed = {"serverCertificate", "privateKey", *(() if tls.mode == "SIMPLE" else ("caCertificates",))}
            missing = sorted(needed - set(tls.certificates))
            if missing:
                raise ValueError(f"mode {tls.mode} needs {' and '.join(missing)}, or credentialName")
        if tls.mode == "SIMPLE" and tls.subject_alt_names:
            # Envoy rejects the listener: it would compare names that nobody vouches for.
            raise ValueError("mode SIMPLE asks callers for no certificate; remove subjectAltNames, or use mode MUTUAL")
        return self


class Gateway(Part):
    """A Gateway: ports and hosts of a proxy at the edge of the mesh. The proxy itself is a workload that somebody
    runs.
    """

    message = "Gateway"
    hints: ClassVar[Mapping[str, str]] = {"spec": "write selector and servers here, without spec"}

    selector: Mapping[LabelKey, LabelValue] = required(
        "labels of the gateway's pods, such as {istio: ingress}", example={"istio": "ingress"}
    )
    servers: tuple[Server, ...] = required(
        "ports and hosts",
        example=[{"port": {"number": 80, "name": "http", "protocol": "HTTP"}, "hosts": ["shop.example.com"]}],
    )

    @model_validator(mode="after")
    def _serves(self) -> Gateway:
        if not self.servers:
            raise ValueError("servers is empty; name at least one")
        names = [server.port.name for server in self.servers]
        if len(set(names)) < len(names):
            raise ValueError(f"must give each port a name of its own, was {', '.join(names)}")
        for number in {server.port.number for server in self.servers}:
            _told_apart(number, [server for server in self.servers if server.port.number == number])
        return self


class Expose(Part):
    """Gateways at which a service is reached as well, under further hosts."""

    gateways: tuple[GatewayReference, ...] = required(
        "gateways: namespace/name, or the name of one of weir:gateways",
        example=["istio-ingress/public"],
        becomes="VirtualService.gateways",
    )
    hosts: tuple[Domain, ...] = required(
        'hosts it is reached as there; "*" for every host, at the gateways alone',
        example=["shop.example.com"],
        becomes="VirtualService.hosts",
    )
    routes: tuple[Label, ...] = key(
        "the routes it has there, by name, and default; all when left out",
        (),
        example=["api", "default"],
        becomes="HTTPMatchRequest.gateways",
    )

    @model_validator(mode="after")
    def _says_both(self) -> Expose:
        if "routes" in self.model_fields_set and not self.routes:
            raise ValueError("routes is empty; name at least one, or remove it: all are bound then")
        for name, entries in (("gateways", self.gateways), ("hosts", self.hosts), ("routes", self.routes)):
            if not entries and name != "routes":
                raise ValueError(f"{name} is empty; name at least one, or remove expose")
            if len(set(entries)) < len(entries):
                raise ValueError(f"must name each of {name} once, was {', '.join(entries)}")
        for host in self.hosts:
            inside = next((other for other in self.hosts if other != host and covers(host, other)), None)
            if inside:
                raise ValueError(f"hosts must not have {inside} beside {host}, which covers it; remove it")
        return self


def _told_apart(number: int, servers: Sequence[Server]) -> None:
    """ValueError for a host that HTTPS servers of one port have twice, whatever namespace or case it is written with.

    By its name alone Envoy knows whose certificate to show. Istio leaves out what is written alike; for the rest Envoy
    rejects the listener.
    """
    seen: set[str] = set()
    for server in servers:
        for host in server.hosts if server.port.protocol == "HTTPS" else ():
            name = host.rpartition("/")[2].lower()
            if name in seen:
                raise ValueError(
                    f"servers of HTTPS at port {number} must have each host once, whatever its namespace and case, "
                    f"was {name} twice"
                )
            seen.add(name)
