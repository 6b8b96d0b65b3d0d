"""Pods in weir's terms, whatever kind of object has them: of which version or client they are, and what runs in them.

A Deployment, a StatefulSet, a CronJob, a Rollout of Argo's, a kind that nobody here knows: pods are where containers
are listed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from policy.known import Props, listed, mapping
from weir.model.config.scaling import EXTERNAL
from weir.model.manifests.annotations import REPLICAS

_CONTAINERS = ("initContainers", "containers", "ephemeralContainers")
# What the API takes for a number that is left out (Kubernetes' reference, and Argo's).
_ONE = ("Deployment", "StatefulSet", "ReplicaSet", "ReplicationController", "Rollout")


@dataclass(frozen=True, slots=True)
class Pods:
    """Pods that an object makes, or is: their labels, and their spec."""

    labels: Mapping[str, Any]
    spec: Mapping[str, Any]

    @property
    def containers(self) -> Iterator[Mapping[str, Any]]:
        """Every container that the object itself names. Istio's webhook adds its own to the pods, which stand in no
        object.
        """
        for kind in _CONTAINERS:
            yield from (mapping(container) for container in listed(self.spec.get(kind)))


def pods(props: Props) -> list[Pods]:
    """All that stand in the object; none where they are not known yet."""
    return list(_found(props, {}))


def _found(value: Any, around: Mapping[str, Any]) -> Iterator[Pods]:
    if isinstance(value, Mapping):
        if any(isinstance(value.get(kind), list) for kind in _CONTAINERS):
            yield Pods(mapping(mapping(around.get("metadata")).get("labels")), value)
        else:
            for inner in value.values():
                yield from _found(inner, value)
    elif isinstance(value, list):
        for inner in value:
            yield from _found(inner, {})


def identity(props: Props) -> tuple[str, str]:
    """Service and version by the labels, those of the pods first; either is empty where there is none."""
    own = mapping(mapping(props.get("metadata")).get("labels"))
    labels = {**own, **(there[0].labels if (there := pods(props)) else {})}
    return str(labels.get("app", "")), str(labels.get("version", ""))


def who(props: Props) -> str:
    """`backend v2`, `client frontend`, or what else it is, such as `StatefulSet store`."""
    service, version = identity(props)
    if service and version:
        return f"{service} {version}"
    kind, name = str(props.get("kind", "Deployment")), str(mapping(props.get("metadata")).get("name", ""))
    return f"client {service}" if service and kind == "Deployment" else f"{kind} {name}".rstrip()


def count(props: Props) -> Any:
    """How many pods the object keeps; None where it says nothing of it, such as a DaemonSet, or somebody else owns the
    number, and UNKNOWN where it is not known yet.
    """
    kind = props.get("kind", "Deployment")
    if mapping(mapping(props.get("metadata")).get("annotations")).get(REPLICAS) == EXTERNAL:
        return None
    return 1 if kind == "Pod" else mapping(props.get("spec")).get("replicas", 1 if kind in _ONE else None)
