"""Strategies for the edge of the mesh: Gateways, and the hosts that services are exposed under."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from tests.unit.model.strategies_values import (
    domains,
    flags,
    free_ports,
    keyed,
    label_keys,
    label_values,
    labels,
    mapping,
    server_hosts,
    several,
    some_text,
)

_protocol_versions = st.sampled_from(["TLSV1_2", "TLSV1_3"])
_versions = {"minProtocolVersion": _protocol_versions, "maxProtocolVersion": _protocol_versions}
# Names of callers' certificates: Envoy has them only where callers need one.
_handshake = {**_versions, "subjectAltNames": several(some_text)}
_no_redirect = {"httpsRedirect": st.sampled_from([False, "false"])}
_files = {"serverCertificate": some_text, "privateKey": some_text}
_secret = {"credentialName": st.just("cert") | labels}
_mutual = {"mode": st.sampled_from(["MUTUAL", "OPTIONAL_MUTUAL"])}
_tls = st.one_of(
    mapping({"mode": st.just("SIMPLE"), **_secret}, {**_versions, **_no_redirect}),
    mapping({**_mutual, **_secret}, {**_handshake, **_no_redirect}),
    mapping({"mode": st.just("SIMPLE"), **_files}, {**_versions, **_no_redirect, "caCertificates": some_text}),
    mapping({**_mutual, **_files, "caCertificates": some_text}, {**_handshake, **_no_redirect}),
    mapping({"mode": st.just("ISTIO_MUTUAL")}, {**_handshake, **_no_redirect}),
)
_plain_tls = mapping({}, {**_handshake, "httpsRedirect": flags})
_server = {
    "hosts": several(st.sampled_from(["*", "*.example.com"]) | server_hosts, 1).map(
        lambda hosts: ["*/*"] if "*/*" in hosts else hosts
    )
}
_name = {"name": some_text}


def _ports(*protocols: str) -> st.SearchStrategy[dict[str, object]]:
    number = st.just(443 if protocols == ("HTTPS",) else 80) | free_ports
    return mapping({"number": number, "name": labels, "protocol": st.sampled_from(protocols)})


_servers = mapping(
    {"port": _ports("HTTP", "HTTP2", "GRPC", "GRPC-WEB"), **_server}, {**_name, "tls": _plain_tls}
) | mapping({"port": _ports("HTTPS"), **_server, "tls": _tls}, _name)


def _apart(servers: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """No two servers of HTTPS at one port, and none of them with a host twice: by a host's name Envoy tells them
    apart.
    """
    ports = [int(server["port"]["number"]) for server in servers if server["port"]["protocol"] == "HTTPS"]
    kept = servers if len(set(ports)) == len(ports) else servers[:1]
    return [
        {**server, "hosts": server["hosts"][:1]} if server["port"]["protocol"] == "HTTPS" else server for server in kept
    ]


gateways = mapping(
    {
        "selector": st.sampled_from([{"istio": "ingress"}, {}, {"istio": "ingress", "app": "edge"}])
        | keyed(label_keys, label_values),
        "servers": st.lists(_servers, min_size=1, max_size=2, unique_by=lambda server: server["port"]["name"]).map(
            _apart
        ),
    }
)


def _covered(hosts: list[str]) -> bool:
    wide = [host for host in hosts if host.startswith("*.")]
    return any(other != host and other.endswith(host[1:]) for host in wide for other in hosts)


exposed_hosts = st.lists(domains, min_size=1, max_size=2, unique=True).map(
    lambda hosts: hosts[:1] if _covered(hosts) else hosts
)
