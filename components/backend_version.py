"""BackendVersion: the pods of one version of a service."""

from __future__ import annotations

from collections.abc import Sequence

import pulumi
from pulumi_kubernetes.apps.v1 import Deployment

from components.placement import placed
from weir.model import Duration, Manifest


class BackendVersion(pulumi.ComponentResource):
    """The Deployment of one version. It counts as created once its pods are ready, so what depends on it finds them serving."""

    deployment: Deployment

    def __init__(
        self,
        name: str,
        manifest: Manifest,
        namespace: pulumi.Input[str],
        ready_timeout: Duration,
        after: Sequence[pulumi.Resource] = (),
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """`ready_timeout`: how long the pods may take to become ready before the update fails; `after`: what must exist before them."""
        super().__init__("weir:mesh:BackendVersion", name, None, opts)
        self.deployment = Deployment(
            name,
            metadata=placed(manifest, namespace),
            spec=manifest["spec"],
            opts=pulumi.ResourceOptions(
                parent=self,
                depends_on=list(after),
                custom_timeouts=pulumi.CustomTimeouts(create=ready_timeout.text, update=ready_timeout.text),
            ),
        )
        self.register_outputs({"deployment": manifest["metadata"]["name"]})
