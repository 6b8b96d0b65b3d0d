"""A Prometheus in the lab: Debian's, in a pod that scrapes the sidecars of a namespace where Istio's documentation says
that they are ("Prometheus: Option 2, customized scraping configurations"), more often than anybody would in earnest.

Debian builds it without Kubernetes' service discovery; here the DNS of a Service of all pods with a sidecar tells it.
"""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from lab.images.recipes import PROMETHEUS_IMAGE
from tests.live.harness import until
from tests.live.lossless.lab_stack import LabStack

NAME = "prometheus"
_CONFIG = """\
global: {{scrape_interval: 2s}}
scrape_configs:
  - job_name: envoy-stats
    metrics_path: /stats/prometheus
    dns_sd_configs:
      - {{names: [sidecars.{namespace}.svc.cluster.local], type: A, port: 15090, refresh_interval: 2s}}
"""


def objects(namespace: str) -> list[dict[str, Any]]:
    """What runs it, as kubectl takes it; no part of any stack."""
    metadata, labels = {"name": NAME, "namespace": namespace}, {"app": NAME}
    container = {
        "name": NAME,
        "image": PROMETHEUS_IMAGE,
        "imagePullPolicy": "IfNotPresent",
        "args": ["--config.file=/config/prometheus.yml", "--storage.tsdb.path=/data"],
        "readinessProbe": {"httpGet": {"path": "/-/ready", "port": 9090}, "periodSeconds": 1},
        "volumeMounts": [{"name": "config", "mountPath": "/config"}, {"name": "data", "mountPath": "/data"}],
    }
    pod = {
        "terminationGracePeriodSeconds": 1,
        "securityContext": {"fsGroup": 65534},
        "containers": [container],
        "volumes": [{"name": "config", "configMap": {"name": NAME}}, {"name": "data", "emptyDir": {}}],
    }
    template = {"metadata": {"labels": {**labels, "sidecar.istio.io/inject": "false"}}, "spec": pod}
    return [
        {
            "apiVersion": "v1",
            "kind": "Service",
            # No proxy has to know of it.
            "metadata": {**metadata, "name": "sidecars", "annotations": {"networking.istio.io/exportTo": "~"}},
            # Istio's webhook gives this label to each pod that gets a sidecar.
            "spec": {
                "clusterIP": "None",
                "selector": {"security.istio.io/tlsMode": "istio"},
                "ports": [{"port": 15090}],
            },
        },
        {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": metadata,
            "data": {"prometheus.yml": _CONFIG.format(namespace=namespace)},
        },
        {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": metadata,
            "spec": {"selector": {"matchLabels": labels}, "template": template},
        },
    ]


@contextmanager
def running(stack: LabStack) -> Iterator[None]:
    """It scrapes the sidecars of the stack's namespace within the block."""
    stack.apply(*objects(stack.namespace))
    stack.kubectl(f"rollout status deployment/{NAME} --timeout 90s")
    try:
        yield
    finally:
        stack.kubectl(f"delete deployment/{NAME} --wait=false")


@contextmanager
def reached(stack: LabStack) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """Its URL on this machine, and the process that forwards there."""
    forward = stack.start(f"kubectl -n {stack.namespace} port-forward deployment/{NAME} :9090")
    try:
        assert forward.stdout is not None
        # Forwarding from 127.0.0.1:40123 -> 9090
        words = forward.stdout.readline().split()
        assert words[:2] == ["Forwarding", "from"], words
        url = f"http://{words[2]}"
        until(
            lambda: "outbound|80|v1|backend" in stack.run(f"curl -s {url}/api/v1/label/cluster_name/values"),
            60, "Prometheus has scraped a caller",
        )  # fmt: skip
        yield url, forward
    finally:
        if forward.poll() is None:
            forward.terminate()
        forward.communicate()
