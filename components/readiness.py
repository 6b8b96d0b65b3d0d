"""Pods and the requests they get: a version is ready before it gets any, gets none when its pods go, and says why
where it does not become ready.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from typing import Any

import pulumi

from components.acknowledgement import Acknowledgement
from components.cluster import Cluster
from components.ownership import FORCE, maker
from components.propagation import Propagation
from weir.cluster.rejections import RejectedError
from weir.cluster.want import Want
from weir.cluster.workloads import WorkloadState
from weir.model import Duration, ServiceObjects
from weir.model.config.scaling import EXTERNAL
from weir.model.manifests.annotations import REPLICAS, annotation
from weir.model.manifests.hazards import NO_PODS

_POLL_SECONDS = 1.0


class Readiness:
    """The hooks of pods in one run of a program."""

    def __init__(
        self,
        cluster: Cluster,
        propagation: Propagation,
        acknowledgement: Acknowledgement,
        *,
        patience: Duration,
        force: bool,
    ) -> None:
        """`patience`: how long pods of somebody else may take to become ready; `force`: go on where requests would be
        lost.
        """
        self._cluster, self._propagation, self._acknowledgement = cluster, propagation, acknowledgement
        self._patience, self._force = patience, force
        self._services: dict[str, ServiceObjects] = {}
        self._remade: set[tuple[str, str]] = set()

    def declare(self, service: str, objects: ServiceObjects) -> None:
        """Note a service of the program, with what it is to be."""
        self._services[service] = objects

    def exports(self, service: str) -> Mapping[str, Any] | None:
        """The spec that says who sees a service's rules; None of a service that is not the program's."""
        objects = self._services.get(service)
        return None if objects is None else objects.virtual_service["spec"]

    async def refuse_lost(self, service: str, namespace: str, fresh: frozenset[str]) -> None:
        """Pods of versions that newly get requests may have been deleted by hand, or by an update that was killed: one
        that does not change them does not make them again.
        """
        there = await self._cluster.objects(namespace)
        if self._force or not there or service not in self._services:
            return
        for version in sorted(fresh & self._services[service].versions.keys()):
            name = f"{service}-{version}"
            made = self._services[service].versions[version].deployment is not None
            if made and ("Deployment", name) not in there and (service, version) not in self._remade:
                raise pulumi.RunError(
                    f"{service}: {version} would get requests, but Deployment {namespace}/{name} is in Pulumi's state "
                    "and not in the cluster: deleted by hand, or by an update that was killed. To create it again: "
                    f"pulumi up --refresh ({FORCE})"
                )

    async def refuse_without_pods(self, service: str, namespace: str, fresh: frozenset[str]) -> None:
        """In a preview: versions that newly get requests have pods that are ready, or get them in this update."""
        if self._force or service not in self._services:
            return
        versions = self._services[service].versions
        for version in sorted(fresh):
            # Another Service is none of these.
            if version not in versions:
                continue
            if workload := versions[version].workload:
                await self._refuse_without_workload(service, version, namespace, workload)
            if versions[version].deployment is None:
                continue
            there = await self._cluster.standing(namespace, "Deployment", f"{service}-{version}")
            if there is not None and there["metadata"].get("deletionTimestamp"):
                raise pulumi.RunError(
                    f"{service}: {version} would get requests, but its pods are being deleted; once they are gone, "
                    f"create them again: pulumi up --refresh ({FORCE})"
                )
            if there is None or there["status"].get("readyReplicas", 0) > 0 or (service, version) in self._remade:
                continue  # ready, or about to be made or changed, which this update waits for
            if there["spec"].get("replicas") == 0:
                undo = (
                    "to undo that and go on: pulumi up --refresh"
                    if annotation(there, REPLICAS) != EXTERNAL
                    else "its number of pods is external, so scale it up first"
                )
                raise pulumi.RunError(
                    f"{service}: {version} would get requests, but somebody has scaled it to 0 pods ({maker(there)}); "
                    f"{undo} ({FORCE})"
                )
            reason = await self._cluster.failure_reason(namespace, service, version)
            raise pulumi.RunError(
                f"{service}: {version} would get requests and none of its pods is "
                f"ready{': ' + reason if reason else ''}; fix it first ({FORCE})"
            )

    async def _refuse_without_workload(self, service: str, version: str, namespace: str, reference: str) -> None:
        """Pods that somebody else makes are there, have the labels by which they are found, and one is ready."""
        there = await self._cluster.workload(namespace, reference)
        would = f"{service}: {version} would get requests, but"
        if there is None:
            if not await self._cluster.objects(namespace):
                return  # the cluster cannot be asked, or nothing is there yet
            raise pulumi.RunError(
                f"{would} {reference} is not in namespace {namespace}; correct workload, or create it first ({FORCE})"
            )
        wanted = self._services[service].pods[version]
        lacking = {} if there.labels is None else dict(wanted.items() - there.labels.items())
        if lacking:
            raise pulumi.RunError(
                f"{would} pods of {reference} lack the labels by which they are found: "
                f"{', '.join(f'{key}: {value}' for key, value in sorted(lacking.items()))}; correct labels or selector "
                f"in the config, or labels of the pods ({FORCE})"
            )
        if not there.ready:
            reason = await self._why(namespace, there)
            raise pulumi.RunError(f"{would} none of the pods of {reference} is ready{reason}; fix it first ({FORCE})")

    async def await_workloads(self, service: str, namespace: str, fresh: frozenset[str]) -> None:
        """Return when the pods that somebody else makes for these versions are ready, all that there are to be.

        Raises RunError when that takes longer than pods may take.
        """
        for version in sorted(fresh) if service in self._services else ():
            # Another Service is none of these.
            objects = self._services[service].versions.get(version)
            reference = objects.workload if objects else None
            if reference is None or self._force:
                continue
            begun = time.monotonic()
            while (there := await self._cluster.workload(namespace, reference)) is None or there.ready < max(
                1, there.desired
            ):
                ready = f"{there.ready} of {there.desired} pods of {reference} are ready" if there else ""
                told = ready or f"{reference} is not there"
                if time.monotonic() - begun > self._patience.seconds:
                    reason = await self._why(namespace, there) if there else ""
                    raise pulumi.RunError(
                        f"{service}: {version} would get requests, but after {self._patience} (weir:readyTimeout) "
                        f"{told}{reason}. Traffic is unchanged; run this again once they are ready ({FORCE})"
                    )
                pulumi.log.info(f"{service}: waiting for {version}: {told}", ephemeral=True)
                await asyncio.sleep(_POLL_SECONDS)

    async def _why(self, namespace: str, there: WorkloadState) -> str:
        """Why pods are not ready, behind a colon; empty where they do not say."""
        if not there.selector:
            return ""
        reason = await self._cluster.ask(lambda: self._cluster.state(namespace).failure_reason_of(there.selector), "")
        return f": {reason}" if reason else ""

    async def note_remade(self, args: pulumi.ResourceHookArgs) -> None:
        """Note that this update makes a version's pods anew, whatever of them it changes: what is wrong with them now
        may be fixed by it.
        """
        inputs: Any = args.new_inputs
        before: Any = args.old_inputs
        labels = inputs["metadata"]["labels"]
        # After a failure the engine updates what is as it was, to wait for it again.
        if not before or any(inputs["spec"].get(key) != before["spec"].get(key) for key in ("template", "replicas")):
            self._remade.add((labels["app"], labels.get("version", "")))

    async def refuse_used(self, args: pulumi.ResourceHookArgs) -> None:
        """Before the last pod of a version goes, no route may send requests to it, and no proxy may still do so."""
        inputs: Any = args.new_inputs
        before: Any = args.old_inputs
        if inputs["spec"].get("replicas") != 0 or before["spec"].get("replicas") == 0 or self._force:
            return
        labels, namespace = inputs["metadata"]["labels"], inputs["metadata"].get("namespace")
        service, version = labels["app"], labels.get("version", "")
        if not version or not isinstance(namespace, str):
            return
        objects = self._services[service]
        if objects.versions[version].used:
            raise pulumi.RunError(f"{service}: {version} {NO_PODS} ({FORCE})")
        if not pulumi.runtime.is_dry_run():
            try:
                await self._propagation.wait(
                    Want(objects.host_in(namespace), gone=frozenset({version})), await self._propagation.mark()
                )
            except RejectedError as error:
                self._acknowledgement.refuse(error)
