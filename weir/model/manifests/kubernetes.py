"""The plain Kubernetes objects of pods and what they stand on: Namespace, ServiceAccount, Service, Deployment."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from weir.model.config.base import as_written
from weir.model.config.environment import Variable, secrets
from weir.model.config.scaling import EXTERNAL
from weir.model.config.stack import Client, Service
from weir.model.config.versions import Workload
from weir.model.manifests.annotations import REPLICAS, SEALED, digest
from weir.secret import Secret

Manifest = dict[str, Any]
"""A Kubernetes object as YAML would have it."""

MANAGED_BY = {"app.kubernetes.io/managed-by": "weir"}

_USER = 65532
"""The `nonroot` user of the distroless images. A number, because images with a single static binary have no user
database.
"""

DRAIN_SECONDS = 5
"""How long a pod keeps serving after it was told to go: until every proxy has heard that the endpoint is gone."""

_GRACE_SECONDS = 30
"""From that moment until the pod is killed; what is left after draining is for requests under way."""

_CLIENT_GRACE_SECONDS = 1
"""A client that sleeps as process 1 does not hear SIGTERM, and nobody sends it requests: waiting longer would only
cost time.
"""


def namespace(name: str, revision: str | None = None) -> Manifest:
    """The namespace of the stack, where the webhook of Istio, or of one revision of it, gives every pod a sidecar."""
    injection = {"istio-injection": "enabled"} if revision is None else {"istio.io/rev": revision}
    return {
        "apiVersion": "v1",
        "kind": "Namespace",
        "metadata": {"name": name, "labels": {**injection, **MANAGED_BY}},
    }


def metadata(name: str, namespace: str, app: str, version: str | None = None) -> Manifest:
    """Name, namespace and labels of an object that belongs to a service, one of its versions, or a client."""
    return {"name": name, "namespace": namespace, "labels": {**_identity(app, version), **MANAGED_BY}}


def service_account(app: str, namespace: str) -> Manifest:
    """The identity of a workload in the mesh: Istio's certificates carry it. Its pods get no token for the Kubernetes
    API.
    """
    return {
        "apiVersion": "v1",
        "kind": "ServiceAccount",
        "metadata": metadata(app, namespace, app),
        "automountServiceAccountToken": False,
    }


def service(name: str, settings: Service, namespace: str) -> Manifest:
    """The Service over all versions. Istio knows the protocol by `appProtocol`, which comes before the port's name.

    The name stays whatever the protocol becomes: by it istiod knows which endpoints are the port's, and under a new
    one a port has none until Kubernetes has written them anew. A Service that stands with another one keeps that
    (`with_port_names`). The pods' port stands by its name: each pod says itself which number that is, so that pods with
    an old one and a new one serve side by side.
    """
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": metadata(name, namespace, name),
        "spec": {
            "selector": settings.selected_by(name),
            "ports": [
                {
                    "name": port.name,
                    "port": port.port,
                    "targetPort": settings.pod_ports[port.container_port],
                    "protocol": "TCP",
                    "appProtocol": port.protocol,
                }
                for port in settings.all_ports
            ],
        },
    }


def with_port_names(spec: Mapping[str, Any], there: Mapping[str, Any] | None) -> Manifest:
    """The spec of a Service, each port with the name that the same port has in the cluster (`there`: the Service, None
    where there is none).
    """
    names = {port["port"]: port["name"] for port in there["spec"].get("ports", []) if port.get("name")} if there else {}
    return {**spec, "ports": [{**port, "name": names.get(port["port"], port["name"])} for port in spec["ports"]]}


def version_deployment(name: str, version: str, settings: Service, workload: Workload, namespace: str) -> Manifest:
    """The pods of one version of service `name`, with what the version has of these settings filled in.

    Ready means the first port of HTTP takes connections: which path of an unknown image would answer a health check is
    not known.
    """
    port, probe = settings.main_port.container_port, workload.readiness_probe
    container = {
        **hardened(name, workload.image),
        "ports": [
            {"name": known_as, "containerPort": number, "protocol": "TCP"}
            for number, known_as in settings.pod_ports.items()
        ],
        "readinessProbe": as_written(probe) if probe else {"tcpSocket": {"port": port}, "periodSeconds": 2},
        # The handler of Kubernetes itself (since 1.30): an image with a single binary has no `sleep` to run.
        "lifecycle": {"preStop": {"sleep": {"seconds": DRAIN_SECONDS}}},
    }
    if workload.command:
        container["command"] = list(workload.command)
    if workload.args:
        container["args"] = list(workload.args)
    if workload.env:
        container["env"] = _variables(workload.env, f"{name}-{version}")
    if workload.env_from:
        container["envFrom"] = [as_written(source) for source in workload.env_from]
    if workload.liveness_probe:
        container["livenessProbe"] = as_written(workload.liveness_probe)
    if workload.startup_probe:
        container["startupProbe"] = as_written(workload.startup_probe)
    if workload.resources:
        container["resources"] = as_written(workload.resources)
    if workload.security_context:
        container["securityContext"] = {**container["securityContext"], **as_written(workload.security_context)}
    made = _deployment(
        metadata(f"{name}-{version}", namespace, name, version),
        settings.pod_labels(name, version),
        workload.replicas,
        container,
        _GRACE_SECONDS,
        # One of the name of a Service that is somebody else's may be, too: Kubernetes gives pods `default`.
        account=name if settings.makes_service else None,
    )
    sealed = {variable: secret.sealed for variable, secret in secrets(workload.env).items()}
    notes = {SEALED: digest(sealed)} if sealed and all(sealed.values()) else {}
    if workload.replicas is None:
        notes[REPLICAS] = EXTERNAL
    if notes:
        made["metadata"]["annotations"] = notes
    return made


def version_secret(name: str, version: str, workload: Workload, namespace: str) -> Manifest | None:
    """The Secret with those variables of a version that are secrets; None where none is. Nothing in it changes: other
    values are another Secret.
    """
    hidden = secrets(workload.env)
    if not hidden:
        return None
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": metadata(f"{name}-{version}", namespace, name, version),
        "type": "Opaque",
        "immutable": True,
        "stringData": hidden,
    }


def client_deployment(name: str, client: Client, namespace: str) -> Manifest:
    """The pods of a client: it offers nothing, so there is no port, probe or draining."""
    container = {**hardened(name, client.image), "command": list(client.command)}
    return _deployment(
        metadata(name, namespace, name), {"app": name}, client.replicas, container, _CLIENT_GRACE_SECONDS, account=name
    )


def _deployment(
    about: Manifest,
    labels: Mapping[str, str],
    replicas: int | None,
    container: Manifest,
    grace_seconds: int,
    *,
    account: str | None,
) -> Manifest:
    """`about`: its metadata; `labels`: those by which its pods are found; `replicas`: None where it is somebody
    else's to say.
    """
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": about,
        "spec": {
            **({} if replicas is None else {"replicas": replicas}),
            "selector": {"matchLabels": dict(labels)},
            # A new pod is ready before an old one goes, also where there is only one.
            "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 0, "maxSurge": "25%"}},
            "template": {
                "metadata": {"labels": {**labels, **MANAGED_BY}},
                "spec": {
                    **({} if account is None else {"serviceAccountName": account}),
                    "automountServiceAccountToken": False,
                    "terminationGracePeriodSeconds": grace_seconds,
                    # Also where there is one pod: the template must not change, and pods not restart, when a second one
                    # comes.
                    "affinity": _apart(labels),
                    "containers": [container],
                },
            },
        },
    }


def _apart(labels: Mapping[str, str]) -> Manifest:
    """Pods of a version rather stand on different nodes, and on one where there is no other."""
    term = {"topologyKey": "kubernetes.io/hostname", "labelSelector": {"matchLabels": dict(labels)}}
    return {
        "podAntiAffinity": {
            "preferredDuringSchedulingIgnoredDuringExecution": [{"weight": 100, "podAffinityTerm": term}]
        }
    }


def hardened(name: str, image: str) -> Manifest:
    """A container of this image, hardened as all of weir's are."""
    return {
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


def _variables(env: Mapping[str, Variable], secret: str) -> Sequence[Manifest]:
    """The variables as Kubernetes has them; those that are secrets come from the Secret of this name."""

    def entry(name: str, variable: Variable) -> Manifest:
        if isinstance(variable.value, Secret):
            return {"name": name, "valueFrom": {"secretKeyRef": {"name": secret, "key": name}}}
        return {"name": name, **as_written(variable)}

    return [entry(name, variable) for name, variable in env.items()]


def with_secret(spec: Manifest, secret: Manifest, known_as: Any) -> Manifest:
    """The spec of a Deployment whose container takes the variables of the Secret from one that is called `known_as`."""
    pod = spec["template"]["spec"]
    container = pod["containers"][0]

    def entry(variable: Manifest) -> Manifest:
        name = variable["name"]
        return (
            {"name": name, "valueFrom": {"secretKeyRef": {"name": known_as, "key": name}}}
            if name in secret["stringData"]
            else variable
        )

    changed = {**container, "env": [entry(variable) for variable in container["env"]]}
    return {**spec, "template": {**spec["template"], "spec": {**pod, "containers": [changed, *pod["containers"][1:]]}}}


def _identity(app: str, version: str | None) -> dict[str, str]:
    """The labels by which people, and weir, find the objects of a service."""
    return {"app": app} if version is None else {"app": app, "version": version}
