"""StackNamespace: the namespace of a stack, with a random suffix for one that is short-lived."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pulumi
from pulumi_kubernetes.core.v1 import Namespace
from pulumi_random import RandomPet

from components.args import ClusterArgs
from components.ownership import FORCE
from components.placement import owner, placed
from components.safeguards import safeguards
from components.standing import STATE, outputs_in, state
from weir.model import Manifest, StackConfig
from weir.model.manifests import kubernetes
from weir.model.manifests.hazards import namespace_hazard


@dataclass(frozen=True, kw_only=True)
class StackNamespaceArgs:
    """The namespace of a stack, which weir creates, or created and no longer owns."""

    manifest: Manifest
    """the Namespace"""
    ephemeral: bool = False
    """whether its name gets a random suffix"""
    keep: bool = False
    """whether it stays when the stack is removed"""
    cluster: ClusterArgs = field(default_factory=ClusterArgs)
    """the cluster, and what is asked of it before something changes"""


class StackNamespace(pulumi.ComponentResource):
    """The namespace everything of a stack lives in. `name` is known once it exists, so whatever is placed there waits
    for it.
    """

    name: pulumi.Output[str]

    def __init__(self, name: str, args: StackNamespaceArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        """Ephemeral: a random pet's name, kept in the state, is appended, so that stacks of the same config never
        collide.

        Somebody else's (`createNamespace: false`): one that was weir's before is kept in the state, and never deleted.
        """
        super().__init__("weir:mesh:StackNamespace", name, None, opts)
        self._force = args.cluster.force
        guard = safeguards(args.cluster)
        metadata = placed(args.manifest, None)
        if args.ephemeral:
            metadata = {
                **metadata,
                "name": RandomPet(name, prefix=metadata["name"], opts=pulumi.ResourceOptions(parent=self)).id,
            }
        hooks = pulumi.ResourceHookBinding(
            before_create=[
                *(guard.bare.before_create or []),
                pulumi.ResourceHook(
                    "not-from-another-namespace", self._refuse_move, pulumi.ResourceHookOptions(on_dry_run=True)
                ),
            ]
        )
        own = pulumi.ResourceOptions(parent=self, hooks=hooks, retain_on_delete=args.keep)
        namespace = Namespace(name, metadata=metadata, opts=own)
        self.name = namespace.metadata.apply(lambda created: str(created["name"]))
        self.register_outputs({"name": self.name})

    async def _refuse_move(self, args: pulumi.ResourceHookArgs) -> None:
        """Where the state has the namespace and it is made all the same, the old one goes, with everything in it."""
        inputs: Any = args.new_inputs
        after = inputs["metadata"].get("name")
        _refuse_move(await state(), after if isinstance(after, str) else None, self._force)


def left_alone(config: StackConfig) -> Manifest | None:
    """The namespace that was this stack's to delete, and is no longer (`createNamespace: false`); None where there
    never was one.

    What the state has must not vanish from the program: the engine would delete it. Raises RunError where the stack
    would move to another one.
    """
    if config.create_namespace:
        return None
    found = outputs_in(pulumi.runtime.invoke(STATE, {"stackName": owner()}).value)
    _refuse_move(found, config.namespace, config.force)
    names = [each["metadata"]["name"] for urn, each in found.items() if _is(urn, "kubernetes:core/v1:Namespace")]
    return kubernetes.namespace(names[0]) if names else None


def _refuse_move(found: Mapping[str, Mapping[str, Any]], after: str | None, force: bool) -> None:
    """Refuse, where the state that the last update left has services in another namespace than `after`, which is None
    where it has yet to get a name.
    """
    routes = [
        each["metadata"]["namespace"]
        for urn, each in found.items()
        if _is(urn, "kubernetes:networking.istio.io/v1:VirtualService")
    ]
    if routes and routes[0] != after and not force:
        raise pulumi.RunError(f"{namespace_hazard(routes[0], after)} ({FORCE})")


def _is(urn: str, token: str) -> bool:
    """Whether a URN (`urn:pulumi:STACK::PROJECT::PARENTS$TYPE::NAME`) is of this type."""
    return urn.split("::")[2].rpartition("$")[2] == token
