"""Client: a workload inside the mesh to send requests from."""

from __future__ import annotations

import pulumi
from pulumi_kubernetes.apps.v1 import Deployment
from pulumi_kubernetes.core.v1 import ServiceAccount

from components.args import ClientArgs
from components.checked import Checked
from components.placement import placed
from components.standing import standing
from weir.model.manifests.mesh import client_objects


class Client(pulumi.ComponentResource):
    """The Deployment of one client with an identity of its own, so that policies can tell callers apart."""

    deployment: Deployment

    def __init__(self, name: str, args: ClientArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        """Raises RunError with all that is wrong with the arguments."""
        super().__init__("weir:mesh:Client", name, None, opts)
        checked = Checked("Client", "clients", name, args)
        objects = client_objects(name, checked.config.clients[name], checked.config.namespace)
        there = standing(args.cluster, args.namespace)
        there.declare(objects.service_account, objects.deployment)
        place = there.place()
        account = ServiceAccount(
            name,
            metadata=placed(objects.service_account, place),
            automount_service_account_token=objects.service_account["automountServiceAccountToken"],
            opts=pulumi.ResourceOptions(parent=self, hooks=place.guard.bare),
        )
        self.deployment = Deployment(
            name,
            metadata=placed(objects.deployment, place),
            spec=checked.filled(objects.deployment["spec"]),
            opts=pulumi.ResourceOptions(
                parent=self,
                depends_on=[account],
                hooks=place.guard.pods,
                custom_timeouts=pulumi.CustomTimeouts(
                    create=place.guard.ready_timeout, update=place.guard.ready_timeout
                ),
            ),
        )
        self.register_outputs({"deployment": objects.deployment["metadata"]["name"]})
