"""BackendVersion: the pods of one version of a service."""

from __future__ import annotations

import pulumi
from pulumi_kubernetes.apps.v1 import Deployment
from pulumi_kubernetes.policy.v1 import PodDisruptionBudget

from components.placement import After, placed
from components.safeguards import Safeguards
from components.version_secret import version_secret
from weir.model import Duration, Manifest
from weir.model.manifests.kubernetes import with_secret


class BackendVersion(pulumi.ComponentResource):
    """The Deployment of one version. It counts as created once its pods are ready, so what depends on it finds them serving."""

    deployment: Deployment

    def __init__(
        self,
        name: str,
        manifest: Manifest,
        secret: Manifest | None,
        disruption_budget: Manifest | None,
        namespace: pulumi.Input[str],
        ready_timeout: Duration,
        guard: Safeguards,
        after: After = (),
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """`secret`: what of its environment nobody is shown; `after`: what must exist before the pods.

        `ready_timeout`: how long the pods may take to become ready before the update fails.
        """
        super().__init__("weir:mesh:BackendVersion", name, None, opts)
        spec = with_secret(manifest["spec"], secret, version_secret(name, secret, namespace, self)) if secret else manifest["spec"]
        self.deployment = Deployment(
            name,
            metadata=placed(manifest, namespace, guard),
            spec=spec,
            opts=pulumi.ResourceOptions(
                parent=self,
                depends_on=after,
                hooks=guard.pods,
                custom_timeouts=pulumi.CustomTimeouts(create=ready_timeout.text, update=ready_timeout.text),
            ),
        )
        if disruption_budget:
            PodDisruptionBudget(
                name,
                metadata=placed(disruption_budget, namespace, guard),
                spec=disruption_budget["spec"],
                opts=pulumi.ResourceOptions(parent=self, hooks=guard.bare),
            )
        self.register_outputs({"deployment": manifest["metadata"]["name"]})
