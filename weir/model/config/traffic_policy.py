"""How callers treat the pods they chose: connection pools, outlier detection, TLS; Istio's TrafficPolicy at host,
version and port level.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, ClassVar, Literal

from pydantic import PlainValidator, model_validator

from weir.model.config.base import Part, given, key, required
from weir.model.config.load_balancer import LoadBalancer
from weir.model.values.durations import Length, LengthOrZero
from weir.model.values.names import label
from weir.model.values.numbers import Count, ErrorCode, Percent, Port, Unsigned, WholePercent
from weir.model.values.schema import described
from weir.model.values.text import Flag, SomeText, bounded_text

MAX_SERVER_NAME_BYTES = 255
"""Envoy's bound (`UpstreamTlsContext.sni`)."""

ServerName = Annotated[str, bounded_text(MAX_SERVER_NAME_BYTES), described("name of a server")]


class TcpKeepalive(Part):
    """Keep-alive probes of TCP."""

    message = "ConnectionPoolSettings.TCPSettings.TcpKeepalive"

    probes: Unsigned | None = key(
        "probes without an answer before the connection is dead; the system's when left out", example=3
    )
    time: Length | None = key("idle time before the first probe", example="2h", unit="duration")
    interval: Length | None = key("time between probes", example="75s", unit="duration")


class TcpSettings(Part):
    """Limits for connections, of HTTP as well."""

    message = "ConnectionPoolSettings.TCPSettings"

    max_connections: Count | None = key("connections to a version at most, from one caller's proxy", example=100)
    connect_timeout: Length | None = key("how long connecting may take; 10s in Istio", example="500ms", unit="duration")
    max_connection_duration: Length | None = key("how long a connection may live", example="1h", unit="duration")
    idle_timeout: LengthOrZero | None = key(
        "idle time after which a connection of TCP is closed", example="1h", unit="duration"
    )
    tcp_keepalive: TcpKeepalive | None = key("keep-alive probes", example={"time": "2h", "interval": "75s"})


class Http2KeepAlive(Part):
    """Pings of HTTP/2."""

    message = "ConnectionPoolSettings.HTTPSettings.ConnectionKeepalive"

    interval: Length = required("time between pings", example="30s", unit="duration")
    timeout: Length = required("how long an answer may take", example="5s", unit="duration")


class HttpSettings(Part):
    """Limits for requests. What goes over them is answered 503 with the flag UO."""

    message = "ConnectionPoolSettings.HTTPSettings"

    http1_max_pending_requests: Count | None = key("requests that wait for a connection at most", example=100)
    http2_max_requests: Count | None = key("requests under way at most", example=1000)
    max_requests_per_connection: Count | None = key(
        "requests after which a connection is closed; 0 for no limit", example=10
    )
    max_retries: Count | None = key("retries under way at most", example=3)
    idle_timeout: Length | None = key(
        "idle time after which a connection is closed; 1h in Envoy", example="30s", unit="duration"
    )
    h2_upgrade_policy: Literal["DEFAULT", "DO_NOT_UPGRADE", "UPGRADE"] | None = key(
        "whether HTTP/1.1 becomes HTTP/2", example="UPGRADE"
    )
    use_client_protocol: Flag | None = key("whether the caller's protocol is kept", example=True)
    max_concurrent_streams: Count | None = key("streams on one HTTP/2 connection at most", example=100)
    http2_keep_alive: Http2KeepAlive | None = key("pings of HTTP/2", example={"interval": "30s", "timeout": "5s"})

    @model_validator(mode="after")
    def _one_protocol(self) -> HttpSettings:
        if self.h2_upgrade_policy == "UPGRADE" and self.use_client_protocol:
            raise ValueError("must not have useClientProtocol together with h2UpgradePolicy: UPGRADE")
        return self


class ConnectionPool(Part):
    """Limits that keep one caller from drowning a version."""

    message = "ConnectionPoolSettings"

    tcp: TcpSettings | None = key("limits for connections", example={"maxConnections": 100})
    http: HttpSettings | None = key("limits for requests", example={"http1MaxPendingRequests": 100})

    @model_validator(mode="after")
    def _has_one(self) -> ConnectionPool:
        if self.tcp is None and self.http is None:
            raise ValueError("must have tcp or http")
        return self


class OutlierDetection(Part):
    """When a pod is left out for a while because it fails."""

    message = "OutlierDetection"
    hints: ClassVar[Mapping[str, str]] = {
        "consecutiveErrors": "deprecated by Istio; use consecutiveGatewayErrors or consecutive5xxErrors"
    }

    consecutive_5xx_errors: Unsigned | None = key(
        "5xx answers in a row; 5 in Istio, 0 for never", example=5, alias="consecutive5xxErrors"
    )
    consecutive_gateway_errors: Unsigned | None = key("502, 503 or 504 in a row; 0 for never", example=5)
    split_external_local_origin_errors: Flag | None = key("whether failures of the network count apart", example=True)
    consecutive_local_origin_failures: Unsigned | None = key(
        "failures of the network in a row, counted apart", example=5
    )
    interval: Length | None = key("time between looks; 10s in Istio", example="5s", unit="duration")
    base_ejection_time: Length | None = key(
        "how long a pod is left out, times how often it was; 30s in Istio", example="30s", unit="duration"
    )
    max_ejection_percent: WholePercent | None = key("pods left out at most; 10 in Istio", example=50, unit="percent")
    min_health_percent: WholePercent | None = key(
        "below this share of healthy pods nothing is left out; 0 in Istio", example=50, unit="percent"
    )
    outlier_detection_http_error_codes: tuple[ErrorCode, ...] = key(
        "statuses that count as errors beside 5xx", (), example=[429]
    )

    @model_validator(mode="after")
    def _counts_what_it_splits(self) -> OutlierDetection:
        if self.consecutive_local_origin_failures and not self.split_external_local_origin_errors:
            raise ValueError(
                "consecutiveLocalOriginFailures counts only with splitExternalLocalOriginErrors: true; add it"
            )
        return self


class ClientTls(Part):
    """TLS towards the pods. In the mesh Istio does it by itself; this is for pods that bring their own."""

    message = "ClientTLSSettings"

    mode: Literal["DISABLE", "SIMPLE", "MUTUAL", "ISTIO_MUTUAL"] = required(
        "the mode: DISABLE, SIMPLE, MUTUAL or ISTIO_MUTUAL", example="ISTIO_MUTUAL"
    )
    client_certificate: SomeText | None = key(
        "file of the client's certificate, in the proxy", example="/etc/certs/client.pem"
    )
    private_key: SomeText | None = key("file of its private key, in the proxy", example="/etc/certs/key.pem")
    ca_certificates: SomeText | None = key(
        "file of the authorities to trust, in the proxy", example="/etc/certs/ca.pem"
    )
    ca_crl: SomeText | None = key("file of revoked certificates, in the proxy", example="/etc/certs/crl.pem")
    credential_name: Annotated[str, PlainValidator(label), described("name of a Secret")] | None = key(
        "Secret with certificate and key", example="client-cert"
    )
    subject_alt_names: tuple[SomeText, ...] = key(
        "names the server's certificate may have", (), example=["backend.example.com"]
    )
    sni: ServerName | None = key("the name to ask for", example="backend.example.com")
    insecure_skip_verify: Flag | None = key("whether the server's certificate is believed unseen", example=False)

    @model_validator(mode="after")
    def _has_what_its_mode_needs(self) -> ClientTls:
        files = given(self, "client_certificate", "private_key", "ca_certificates", "ca_crl")
        verified = given(
            self, "ca_certificates", "subject_alt_names", *(["credential_name"] if self.mode == "SIMPLE" else [])
        )
        if self.mode in ("SIMPLE", "MUTUAL"):
            if self.insecure_skip_verify and verified:
                raise ValueError(
                    f"insecureSkipVerify believes every certificate; remove {' and '.join(verified)}, or set it to "
                    "false"
                )
            if self.credential_name is not None and files:
                raise ValueError(f"credentialName brings certificates; remove {' and '.join(files)}")
        if self.mode == "MUTUAL" and self.credential_name is None:
            missing = [
                name
                for name, value in (("clientCertificate", self.client_certificate), ("privateKey", self.private_key))
                if not value
            ]
            if missing:
                raise ValueError(f"mode MUTUAL needs {' and '.join(missing)}, or credentialName")
        return self


class RetryBudget(Part):
    """How many retries may be under way, as a share of all requests."""

    message = "TrafficPolicy.RetryBudget"

    percent: Percent | None = key("retries at most, of the requests under way; 20 in Envoy", example=20, unit="percent")
    min_retry_concurrency: Unsigned | None = key("retries that are always allowed; 3 in Envoy", example=3)
    budget_interval: Length | None = key("the time over which requests are counted", example="10s", unit="duration")


class ProxyProtocol(Part):
    """The PROXY protocol towards the pods."""

    message = "TrafficPolicy.ProxyProtocol"

    version: Literal["V1", "V2"] | None = key("its version; V1 when left out", example="V2")


class _Policy(Part):
    load_balancer: LoadBalancer | None = key("how a pod is chosen", example={"simple": "ROUND_ROBIN"})
    connection_pool: ConnectionPool | None = key(
        "limits for connections and requests", example={"tcp": {"maxConnections": 100}}
    )
    outlier_detection: OutlierDetection | None = key(
        "when a failing pod is left out", example={"consecutive5xxErrors": 5}
    )
    tls: ClientTls | None = key("TLS towards the pods", example={"mode": "ISTIO_MUTUAL"})

    @model_validator(mode="after")
    def _says_something(self) -> _Policy:
        said = self.model_fields_set - {"port"}
        if not said or (said == {"port_level_settings"} and not getattr(self, "port_level_settings", ())):
            raise ValueError("must have at least one of loadBalancer, connectionPool, outlierDetection and tls")
        return self


class PortNumber(Part):
    """A port of the Service."""

    message = "PortSelector"

    number: Port = required("the port of the Service", example=80)


class PortPolicy(_Policy):
    """Settings for one port; they replace those of the policy around them."""

    message = "TrafficPolicy.PortTrafficPolicy"

    port: PortNumber = required("the port, as {number: 80}", example={"number": 80})


class TrafficPolicy(_Policy):
    """Settings for all pods of a service, or of one version."""

    message = "TrafficPolicy"
    hints: ClassVar[Mapping[str, str]] = {
        "tunnel": "tunnels are for TCP and TLS routes, and weir steers HTTP; keep it in a DestinationRule of its own"
    }

    port_level_settings: tuple[PortPolicy, ...] = key(
        "settings by port", (), example=[{"port": {"number": 80}, "loadBalancer": {"simple": "RANDOM"}}]
    )
    retry_budget: RetryBudget | None = key("retries as a share of requests", example={"percent": 20})
    proxy_protocol: ProxyProtocol | None = key("the PROXY protocol towards the pods", example={"version": "V2"})

    def at_port(self, port: int) -> _Policy:
        """The settings that hold for a port: those named for it, else these."""
        return next((own for own in self.port_level_settings if own.port.number == port), self)
