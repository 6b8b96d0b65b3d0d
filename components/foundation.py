"""What all versions of a service stand on: its Service, and the account of its pods."""

from __future__ import annotations

from typing import Any

import pulumi
from pulumi_kubernetes.core.v1 import Service, ServiceAccount

from components.placement import Place, placed
from weir.model import Manifest


def foundation_of(
    name: str,
    account: Manifest,
    service: Manifest,
    spec: pulumi.Input[Any],
    place: Place,
    parent: pulumi.Resource,
) -> list[pulumi.Resource]:
    """Both, as children of `parent`. `spec`: the Service's, as it is to be."""
    opts = pulumi.ResourceOptions(parent=parent, hooks=place.guard.bare)
    made = ServiceAccount(
        name,
        metadata=placed(account, place),
        automount_service_account_token=account.get("automountServiceAccountToken"),
        image_pull_secrets=account.get("imagePullSecrets"),
        secrets=account.get("secrets"),
        opts=opts,
    )
    # The provider would wait for an endpoint, which a service scaled to 0 never gets; the Deployments are waited for
    # anyway.
    metadata = placed(service, place, {"pulumi.com/skipAwait": "true"})
    # Kubernetes never changes it. The provider would delete the Service and make another, even for the address that it
    # has, or for one that is no longer written. Another one is refused (`weir.model.manifests.hazards`).
    kept = pulumi.ResourceOptions(ignore_changes=["spec.clusterIP"])
    return [made, Service(name, metadata=metadata, spec=spec, opts=pulumi.ResourceOptions.merge(opts, kept))]
