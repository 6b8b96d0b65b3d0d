"""The API server as the lab's owner sees it: kubectl with the lab's own kubeconfig, and waiting with a bound."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from lab.errors import LabError
from lab.istio import NAMESPACE
from lab.paths import NODE_NAME

_POLL_SECONDS = 0.2
# Node DNS answers for services of all namespaces: what the CoreDNS manifests of Kubernetes grant (system:coredns).
_COREDNS_ROLE: list[dict[str, Any]] = [
    {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRole",
        "metadata": {"name": "weir:coredns"},
        "rules": [
            {"apiGroups": [""], "resources": ["services", "pods", "namespaces"], "verbs": ["list", "watch"]},
            {"apiGroups": ["discovery.k8s.io"], "resources": ["endpointslices"], "verbs": ["list", "watch"]},
        ],
    },
    {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRoleBinding",
        "metadata": {"name": "weir:coredns"},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "weir:coredns"},
        "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": "weir:coredns"}],
    },
    {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}},
]


class Cluster:
    """kubectl on one kubeconfig."""

    def __init__(self, kubectl: Path, kubeconfig: Path) -> None:
        self._command = (str(kubectl), f"--kubeconfig={kubeconfig}")

    def run(self, *arguments: str, text: str | None = None, timeout: float = 60.0) -> str:
        """Run kubectl; returns what it prints. Raises LabError with its words when it fails or takes over ``timeout``
        seconds.
        """
        try:
            result = subprocess.run(
                [*self._command, *arguments], input=text, capture_output=True, text=True, timeout=timeout, check=False
            )
        except subprocess.TimeoutExpired as error:
            raise LabError(f"kubectl {arguments[0]} did not end within {timeout:.0f} s") from error
        if result.returncode:
            raise LabError(f"kubectl {arguments[0]} failed: {result.stderr.strip()[-2000:]}")
        return result.stdout

    def get(self, *arguments: str) -> Any:
        """An object or list as JSON; None when there is none of that name."""
        text = self.run("get", *arguments, "--ignore-not-found", "-o", "json")
        return json.loads(text) if text.strip() else None

    def prepare(self) -> None:
        """What has to stand before Istio: the rights of the node's DNS, Istio's namespace."""
        text = json.dumps({"apiVersion": "v1", "kind": "List", "items": _COREDNS_ROLE})
        self.run("apply", "--server-side", "--force-conflicts", "-f", "-", text=text)

    def apply(self, manifests: Path) -> None:
        """Server-side apply a file of manifests. Custom resources follow their definitions, which need a moment: tried
        again.
        """

        def applied() -> str:
            try:
                self.run("apply", "--server-side", "--force-conflicts", "-f", str(manifests))
            except LabError as error:
                return str(error)
            return ""

        self.until(applied, seconds=30)

    def until(self, missing: Callable[[], str], seconds: float, alive: Callable[[], None] = lambda: None) -> None:
        """Poll until ``missing`` returns nothing. ``alive`` raises when waiting has become pointless.

        Raises LabError with what is still missing after ``seconds``.
        """
        deadline = time.monotonic() + seconds
        while text := missing():
            alive()
            if time.monotonic() > deadline:
                raise LabError(f"after {seconds:.0f} s: {text}")
            time.sleep(_POLL_SECONDS)

    def node_missing(self) -> str:
        """What keeps the node from being ready, or nothing."""
        node = self.get("node", NODE_NAME)
        if node is None:
            return "kubelet has not registered the node"
        ready = [condition for condition in node["status"].get("conditions", []) if condition["type"] == "Ready"]
        if ready and ready[0]["status"] == "True":
            return ""
        return f"the node is not ready: {ready[0]['message'] if ready else 'kubelet has not reported its status yet'}"

    def istio_missing(self) -> str:
        """What keeps Istio from injecting sidecars and validating objects, or nothing."""
        deployment = self.get("deployment", "istiod", "--namespace", NAMESPACE)
        if deployment is None:
            return "istiod is not installed"
        if not deployment["status"].get("readyReplicas"):
            return f"istiod is not ready: {self._pod_words()}"
        for kind in ("mutatingwebhookconfiguration", "validatingwebhookconfiguration"):
            for configuration in (self.get(kind) or {"items": []})["items"]:
                name = configuration["metadata"]["name"]
                if "istio" in name and not all(
                    webhook["clientConfig"].get("caBundle") for webhook in configuration["webhooks"]
                ):
                    return f"istiod has not put its certificate into the webhook {name}"
        return ""

    def _pod_words(self) -> str:
        pods = (self.get("pods", "--namespace", NAMESPACE) or {"items": []})["items"]
        words = [
            f"{status['name']} waits: {waiting.get('reason', '')} {waiting.get('message', '')}".strip()
            for pod in pods
            for status in pod["status"].get("containerStatuses", [])
            if (waiting := status["state"].get("waiting"))
        ]
        return "; ".join(words) or (f"pod {pods[0]['status']['phase']}" if pods else "no pod yet")
