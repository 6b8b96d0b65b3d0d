"""What else Kubernetes can say of the objects that weir makes, in Kubernetes' own words: partial objects, merged over
weir's (`weir.model.values.strategic_merge`). What is wrong with them says `weir.model.validation.kubernetes_parts`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from weir.model.config.base import Part, key

PartialObject = Mapping[str, Any]
"""Fields of a Kubernetes object, as its documentation has them."""

_EXAMPLE = {"spec": {"template": {"metadata": {"annotations": {"example.com/team": "shop"}}}}}


class VersionParts(Part):
    """Partial Kubernetes objects, merged over those that weir makes for a version."""

    deployment: PartialObject | None = key(
        "fields of its Deployment, merged after its service's; a container of weir's has the name of the service",
        example=_EXAMPLE,
        becomes="Deployment",
    )


class ServiceParts(Part):
    """Partial Kubernetes objects, merged over those that weir makes for a service."""

    deployment: PartialObject | None = key(
        "fields of the Deployment of each version; the container that weir makes has the name of the service",
        example=_EXAMPLE,
        becomes="Deployment",
    )
    service: PartialObject | None = key(
        "fields of the Service", example={"spec": {"type": "LoadBalancer"}}, becomes="Service"
    )
    service_account: PartialObject | None = key(
        "fields of the ServiceAccount",
        example={"metadata": {"annotations": {"example.com/role": "shop"}}},
        becomes="ServiceAccount",
    )
    pod_disruption_budget: PartialObject | None = key(
        "fields of the PodDisruptionBudget of each version that has several pods",
        example={"spec": {"maxUnavailable": "25%"}},
        becomes="PodDisruptionBudget",
    )
