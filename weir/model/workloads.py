"""The plain Kubernetes objects of pods and what they stand on: Namespace, ServiceAccount, Service, Deployment."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from weir.model.config import Client, Service, Workload

Manifest = dict[str, Any]
"""A Kubernetes object as YAML would have it."""

MANAGED_BY = {"app.kubernetes.io/managed-by": "weir"}

_USER = 65532
"""The `nonroot` user of the distroless images. A number, because images with a single static binary have no user database."""

_DRAIN_SECONDS = 5
"""How long a pod keeps serving after it was told to go: until every proxy has heard that the endpoint is gone."""

_GRACE_SECONDS = 30
"""From that moment until the pod is killed; what is left after draining is for requests under way."""

_CLIENT_GRACE_SECONDS = 1
"""A client that sleeps as process 1 does not hear SIGTERM, and nobody sends it requests: waiting longer would only cost time."""


def namespace(name: str) -> Manifest:
    """The namespace of the stack, where Istio's webhook gives every pod a sidecar."""
    return {
        "apiVersion": "v1",
        "kind": "Namespace",
        "metadata": {"name": name, "labels": {"istio-injection": "enabled", **MANAGED_BY}},
    }


def metadata(name: str, namespace: str, app: str, version: str | None = None) -> Manifest:
    """Name, namespace and labels of an object that belongs to a service, one of its versions, or a client."""
    return {"name": name, "namespace": namespace, "labels": {**_identity(app, version), **MANAGED_BY}}


def service_account(app: str, namespace: str) -> Manifest:
    """The identity of a workload in the mesh: Istio's certificates carry it. Its pods get no token for the Kubernetes API."""
    return {
        "apiVersion": "v1",
        "kind": "ServiceAccount",
        "metadata": metadata(app, namespace, app),
        "automountServiceAccountToken": False,
    }


def service(name: str, settings: Service, namespace: str) -> Manifest:
    """The Service over all versions. Its port is named `http`, which is how Istio knows the protocol."""
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": metadata(name, namespace, name),
        "spec": {
            "selector": {"app": name},
            "ports": [{"name": "http", "port": settings.port, "targetPort": settings.container_port, "protocol": "TCP"}],
        },
    }


def version_deployment(name: str, version: str, port: int, workload: Workload, namespace: str) -> Manifest:
    """The pods of one version of service `name`, listening on `port`.

    Ready means the port takes connections: which path of an unknown image would answer a health check is not known.
    """
    container = {
        **_container(name, workload.image, workload.env),
        "ports": [{"name": "http", "containerPort": port, "protocol": "TCP"}],
        "readinessProbe": {"tcpSocket": {"port": port}, "periodSeconds": 2},
        # The handler of Kubernetes itself (since 1.30): an image with a single binary has no `sleep` to run.
        "lifecycle": {"preStop": {"sleep": {"seconds": _DRAIN_SECONDS}}},
    }
    if workload.args:
        container["args"] = list(workload.args)
    return _deployment(f"{name}-{version}", name, version, workload.replicas, container, _GRACE_SECONDS, namespace)


def client_deployment(name: str, client: Client, namespace: str) -> Manifest:
    """The pods of a client: it offers nothing, so there is no port, probe or draining."""
    container = {**_container(name, client.image, {}), "command": list(client.command)}
    return _deployment(name, name, None, client.replicas, container, _CLIENT_GRACE_SECONDS, namespace)


def _deployment(
    name: str, app: str, version: str | None, replicas: int, container: Manifest, grace_seconds: int, namespace: str
) -> Manifest:
    identity = _identity(app, version)
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": metadata(name, namespace, app, version),
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": identity},
            # A new pod is ready before an old one goes, also where there is only one.
            "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 0, "maxSurge": "25%"}},
            "template": {
                "metadata": {"labels": {**identity, **MANAGED_BY}},
                "spec": {
                    "serviceAccountName": app,
                    "automountServiceAccountToken": False,
                    "terminationGracePeriodSeconds": grace_seconds,
                    "containers": [container],
                },
            },
        },
    }


def _container(name: str, image: str, env: Mapping[str, str]) -> Manifest:
    container: Manifest = {
        "name": name,
        "image": image,
        "imagePullPolicy": "IfNotPresent",
        "resources": {"requests": {"cpu": "10m", "memory": "16Mi"}},
        # On the container and not on the pod: Istio's init container must be root to redirect the pod's traffic.
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": _USER,
            "runAsGroup": _USER,
            "readOnlyRootFilesystem": True,
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"]},
            "seccompProfile": {"type": "RuntimeDefault"},
        },
    }
    if env:
        container["env"] = _variables(env)
    return container


def _variables(env: Mapping[str, str]) -> Sequence[Manifest]:
    return [{"name": name, "value": value} for name, value in env.items()]


def _identity(app: str, version: str | None) -> dict[str, str]:
    """The labels by which Services, subsets and people select pods."""
    return {"app": app} if version is None else {"app": app, "version": version}
