"""Rules that the cluster does not have as Pulumi's state says: an update that was killed had just written others, or
proxies rejected them and they were put back. The engine compares with its state alone, takes them for unchanged, and
would leave them.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

import pulumi

from components.acknowledgement import Acknowledgement
from components.cluster import Cluster
from components.warned import warn
from weir.cluster.errors import ClusterError
from weir.cluster.put_back import put_back
from weir.model.manifests.annotations import SPEC, annotation
from weir.program_environment import ROUTES_ALONE, variable


class Rewriting:
    """Writes such rules again, with all that is asked before any other change of them."""

    def __init__(self, cluster: Cluster, acknowledgement: Acknowledgement) -> None:
        self._cluster, self._acknowledgement = cluster, acknowledgement

    async def stands(
        self, name: str, wanted: Mapping[str, Any], recorded: Mapping[str, Any], hooks: pulumi.ResourceHookBinding
    ) -> None:
        """Return when a rule of this update is in the cluster as it was written. Raises RunError where it cannot be.

        `name`: Pulumi's; `wanted`: the object; `recorded`: its metadata as Pulumi has it now; `hooks`: what is asked
        before the rule changes.
        """
        kind, metadata = wanted["kind"], wanted["metadata"]
        namespace, own = metadata["namespace"], metadata["name"]
        if pulumi.runtime.is_dry_run() or self._acknowledgement.changes(kind, namespace, own):
            return
        asked = await self._cluster.ask(lambda: [self._cluster.state(namespace).find(kind, own)], None)
        if asked is None:
            return
        [found] = asked
        if found is not None:
            self._acknowledgement.note_lagging(found)
        written = (recorded.get("annotations") or {}).get(SPEC)
        if written is None or annotation(found, SPEC) == written:
            return
        state = "in the cluster is not what Pulumi's state has" if found else "is in Pulumi's state, not in the cluster"
        what = f"{kind} {namespace}/{own} {state}: an update was killed, or proxies rejected the rule"
        # A release reaches its routes and nothing else, and what it does not reach may be wanted otherwise.
        if variable(ROUTES_ALONE) and kind != "VirtualService":
            raise pulumi.RunError(f"{what}. To write it again: pulumi up")
        warn(f"{what}; it is written again")
        change = pulumi.ResourceHookArgs(
            "", "", name, "", new_inputs=wanted, old_inputs=found, old_outputs=found, new_outputs=None
        )
        for hook in (hooks.before_update if found else hooks.before_create) or []:
            asking = (hook.callback if isinstance(hook, pulumi.ResourceHook) else hook)(change)
            if asking is not None:
                await asking
        managed = {"managedFields": found["metadata"].get("managedFields", [])} if found else {}
        write = partial(put_back, self._cluster.kubectl(namespace), kind, own)
        try:
            await self._cluster.aside(partial(write, {**wanted, "metadata": {**metadata, **managed}}))
        except ClusterError as error:
            raise pulumi.RunError(str(error)) from None
