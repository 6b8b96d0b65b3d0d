"""What stands before an update, and what follows from it: whether it is refused, and in which order it goes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pulumi

from components.placement import known, owner
from components.readiness import FORCE
from components.safeguards import Safeguards
from components.virtual_service import VirtualService
from components.warned import warn
from weir.model import Mesh, StackConfig
from weir.model.manifests.hazards import hazards, orphans
from weir.model.manifests.kubernetes import with_port_name
from weir.model.manifests.order import Objects, pods_first, routes_first
from weir.program_environment import ROUTES_ALONE, variable

STATE = "pulumi:pulumi:readStackResourceOutputs"
"""The engine's own function that reads a stack's state, the one that is updated included (sdk: StackReference is made of its like)."""


class Standing:
    """Of the whole stack; MeshServices put their routes into `routes`."""

    routes: dict[str, VirtualService]

    def __init__(self, config: StackConfig, plan: Mesh, namespace: pulumi.Output[str], guard: Safeguards) -> None:
        """Nothing is asked yet."""
        self._config, self._plan, self._namespace, self._guard = config, plan, namespace, guard
        self.routes = {}

    def checked(self) -> pulumi.Output[str]:
        """The namespace's name, once it is known that nothing that would lose requests is about to happen. What is placed there waits for it.

        The names alone are compared, of which the namespace's is none: the plan serves, whatever that is called in the end.
        """

        async def check(namespace: str) -> str:
            standing = await self._guard.objects(namespace) or {}
            found = hazards(self._config, self._plan, standing, owner(), routes_only=bool(variable(ROUTES_ALONE)))
            if found and not self._config.force:
                raise pulumi.RunError("\n".join(f"{line} ({FORCE})" for line in found))
            if not variable(ROUTES_ALONE):
                await self._tell_orphans(namespace, standing)
            return namespace

        return self._namespace.apply(check)

    async def _tell_orphans(self, namespace: str, standing: Objects) -> None:
        """Say which objects an update that was killed has left: nothing would ever remove them, since it could not write down that it made them."""
        left = orphans(self._plan, standing, owner())
        written = await in_state() if left else frozenset()
        for kind, name in left:
            if (kind, name) not in written:
                warn(
                    f"{kind} {namespace}/{name} was made by an update of this stack that was killed, and is in neither its config nor its state;"
                    f" remove it: kubectl delete -n {namespace} {kind.lower()} {name}"
                )

    async def pods_first(self, service: str) -> frozenset[str]:
        """The versions of a service whose pods come before its route."""
        return pods_first(service, self._plan.services[service], await self._objects())

    async def routes_first(self, service: str) -> list[VirtualService]:
        """The routes that come before that of this service."""
        names = routes_first(self._plan.services, await self._objects()).get(service, frozenset())
        return [self.routes[name] for name in sorted(names)]

    async def stands(self, kind: str, name: str) -> bool:
        """Whether this object is there, as far as is known."""
        return (kind, name) in (await self._objects() or {})

    async def service_spec(self, service: str, spec: Mapping[str, Any]) -> Mapping[str, Any]:
        """The Service's spec; its port keeps the name that it has."""
        return with_port_name(spec, (await self._objects() or {}).get(("Service", service)))

    async def _objects(self) -> Objects | None:
        return await self._guard.objects(await known(self._namespace))


async def in_state() -> frozenset[tuple[str, str]]:
    """Kind and name of each object in the state that the last update left."""
    return frozenset((each["kind"], each["metadata"]["name"]) for each in (await state()).values() if "kind" in each and "metadata" in each)


async def state() -> Mapping[str, Mapping[str, Any]]:
    """The outputs of each resource in the state that the last update left, by URN. The engine reads it anew: not for every run."""
    return outputs_in(await pulumi.runtime.invoke_async(STATE, {"stackName": owner()}))


def outputs_in(answer: Any) -> Mapping[str, Mapping[str, Any]]:
    """What there is in the engine's answer."""
    return {urn: each["outputs"] for urn, each in ((answer or {}).get("outputs") or {}).items()}
