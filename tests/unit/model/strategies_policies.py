"""Strategies for what is said of pods: how callers treat them (traffic policies), and what they run (containers)."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from tests.unit.model.strategies_values import (
    Values,
    counts,
    env_names,
    flags,
    free_text,
    from_one,
    images,
    keyed,
    labels,
    lengths,
    lengths_or_zero,
    mapping,
    match_header_names,
    percents,
    ports,
    positives,
    ring_sizes,
    server_names,
    several,
    some_of,
    some_text,
    unsigned,
    whole,
)

# Load balancing
_regions = ["us-west", "us-east", "eu", "1"]
_failovers = st.permutations(_regions).map(lambda regions: {"from": regions[0], "to": regions[1]})
_plain_priorities = some_of(["topology.istio.io/network", "app", "version=v1", "x"])
_topology_priorities = some_of(
    ["topology.kubernetes.io/region", "topology.kubernetes.io/zone", "topology.istio.io/subzone", "app"]
)
_localities = some_of(["us-west/zone1/*", "us-west/zone2/a", "us-east/*", "eu", "asia/zone1"], 1)


@st.composite
def _distributes(draw: st.DrawFn) -> list[dict[str, Any]]:
    """Shares that add up to 100, from localities none of which overlap, nor those they go to."""
    entries = []
    for start in draw(_localities | st.just(["*"])):
        to = draw(_localities)
        cuts = sorted(draw(st.lists(st.integers(1, 99), min_size=len(to) - 1, max_size=len(to) - 1, unique=True)))
        parts = [high - low for low, high in zip([0, *cuts], [*cuts, 100], strict=True)]
        entries.append({"from": start, "to": dict(zip(to, parts, strict=True))})
    return entries


_locality = (
    mapping({}, {"enabled": flags, "failoverPriority": _topology_priorities})
    | mapping({"distribute": _distributes()}, {"enabled": flags, "failoverPriority": _topology_priorities})
    | mapping({"failover": several(_failovers)}, {"enabled": flags, "failoverPriority": _plain_priorities})
)
_zone_aware = mapping(
    {},
    {
        "enabled": flags,
        "failover": several(_failovers),
        "failoverPriority": _plain_priorities,
        "minClusterSize": whole(1, 2**32 - 1),
    },
)
_warmup = mapping({"duration": lengths}, {"minimumPercent": percents, "aggression": positives})
_attributes = st.lists(
    mapping({"name": st.sampled_from(["SameSite", "Secure", "ä"])}, {"value": some_text}),
    min_size=1,
    max_size=2,
    unique_by=lambda attribute: attribute["name"],
)
_cookie = mapping({"name": some_text}, {"path": some_text, "ttl": lengths_or_zero, "attributes": _attributes}, least=1)
_algorithm = mapping({}, {"ringHash": mapping({}, {"minimumRingSize": ring_sizes})}) | st.sampled_from(
    [{"maglev": {"tableSize": size}} for size in (2, 3, 65537, "4999999", 4999999)]
)
_hash = st.one_of(
    mapping({"httpHeaderName": match_header_names}),
    mapping({"httpCookie": _cookie}),
    mapping({"httpCookie": _cookie}),
    mapping({"useSourceIp": flags}),
    mapping({"httpQueryParameterName": some_text}),
)
_consistent_hash = st.builds(lambda key, algorithm: {**key, **algorithm}, _hash, _algorithm)
_choice: Values = (
    st.just({})
    | mapping({"simple": st.sampled_from(["LEAST_REQUEST", "RANDOM", "ROUND_ROBIN", "PASSTHROUGH"])})
    | mapping({"consistentHash": _consistent_hash})
    | mapping({"consistentHash": _consistent_hash})
)
_nearness: Values = (
    st.just({}) | mapping({"localityLbSetting": _locality}) | mapping({"zoneAwareLbSetting": _zone_aware})
)
load_balancer = st.builds(
    lambda choice, nearness, warmup: {**choice, **nearness, **warmup},
    _choice,
    _nearness,
    mapping({}, {"warmup": _warmup}, most=1),
)

# Connection pools, outlier detection
_tcp = mapping(
    {},
    {
        "maxConnections": counts,
        "connectTimeout": lengths,
        "maxConnectionDuration": lengths,
        "idleTimeout": lengths_or_zero,
        "tcpKeepalive": mapping({}, {"probes": unsigned, "time": lengths, "interval": lengths}),
    },
)
_http_limits = {
    "http1MaxPendingRequests": counts,
    "http2MaxRequests": counts,
    "maxRequestsPerConnection": counts,
    "maxRetries": counts,
    "idleTimeout": lengths,
    "maxConcurrentStreams": counts,
    "http2KeepAlive": mapping({"interval": lengths, "timeout": lengths}),
}
_http = st.one_of(
    mapping({}, {**_http_limits, "useClientProtocol": flags}),
    mapping(
        {"h2UpgradePolicy": st.sampled_from(["DEFAULT", "DO_NOT_UPGRADE"])},
        {**_http_limits, "useClientProtocol": flags},
    ),
    mapping(
        {"h2UpgradePolicy": st.just("UPGRADE")},
        {**_http_limits, "useClientProtocol": st.sampled_from([False, "false"])},
    ),
)
connection_pool = mapping({}, {"tcp": _tcp, "http": _http}, least=1)
_outlier_settings = {
    "consecutive5xxErrors": unsigned,
    "consecutiveGatewayErrors": unsigned,
    "interval": lengths,
    "baseEjectionTime": lengths,
    "maxEjectionPercent": whole(0, 100),
    "minHealthPercent": whole(0, 100),
    "outlierDetectionHttpErrorCodes": several(whole(100, 599)),
}
outlier_detection = mapping(
    {}, {**_outlier_settings, "splitExternalLocalOriginErrors": flags, "consecutiveLocalOriginFailures": st.just(0)}
) | mapping(
    {"splitExternalLocalOriginErrors": st.just(True), "consecutiveLocalOriginFailures": unsigned}, _outlier_settings
)

# TLS
_files = {"clientCertificate": some_text, "privateKey": some_text}
_authorities = {"caCertificates": some_text, "caCrl": some_text, "subjectAltNames": several(some_text)}
_names = {"subjectAltNames": several(some_text), "sni": server_names}
_verified = {"sni": server_names, "insecureSkipVerify": st.sampled_from([False, "false"])}
_unverified = st.sampled_from([True, "true"])
tls = st.one_of(
    mapping(
        {"mode": st.sampled_from(["DISABLE", "ISTIO_MUTUAL"])},
        {**_files, **_authorities, "sni": server_names, "credentialName": labels},
    ),
    mapping({"mode": st.just("SIMPLE")}, {**_files, **_authorities, **_verified}),
    mapping({"mode": st.just("SIMPLE"), "credentialName": labels}, {**_names, **_verified}),
    mapping(
        {"mode": st.just("SIMPLE"), "insecureSkipVerify": _unverified},
        {**_files, "caCrl": some_text, "sni": server_names},
    ),
    mapping({"mode": st.just("MUTUAL"), **_files}, {**_authorities, **_verified}),
    mapping({"mode": st.just("MUTUAL"), "credentialName": labels}, {**_names, **_verified}),
    mapping(
        {"mode": st.just("MUTUAL"), "insecureSkipVerify": _unverified, "credentialName": labels}, {"sni": server_names}
    ),
)

# Policies
_settings = {
    "loadBalancer": load_balancer,
    "connectionPool": connection_pool,
    "outlierDetection": outlier_detection,
    "tls": tls,
}
_port_policies = mapping({"port": mapping({"number": st.just(80) | ports})}, _settings, least=1)
traffic_policy = mapping(
    {},
    {
        **_settings,
        "portLevelSettings": st.lists(
            _port_policies, min_size=1, max_size=2, unique_by=lambda entry: int(entry["port"]["number"])
        ),
        "retryBudget": mapping({}, {"percent": percents, "minRetryConcurrency": unsigned, "budgetInterval": lengths}),
        "proxyProtocol": mapping({}, {"version": st.sampled_from(["V1", "V2"])}),
    },
    least=1,
)

# Containers
_quantities = st.sampled_from([0, 1, 2, 1.5, "100m", "0.5", "1.250", "64Mi", "1Gi", "2k", "9P", "8Pi", "0.0001"])
_resource_names = ["cpu", "memory", "ephemeral-storage"]
_devices: Values = st.sampled_from(
    [
        {},
        {},
        {"example.com/gpu": 2},
        {"nvidia.com/gpu": "1.0", f"{'d' * 60}.x/{'k' * 63}": "5k"},
        {"x.kubernetes.io/y": 3},
    ]
)
_pages: Values = st.sampled_from([{}, {}, {"hugepages-2Mi": "4Mi"}, {"hugepages-1Gi": "1Gi", "hugepages-64k": "0"}])


@st.composite
def _resources(draw: st.DrawFn) -> dict[str, Any]:
    """Requests and limits of which only one names a resource, but for devices and huge pages, which need both to be
    the same.
    """
    asked, limited = draw(some_of(_resource_names)), draw(some_of(_resource_names))
    named = dict.fromkeys([*asked, *limited])
    fixed = draw(_devices) | (draw(_pages) if "cpu" in named or "memory" in named else {})
    amounts = {name: draw(_quantities) for name in named}
    resources = {
        "requests": {name: amounts[name] for name in asked} | fixed,
        "limits": {name: amounts[name] for name in limited} | fixed,
    }
    return {name: entries for name, entries in resources.items() if entries or draw(st.booleans())}


_probe_ports = st.just("http") | ports
_probe_headers = mapping({"name": st.sampled_from(["x-probe", "Host", "0"]), "value": free_text})
_ways: dict[str, Values] = {
    "httpGet": mapping(
        {"port": _probe_ports},
        {
            "path": some_text,
            "scheme": st.sampled_from(["HTTP", "HTTPS"]),
            "host": some_text,
            "httpHeaders": several(_probe_headers),
        },
    ),
    "tcpSocket": mapping({"port": _probe_ports}),
    "grpc": mapping({"port": ports}, {"service": free_text}),
    "exec": mapping({"command": several(free_text, 1)}),
}
_pace = {
    "initialDelaySeconds": counts,
    "periodSeconds": from_one,
    "timeoutSeconds": from_one,
    "failureThreshold": from_one,
}
probes = st.one_of([mapping({name: way}, {**_pace, "successThreshold": from_one}) for name, way in _ways.items()])
once_probes = st.one_of(
    [mapping({name: way}, {**_pace, "successThreshold": st.sampled_from([1, "1"])}) for name, way in _ways.items()]
)
_users = st.sampled_from([1, 1000, 65532, 2**31 - 1, "1336"])
_capabilities = some_of(["NET_BIND_SERVICE", "ALL", "SYS_ADMIN", "CAP_NET_RAW"])
_escalating = st.just({"add": ["CAP_SYS_ADMIN"]})
_rights = {
    "readOnlyRootFilesystem": flags,
    "capabilities": mapping({}, {"add": _capabilities, "drop": _capabilities}),
    "seccompProfile": st.sampled_from(
        [
            {"type": "RuntimeDefault"},
            {"type": "Unconfined"},
            {"type": "Localhost", "localhostProfile": "profiles/app.json"},
        ]
    ),
}
security_context = st.one_of(
    mapping(
        {},
        {
            **_rights,
            "runAsUser": _users,
            "runAsGroup": _users | st.just(0),
            "runAsNonRoot": flags,
            "allowPrivilegeEscalation": flags,
        },
    ),
    mapping({"runAsUser": st.just(0), "runAsNonRoot": st.just(False)}, {**_rights, "runAsGroup": st.just(0)}),
    mapping(
        {"privileged": st.just(True), "allowPrivilegeEscalation": st.just(True)},
        {
            **_rights,
            "runAsUser": _users,
            "capabilities": _capabilities.map(lambda names: {"drop": names}) | _escalating,
        },
    ),
    mapping({"privileged": st.just(False)}, _rights),
)
_objects = st.sampled_from(["a", "shop-db", "a.b-1.c", "x" * 253, "0"])
_optional = {"optional": flags}
_key_refs = mapping({"name": _objects, "key": st.sampled_from(["a", ".a", "A_b-c.d", "k" * 253, "0", "-"])}, _optional)
_pod_fields = st.sampled_from(
    [
        *("metadata.name", "metadata.namespace", "metadata.uid", "spec.nodeName", "spec.serviceAccountName"),
        *("status.hostIP", "status.hostIPs", "status.podIP", "status.podIPs"),
        *("metadata.labels['app']", "metadata.labels['example.com/A_b.c-d']", "metadata.annotations['a/b']"),
    ]
)
_of_bytes = st.sampled_from(["memory", "ephemeral-storage", "hugepages-2Mi", "hugepages-1Gi"])
_byte_units = st.sampled_from([1, "1", "1k", "1M", "1G", "1T", "1P", "1E", "1Ki", "1Mi", "1Gi", "1Ti", "1Pi", "1Ei"])
_sides = st.sampled_from(["limits", "requests"])
_container_names = {"containerName": labels}
_sources: dict[str, Values] = {
    "secretKeyRef": _key_refs,
    "configMapKeyRef": _key_refs,
    "fieldRef": mapping({"fieldPath": _pod_fields}, {"apiVersion": st.just("v1")}),
    "resourceFieldRef": mapping(
        {"resource": st.builds("{}.{}".format, _sides, _of_bytes)}, {"divisor": _byte_units, **_container_names}
    )
    | mapping(
        {"resource": _sides.map("{}.cpu".format)}, {"divisor": st.sampled_from([1, "1", "1m"]), **_container_names}
    ),
}
variables = (
    free_text
    | mapping({"value": free_text})
    | mapping({"valueFrom": st.one_of([mapping({name: source}) for name, source in _sources.items()])})
)
_whole_objects = mapping({"name": _objects}, _optional)
env_from = st.one_of([mapping({name: _whole_objects}, {"prefix": env_names}) for name in ("secretRef", "configMapRef")])
container = {
    "image": images,
    "command": several(free_text, 1),
    "args": several(free_text),
    "env": keyed(env_names, variables),
    "envFrom": several(env_from),
    "resources": _resources(),
    "readinessProbe": probes,
    "livenessProbe": once_probes,
    "startupProbe": once_probes,
    "securityContext": security_context,
}
