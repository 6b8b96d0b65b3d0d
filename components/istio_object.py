"""What the components of Istio's objects share: one custom resource, whose spec may know its namespace only while the program runs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import pulumi
from pulumi_kubernetes.apiextensions import CustomResource

from components.placement import placed
from weir.model import Manifest


class IstioObject(pulumi.ComponentResource):
    """One object of Istio. A subclass says which by its token, and why it comes and goes when it does."""

    token: ClassVar[str]

    def __init__(
        self,
        name: str,
        manifest: Manifest,
        spec: pulumi.Input[dict[str, Any]],
        namespace: pulumi.Input[str],
        after: Sequence[pulumi.Resource] = (),
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """`spec`: the manifest's, with the real namespace in its hosts; `after`: what must exist before it, and outlive it."""
        super().__init__(self.token, name, None, opts)
        CustomResource(
            name,
            api_version=manifest["apiVersion"],
            kind=manifest["kind"],
            metadata=placed(manifest, namespace),
            spec=spec,
            opts=pulumi.ResourceOptions(parent=self, depends_on=list(after)),
        )
        self.register_outputs({"object": manifest["metadata"]["name"]})
