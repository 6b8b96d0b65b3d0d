"""An API server asked object by object whether it would take them, over one connection: a thousand `kubectl apply`
would take minutes.
"""

from __future__ import annotations

import base64
import json
import ssl
import tempfile
from collections.abc import Mapping
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

_KINDS = {
    "Namespace": "namespaces",
    "Service": "services",
    "ServiceAccount": "serviceaccounts",
    "Deployment": "deployments",
    "PodDisruptionBudget": "poddisruptionbudgets",
    "HorizontalPodAutoscaler": "horizontalpodautoscalers",
    "VirtualService": "virtualservices",
    "ServiceEntry": "serviceentries",
    "DestinationRule": "destinationrules",
    "Gateway": "gateways",
    "Pod": "pods",
    "Secret": "secrets",
}


class _Connection(HTTPConnection):
    """TLS for a server whose certificate has another name than its address."""

    def __init__(self, address: str, port: int | None, context: ssl.SSLContext, name: str) -> None:
        super().__init__(address, port, timeout=60)
        self._context, self._name = context, name

    def connect(self) -> None:
        super().connect()
        self.sock = self._context.wrap_socket(self.sock, server_hostname=self._name)


class ApiServer:
    """The API server of a kubeconfig with client certificates, as the lab writes it."""

    def __init__(self, kubeconfig: Path) -> None:
        content = json.loads(kubeconfig.read_text())
        cluster, user = content["clusters"][0]["cluster"], content["users"][0]["user"]
        self.certificate = base64.b64decode(user["client-certificate-data"])
        address = urlsplit(cluster["server"])
        context = ssl.create_default_context(cadata=base64.b64decode(cluster["certificate-authority-data"]).decode())
        with tempfile.NamedTemporaryFile() as pair:
            pair.write(self.certificate + base64.b64decode(user["client-key-data"]))
            pair.flush()
            context.load_cert_chain(pair.name)
        self._connection = _Connection(str(address.hostname), address.port, context, cluster["tls-server-name"])

    def refusal(self, manifest: Mapping[str, Any]) -> tuple[str, list[str]]:
        """What it says against creating the object, "" for nothing, and its warnings. Nothing is created."""
        status, said, warned = self.ask("POST", f"{path_of(manifest)}?dryRun=All&fieldValidation=Strict", manifest)
        return ("" if status == 201 else said["message"]), warned

    def create(self, manifest: Mapping[str, Any]) -> None:
        status, said, _ = self.ask("POST", path_of(manifest), manifest)
        assert status in (201, 409), said

    def delete(self, manifest: Mapping[str, Any]) -> None:
        self.ask("DELETE", f"{path_of(manifest)}/{manifest['metadata']['name']}")

    def ask(
        self,
        method: str,
        path: str,
        body: Mapping[str, Any] | None = None,
        accept: str = "application/json",
        content: str = "application/json",
    ) -> tuple[int, dict[str, Any], list[str]]:
        """Status, content and warnings of its answer."""
        self._connection.request(
            method, path, None if body is None else json.dumps(body), {"Content-Type": content, "Accept": accept}
        )
        answer = self._connection.getresponse()
        return answer.status, json.loads(answer.read()), answer.headers.get_all("Warning") or []


def resource(manifest: Mapping[str, Any]) -> str:
    """The name of its kind in paths."""
    return _KINDS[manifest["kind"]]


def path_of(manifest: Mapping[str, Any]) -> str:
    """Where objects of its kind are, in its namespace."""
    version, place = manifest["apiVersion"], manifest["metadata"].get("namespace")
    group = f"/apis/{version}" if "/" in version else f"/api/{version}"
    return f"{group}{f'/namespaces/{place}' if place else ''}/{resource(manifest)}"
