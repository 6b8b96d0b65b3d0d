"""What a soak begins with: the stack's config, and what somebody else runs, which versions may be."""

from __future__ import annotations

from typing import Any

from tests.live.lossless.callers import ELSEWHERE, namespace
from tests.live.lossless.lab_stack import FORTIO, server
from tests.live.lossless.random_changes.kinds import Config

SHOP, MORE = "shop.example.com", "more.example.com"
"""The host at the gateway that the load asks for, and another one."""

OUTSIDE = "outside"
"""A namespace without sidecars: to the mesh it is another network."""

SOMEBODY_ELSES: dict[str, dict[str, Any]] = {
    "own": {"workload": "deployment/own"},
    "other": {"host": f"other.{ELSEWHERE}.svc.cluster.local", "port": 80},
    "legacy": {"host": f"legacy.{OUTSIDE}.svc.cluster.local", "port": 80, "external": True},
}
"""Versions by name whose pods weir does not make: a Deployment beside the stack, a Service of another namespace, and a
host outside the mesh. They serve all the while.
"""


def start() -> Config:
    """Two versions, a neighbour at the gateway, a client."""
    edge = {
        "selector": {"istio": "ingress"},
        "servers": [{"port": {"number": 80, "name": "http", "protocol": "HTTP"}, "hosts": [SHOP]}],
    }
    return {
        "services": {
            "backend": {**service("v1", "v2"), "canary": {"v2": 20}},
            "orders": {**service("v1"), "expose": {"gateways": ["edge"], "hosts": [SHOP]}},
        },
        "gateways": {"edge": edge},
        "clients": {"frontend": {"image": "curlimages/curl:latest"}},
        "readyTimeout": "90s",
    }


def service(*versions: str) -> dict[str, Any]:
    """One of fortios; the first version is the stable one."""
    return {
        "image": FORTIO,
        "port": 80,
        "targetPort": 8080,
        "versions": {name: server(name) for name in versions},
        "stable": versions[0],
        "retries": {"attempts": 0},
    }


def somebody_elses(stack: str) -> list[dict[str, Any]]:
    """What runs the versions that weir makes no pods for, as kubectl takes it; `stack`: the namespace of the stack."""
    outside = namespace(OUTSIDE)
    outside["metadata"]["labels"] = {"istio-injection": "disabled"}
    return [
        namespace(ELSEWHERE),
        outside,
        _deployment("own", stack, {"app": "backend", "version": "own"}),
        *(
            made
            for name, place in (("other", ELSEWHERE), ("legacy", OUTSIDE))
            for made in (_deployment(name, place, {"app": name}), _service(name, place))
        ),
    ]


def _deployment(name: str, place: str, labels: dict[str, str]) -> dict[str, Any]:
    container = {
        "name": name,
        "image": FORTIO,
        "imagePullPolicy": "IfNotPresent",
        "args": server(name)["args"],
        # The Service of a stack knows the port by this name.
        "ports": [{"name": "http", "containerPort": 8080}],
        "readinessProbe": {"tcpSocket": {"port": 8080}, "periodSeconds": 1},
    }
    pods = {"metadata": {"labels": labels}, "spec": {"containers": [container]}}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, "namespace": place},
        "spec": {"selector": {"matchLabels": labels}, "template": pods},
    }


def _service(name: str, place: str) -> dict[str, Any]:
    ports = [{"name": "http", "port": 80, "targetPort": 8080}]
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": name, "namespace": place},
        "spec": {"selector": {"app": name}, "ports": ports},
    }
