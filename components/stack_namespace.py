"""StackNamespace: the namespace of a stack, with a random suffix for one that is short-lived."""

from __future__ import annotations

import pulumi
from pulumi_kubernetes.core.v1 import Namespace
from pulumi_random import RandomPet

from components.placement import placed
from components.safeguards import Safeguards
from weir.model import Manifest


class StackNamespace(pulumi.ComponentResource):
    """The namespace everything of a stack lives in. `name` is known once it exists, so whatever is placed there waits for it."""

    name: pulumi.Output[str]

    def __init__(
        self, name: str, manifest: Manifest, ephemeral: bool, guard: Safeguards, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        """`ephemeral`: append a random pet's name, kept in the state, so that stacks of the same config never collide."""
        super().__init__("weir:mesh:StackNamespace", name, None, opts)
        metadata = placed(manifest, None)
        if ephemeral:
            metadata = {**metadata, "name": RandomPet(name, prefix=metadata["name"], opts=pulumi.ResourceOptions(parent=self)).id}
        namespace = Namespace(name, metadata=metadata, opts=pulumi.ResourceOptions(parent=self, hooks=guard.bare))
        self.name = namespace.metadata.apply(lambda created: str(created["name"]))
        self.register_outputs({"name": self.name})
