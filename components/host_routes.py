"""HostRoutes: the VirtualService of a host at gateways, and the order in which it meets the services it names."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import pulumi

from components.args import ClusterArgs
from components.istio import IstioObject, Made
from components.placement import After
from components.safeguards import Safeguards
from components.standing import Standing, standing
from weir.model import StackConfig
from weir.model.manifests.hosts import HostObjects, host_objects
from weir.program_environment import ROUTES_ALONE, variable


@dataclass(frozen=True)
class HostRoutesArgs:
    """One host of a stack."""

    host: str
    namespace: pulumi.Input[str]
    cluster: ClusterArgs
    stack: StackConfig


@dataclass(frozen=True)
class Entrance:
    """One that is declared already, as a part of its service. `spec` has the real namespace in its hosts."""

    objects: HostObjects
    spec: pulumi.Input[dict[str, Any]]
    there: Standing


class HostRoutes(IstioObject):
    """One host at gateways: which requests go to which service, and there by which of its routes.

    It comes after all that the routes of its services come after, so that it names no version before that has pods
    and proxies know it; and it is as it is to be before a version goes.
    """

    token = "weir:mesh:HostRoutes"
    services: tuple[str, ...]

    def __init__(self, name: str, args: HostRoutesArgs | Entrance, opts: pulumi.ResourceOptions | None = None) -> None:
        """`name` is also the object's. The components of its services are made before."""
        made = args if isinstance(args, Entrance) else _declared(args)
        self.services = made.objects.services
        place = made.there.place()
        # A release reaches routes that stand, and nothing that they need.
        after: After = () if variable(ROUTES_ALONE) else pulumi.Output.from_input(self._before(name, made.there))
        super().__init__(
            name,
            Made(manifest=made.objects.virtual_service, spec=made.spec, place=replace(place, after=after)),
            opts,
        )
        made.there.routes[name] = self
        made.there.entrances.append(self)

    def hooks(self, guard: Safeguards) -> pulumi.ResourceHookBinding:
        """It waits until every proxy knows the versions it newly sends requests to."""
        return guard.routes

    async def _before(self, name: str, there: Standing) -> list[Any]:
        await there.routes_first(name)
        needed = [await there.needs[service].future() or [] for service in self.services]
        return [*there.gateways, *dict.fromkeys(resource for each in needed for resource in each)]

    async def _stands(self, guard: Safeguards, name: str, known: Mapping[str, Any]) -> bool:
        """The proxies of its gateways have taken it."""
        await super()._stands(guard, name, known)
        await guard.acknowledgement.acknowledged(str(known["namespace"]), name, "")
        return True


def _declared(args: HostRoutesArgs) -> Entrance:
    there = standing(args.cluster, args.namespace)
    objects = host_objects(args.host, args.stack, args.stack.namespace)
    there.declare_host(objects)
    spec = pulumi.Output.from_input(there.place().namespace).apply(
        lambda real: host_objects(args.host, args.stack, real).virtual_service["spec"]
    )
    return Entrance(objects, spec, there)
