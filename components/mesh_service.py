"""MeshService: a service, its versions, and the order in which traffic may meet them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine, Sequence
from typing import Any

import pulumi
from pulumi_kubernetes.core.v1 import Service, ServiceAccount

from components.backend_version import BackendVersion
from components.destination_rule import DestinationRule
from components.placement import After, placed
from components.safeguards import Safeguards
from components.standing import Standing
from components.virtual_service import VirtualService
from weir.model import Duration, ServiceObjects


class MeshService(pulumi.ComponentResource):
    """Everything of one service. The graph is the point, in both directions.

    Pods that newly get requests → their subset → the route, which waits until every proxy knows what it newly names. Then all other pods:
    a route that moves shares between versions in use waits for nothing, whatever state their pods are in. What is removed goes last, once
    every proxy has let go.
    """

    versions: dict[str, BackendVersion]
    rules: dict[str, DestinationRule]
    host_rule: DestinationRule | None = None
    virtual_service: VirtualService

    def __init__(
        self,
        name: str,
        objects: ServiceObjects,
        placed_objects: pulumi.Output[ServiceObjects],
        namespace: pulumi.Input[str],
        ready_timeout: Duration,
        guard: Safeguards,
        standing: Standing,
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
        self._standing = standing
        self._child = pulumi.ResourceOptions(parent=self)
        self._placed = placed_objects
        self.versions, self.rules = {}, {}
        if route_alone:
            self._route_alone(objects)
            return
        foundation = self._foundation(objects)
        for version, parts in objects.versions.items():
            if parts.deployment:
                self.versions[version] = self._pods(version, objects, self._when(self._before_pods(version, foundation)))
        if objects.host_rule:
            self.host_rule = self._rule(name, objects.host_rule, _host_rule, self._when(self._before_host_rule(objects, foundation)))
        for version in objects.versions:
            self.rules[version] = self._subset(version, objects, self._when(self._before_subset(version, objects)))
        self.virtual_service = self._route(objects, self._when(self._before_route(objects, [*gateways, *foundation])))
        standing.routes[name] = self.virtual_service
        for version, parts in objects.versions.items():
            if not parts.used:
                guard.readiness.idle(name, version)
        settled = self._settle(frozenset(objects.versions))
        self.register_outputs({"host": settled})

    def _route_alone(self, objects: ServiceObjects) -> None:
        """For an update that reaches the route and nothing else (`--target`): all else is as it was, and needs an order that fits whatever it was.

        What the engine passes by keeps what it depended on, which is the route for pods of versions that got no requests then. That has to be
        registered before; and what depends on the route and is not registered at all is taken for what is to go.
        """
        foundation = self._foundation(objects)
        self.virtual_service = self._route(objects, foundation)
        for version, parts in objects.versions.items():
            if parts.deployment:
                self.versions[version] = self._pods(version, objects, [*foundation, self.virtual_service])
        after: list[pulumi.Resource] = [self.virtual_service, *self.versions.values()]
        if objects.host_rule:
            self.host_rule = self._rule(self._name, objects.host_rule, _host_rule, after)
            after.append(self.host_rule)
        for version in objects.versions:
            self.rules[version] = self._subset(version, objects, after)
        self.register_outputs({"host": self._once_rules_stand(self._taken)})

    async def _taken(self, known: Any) -> str:
        """The service's host, once proxies have taken its rules."""
        host = str(known["host"])
        await self._guard.acknowledgement.acknowledged(str(known["namespace"]), self._name, host)
        return host

    def _route(self, objects: ServiceObjects, after: After) -> VirtualService:
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
            metadata=placed(objects.service_account, self._namespace, self._guard),
            automount_service_account_token=objects.service_account["automountServiceAccountToken"],
            opts=opts,
        )
        spec: Any = pulumi.Output.from_input(objects.service["spec"]).apply(self._keeping_port_name)
        service = Service(
            self._name,
            # The provider would wait for an endpoint, which a service scaled to 0 never gets; the Deployments are waited for anyway.
            metadata=placed(objects.service, self._namespace, self._guard, {"pulumi.com/skipAwait": "true"}),
            spec=spec,
            opts=opts,
        )
        return [account, service]

    async def _keeping_port_name(self, spec: Any) -> Any:
        return await self._standing.service_spec(self._name, spec)

    # What comes before what depends on what stands, and is asked while the engine sees to the rest.

    def _when(self, resources: Coroutine[Any, Any, list[pulumi.Resource]]) -> After:
        return pulumi.Output.from_input(resources)

    async def _before_pods(self, version: str, foundation: Sequence[pulumi.Resource]) -> list[pulumi.Resource]:
        first = version in await self._standing.pods_first(self._name)
        return [*foundation, *([] if first else [self.virtual_service])]

    async def _before_host_rule(self, objects: ServiceObjects, foundation: Sequence[pulumi.Resource]) -> list[pulumi.Resource]:
        return [*foundation, *([self.virtual_service] if await self._host_rule_last(objects) else [])]

    async def _before_subset(self, version: str, objects: ServiceObjects) -> list[pulumi.Resource]:
        # Pods that do not come before the route come after it, which must not be what its subsets stand on.
        first = version in self.versions and version in await self._standing.pods_first(self._name)
        pods = [self.versions[version]] if first else []
        whole = objects.host_rule is not None and "exportTo" in objects.host_rule["spec"] and not await self._host_rule_last(objects)
        return [*pods, *([self.host_rule] if whole and self.host_rule else [])]

    async def _before_route(self, objects: ServiceObjects, always: Sequence[pulumi.Resource]) -> list[pulumi.Resource]:
        first = await self._standing.pods_first(self._name)
        pods = [self.versions[version] for version in objects.versions if version in first and version in self.versions]
        rules = [self.rules[version] for version, parts in objects.versions.items() if parts.named]
        host_rule = [self.host_rule] if self.host_rule and not await self._host_rule_last(objects) else []
        # Waited for, and no dependency: a release of one of the two, which registers that one alone, must not find that the other depends on it.
        for route in await self._standing.routes_first(self._name):
            await route.resource.id.future()
        return [*always, *rules, *host_rule, *pods]

    async def _host_rule_last(self, objects: ServiceObjects) -> bool:
        """Whether the rule for all pods changes after the route: one that has the subsets may lose them only then. What is made comes before."""
        rule = objects.host_rule
        return rule is not None and "subsets" in rule["spec"] and await self._standing.stands(rule["kind"], rule["metadata"]["name"])

    def _pods(self, version: str, objects: ServiceObjects, after: After) -> BackendVersion:
        parts = objects.versions[version]
        assert parts.deployment is not None
        return BackendVersion(
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

    def _subset(self, version: str, objects: ServiceObjects, after: After) -> DestinationRule:
        return self._rule(
            f"{self._name}-{version}",
            objects.versions[version].destination_rule,
            lambda real: real.versions[version].destination_rule["spec"],
            after,
        )

    def _rule(self, name: str, manifest: Any, spec: Any, after: After) -> DestinationRule:
        return DestinationRule(name, manifest, self._placed.apply(spec), self._namespace, self._guard, after=after, opts=self._child)

    def _settle(self, versions: frozenset[str]) -> pulumi.Output[str]:
        """The service's host, once proxies have taken its rules and none needs what is removed after this; Pulumi removes only when the program has ended."""

        async def settled(known: Any) -> str:
            host, namespace = str(known["host"]), str(known["namespace"])
            await self._guard.settle(host, namespace, versions)
            return host

        return self._once_rules_stand(settled)

    def _once_rules_stand(self, then: Callable[[Any], Awaitable[str]]) -> pulumi.Output[str]:
        rules = [rule.stands for rule in (self.virtual_service, *self.rules.values(), self.host_rule) if rule is not None]
        host = self._placed.apply(lambda real: real.host)
        return pulumi.Output.all(host=host, namespace=self._namespace, rules=pulumi.Output.all(*rules)).apply(then)


def _host_rule(real: ServiceObjects) -> dict[str, Any]:
    assert real.host_rule is not None  # whether there is one does not depend on the namespace's name
    return dict(real.host_rule["spec"])
