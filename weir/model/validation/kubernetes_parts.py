"""What is wrong with the partial Kubernetes objects of a service: what Kubernetes' types refuse, and what would break
the order that weir keeps.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from weir.model.config.kubernetes_parts import PartialObject, ServiceParts
from weir.model.config.stack import Service
from weir.model.manifests import kubernetes, scaling
from weir.model.manifests.kubernetes import Manifest
from weir.model.manifests.kubernetes_parts import broken, laid_over, type_of
from weir.model.validation.messages import ONLY_ENV
from weir.model.values.kubernetes_api import problems
from weir.model.values.problems import Path, Problem
from weir.secret import Secret

_NAMESPACE = "namespace"
"""Which one it is makes no difference here."""


def check_parts(path: Path, name: str, service: Service) -> Iterator[Problem]:
    """Every problem of the keys `kubernetes` of a service and its versions."""
    parts = service.kubernetes
    before = parts.deployment if parts else None
    for key, patch, made in _of_service(name, service, parts) if parts else ():
        # Without an image there is nothing to merge it with; a warning says so (workload-without-image).
        found = list(_problems((*path, "kubernetes", key), made, patch)) if patch and made else []
        if patch and key.startswith("service") and service.create_service is False:
            found = [Problem((*path, "kubernetes", key), "must not be there with createService: false; remove it")]
        yield from found
        if found and key == "deployment":
            before = None
    for version, own in service.versions.items():
        patch = own.kubernetes.deployment if own.kubernetes else None
        made = _deployment(name, service, version) if patch else None
        if patch and made:
            where: Path = (*path, "versions", version, "kubernetes", "deployment")
            yield from _problems(where, laid_over(made, before), patch)


def _of_service(
    name: str, service: Service, parts: ServiceParts
) -> Iterator[tuple[str, PartialObject | None, Manifest | None]]:
    """By key: the partial object, and what it is merged over; None where weir makes no such object. Of the versions,
    which differ in nothing that matters here, the first counts.
    """
    version = next((each for each in service.versions if service.workload(each)), None)
    pods = version is not None
    yield "deployment", parts.deployment, _deployment(name, service, version) if version else None
    yield "service", parts.service, kubernetes.service(name, service, _NAMESPACE) if pods else None
    yield "serviceAccount", parts.service_account, kubernetes.service_account(name, _NAMESPACE) if pods else None
    budget = scaling.disruption_budget(name, str(version), service.selected_by(name), None, _NAMESPACE)
    yield "podDisruptionBudget", parts.pod_disruption_budget, budget if pods else None


def _deployment(name: str, service: Service, version: str) -> Manifest | None:
    workload = service.workload(version)
    if workload is None:
        return None
    return kubernetes.version_deployment(name, version, service, workload, _NAMESPACE)


def _problems(where: Path, made: Manifest, patch: Mapping[str, Any]) -> Iterator[Problem]:
    secret = next(_secrets(patch), None)
    if secret is not None:
        yield Problem((*where, *secret), f"must not be a secret: {ONLY_ENV}")
        return
    found = [Problem((*where, *path), message) for path, message in problems(patch, made, type_of(made))]
    if not found:
        found = [Problem((*where, *path), message) for path, message in broken(made, laid_over(made, patch), patch)]
    yield from found


def _secrets(tree: Any) -> Iterator[Path]:
    """Where there are secrets of the stack file."""
    if isinstance(tree, Secret):
        yield ()
    elif isinstance(tree, Mapping):
        yield from ((str(key), *path) for key, value in tree.items() for path in _secrets(value))
    elif isinstance(tree, list):
        yield from ((index, *path) for index, value in enumerate(tree) for path in _secrets(value))
