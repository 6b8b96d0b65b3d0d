"""What of somebody else's runs the pods of a version: a Deployment, StatefulSet or DaemonSet, or any kind that says in
`status.readyReplicas` how many pods are ready.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from weir.cluster.kubectl import Kubectl

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
