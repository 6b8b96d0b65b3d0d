"""Drift: an object that somebody has edited since the last update is not overwritten unseen."""

from __future__ import annotations

import json
from typing import Any

import pulumi

from components.cluster import Cluster
from components.ownership import FORCE, maker
from weir.model.manifests.annotations import RESTORED, annotation, digest, edited
from weir.program_environment import TAKE_BACK, variable


class Drift:
    """The hook before a rule of Istio's changes, and the mark on one whose edit is undone."""

    def __init__(self, cluster: Cluster, *, force: bool) -> None:
        """`force`: overwrite all the same."""
        self._cluster, self._force = cluster, force

    async def restored(self, kind: str, name: str, namespace: str) -> str | None:
        """The value of the annotation for an undone edit: the digest of the edited spec in the cluster, else the last
        value, else None.

        Pulumi compares its last inputs with the new ones and does not see an edit by hand. An update that undoes the
        edit needs a difference, and this annotation is it.
        """
        found = await self._cluster.standing(namespace, kind, name)
        if found is None:
            return None
        return digest(found["spec"]) if edited(found) else annotation(found, RESTORED)

    async def refuse_edited(self, args: pulumi.ResourceHookArgs) -> None:
        """Hook: the edit may be what keeps the service up."""
        inputs: Any = args.new_inputs
        # Not the old inputs: a refresh puts into them only what they had before.
        left: Any = args.old_outputs
        kind, name, namespace = inputs["kind"], inputs["metadata"]["name"], inputs["metadata"].get("namespace")
        taken_back = kind == "VirtualService" and name in json.loads(variable(TAKE_BACK) or "[]")
        if self._force or taken_back or not isinstance(namespace, str):
            return
        found = await self._cluster.standing(namespace, kind, name)
        if found is not None and edited(found) and found["spec"] not in (left["spec"], inputs["spec"]):
            raise pulumi.RunError(
                f"{kind} {namespace}/{name} was edited since the last update ({maker(found)}): weir status shows the "
                f"edit. To undo it and go on: pulumi up --refresh ({FORCE})"
            )
