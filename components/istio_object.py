"""What the components of Istio's objects share: one custom resource, whose spec may know its namespace only while the program runs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import pulumi
from pulumi_kubernetes.apiextensions import CustomResource

from components.placement import After, placed
from components.safeguards import Safeguards
from weir.model import Manifest
from weir.model.manifests.kubernetes import RESTORED, SPEC, digest


class IstioObject(pulumi.ComponentResource):
    """One object of Istio. A subclass says which by its token, and why it comes and goes when it does."""

    token: ClassVar[str]
    resource: CustomResource
    stands: pulumi.Output[bool]
    """Known once it stands in the cluster as it was written."""

    def __init__(
        self,
        name: str,
        manifest: Manifest,
        spec: pulumi.Input[dict[str, Any]],
        namespace: pulumi.Input[str],
        guard: Safeguards,
        after: After = (),
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """`spec`: the manifest's, with the real namespace in its hosts; `after`: what must exist before it, and outlive it."""
        super().__init__(self.token, name, None, opts)
        kind, own = manifest["kind"], manifest["metadata"]["name"]

        async def marks(known: Mapping[str, Any]) -> dict[str, str]:
            undone = await guard.restored(kind, own, str(known["namespace"]))
            # Who edited it owns the fields since. That weir may take them back is asked before, by what refuses to overwrite edits unseen.
            return {SPEC: digest(known["spec"]), **({RESTORED: undone, "pulumi.com/patchForce": "true"} if undone else {})}

        self.resource = CustomResource(
            name,
            api_version=manifest["apiVersion"],
            kind=kind,
            metadata=placed(manifest, namespace, guard, pulumi.Output.all(spec=spec, namespace=namespace).apply(marks)),
            spec=spec,
            opts=pulumi.ResourceOptions(parent=self, depends_on=after, hooks=self.hooks(guard)),
        )
        self.stands = pulumi.Output.all(metadata=self.resource.metadata, id=self.resource.id, namespace=namespace).apply(
            lambda known: self._stands(guard, kind, own, known)
        )
        self.register_outputs({"object": own})

    async def _stands(self, guard: Safeguards, kind: str, name: str, known: Mapping[str, Any]) -> bool:
        await guard.acknowledgement.stands(kind, str(known["namespace"]), name, known["metadata"] or {})
        return True

    def hooks(self, guard: Safeguards) -> pulumi.ResourceHookBinding:
        """What is asked before it is made or changed."""
        return guard.rules
