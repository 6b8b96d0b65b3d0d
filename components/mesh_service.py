"""MeshService: a service, its versions, and the order in which traffic may meet them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pulumi
from pulumi_kubernetes.core.v1 import Service, ServiceAccount

from components.backend_version import BackendVersion
from components.destination_rule import DestinationRule
from components.placement import placed
from components.safeguards import Safeguards
from components.virtual_service import VirtualService
from weir.model import Duration, ServiceObjects


class MeshService(pulumi.ComponentResource):
    """Everything of one service. The graph is the point, in both directions.

    Pods that get requests → their subset → the route, which waits until every proxy knows what it newly names. Then what the route no
    longer uses: pods of versions that get nothing are changed only after it, and what is removed goes last, once every proxy has let go.
    """

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
        guard: Safeguards,
        gateways: Sequence[pulumi.Resource] = (),
        opts: pulumi.ResourceOptions | None = None,
        route_alone: bool = False,
    ) -> None:
        """`objects` say what there is, before anything runs; `placed_objects` are the same with the real namespace in their hosts.

        `gateways`: those of the stack, which are there before a route is bound to them. Only the rules of Istio name hosts, so only
        their specs wait for `placed_objects`; all else is complete in every preview. `route_alone`: all else of it is to stay as it is.
        """
        super().__init__("weir:mesh:MeshService", name, None, opts)
        self._name, self._namespace, self._guard, self._ready_timeout = name, namespace, guard, ready_timeout
        self._child = pulumi.ResourceOptions(parent=self)
        self._placed = placed_objects
        self.versions, self.rules = {}, {}
        if route_alone:
            self._route_alone(objects)
            return
        foundation = self._foundation(objects)
        for version, parts in objects.versions.items():
            if parts.used:
                self._pods(version, objects, foundation)
            if parts.named:
                self._subset(version, objects)
        before: list[pulumi.Resource] = [*gateways, *foundation, *self.rules.values()]
        if objects.host_rule:
            before.append(self._rule(name, objects.host_rule, _host_rule, foundation))
        self.virtual_service = self._route(objects, [*before, *self.versions.values()])
        for version, parts in objects.versions.items():
            if not parts.used:
                guard.idle(name, version)
                self._pods(version, objects, [*foundation, self.virtual_service])
            if not parts.named:
                self._subset(version, objects)
        settled = self._settle(frozenset(objects.versions))
        self.register_outputs({"host": settled})

    def _route_alone(self, objects: ServiceObjects) -> None:
        """For an update that reaches the route and nothing else (`--target`): all else is as it was, and needs an order that fits whatever it was.

        What the engine passes by keeps what it depended on, which is the route for pods of versions that got no requests then. That has to be
        registered before; and what depends on the route and is not registered at all is taken for what is to go.
        """
        foundation = self._foundation(objects)
        self.virtual_service = self._route(objects, foundation)
        for version in objects.versions:
            self._pods(version, objects, [*foundation, self.virtual_service])
        after = [self.virtual_service, *self.versions.values()]
        for version in objects.versions:
            self._subset(version, objects, after)
        if objects.host_rule:
            self._rule(self._name, objects.host_rule, _host_rule, after)
        self.register_outputs({"host": self._placed.apply(lambda real: real.host)})

    def _route(self, objects: ServiceObjects, after: Sequence[pulumi.Resource]) -> VirtualService:
        return VirtualService(
            self._name,
            objects.virtual_service,
            self._placed.apply(lambda real: real.virtual_service["spec"]),
            self._namespace,
            self._guard,
            after=after,
            opts=self._child,
        )

    def _foundation(self, objects: ServiceObjects) -> list[pulumi.Resource]:
        if not objects.service_account or not objects.service:
            return []
        opts = pulumi.ResourceOptions(parent=self, hooks=self._guard.bare)
        account = ServiceAccount(
            self._name,
            metadata=placed(objects.service_account, self._namespace),
            automount_service_account_token=objects.service_account["automountServiceAccountToken"],
            opts=opts,
        )
        service = Service(
            self._name,
            # The provider would wait for an endpoint, which a service scaled to 0 never gets; the Deployments are waited for anyway.
            metadata=placed(objects.service, self._namespace, {"pulumi.com/skipAwait": "true"}),
            spec=objects.service["spec"],
            opts=opts,
        )
        return [account, service]

    def _pods(self, version: str, objects: ServiceObjects, after: Sequence[pulumi.Resource]) -> None:
        parts = objects.versions[version]
        if parts.deployment:
            self.versions[version] = BackendVersion(
                f"{self._name}-{version}",
                parts.deployment,
                parts.secret,
                parts.disruption_budget,
                self._namespace,
                self._ready_timeout,
                self._guard,
                after=after,
                opts=self._child,
            )

    def _subset(self, version: str, objects: ServiceObjects, after: Sequence[pulumi.Resource] = ()) -> None:
        pods = [self.versions[version]] if version in self.versions else []
        self.rules[version] = self._rule(
            f"{self._name}-{version}",
            objects.versions[version].destination_rule,
            lambda real: real.versions[version].destination_rule["spec"],
            [*after, *pods],
        )

    def _rule(self, name: str, manifest: Any, spec: Any, after: Sequence[pulumi.Resource]) -> DestinationRule:
        return DestinationRule(name, manifest, self._placed.apply(spec), self._namespace, self._guard, after=after, opts=self._child)

    def _settle(self, versions: frozenset[str]) -> pulumi.Output[str]:
        """The service's host, once no proxy needs what is removed after this; Pulumi removes only when the program has ended."""

        async def settled(known: Any) -> str:
            host, namespace = str(known["host"]), str(known["namespace"])
            await self._guard.settle(host, namespace, versions)
            return host

        route = self.virtual_service.resource.id
        host = self._placed.apply(lambda real: real.host)
        return pulumi.Output.all(host=host, namespace=self._namespace, route=route).apply(settled)


def _host_rule(real: ServiceObjects) -> dict[str, Any]:
    assert real.host_rule is not None  # whether there is one does not depend on the namespace's name
    return dict(real.host_rule["spec"])
