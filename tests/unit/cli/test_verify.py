"""What `weir verify` expects: the route that the sidecar of its own client takes."""

from __future__ import annotations

from typing import Any

import pytest

from weir.cli.verify import _targets
from weir.model import Sender, load


@pytest.mark.parametrize(
    ("match", "labels", "version"),
    [
        ({"gateways": ["mesh"]}, {}, "v2"),
        ({"gateways": ["stg/edge"]}, {}, "v1"),
        ({"gateways": ["stg/edge", "mesh"], "uri": {"prefix": "/"}}, {}, "v2"),
        ({"sourceLabels": {"app": "tester"}}, {"app": "tester"}, "v2"),
        ({"sourceLabels": {"app": "tester"}}, {"app": "frontend"}, "v1"),
        ({"sourceNamespace": "stg"}, {}, "v2"),
    ],
    ids=str,
)
def test_the_clients_route_is_expected(match: dict[str, Any], labels: dict[str, str], version: str) -> None:
    """A route for the mesh, or for pods such as the client, goes before the default one."""
    service = {
        "versions": {"v1": {}, "v2": {}},
        "stable": "v1",
        "expose": {"gateways": ["stg/edge"], "hosts": ["svc.stg.example.com"]},
        "routes": [{"name": "inside", "match": [match], "stable": "v2"}],
    }
    [target] = _targets(
        load({"namespace": "stg", "services": {"taxapi": service}}), "stg", ["taxapi"], Sender("stg", labels)
    )
    assert [name for name, share in target.expected.shares.items() if share] == [version]


@pytest.mark.parametrize(("asked", "version"), [(8080, "v2"), (90, "v1")])
def test_the_first_port_of_http_is_asked(asked: int, version: str) -> None:
    """Whatever stands before it passes through; a route for another port is not the one that answers."""
    service = {
        "versions": {"v1": {}, "v2": {}},
        "stable": "v1",
        "ports": [
            {"name": "raw", "port": 70, "protocol": "tcp"},
            {"name": "http", "port": 8080},
            {"name": "grpc", "port": 90, "protocol": "grpc"},
        ],
        "routes": [{"name": "asked", "match": [{"port": asked}], "stable": "v2"}],
    }
    [target] = _targets(load({"namespace": "stg", "services": {"shop": service}}), "stg", ["shop"], Sender("stg", {}))
    assert (target.service.port, target.url) == (8080, "http://shop:8080/")
    assert [name for name, share in target.expected.shares.items() if share] == [version]
