"""How many pods of a version there are: its HorizontalPodAutoscaler, and how many of them may be drained at a time."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from weir.model.config.base import as_written
from weir.model.config.scaling import EXTERNAL, Autoscaling
from weir.model.manifests.annotations import REPLICAS, annotation
from weir.model.manifests.kubernetes import Manifest, metadata

_SEVERAL = 2


def disruption_budget(
    name: str, version: str, labels: Mapping[str, str], replicas: int | None, namespace: str
) -> Manifest | None:
    """Of several pods of a version, a drained node takes one at a time; a single pod must be allowed to move, so it
    has no budget.

    `replicas` is None where somebody else owns it. A budget of one pod lets that move, too.
    """
    if replicas is not None and replicas < _SEVERAL:
        return None
    return {
        "apiVersion": "policy/v1",
        "kind": "PodDisruptionBudget",
        "metadata": metadata(f"{name}-{version}", namespace, name, version),
        "spec": {"maxUnavailable": 1, "selector": {"matchLabels": dict(labels)}},
    }


def autoscaler(name: str, version: str, settings: Autoscaling, namespace: str) -> Manifest:
    """The HorizontalPodAutoscaler of one version of service `name`."""
    return {
        "apiVersion": "autoscaling/v2",
        "kind": "HorizontalPodAutoscaler",
        "metadata": metadata(f"{name}-{version}", namespace, name, version),
        "spec": {
            "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": f"{name}-{version}"},
            "minReplicas": settings.min_replicas,
            **as_written(settings),
        },
    }


def number_of_pods(deployment: Mapping[str, Any]) -> int | str | None:
    """What is written of the number of a Deployment's pods: a number, or whose it is."""
    owner = annotation(deployment, REPLICAS)
    return EXTERNAL if owner == EXTERNAL else deployment["spec"].get("replicas")
