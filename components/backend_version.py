"""BackendVersion: the pods of one version of a service."""

from __future__ import annotations

from collections.abc import Sequence

import pulumi
from pulumi_kubernetes.apps.v1 import Deployment
from pulumi_kubernetes.policy.v1 import PodDisruptionBudget

from components.placement import placed
from components.safeguards import Safeguards
from weir.model import Duration, Manifest


class BackendVersion(pulumi.ComponentResource):
    """The Deployment of one version. It counts as created once its pods are ready, so what depends on it finds them serving."""

    deployment: Deployment

    def __init__(
        self,
        name: str,
        manifest: Manifest,
        disruption_budget: Manifest | None,
        namespace: pulumi.Input[str],
        ready_timeout: Duration,
        guard: Safeguards,
        after: Sequence[pulumi.Resource] = (),
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """`ready_timeout`: how long the pods may take to become ready before the update fails; `after`: what must exist before them."""
        super().__init__("weir:mesh:BackendVersion", name, None, opts)
        self.deployment = Deployment(
            name,
            metadata=placed(manifest, namespace),
            spec=manifest["spec"],
            opts=pulumi.ResourceOptions(
                parent=self,
                depends_on=list(after),
                hooks=guard.pods,
                custom_timeouts=pulumi.CustomTimeouts(create=ready_timeout.text, update=ready_timeout.text),
            ),
        )
        if disruption_budget:
            PodDisruptionBudget(
                name,
                metadata=placed(disruption_budget, namespace),
                spec=disruption_budget["spec"],
                opts=pulumi.ResourceOptions(parent=self, hooks=guard.bare),
            )
        self.register_outputs({"deployment": manifest["metadata"]["name"]})
