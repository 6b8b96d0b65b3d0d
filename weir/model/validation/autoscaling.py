"""What is wrong with what an autoscaler goes by: what Kubernetes' types refuse, and what its API server asks beyond
them (validateMetricSpec in pkg/apis/autoscaling/validation of Kubernetes' source).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from weir.model.config.scaling import Autoscaling
from weir.model.values import kubernetes_api
from weir.model.values.problems import Path, Problem, shown

_SOURCES = {
    "Resource": "resource",
    "ContainerResource": "containerResource",
    "Pods": "pods",
    "Object": "object",
    "External": "external",
}
"""Type of a metric → the field that has it."""
_TARGETS = {"Utilization": "averageUtilization", "AverageValue": "averageValue", "Value": "value"}
"""Type of a target → the field that has its value."""
_TARGETS_OF = {
    "Resource": ("Utilization", "AverageValue"),
    "ContainerResource": ("Utilization", "AverageValue"),
    "Pods": ("AverageValue",),
    "Object": ("Value", "AverageValue"),
    "External": ("Value", "AverageValue"),
}
"""Type of a metric → the types of target that it may have."""


def check_autoscaling(path: Path, settings: Autoscaling | None) -> Iterator[Problem]:
    """Every problem of the keys metrics and behavior."""
    if settings is None:
        return
    fields: dict[str, Any] = {"metrics": list(settings.metrics)}
    if settings.behavior is not None:
        fields["behavior"] = settings.behavior
    shape = kubernetes_api.kind("autoscaling.v2.HorizontalPodAutoscaler")
    made = {"spec": {"maxReplicas": settings.max_replicas, "scaleTargetRef": {"kind": "Deployment", "name": "weir"}}}
    found = [(where[1:], message) for where, message in kubernetes_api.problems({"spec": fields}, made, shape)]
    if not found:
        found = [each for index, metric in enumerate(settings.metrics) for each in _metric(("metrics", index), metric)]
    yield from (Problem((*path, "autoscaling", *where), message) for where, message in found)


def _metric(path: Path, metric: Mapping[str, Any]) -> Iterator[tuple[Path, str]]:
    kind = metric.get("type")
    if kind not in _SOURCES:
        yield (*path, "type"), f"must be one of {', '.join(_SOURCES)}, was {shown(kind)}"
        return
    own = _SOURCES[kind]
    if own not in metric:
        yield (*path, own), f"missing: a metric of type {kind} has it"
    for other in metric.keys() - {"type", own}:
        yield (*path, other), f"does not belong to a metric of type {kind}; remove it, or correct type"
    target = (metric.get(own) or {}).get("target")
    if target is not None:
        yield from _target((*path, own, "target"), target, _TARGETS_OF[kind])


def _target(path: Path, target: Mapping[str, Any], choices: Sequence[str]) -> Iterator[tuple[Path, str]]:
    kind = str(target.get("type"))
    if kind not in choices:
        yield (*path, "type"), f"must be {' or '.join(choices)} here, was {shown(target.get('type'))}"
    elif _TARGETS[kind] not in target:
        yield (*path, _TARGETS[kind]), f"missing: a target of type {kind} has it"
