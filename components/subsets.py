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
from weir.model.manifests.annotations import SPEC, WORKLOAD, annotation, edited
from weir.model.manifests.hosts import of_host
from weir.model.manifests.subsets import used, uses

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
        fresh = uses(inputs["spec"]) - uses(before["spec"] if before else None)
        fresh = frozenset(pair for pair in fresh if all(isinstance(each, str) for each in pair))
        namespace = inputs["metadata"].get("namespace")
        if not fresh or not isinstance(namespace, str):
            return
        for host, versions in _by_service(fresh, inputs["spec"]).items():
            name = host.split(".")[0]
            await self._readiness.refuse_lost(name, namespace, versions)
            if pulumi.runtime.is_dry_run():
                await self._readiness.refuse_without_pods(name, namespace, versions)
            else:
                seen = seen_by(namespace, self._readiness.exports(name) or inputs["spec"])
                await self._readiness.await_workloads(name, namespace, versions)
                await self._acknowledgement.known(Want(host, known=versions, seen_by=seen))

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
        there = await self._cluster.objects(namespace) or {}
        route = there.get(("VirtualService", name))
        # The service's own, and those of hosts at gateways.
        sending = {
            own: leaving & used(found["spec"], name)
            for (kind, own), found in there.items()
            if kind == "VirtualService" and (own == name or of_host(found["spec"]))
        }
        used_before = frozenset().union(*sending.values())
        if pulumi.runtime.is_dry_run():
            for own, still in sending.items():
                # What weir wrote and nobody has edited is written again where it is not what is wanted.
                written = annotation(there[("VirtualService", own)], SPEC) and not edited(
                    there[("VirtualService", own)]
                )
                if still and own not in self._changing and not written and not self._force:
                    raise pulumi.RunError(
                        f"{name}: {', '.join(sorted(still))} cannot be removed: VirtualService {namespace}/{own} in "
                        "the cluster sends requests there. Somebody has edited it by hand, and this update would not "
                        "change it; undo the edit first: pulumi up --refresh"
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


def _by_service(fresh: frozenset[tuple[str, str]], spec: Mapping[str, Any]) -> Mapping[str, frozenset[str]]:
    """The versions by the full name of the service that is asked about: a host at gateways has several. Another Service
    is asked about with one of them.
    """
    known_as = sorted({owner for owner, _ in uses(spec)} - {""}) if of_host(spec) else [spec["hosts"][0]]
    found: dict[str, set[str]] = {}
    for owner, version in fresh:
        host = (owner if of_host(spec) else "") or next(iter(known_as), "")
        found.setdefault(host, set()).add(version)
    return {host: frozenset(versions) for host, versions in found.items() if host}
