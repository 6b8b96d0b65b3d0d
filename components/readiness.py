"""Pods and the requests they get: a version is ready before it gets any, gets none when its pods go, and says why where it does not become ready."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import pulumi

from components.placement import owner
from weir.cluster.rejections import RejectedError
from weir.cluster.want import Want
from weir.model import StackConfig
from weir.model.manifests.hazards import NO_PODS
from weir.model.manifests.kubernetes import MANAGER, OWNER

if TYPE_CHECKING:
    from components.safeguards import Safeguards

_CONFLICT = re.compile(r'conflicts? with "([^"]+)"')
"""What the API server says of a field that somebody else manages (server-side apply), with the name of the field manager."""
_CANCELLED = re.compile(r"cancell?ed", re.IGNORECASE)
"""What the provider says of what it was waiting for when Ctrl-C came."""
FORCE = "weir:force: true goes on all the same"


class Readiness:
    """The hooks of pods in one run of the program."""

    def __init__(self, config: StackConfig, guard: Safeguards) -> None:
        """Nothing is asked yet."""
        self._config, self._guard = config, guard
        self._idle: set[tuple[str, str]] = set()
        self._remade: set[tuple[str, str]] = set()

    def idle(self, service: str, version: str) -> None:
        """Note that no route sends requests to this version, so that its pods may go once proxies have drained it."""
        self._idle.add((service, version))

    async def refuse_without_pods(self, service: str, namespace: str, fresh: frozenset[str]) -> None:
        """In a preview: versions that newly get requests have pods that are ready, or get them in this update."""
        if self._config.force:
            return
        settings = self._config.services[service]
        for version in sorted(fresh):
            if settings.workload(version) is None:
                continue
            there = await self._guard.standing(namespace, "Deployment", f"{service}-{version}")
            if there is None or there["status"].get("readyReplicas", 0) > 0 or (service, version) in self._remade:
                continue  # ready, or about to be made or changed, which this update waits for
            if there["spec"].get("replicas") == 0:
                raise pulumi.RunError(
                    f"{service}: {version} would get requests and somebody has scaled it to 0 pods ({maker(there)}); put it back and go on with"
                    f" pulumi up --refresh ({FORCE})"
                )
            ailment = await self._guard.ask(lambda version=version: self._guard.state(namespace).ailments(service, version), "")  # type: ignore[misc]
            raise pulumi.RunError(
                f"{service}: {version} would get requests and none of its pods is ready{': ' + ailment if ailment else ''}; mend it first ({FORCE})"
            )

    async def note_remade(self, args: pulumi.ResourceHookArgs) -> None:
        """Note that this update makes a version's pods anew, whatever of them it changes: what ails them now may be mended by it."""
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
        if inputs["spec"].get("replicas") != 0 or before["spec"].get("replicas") == 0 or self._config.force:
            return
        labels, namespace = inputs["metadata"]["labels"], inputs["metadata"].get("namespace")
        service, version = labels["app"], labels.get("version", "")
        if not version or not isinstance(namespace, str):
            return
        if (service, version) not in self._idle:
            raise pulumi.RunError(f"{service}: {version} {NO_PODS} ({FORCE})")
        if not pulumi.runtime.is_dry_run():
            try:
                await self._guard.wait(
                    Want(self._config.host(service, namespace), gone=frozenset({version})), await self._guard.acknowledgement.mark()
                )
            except RejectedError as error:
                self._guard.acknowledgement.refuse(error)

    async def tell_what_ails(self, args: pulumi.ErrorHookArgs) -> bool:
        """Say which version is at fault, with the reason its pods give and the last lines of their log; the operation is not tried again."""
        inputs: Any = args.new_inputs or args.old_inputs
        labels = inputs["metadata"].get("labels", {})
        namespace, service, version = inputs["metadata"].get("namespace"), labels.get("app"), labels.get("version")
        held = sorted({name for error in args.errors for name in _CONFLICT.findall(error)})
        if held:
            what = f"version {version} of {service}" if version else str(service)
            pulumi.log.error(
                f"{what} was not changed: field manager {', '.join(held)} holds a field of it that this update sets. If the stack is to have it, take it over:"
                " PULUMI_K8S_ENABLE_PATCH_FORCE=true pulumi up\nTraffic stays where it was."
            )
        elif version and any(_CANCELLED.search(error) for error in args.errors):
            pulumi.log.error(
                f"the update was interrupted while pods of version {version} of {service} started; the next pulumi up goes on from here."
            )
        elif version and isinstance(namespace, str):
            ailment = await self._guard.ask(lambda: self._guard.state(namespace).ailments(service, version), "")
            told = f":\n{ailment}" if ailment else "; its pods give no reason"
            pulumi.log.error(
                f"version {version} of {service} is at fault{told}\nTraffic stays where it was; the next pulumi up goes on from here."
            )
        return False


def maker(found: Mapping[str, Any]) -> str:
    """Who had a hand in an object, as far as it tells: the stack that made it, and the field managers other than Pulumi."""
    metadata = found["metadata"]
    stack = metadata.get("annotations", {}).get(OWNER)
    managers = dict.fromkeys(str(entry["manager"]) for entry in metadata.get("managedFields", []) if entry.get("subresource") != "status")
    others = [
        manager
        for manager in managers
        if not manager.startswith("pulumi-kubernetes") and manager != metadata.get("annotations", {}).get(MANAGER)
    ]
    told = [f"field manager {', '.join(others)}"] if others else []
    if stack is not None and stack != owner():
        told.insert(0, f"stack {stack} made it")
    return "; ".join(told) or "who did it is not recorded"
