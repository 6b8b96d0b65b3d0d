"""What runs the pods of a version: a Deployment, StatefulSet or DaemonSet, or any kind that says in
`status.readyReplicas` how many pods are ready; and versions that get requests and have none.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from weir.cluster.errors import ClusterError
from weir.cluster.kubectl import Kubectl
from weir.cluster.live import Live
from weir.model import ServiceObjects
from weir.model.manifests.mesh import VersionObjects
from weir.model.manifests.subsets import used

_RESOURCES = {"deployment": "deployments.apps", "statefulset": "statefulsets.apps", "daemonset": "daemonsets.apps"}


@dataclass(frozen=True, slots=True)
class WorkloadState:
    """How far a workload is.

    `ready`, `desired`: its pods.
    `labels`: those of its pods; None where it does not say.
    `selector`: those by which its pods are found; empty where it does not say.
    """

    ready: int
    desired: int
    labels: Mapping[str, str] | None
    selector: Mapping[str, str]


def workload_state(kubectl: Kubectl, reference: str) -> WorkloadState | None:
    """That of KIND/NAME; None where there is none, or it is being deleted. Raises ClusterError."""
    kind, _, name = reference.partition("/")
    found = kubectl.get([_RESOURCES.get(kind, kind), name, "--ignore-not-found"], missing={})
    return state_of(found) if found and not found["metadata"].get("deletionTimestamp") else None


def state_of(workload: Mapping[str, Any]) -> WorkloadState:
    """That of an object."""
    spec, status = workload.get("spec", {}), workload.get("status", {})
    template = spec.get("template")
    ready, desired = status.get("readyReplicas", 0), spec.get("replicas", 1)
    if workload["kind"] == "DaemonSet":
        ready, desired = status.get("numberReady", 0), status.get("desiredNumberScheduled", 0)
    return WorkloadState(
        ready=ready,
        desired=desired,
        labels=None if template is None else template.get("metadata", {}).get("labels", {}),
        selector=spec.get("selector", {}).get("matchLabels", {}),
    )


def without_pods(live: Live, services: Mapping[str, ServiceObjects]) -> Iterator[str]:
    """A line for each version that gets requests, is to get them still, and has no pod that takes them: somebody has
    scaled it to 0, or none is ready where their number is somebody else's. Raises ClusterError.

    No update can guard these pods, nor waits for them.
    """
    for name, objects in services.items():
        sent = used((live.find("VirtualService", name) or {}).get("spec"))
        for version, parts in objects.versions.items():
            if parts.used and parts.known_as in sent and (why := _why_none(live, f"{name}-{version}", parts)):
                yield f"{name}: {version} gets requests, which are answered 503: {why}, or send it nothing"


def _why_none(live: Live, deployment: str, parts: VersionObjects) -> str:
    """Why a version has no pods that take requests, and what to do; empty where it has, or nobody can tell."""
    kind, _, name = (parts.workload or f"deployment/{deployment}").partition("/")
    wanted = None if parts.deployment is None else parts.deployment["spec"].get("replicas")
    found = live.find("Deployment", name) if kind == "deployment" else None
    if parts.workload is None and (parts.deployment is None or found is None or wanted == 0):
        return ""
    try:
        there = workload_state(live.kubectl, f"{kind}/{name}") if found is None else state_of(found)
    except ClusterError:  # no right to look, or no such kind: a warning stops nothing
        return ""
    if there is None:
        return f"{kind}/{name} is not there; create it"
    if not there.desired and wanted is not None:
        return f"somebody has scaled {kind}/{name} to 0 pods; undo that: pulumi up --refresh"
    if not there.desired:
        scale = f"kubectl scale -n {live.kubectl.namespace} {kind}/{name} --replicas=1"
        return f"its owner has scaled {kind}/{name} to 0 pods; scale it up: {scale}"
    if not there.ready and wanted is None:
        return f"none of the {there.desired} pods of {kind}/{name} is ready; fix them (weir status says why)"
    return ""
