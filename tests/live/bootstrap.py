"""How the judge's Envoys start: as Istio's proxies do, as far as that bears on what they accept."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lab.tools.catalog import ISTIO_VERSION
from tests.live.networks import ADDRESS

NAMESPACE = "judge"
_LOCALITY = {"region": "us-west", "zone": "zone1", "sub_zone": "a"}
_RUNTIME = {
    # What Istio gives its proxies (pkg/bootstrap/config.go, extractRuntimeFlags); the first one is a bound on configs.
    "re2.max_program_size.error_level": "32768",
    "envoy.reloadable_features.http_reject_path_with_fragment": False,
    "envoy.reloadable_features.fixed_heap_use_allocated": True,
    "envoy.reloadable_features.coalesce_lb_rebuilds_on_batch_update": False,
}


def bootstrap(name: str, labels: Mapping[str, str], admin: Path) -> dict[str, Any]:
    """The part of Istio's own bootstrap (tools/packaging/common/envoy_bootstrap.json) that
    bears on what is accepted.
    """
    metadata = {
        "NAMESPACE": NAMESPACE,
        "ISTIO_VERSION": ISTIO_VERSION,
        "CLUSTER_ID": "Kubernetes",
        "LABELS": dict(labels),
    }
    source = {"ads": {}, "initial_fetch_timeout": "0s", "resource_api_version": "V3"}
    xds = {"socket_address": {"address": ADDRESS, "port_value": 15010}}
    services = [{"envoy_grpc": {"cluster_name": "xds-grpc"}}]
    return {
        "node": {
            "id": f"{name}~127.0.0.1~{name}.{NAMESPACE}~{NAMESPACE}.svc.cluster.local",
            "cluster": f"{name}.{NAMESPACE}",
            "locality": _LOCALITY,
            "metadata": metadata,
        },
        "admin": {"address": {"pipe": {"path": str(admin)}}},
        "layered_runtime": {"layers": [{"name": "global config", "static_layer": _RUNTIME}]},
        "dynamic_resources": {
            "lds_config": source,
            "cds_config": source,
            "ads_config": {
                "api_type": "DELTA_GRPC",
                "set_node_on_first_message_only": True,
                "transport_api_version": "V3",
                "grpc_services": services,
            },
        },
        "static_resources": {
            "listeners": [_listener(port) for port in (15021, 15090)],
            "clusters": [_http2("xds-grpc", xds), _http2("sds-grpc", {"pipe": {"path": f"{admin}.nobody"}})],
        },
    }


def _listener(port: int) -> dict[str, Any]:
    """One of the two that Istio's bootstrap has, for health checks and statistics: their ports are not to be had."""
    router = "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router"
    manager = {
        "@type": "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": "own",
        "route_config": {"virtual_hosts": [{"name": "own", "domains": ["*"]}]},
        "http_filters": [{"name": "envoy.filters.http.router", "typed_config": {"@type": router}}],
    }
    filters = [{"name": "envoy.filters.network.http_connection_manager", "typed_config": manager}]
    return {
        "address": {"socket_address": {"address": "0.0.0.0", "port_value": port}},
        "filter_chains": [{"filters": filters}],
    }


def _http2(name: str, address: Mapping[str, Any]) -> dict[str, Any]:
    protocol = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions"
    endpoint = {"endpoint": {"address": address}}
    return {
        "name": name,
        "type": "STATIC",
        "connect_timeout": "1s",
        "typed_extension_protocol_options": {
            protocol: {
                "@type": f"type.googleapis.com/{protocol}",
                "explicit_http_config": {"http2_protocol_options": {}},
            }
        },
        "load_assignment": {"cluster_name": name, "endpoints": [{"lb_endpoints": [endpoint]}]},
    }
