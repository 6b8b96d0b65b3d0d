"""VirtualService: how the traffic of one service is divided."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pulumi
from pulumi_kubernetes.apiextensions import CustomResource

from components.placement import placed
from weir.model import Manifest


class VirtualService(pulumi.ComponentResource):
    """The one Istio VirtualService of a service. It comes after all subsets and goes before them."""

    route: CustomResource

    def __init__(
        self,
        name: str,
        manifest: Manifest,
        spec: pulumi.Input[dict[str, Any]],
        namespace: pulumi.Input[str],
        after: Sequence[pulumi.Resource] = (),
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """`spec`: the manifest's, with the real namespace in its hosts; `after`: the subsets it may name, and the Service."""
        super().__init__("weir:mesh:VirtualService", name, None, opts)
        self.route = CustomResource(
            name,
            api_version=manifest["apiVersion"],
            kind=manifest["kind"],
            metadata=placed(manifest, namespace),
            spec=spec,
            opts=pulumi.ResourceOptions(parent=self, depends_on=list(after)),
        )
        self.register_outputs({"route": manifest["metadata"]["name"]})
