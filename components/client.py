"""Client: a workload inside the mesh to send requests from."""

from __future__ import annotations

import pulumi
from pulumi_kubernetes.apps.v1 import Deployment
from pulumi_kubernetes.core.v1 import ServiceAccount

from components.placement import placed
from components.safeguards import Safeguards
from weir.model import ClientObjects, Duration


class Client(pulumi.ComponentResource):
    """The Deployment of one client with an identity of its own, so that policies can tell callers apart."""

    deployment: Deployment

    def __init__(
        self,
        name: str,
        objects: ClientObjects,
        namespace: pulumi.Input[str],
        ready_timeout: Duration,
        guard: Safeguards,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """`ready_timeout`: how long the pods may take to become ready before the update fails."""
        super().__init__("weir:mesh:Client", name, None, opts)
        account = ServiceAccount(
            name,
            metadata=placed(objects.service_account, namespace, guard),
            automount_service_account_token=objects.service_account["automountServiceAccountToken"],
            opts=pulumi.ResourceOptions(parent=self, hooks=guard.bare),
        )
        self.deployment = Deployment(
            name,
            metadata=placed(objects.deployment, namespace, guard),
            spec=objects.deployment["spec"],
            opts=pulumi.ResourceOptions(
                parent=self,
                depends_on=[account],
                hooks=guard.pods,
                custom_timeouts=pulumi.CustomTimeouts(create=ready_timeout.text, update=ready_timeout.text),
            ),
        )
        self.register_outputs({"deployment": objects.deployment["metadata"]["name"]})
