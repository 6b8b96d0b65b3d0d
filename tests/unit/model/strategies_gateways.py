"""Strategies for the edge of the mesh: Gateways, and the hosts that services are exposed under."""

from __future__ import annotations

from hypothesis import strategies as st

from tests.unit.model.strategies_values import (
    domains,
    flags,
    keyed,
    label_keys,
    label_values,
    labels,
    mapping,
    ports,
    server_hosts,
    several,
    some_text,
)

_protocol_versions = st.sampled_from(["TLSV1_2", "TLSV1_3"])
_handshake = {"minProtocolVersion": _protocol_versions, "maxProtocolVersion": _protocol_versions, "subjectAltNames": several(some_text)}
_no_redirect = {"httpsRedirect": st.sampled_from([False, "false"])}
_files = {"serverCertificate": some_text, "privateKey": some_text}
_tls = st.one_of(
    mapping(
        {"mode": st.sampled_from(["SIMPLE", "MUTUAL", "OPTIONAL_MUTUAL"]), "credentialName": st.just("cert") | labels},
        {**_handshake, **_no_redirect},
    ),
    mapping({"mode": st.just("SIMPLE"), **_files}, {**_handshake, **_no_redirect, "caCertificates": some_text}),
    mapping(
        {"mode": st.sampled_from(["MUTUAL", "OPTIONAL_MUTUAL"]), **_files, "caCertificates": some_text}, {**_handshake, **_no_redirect}
    ),
    mapping({"mode": st.just("ISTIO_MUTUAL")}, {**_handshake, **_no_redirect}),
)
_plain_tls = mapping({}, {**_handshake, "httpsRedirect": flags})
_server = {"hosts": several(st.sampled_from(["*", "*.example.com"]) | server_hosts, 1)}
_name = {"name": some_text}


def _ports(*protocols: str) -> st.SearchStrategy[dict[str, object]]:
    number = st.just(443 if protocols == ("HTTPS",) else 80) | ports
    return mapping({"number": number, "name": labels, "protocol": st.sampled_from(protocols)})


_servers = mapping({"port": _ports("HTTP", "HTTP2", "GRPC", "GRPC-WEB"), **_server}, {**_name, "tls": _plain_tls}) | mapping(
    {"port": _ports("HTTPS"), **_server, "tls": _tls}, _name
)
gateways = mapping(
    {
        "selector": st.sampled_from([{"istio": "ingress"}, {}, {"istio": "ingress", "app": "edge"}]) | keyed(label_keys, label_values),
        "servers": st.lists(_servers, min_size=1, max_size=2, unique_by=lambda server: server["port"]["name"]),
    }
)


def _covered(hosts: list[str]) -> bool:
    wide = [host for host in hosts if host.startswith("*.")]
    return any(other != host and other.endswith(host[1:]) for host in wide for other in hosts)


exposed_hosts = st.lists(domains, min_size=1, max_size=2, unique=True).map(lambda hosts: hosts[:1] if _covered(hosts) else hosts)
