"""Warnings of traffic policies: load balancing, failover and TLS that do not do what is meant."""

from __future__ import annotations

from collections.abc import Iterator

from weir.model.config.load_balancer import LoadBalancer
from weir.model.config.stack import Service
from weir.model.config.traffic_policy import ClientTls
from weir.model.values.problems import Path


def policy_warnings(path: Path, service: Service) -> Iterator[tuple[Path, str, str]]:
    """Where, what, and the name of each warning."""
    policies = [((*path, "trafficPolicy"), service.traffic_policy)]
    policies += [
        ((*path, "versions", name, "trafficPolicy"), version.traffic_policy)
        for name, version in service.versions.items()
    ]
    # Those that everybody trusts are right for a host that everybody may ask.
    outside = [
        (*path, "versions", name, "trafficPolicy") for name, version in service.versions.items() if version.external
    ]
    for where, policy in policies:
        if policy is None:
            continue
        here: list[tuple[Path, LoadBalancer | None, bool, ClientTls | None]] = [
            (where, policy.load_balancer, policy.outlier_detection is None, policy.tls)
        ]
        for index, entry in enumerate(policy.port_level_settings):
            at: Path = (*where, "portLevelSettings", index)
            here.append((at, entry.load_balancer, entry.outlier_detection is None, entry.tls))
            if entry.port.number != service.port and not service.ports and not service.routing_only:
                yield ((*at, "port"), f"the Service has port {service.port} alone; use that", "port-without-service")
        for at, balancer, blind, tls in here:
            if balancer is not None and balancer.simple == "PASSTHROUGH":
                yield (
                    (*at, "loadBalancer", "simple"),
                    "sends requests to the address that the caller chose, past every version; choose another algorithm",
                    "passthrough-past-versions",
                )
            if balancer is not None and balancer.fails_over and blind:
                yield (
                    (*at, "loadBalancer"),
                    "fails over only with outlierDetection beside it; add it",
                    "failover-without-outliers",
                )
            if tls is not None and tls.mode in ("SIMPLE", "MUTUAL"):
                yield from _tls((*at, "tls"), tls, external=where in outside)


def _tls(at: Path, tls: ClientTls, *, external: bool) -> Iterator[tuple[Path, str, str]]:
    if tls.credential_name is not None:
        message = "leaves TLS off in sidecars, which send plain text; name files of the proxy instead"
        yield ((*at, "credentialName"), message, "tls-without-sidecar")
    elif tls.insecure_skip_verify:
        yield (
            (*at, "insecureSkipVerify"),
            "accepts the certificate of any server; name the trusted CAs in caCertificates",
            "unverified-server",
        )
    elif tls.ca_certificates is None and not external:
        message = (
            f"mode {tls.mode} without caCertificates trusts only the CAs in the proxy's image; name the server's CA in "
            "caCertificates"
        )
        yield (at, message, "unverified-server")
