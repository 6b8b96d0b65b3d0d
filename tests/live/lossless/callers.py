"""Who sends the load: fortios with a sidecar, no part of any stack."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tests.live.lossless.lab_stack import FORTIO

CALLERS = 3
ELSEWHERE = "elsewhere"
"""The namespace of the one who is not where the service is."""


@dataclass(frozen=True, slots=True)
class Caller:
    """A pod."""

    namespace: str
    name: str

    def exec(self, container: str, command: str) -> str:
        """The line of bash that runs a command there."""
        return f"kubectl exec -n {self.namespace} {self.name} -c {container} -- {command}"


def namespace(name: str) -> dict[str, Any]:
    """A namespace whose pods have sidecars."""
    return {
        "apiVersion": "v1",
        "kind": "Namespace",
        "metadata": {"name": name, "labels": {"istio-injection": "enabled"}},
    }


def callers(namespace: str, count: int, *, logged: bool = False) -> list[dict[str, Any]]:
    """The callers and the access log of their failed requests, or of all, as kubectl takes them; no part of any
    stack.
    """
    labels = {"app": "caller"}
    metadata = {"name": "caller", "namespace": namespace}
    arguments = ["server", "-http-port=8080", "-data-dir=/data", "-loglevel=warning"]
    arguments += [f"-{name}-port=disabled" for name in ("redirect", "tcp", "udp", "grpc")]
    container = {
        "name": "caller",
        "image": FORTIO,
        "imagePullPolicy": "IfNotPresent",
        "args": arguments,
        "volumeMounts": [{"name": "data", "mountPath": "/data"}],
    }
    template = {
        # The sidecar's resource limits are Istio's defaults; what counts is that its counters tell of every request.
        "metadata": {
            "labels": labels,
            "annotations": {"sidecar.istio.io/statsInclusionRegexps": ".*(downstream_rq|upstream_rq|upstream_cx).*"},
        },
        "spec": {
            "terminationGracePeriodSeconds": 1,
            "containers": [container],
            "volumes": [{"name": "data", "emptyDir": {}}],
        },
    }
    spec = {"replicas": count, "selector": {"matchLabels": labels}, "template": template}
    failed = {"expression": "response.code >= 400 || response.code == 0"}
    kept = {} if logged else {"filter": failed}
    logging = [{"providers": [{"name": "envoy"}], "match": {"mode": "CLIENT"}, **kept}]
    return [
        {
            "apiVersion": "telemetry.istio.io/v1",
            "kind": "Telemetry",
            "metadata": metadata,
            "spec": {"accessLogging": logging},
        },
        {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata, "spec": spec},
    ]
