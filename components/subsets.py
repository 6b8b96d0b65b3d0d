"""Subsets: proxies know a version before a route names it, and have drained it before it goes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pulumi

from components.acknowledgement import Acknowledgement
from components.cluster import Cluster
from components.propagation import Propagation
from components.readiness import Readiness
from components.warned import warn
from weir.cluster.rejections import RejectedError
from weir.cluster.want import Want, seen_by
from weir.model.manifests.annotations import WORKLOAD, annotation
from weir.model.manifests.subsets import used

_RULE = "DestinationRule"


class Subsets:
    """The hook before a route changes, and what is waited for before a version is removed."""

    def __init__(
        self,
        cluster: Cluster,
        propagation: Propagation,
        acknowledgement: Acknowledgement,
        readiness: Readiness,
        *,
        force: bool,
    ) -> None:
        """`force`: go on where requests would be lost."""
        self._cluster, self._propagation, self._acknowledgement = cluster, propagation, acknowledgement
        self._readiness, self._force = readiness, force
        self._changing: set[str] = set()

    async def known(self, args: pulumi.ResourceHookArgs) -> None:
        """Hook: before a route sends requests to versions it did not send any to before, every proxy knows them and
        their pods.
        """
        inputs: Any = args.new_inputs
        before: Any = args.old_inputs
        self._changing.add(args.name)
        if not isinstance(inputs["spec"], Mapping):
            # The first preview of an ephemeral stack does not know its namespace, and so no host: nothing is there.
            return
        fresh = used(inputs["spec"]) - used(before["spec"] if before else None)
        fresh = frozenset(version for version in fresh if isinstance(version, str))
        namespace = inputs["metadata"].get("namespace")
        if not fresh or not isinstance(namespace, str):
            return
        if pulumi.runtime.is_dry_run():
            await self._readiness.refuse_without_pods(args.name, namespace, fresh)
        else:
            await self._readiness.await_workloads(args.name, namespace, fresh)
            await self._acknowledgement.known(
                Want(inputs["spec"]["hosts"][0], known=fresh, seen_by=seen_by(namespace, inputs["spec"]))
            )

    async def drained(self, host: str, namespace: str, versions: frozenset[str], exports: Mapping[str, Any]) -> None:
        """Return when no proxy routes to a version of the host that is to go: one that stands in the cluster and is
        not in `versions`.

        It is called once the rules stand, and first sees proxies take them; what is removed is removed after it
        returns. In a preview it refuses what could not be removed. `exports`: the spec of the route that is wanted, of
        which exportTo counts.
        """
        await self._acknowledgement.acknowledged(namespace, host.split(".")[0], host)
        nothing: frozenset[str] = frozenset()
        leaving = await self._cluster.ask(lambda: self._cluster.state(namespace).subsets(host) - versions, nothing)
        if not leaving:
            return
        name = host.split(".")[0]
        route = await self._cluster.standing(namespace, "VirtualService", name)
        used_before = leaving & used(route["spec"] if route else None)
        if pulumi.runtime.is_dry_run():
            still = sorted(used_before)
            if still and name not in self._changing and not self._force:
                raise pulumi.RunError(
                    f"{name}: {', '.join(still)} cannot be removed: VirtualService {namespace}/{name} in the cluster "
                    "sends requests there. Somebody has edited it by hand, and this update would not change it; undo "
                    "the edit first: pulumi up --refresh"
                )
            return
        try:
            seen = seen_by(namespace, route["spec"] if route else None, {"exportTo": exports.get("exportTo")})
            await self._propagation.wait(Want(host, gone=leaving, seen_by=seen), await self._propagation.mark())
            await self._tell_drained(name, namespace, leaving)
        except RejectedError as error:
            # Who rejects what came since still has what came before; to a version that got nothing then, it sends
            # nothing now.
            if used_before:
                self._acknowledgement.refuse(error)
            else:
                warn(f"{error}; no route used {', '.join(sorted(leaving))}, so it is removed anyway")

    async def _tell_drained(self, service: str, namespace: str, versions: frozenset[str]) -> None:
        """Say of versions that are retired which pods of somebody else's may go now."""
        rules = [each for (kind, _), each in (await self._cluster.objects(namespace) or {}).items() if kind == _RULE]
        owners = {
            each["metadata"]["labels"]["version"]: annotation(each, WORKLOAD)
            for each in rules
            if each["metadata"].get("labels", {}).get("app") == service and annotation(each, WORKLOAD)
        }
        for version in sorted(versions & owners.keys()):
            pulumi.log.info(
                f"{service}: {version} is drained: no proxy routes to it, and the pods of {owners[version]} may go"
            )
