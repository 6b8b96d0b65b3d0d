"""What stands before an update in a namespace, and what follows from it: whether it is refused, and in which order it
goes.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import pulumi

from components.args import ClusterArgs
from components.constructed import CONSTRUCTED
from components.ownership import FORCE, named
from components.placement import After, Place, known, owner
from components.safeguards import Safeguards, safeguards
from components.warned import warn
from weir.model import Manifest, Service, ServiceObjects
from weir.model.manifests.hazards import hazards, orphans
from weir.model.manifests.hosts import HostObjects
from weir.model.manifests.kubernetes import with_port_names
from weir.model.manifests.order import Objects, lost_hosts, pods_first, route_before_service, routes_first
from weir.model.manifests.rivals import rivals
from weir.program_environment import ROUTES_ALONE, variable

if TYPE_CHECKING:
    from components.host_routes import HostRoutes
    from components.istio import Gateway, IstioObject

STATE = "pulumi:pulumi:readStackResourceOutputs"
"""The engine's own function that reads a stack's state, the one that is updated included (sdk: StackReference is made
of its like).
"""

_OTHERS_SECONDS = 3.0
"""How long what comes after a route waits for the routes of others."""


def _written(routes: Iterable[IstioObject]) -> asyncio.Future[Any]:
    """Done once each is written, or has failed: whoever waits for one of them alone hears of that."""
    return asyncio.gather(*(each.resource.id.future() for each in routes), return_exceptions=True)


class Standing:
    """The state of one namespace before an update, in one run of a program.

    Components declare their objects here first; then the namespace is read and compared with them.
    """

    routes: dict[str, IstioObject]
    """The VirtualServices of the program, by name."""
    gateways: list[Gateway]
    """Those of the program, which are there before a route is bound to them."""
    needs: dict[str, pulumi.Output[list[pulumi.Resource]]]
    """By service, what must be there before a route names its versions."""
    entrances: list[HostRoutes]

    def __init__(self, guard: Safeguards, namespace: pulumi.Input[str]) -> None:
        """Nothing is asked yet."""
        self._guard, self._given = guard, namespace
        self._services: dict[str, Service] = {}
        self._objects: dict[str, ServiceObjects] = {}
        self._made: list[Manifest] = []
        self._hosts: list[HostObjects] = []
        self.routes, self.gateways, self.needs, self.entrances = {}, [], {}, []
        self._constructed = CONSTRUCTED.get()
        # Asked when the program has said all it puts there: what waits for it begins then.
        self.namespace: pulumi.Output[str] = pulumi.Output.from_input(namespace).apply(self._checked)

    def place(self, after: After = ()) -> Place:
        """Where a component puts its objects: they wait until nothing that would lose requests is known to be about to
        happen.
        """
        return Place(namespace=self.namespace, guard=self._guard, after=after)

    async def after_routes(self, own: IstioObject, *others: pulumi.Resource) -> list[pulumi.Resource]:
        """These, once the own route is written, and those of other services here, or some seconds later: to tell the
        engine what else there is of many services would be in the way of their routes. A service may come after another
        one, so this does not wait for ever.
        """
        await _written([own])
        await asyncio.wait([_written(self.routes.values())], timeout=_OTHERS_SECONDS)
        return [own, *others]

    def declare(self, *made: Manifest) -> None:
        """Say which objects there will be."""
        self._made += made

    def declare_service(self, name: str, service: Service, objects: ServiceObjects) -> None:
        """Say which service there will be."""
        self._services[name], self._objects[name] = service, objects
        self._guard.readiness.declare(name, objects)
        self.declare(*objects.objects())
        if objects.entrance:
            self._hosts.append(objects.entrance)

    def declare_host(self, objects: HostObjects) -> None:
        """Say which host at gateways there will be."""
        self._hosts.append(objects)
        self.declare(objects.virtual_service)

    async def _checked(self, namespace: str) -> str:
        """The namespace's name, once it is known that nothing that would lose requests is about to happen.

        The names alone are compared, of which the namespace's is none: what was declared serves, whatever that is
        called in the end.
        """
        there = await self._guard.cluster.objects(namespace) or {}
        found = hazards(
            self._services,
            self._objects,
            there,
            owner(),
            hosts=self._hosts,
            routes_only=bool(variable(ROUTES_ALONE)),
        )
        if found and not self._guard.force:
            raise pulumi.RunError("\n".join(f"{line} ({FORCE})" for line in found))
        if self._constructed:
            self._tell_lost_hosts(there)
        # A release waits for nothing but proxies, and reaches nothing but routes.
        if not variable(ROUTES_ALONE):
            await self._see_leaving_gone(namespace, there)
            await self._tell_orphans(namespace, there)
            hosts = {name: objects.host_in(namespace) for name, objects in self._objects.items()}
            for line in (
                *rivals(hosts, there, owner()),
                *await self._guard.cluster.without_pods(namespace, self._objects),
            ):
                warn(line)
        return namespace

    async def _see_leaving_gone(self, namespace: str, there: Objects) -> None:
        """What is wanted and on its way out does not count as there, whatever the state says: an update that was
        killed had begun to delete it.

        What is in the state is not made again by an update, which is told; nothing is touched then.
        """
        keys = [(manifest["kind"], manifest["metadata"]["name"]) for manifest in self._made]
        leaving = {key: there[key] for key in keys if key in there and there[key]["metadata"].get("deletionTimestamp")}
        lost = sorted(leaving.keys() & await in_state()) if leaving else []
        for key, found in leaving.items():
            # What has to be made again can be once it is gone: a refresh before that would find it there still.
            await self._guard.ownership.until_gone(found, namespace, at_once=key in lost)
        if lost:
            raise pulumi.RunError(
                f"{', '.join(named(leaving[key]) for key in lost)} was being deleted by an update that was killed, and "
                "is still in Pulumi's state. Nothing was changed. To create it again: pulumi up --refresh"
            )

    async def _tell_orphans(self, namespace: str, there: Objects) -> None:
        """Say which objects an update that was killed has left: nothing would ever remove them, since it could not
        write down that it made them.
        """
        left = orphans(self._made, there, owner())
        if self._constructed:
            left = [key for key in left if there[key]["metadata"].get("labels", {}).get("app") in self._services]
        written = await in_state() if left else frozenset()
        for kind, name in left:
            if (kind, name) not in written:
                warn(
                    f"{kind} {namespace}/{name} was made by an update of this stack that was killed, and is in neither "
                    f"its config nor its state; remove it: kubectl delete -n {namespace} {kind.lower()} {name}"
                )

    def _tell_lost_hosts(self, there: Objects) -> None:
        """Of a component of a package nobody knows whether another one gets a host that it gives up, and which of the
        two is first.
        """
        for service, host in lost_hosts(self._objects, there):
            warn(
                f"{service}: expose.hosts no longer has {host}, and no other service has it yet. If another service "
                "gets it in this update, requests may be lost in between: first add it there in an update of its own, "
                "then remove it here"
            )

    async def pods_first(self, service: str) -> frozenset[str]:
        """The versions of a service whose pods come before its route."""
        return pods_first(service, self._objects[service], await self._there())

    async def routes_first(self, name: str) -> None:
        """Return when the routes stand that come before the VirtualService of this name.

        Waited for, and no dependency: a release of one of the two, which registers that one alone, must not find that
        the other depends on it.
        """
        wanted = {service: objects.virtual_service for service, objects in self._objects.items()}
        wanted |= {each.name: each.virtual_service for each in self._hosts}
        names = routes_first(wanted, await self._there()).get(name, frozenset())
        for first in sorted(names):
            await self.routes[first].resource.id.future()

    async def entrances_stand(self, service: str, *, acknowledged: bool) -> None:
        """Return when every host at gateways that has an entry for the service is as it is to be; `acknowledged`: and
        its proxies have taken it. Waited for, and no dependency, as above.
        """
        for each in self.entrances:
            if service in each.services:
                await (each.stands.future() if acknowledged else each.resource.id.future())

    async def route_before_service(self, service: str) -> bool:
        """Whether the route of a service comes before its Service. A release changes no Service."""
        if variable(ROUTES_ALONE):
            return False
        return route_before_service(service, self._objects[service], await self._there())

    async def stands(self, kind: str, name: str) -> bool:
        """Whether this object is there, as far as is known."""
        return (kind, name) in (await self._there() or {})

    async def service_spec(self, service: str, spec: Mapping[str, Any]) -> Mapping[str, Any]:
        """The Service's spec; its ports keep the names that they have."""
        return with_port_names(spec, (await self._there() or {}).get(("Service", service)))

    async def _there(self) -> Objects | None:
        return await self._guard.cluster.objects(await known(self._given))


def standing(cluster: ClusterArgs, namespace: pulumi.Input[str]) -> Standing:
    """That of this namespace in this run of the program. Components of one namespace have the same text, or the same
    Output, of it.
    """
    guard = safeguards(cluster)
    key = namespace if isinstance(namespace, str) else id(namespace)
    if key not in guard.places:
        guard.places[key] = Standing(guard, namespace)
    found: Standing = guard.places[key]
    return found


async def in_state() -> frozenset[tuple[str, str]]:
    """Kind and name of each object in the state that the last update left."""
    return frozenset(
        (each["kind"], each["metadata"]["name"])
        for each in (await state()).values()
        if "kind" in each and "metadata" in each
    )


async def state() -> Mapping[str, Mapping[str, Any]]:
    """The outputs of each resource in the state that the last update left, by URN. The engine reads it anew: not for
    every run.
    """
    return outputs_in(await pulumi.runtime.invoke_async(STATE, {"stackName": owner()}))


def outputs_in(answer: Any) -> Mapping[str, Mapping[str, Any]]:
    """What there is in the engine's answer."""
    return {urn: each["outputs"] for urn, each in ((answer or {}).get("outputs") or {}).items()}
