"""MeshService: a service, its versions, and the order in which traffic may meet them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine, Sequence
from dataclasses import replace
from functools import cache
from typing import Any

import pulumi
from pulumi_kubernetes.core.v1 import Service

from components.args import MeshServiceArgs
from components.backend_version import BackendVersion, MadeVersion
from components.checked import Checked
from components.foundation import foundation_of
from components.host_routes import Entrance, HostRoutes
from components.istio import DestinationRule, Made, ServiceEntry, VirtualService
from components.placement import After
from components.real_specs import entrance_spec, entry_of, host_rule_spec, rule_of
from components.standing import standing
from components.workload import Workload, without_pods
from weir.model import Manifest, ServiceObjects, percentages
from weir.model.manifests.mesh import service_objects
from weir.program_environment import ROUTES_ALONE, variable


class MeshService(pulumi.ComponentResource):
    """A service with its versions, their subsets and its route, created and removed in an order that loses no request.

    First come the pods of versions that newly get requests, then their subsets. Then comes the route: it waits until
    every proxy has acknowledged the versions that it newly names. All other pods come after it, so a route that moves
    shares between versions in use waits for no pods. Removals come last, once every proxy has drained what is removed.
    """

    host: pulumi.Output[str]
    """its full name, once proxies have acknowledged all that was changed of it"""
    weights: dict[str, float]
    """percent of the requests by version, on the default route"""
    versions: dict[str, BackendVersion]
    entries: dict[str, ServiceEntry]
    """of versions at external hosts"""
    rules: dict[str, DestinationRule]
    host_rule: DestinationRule | None = None
    virtual_service: VirtualService
    entrance: HostRoutes | None = None

    def __init__(self, name: str, args: MeshServiceArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        """`name` is also the Service's. Raises RunError with all that is wrong with the arguments.

        Only the rules of Istio name hosts, so only their specs wait for a namespace that is not known yet; all else is
        complete in every preview.
        """
        super().__init__("weir:mesh:MeshService", name, None, opts)
        self._name, self._checked = name, Checked("MeshService", "services", name, args)
        config = self._checked.config
        self._child = pulumi.ResourceOptions(parent=self)
        for version, each in args.versions.items():
            if isinstance(each.workload, pulumi.Resource) and each.host:
                raise pulumi.RunError(
                    f'MeshService "{name}": versions.{version}.workload: has no effect: its pods are elsewhere, at '
                    f"{each.host}; remove it, or host"
                )
        # Pulumi holds back nothing inside a component for what the component depends on; here the route waits for it.
        self._first = pulumi.Output.from_input((opts.depends_on if opts else None) or [])
        self.versions, self.entries, self.rules = {}, {}, {}
        self._workloads = {
            version: Workload(
                name,
                version,
                config.services[name].pod_labels(name, version),
                config.services[name].pod_ports.values(),
                each.workload,
            )
            for version, each in args.versions.items()
            if isinstance(each.workload, pulumi.Resource)
        }
        objects = without_pods(service_objects(name, config, config.namespace), self._workloads)
        self._standing = standing(args.cluster, args.namespace)
        self._standing.declare_service(name, config.services[name], objects)
        self._place = self._standing.place()
        self._guard = self._place.guard
        self._placed = pulumi.Output.from_input(self._place.namespace).apply(
            cache(lambda real: service_objects(name, config, real))
        )
        # A release reaches the route alone: all else of the service is to stay as it is.
        settled = self._route_alone(objects) if variable(ROUTES_ALONE) else self._whole(objects)
        self.host = settled
        service = config.services[name]
        self.weights = {version: float(share) for version, share in percentages(service.stable, service.canary).items()}
        self.register_outputs({"host": settled})

    def _whole(self, objects: ServiceObjects) -> pulumi.Output[str]:
        name = self._name
        foundation = self._foundation(objects)
        for version, parts in objects.versions.items():
            if parts.deployment:
                self.versions[version] = self._pods(
                    version, objects, self._when(self._before_pods(version, foundation))
                )
        if objects.host_rule:
            self.host_rule = self._rule(
                name, objects.host_rule, host_rule_spec, self._when(self._before_host_rule(objects, foundation))
            )
        self._subsets(objects, lambda version: self._when(self._before_subset(version, objects)))
        needs = self._standing.needs[name] = self._when(self._needed_by_routes(objects, foundation))
        self.virtual_service = self._route(objects, self._when(self._before_route(needs)))
        self._standing.routes[name] = self.virtual_service
        self._enter(objects)
        return self._settle(objects)

    def _enter(self, objects: ServiceObjects) -> None:
        """Make it reachable as every host, where it is exposed so."""
        if objects.entrance:
            made = Entrance(objects.entrance, self._placed.apply(entrance_spec), self._standing)
            self.entrance = HostRoutes(objects.entrance.name, made, self._child)

    def _route_alone(self, objects: ServiceObjects) -> pulumi.Output[str]:
        """For an update that reaches the route and nothing else (`--target`): all else is as it was, and needs an
        order that fits whatever it was.

        What the engine passes by keeps what it depended on, which is the route for pods of versions that got no
        requests then. That has to be registered before; and what depends on the route and is not registered at all is
        taken for what is to go.
        """
        foundation = self._foundation(objects)
        self.virtual_service = self._standing.routes[self._name] = self._route(objects, foundation)
        self._enter(objects)

        def then(*resources: pulumi.Resource) -> After:
            return self._when(self._standing.after_routes(self.virtual_service, *resources))

        for version, parts in objects.versions.items():
            if parts.deployment:
                self.versions[version] = self._pods(version, objects, then(*foundation))
        pods = self.versions.values()
        if objects.host_rule:
            self.host_rule = self._rule(self._name, objects.host_rule, host_rule_spec, then(*pods))
        first = [*pods, *([self.host_rule] if self.host_rule else [])]
        self._subsets(objects, lambda _: then(*first))
        return self._once_rules_stand(self._taken)

    async def _taken(self, known: Any) -> str:
        """The service's host, once proxies have taken its rules."""
        host = str(known["host"])
        await self._guard.acknowledgement.acknowledged(str(known["namespace"]), self._name, host)
        return host

    def _route(self, objects: ServiceObjects, after: After) -> VirtualService:
        spec = self._placed.apply(lambda real: real.virtual_service["spec"])
        return VirtualService(
            self._name,
            Made(manifest=objects.virtual_service, spec=spec, place=replace(self._place, after=after)),
            self._child,
        )

    def _foundation(self, objects: ServiceObjects) -> list[pulumi.Resource]:
        if not objects.service_account or not objects.service:
            return []
        spec: Any = pulumi.Output.from_input(objects.service["spec"]).apply(self._service_spec)
        return foundation_of(self._name, objects.service_account, objects.service, spec, self._place, self)

    async def _service_spec(self, spec: Any) -> Any:
        if await self._standing.route_before_service(self._name):
            await self._once_rules_stand(self._taken).future()
        return await self._standing.service_spec(self._name, spec)

    async def _without_service(self, foundation: Sequence[pulumi.Resource]) -> list[pulumi.Resource]:
        """What the route, and what comes before it, depends on: not the Service where that comes after the route."""
        last = await self._standing.route_before_service(self._name)
        return [each for each in foundation if not (last and isinstance(each, Service))]

    # What comes before what depends on what stands, and is asked while the engine sees to the rest.

    def _when(self, resources: Coroutine[Any, Any, list[pulumi.Resource]]) -> pulumi.Output[list[pulumi.Resource]]:
        return pulumi.Output.from_input(resources)

    async def _before_pods(self, version: str, foundation: Sequence[pulumi.Resource]) -> list[pulumi.Resource]:
        before = await self._without_service(foundation)
        if version in await self._standing.pods_first(self._name):
            return before
        await self._standing.entrances_stand(self._name, acknowledged=False)
        return [*before, self.virtual_service]

    async def _before_host_rule(
        self, objects: ServiceObjects, foundation: Sequence[pulumi.Resource]
    ) -> list[pulumi.Resource]:
        before = await self._without_service(foundation)
        if not await self._host_rule_last(objects):
            return before
        await self._standing.entrances_stand(self._name, acknowledged=False)
        return [*before, self.virtual_service]

    async def _before_subset(self, version: str, objects: ServiceObjects) -> list[pulumi.Resource]:
        # Pods that do not come before the route come after it, which must not be what its subsets stand on.
        first = version in await self._standing.pods_first(self._name)
        pods = self._that_run(version) if first else []
        whole = (
            objects.host_rule is not None
            and "exportTo" in objects.host_rule["spec"]
            and not await self._host_rule_last(objects)
        )
        entry = [self.entries[version]] if version in self.entries else []
        return [*pods, *entry, *([self.host_rule] if whole and self.host_rule else [])]

    async def _before_route(self, needs: pulumi.Output[list[pulumi.Resource]]) -> list[pulumi.Resource]:
        await self._standing.routes_first(self._name)
        return await needs.future() or []

    async def _needed_by_routes(
        self, objects: ServiceObjects, always: Sequence[pulumi.Resource]
    ) -> list[pulumi.Resource]:
        first = await self._standing.pods_first(self._name)
        pods = [each for version in objects.versions if version in first for each in self._that_run(version)]
        for workload in self._workloads.values():
            await workload.checked()
        rules = [
            self.rules[version] for version, parts in objects.versions.items() if parts.named and version in self.rules
        ]
        host_rule = [self.host_rule] if self.host_rule and not await self._host_rule_last(objects) else []
        first_of_all = await self._first.future()
        first_of_all = first_of_all if isinstance(first_of_all, list) else [first_of_all]
        always = await self._without_service(always)
        return [*first_of_all, *self._standing.gateways, *always, *rules, *host_rule, *pods]

    def _that_run(self, version: str) -> list[pulumi.Resource]:
        """What runs the pods of a version, if it is of this program."""
        if version in self._workloads:
            return [self._workloads[version].resource]
        return [self.versions[version]] if version in self.versions else []

    async def _host_rule_last(self, objects: ServiceObjects) -> bool:
        """Whether the rule for all pods changes after the route: one that has the subsets may lose them only then.
        What is made comes before.
        """
        rule = objects.host_rule
        return (
            rule is not None
            and "subsets" in rule["spec"]
            and await self._standing.stands(rule["kind"], rule["metadata"]["name"])
        )

    def _pods(self, version: str, objects: ServiceObjects, after: After) -> BackendVersion:
        made = MadeVersion(
            objects=objects.versions[version], checked=self._checked, place=replace(self._place, after=after)
        )
        return BackendVersion(f"{self._name}-{version}", made, self._child)

    def _subsets(self, objects: ServiceObjects, after: Callable[[str], After]) -> None:
        """The subset of each version that is one, and first what the mesh knows of an external host."""
        for version, parts in objects.versions.items():
            name = f"{self._name}-{version}"
            if parts.service_entry:
                spec = self._placed.apply(entry_of(version))
                made = Made(manifest=parts.service_entry, spec=spec, place=self._place)
                self.entries[version] = ServiceEntry(name, made, self._child)
            if parts.destination_rule:
                self.rules[version] = self._rule(name, parts.destination_rule, rule_of(version), after(version))

    def _rule(
        self, name: str, manifest: Manifest, spec: Callable[[ServiceObjects], Any], after: After
    ) -> DestinationRule:
        made = Made(manifest=manifest, spec=self._placed.apply(spec), place=replace(self._place, after=after))
        return DestinationRule(name, made, self._child)

    def _settle(self, objects: ServiceObjects) -> pulumi.Output[str]:
        """The service's host, once proxies have taken its rules and none needs what is removed after this; Pulumi
        removes only when the program has ended.
        """

        async def settled(known: Any) -> str:
            host, namespace = str(known["host"]), str(known["namespace"])
            await self._standing.entrances_stand(self._name, acknowledged=True)
            await self._guard.subsets.drained(
                host, namespace, frozenset(objects.versions), objects.virtual_service["spec"]
            )
            return host

        return self._once_rules_stand(settled)

    def _once_rules_stand(self, then: Callable[[Any], Awaitable[str]]) -> pulumi.Output[str]:
        rules = [
            rule.stands
            for rule in (self.virtual_service, *self.entries.values(), *self.rules.values(), self.host_rule)
            if rule is not None
        ]
        host = self._placed.apply(lambda real: real.host)
        return pulumi.Output.all(host=host, namespace=self._place.namespace, rules=pulumi.Output.all(*rules)).apply(
            then
        )
