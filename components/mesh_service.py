"""MeshService: a service, its versions, and the order in which traffic may meet them."""

from __future__ import annotations

from collections.abc import Collection, Sequence
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
        route_alone: Collection[str] | None = None,
    ) -> None:
        """`objects` say what there is, before anything runs; `placed_objects` are the same with the real namespace in their hosts.

        `gateways`: those of the stack, which are there before a route is bound to them. Only the rules of Istio name hosts, so only
        their specs wait for `placed_objects`; all else is complete in every preview. `route_alone`: the versions that the route named before,
        where it alone is to change.
        """
        super().__init__("weir:mesh:MeshService", name, None, opts)
        self._name, self._namespace, self._guard, self._ready_timeout = name, namespace, guard, ready_timeout
        self._child = pulumi.ResourceOptions(parent=self)
        self._placed = placed_objects
        self.versions, self.rules = {}, {}
        if route_alone is not None:
            self._route_alone(objects, route_alone)
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

    def _route_alone(self, objects: ServiceObjects, versions: Collection[str]) -> None:
        """For an update that reaches the route and nothing else (`--target`): it, and the subsets of the versions that it named before.

        The engine takes along what these depend on, as it is in the state. What it has taken along must not be registered after that, which it
        would be where a version ceases to get requests and so comes behind the route: so nothing else is.
        """
        for version in versions:
            if version in objects.versions:
                # One after the other: what two of them depend on the engine takes along with one, and would write it down behind the other.
                self._subset(version, objects, list(self.rules.values())[-1:])
        self.virtual_service = self._route(objects, list(self.rules.values()))
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
        # Of a version that no route names they come after the route, which must not be what its subset stands on.
        pods = [self.versions[version]] if version in self.versions and objects.versions[version].named else []
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
