"""Who owns an object: weir takes over no object of another owner unasked, and treats one that is being deleted as
absent.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from typing import Any

import pulumi

from components.cluster import Cluster
from components.placement import known, owner
from components.warned import warn
from weir.cluster.taking_over import take_over
from weir.model import Duration
from weir.model.manifests.annotations import MANAGER, OWN, OWNER, REPLICAS, annotation

FORCE = "weir:force: true goes on anyway"
_POLL_SECONDS = 0.5


class Ownership:
    """The hook before an object is created, and the field manager of one that is there."""

    def __init__(self, cluster: Cluster, *, adopt: bool, patience: Duration) -> None:
        """`adopt`: what stands there is taken over, whoever made it; `patience`: how long an object that is being
        deleted may take.
        """
        self._cluster, self._adopt, self._patience = cluster, adopt, patience
        self._told: set[str] = set()

    async def manager(self, kind: str, name: str, namespace: pulumi.Input[str]) -> Mapping[str, str]:
        """The annotation with the field manager of an object: the object's own if it exists, else weir's.

        An existing object without the annotation was created under a field manager that the provider chose. That one
        owns the fields; under another name weir could not change them.
        """
        found = await self._there(kind, name, namespace)
        if found is None or self._adopts(found):
            return {MANAGER: "weir"}
        there = annotation(found, MANAGER)
        return {MANAGER: there} if there is not None else {}

    async def of_replicas(self, manifest: Mapping[str, Any], namespace: pulumi.Input[str]) -> dict[str, str]:
        """Annotations of a Deployment whose number of pods weir owns again: it is taken back from who owned it, which
        the API server refuses unforced.

        They stay, so that another update has nothing to change.
        """
        if "replicas" not in manifest["spec"]:
            return {}
        found = await self._there("Deployment", manifest["metadata"]["name"], namespace)
        return {REPLICAS: OWN, "pulumi.com/patchForce": "true"} if annotation(found, REPLICAS) is not None else {}

    async def _there(self, kind: str, name: str, namespace: pulumi.Input[str]) -> Mapping[str, Any] | None:
        return (await self._cluster.objects(await known(namespace)) or {}).get((kind, name))

    async def refuse_others(self, args: pulumi.ResourceHookArgs) -> None:
        """Hook: an object that is about to be created must not exist, unless an interrupted update of this stack
        created it and did not record it in the state.

        One that is being deleted is waited for: the provider would patch it, report it as created, and it would be
        deleted.
        """
        inputs: Any = args.new_inputs
        metadata = inputs["metadata"]
        kind = inputs["kind"] if "kind" in inputs else args.type.rpartition(":")[2]
        name = metadata.get("name")
        namespace = name if kind == "Namespace" else metadata.get("namespace")
        if not isinstance(name, str) or not isinstance(namespace, str):
            return  # an ephemeral namespace has no name yet, and nobody can have taken it
        found = await self._cluster.standing(namespace, kind, name)
        what = name if kind == "Namespace" else f"{namespace}/{name}"
        if found is not None and found["metadata"].get("deletionTimestamp"):
            await self.until_gone(found, namespace)
        elif found is not None and self._adopts(found):
            if not pulumi.runtime.is_dry_run():
                await self._cluster.ask(
                    lambda: take_over(self._cluster.kubectl(namespace), found, inputs.get("spec", {})), None
                )
        elif found is not None and not self._adopt and annotation(found, OWNER) != owner():
            raise pulumi.RunError(
                f"{kind} {what} exists and this stack did not create it ({maker(found)}); remove it, choose another "
                "name, or take it over with weir:adopt: true"
            )

    def _adopts(self, found: Mapping[str, Any]) -> bool:
        """Whether an object that is there is somebody else's, and taken over."""
        return self._adopt and found["kind"] != "Namespace" and annotation(found, OWNER) != owner()

    async def until_gone(self, leaving: Mapping[str, Any], namespace: str, *, at_once: bool = False) -> None:
        """Return when an object that is being deleted is no more. Raises RunError when that takes longer than pods may
        take to become ready. `at_once`: in a preview too, which only tells of it else.
        """
        what = named(leaving)
        first = leaving["metadata"]["uid"] not in self._told
        self._told.add(leaving["metadata"]["uid"])
        if pulumi.runtime.is_dry_run() and not at_once:
            if first:
                warn(f"{what} is being deleted: the update waits until it is gone")
            return
        if first:
            pulumi.log.info(f"{what} is being deleted: waiting until it is gone")
        group, _, version = leaving["apiVersion"].rpartition("/")
        wanted = [
            f"{leaving['kind']}.{version}.{group}" if group else leaving["kind"],
            leaving["metadata"]["name"],
            "--ignore-not-found",
        ]
        begun = time.monotonic()
        while True:
            there: Any = await self._cluster.ask(lambda: self._cluster.kubectl(namespace).get(wanted, missing={}), {})
            if not there or there["metadata"]["uid"] != leaving["metadata"]["uid"]:
                return
            if time.monotonic() - begun > self._patience.seconds:
                held = ", ".join(there["metadata"].get("finalizers", [])) or "none"
                raise pulumi.RunError(
                    f"{what} is still being deleted after {self._patience} (weir:readyTimeout; its finalizers: "
                    f"{held}); run this again once it is gone"
                )
            await asyncio.sleep(_POLL_SECONDS)


def named(found: Mapping[str, Any]) -> str:
    """An object as messages name it: KIND NAMESPACE/NAME."""
    metadata = found["metadata"]
    return f"{found['kind']} {'/'.join(metadata[key] for key in ('namespace', 'name') if key in metadata)}"


def maker(found: Mapping[str, Any]) -> str:
    """Who had a hand in an object, as far as it tells: the stack that made it, and the field managers other than
    Pulumi.
    """
    stack = annotation(found, OWNER)
    managers = dict.fromkeys(
        str(entry["manager"])
        for entry in found["metadata"].get("managedFields", [])
        if entry.get("subresource") != "status"
    )
    own = annotation(found, MANAGER)
    others = [manager for manager in managers if not manager.startswith("pulumi-kubernetes") and manager != own]
    told = [f"field manager {', '.join(others)}"] if others else []
    if stack is not None and stack != owner():
        told.insert(0, f"stack {stack} made it")
    return "; ".join(told) or "no other field manager is recorded"
