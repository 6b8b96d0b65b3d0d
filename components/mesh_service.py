"""MeshService: a service, its versions, and the order in which traffic may meet them."""

from __future__ import annotations

import pulumi
from pulumi_kubernetes.core.v1 import Service, ServiceAccount

from components.backend_version import BackendVersion
from components.destination_rule import DestinationRule
from components.placement import placed
from components.virtual_service import VirtualService
from weir.model import Duration, ServiceObjects


class MeshService(pulumi.ComponentResource):
    """Everything of one service. The graph is the point: ready pods → their subset → the route, and the reverse when they go."""

    versions: dict[str, BackendVersion]
    rules: dict[str, DestinationRule]
    virtual_service: VirtualService

    def __init__(
        self,
        name: str,
        objects: ServiceObjects,
        placed_objects: pulumi.Output[ServiceObjects],
        namespace: pulumi.Input[str],
        ready_timeout: Duration,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """`objects` say what there is, before anything runs; `placed_objects` are the same with the real namespace in their hosts.

        Only the rules of Istio name hosts, so only their specs wait for `placed_objects`; all else is complete in every preview.
        """
        super().__init__("weir:mesh:MeshService", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)
        foundation: list[pulumi.Resource] = []
        if objects.service_account and objects.service:
            account = ServiceAccount(
                name,
                metadata=placed(objects.service_account, namespace),
                automount_service_account_token=objects.service_account["automountServiceAccountToken"],
                opts=child,
            )
            service = Service(
                name,
                # The provider would wait for an endpoint, which a service scaled to 0 never gets; the Deployments are waited for anyway.
                metadata=placed(objects.service, namespace, {"pulumi.com/skipAwait": "true"}),
                spec=objects.service["spec"],
                opts=child,
            )
            foundation = [account, service]

        self.versions, self.rules = {}, {}
        for version, parts in objects.versions.items():
            pods: list[pulumi.Resource] = []
            if parts.deployment:
                backend = BackendVersion(f"{name}-{version}", parts.deployment, namespace, ready_timeout, after=foundation, opts=child)
                self.versions[version] = backend
                pods = [backend]
            self.rules[version] = DestinationRule(
                f"{name}-{version}",
                parts.destination_rule,
                placed_objects.apply(lambda real, version=version: real.versions[version].destination_rule["spec"]),  # type: ignore[misc]
                namespace,
                after=pods,
                opts=child,
            )
        self.virtual_service = VirtualService(
            name,
            objects.virtual_service,
            placed_objects.apply(lambda real: real.virtual_service["spec"]),
            namespace,
            after=[*foundation, *self.rules.values()],
            opts=child,
        )
        self.register_outputs({"host": placed_objects.apply(lambda real: real.host)})
