"""DestinationRule: the subset of one version."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pulumi
from pulumi_kubernetes.apiextensions import CustomResource

from components.placement import placed
from weir.model import Manifest


class DestinationRule(pulumi.ComponentResource):
    """One Istio DestinationRule. One for each version: Pulumi deletes last, so a subset outlives the route that named it."""

    rule: CustomResource

    def __init__(
        self,
        name: str,
        manifest: Manifest,
        spec: pulumi.Input[dict[str, Any]],
        namespace: pulumi.Input[str],
        after: Sequence[pulumi.Resource] = (),
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """`spec`: the manifest's, with the real namespace in its host; `after`: the pods of the subset."""
        super().__init__("weir:mesh:DestinationRule", name, None, opts)
        self.rule = CustomResource(
            name,
            api_version=manifest["apiVersion"],
            kind=manifest["kind"],
            metadata=placed(manifest, namespace),
            spec=spec,
            opts=pulumi.ResourceOptions(parent=self, depends_on=list(after)),
        )
        self.register_outputs({"rule": manifest["metadata"]["name"]})
