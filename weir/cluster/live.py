"""What stands in the stack's namespace now, and which pods of a version are well: read once, when the first question
is asked.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from threading import Lock, Thread
from typing import TYPE_CHECKING, Any

from weir.cluster.errors import ClusterError, DeniedError
from weir.cluster.kubectl import Kubectl

if TYPE_CHECKING:
    from weir.model import ServiceTraffic
    from weir.model.routing.hosts import HostTraffic

_KINDS = (
    "virtualservices.networking.istio.io",
    "destinationrules.networking.istio.io",
    "gateways.networking.istio.io",
    "deployments.apps",
    "services",
    "serviceaccounts",
    "poddisruptionbudgets.policy",
)
_OF_SOME = ("horizontalpodautoscalers.autoscaling",)
"""Kinds that only some stacks make; the account of another may not list them."""
_ENTRIES = "serviceentries.networking.istio.io"
_LOG_LINES = 5
_FRESH_SECONDS = 10.0


@dataclass(frozen=True)
class Live:
    """The objects of one namespace, not older than `begun`. Raises ClusterError when the cluster cannot be asked."""

    kubectl: Kubectl
    begun: float = field(default_factory=time.monotonic, repr=False, compare=False)
    _asking: Lock = field(default_factory=Lock, repr=False, compare=False)

    @property
    def objects(self) -> Mapping[tuple[str, str], dict[str, Any]]:
        """Every object of the kinds that weir makes, by kind and name. A namespace that is not there has none."""
        # Each object of a stack asks in a thread of its own, and cached_property has no lock since Python 3.12.
        with self._asking:
            found = self._found
        if isinstance(found, ClusterError):
            raise found
        return found

    def read(self) -> None:
        """Read it now. Whoever asks hears of an error, if there is one."""
        with suppress(ClusterError):
            self.objects  # noqa: B018 - reading it is asking

    @cached_property
    def _found(self) -> Mapping[tuple[str, str], dict[str, Any]] | ClusterError:
        """The answer, be it that there is none: a cluster that did not answer is not asked
        once more for every object.
        """
        try:
            try:
                items = self._listed(*_KINDS, *_OF_SOME)
            except DeniedError:
                items = self._listed(*_KINDS)
            # Each has a rule with a subset that asks for no labels. An account may not list them, for a stack without.
            if any("labels" not in subset for item in items for subset in item.get("spec", {}).get("subsets", [])):
                with suppress(DeniedError):
                    items += self._listed(_ENTRIES)
        except ClusterError as error:
            return error
        return {(item["kind"], item["metadata"]["name"]): item for item in items}

    def _listed(self, *kinds: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.kubectl.get([",".join(kinds), "--show-managed-fields"])["items"]
        return found

    @cached_property
    def _entries(self) -> Mapping[str, dict[str, Any]]:
        return {item["metadata"]["name"]: item for item in self._listed(_ENTRIES)}

    def age(self, service: str, now: float) -> float:
        """For how many seconds, at the most, the Service has been there: what was not there when this was read has
        come since.

        `now` by the cluster's clock, in seconds of the epoch, as is what the object says of itself.
        """
        found = self.find("Service", service)
        if found is None:
            return time.monotonic() - self.begun
        return now - datetime.fromisoformat(found["metadata"]["creationTimestamp"]).timestamp()

    @cached_property
    def namespace(self) -> dict[str, Any] | None:
        """The Namespace itself; None when it is not there."""
        # By name: a list of namespaces is more than an account for one of them may have.
        found = self.kubectl.get(
            ["namespaces", self.kubectl.namespace, "--ignore-not-found", "--show-managed-fields"], missing={}
        )
        return found or None

    def find(self, kind: str, name: str) -> dict[str, Any] | None:
        """The object of this kind and name; None when it is not there."""
        found = self.namespace if kind == "Namespace" else self.objects.get((kind, name))
        if found is None and kind == "ServiceEntry":
            # An update that was killed may have made it, and not yet its rule.
            with self._asking:
                found = self._entries.get(name)
        return found

    def subsets(self, host: str) -> frozenset[str]:
        """The versions of a host (a full name) that DestinationRules of the namespace declare."""
        return frozenset(subset["name"] for rule in self._rules(host) for subset in rule["spec"].get("subsets", []))

    def _rules(self, host: str) -> list[dict[str, Any]]:
        """Those of a service (its full name), and of its versions at external hosts."""
        # Not above: the process of the program answers the engine before it has the model, a fifth of a second later.
        from weir.model.manifests.istio import belongs

        return [
            item
            for (kind, _), item in sorted(self.objects.items())
            if kind == "DestinationRule" and belongs(item["spec"].get("host", ""), host)
        ]

    def traffic(self, service: str, host: str) -> ServiceTraffic | None:
        """The traffic of a service (and its full name) as the objects in the cluster make it; None where its
        VirtualService is not there.
        """
        # Not above, as in `_rules`.
        from weir.model import read

        route = self.find("VirtualService", service)
        if route is None:
            return None
        try:
            return read(route, self._rules(host))
        except (KeyError, TypeError, ValueError) as broken:
            raise self._unreadable(service, broken) from None

    def host(self, name: str) -> HostTraffic | None:
        """The traffic of a host at gateways as its VirtualService in the cluster, of this name, makes it; None where
        that is not there.
        """
        # As in `traffic`.
        from weir.model.manifests.hosts import read_host

        found = self.find("VirtualService", name)
        try:
            return None if found is None else read_host(found)
        except (KeyError, TypeError, ValueError) as broken:
            raise self._unreadable(name, broken) from None

    def _unreadable(self, name: str, broken: Exception) -> ClusterError:
        return ClusterError(
            f"VirtualService {self.kubectl.namespace}/{name} in the cluster has a spec that weir does not write "
            f"({type(broken).__name__});"
            " see it with kubectl get -o yaml, and undo the edit with pulumi up --refresh"
        )

    def failure(self, app: str, version: str) -> str:
        """Why the pods that a version's Deployment makes last are not ready, with how many of them are; empty where
        all are.
        """
        deployment = self.find("Deployment", f"{app}-{version}")
        if deployment is None:
            return ""
        status, desired = deployment.get("status", {}), deployment["spec"].get("replicas", 1)
        # Pods of before the last change count as ready, and may be all there are.
        updated, missing = status.get("updatedReplicas", 0), status.get("unavailableReplicas", 0)
        if updated >= desired and not missing:
            return ""
        why = self.failure_reason(app, version).splitlines()
        return (
            f"{missing or desired - updated} of {desired} pods of the current revision are "
            f"{'not ready: ' + why[0] if why else 'being created'}"
        )

    def failure_reason(self, app: str, version: str) -> str:
        """Why pods of a version are not ready, in Kubernetes's words, with the last lines of their own log; empty when
        nothing is said.
        """
        # Not above, as in `_rules`.
        from weir.model.values.hosts import label_selector

        labels = {"app": app, "version": version}
        # By now there may be one that was not there when all was read. Its own labels are always these; its pods' not.
        for deployment in self.kubectl.get(["deployments", "-l", label_selector(labels)])["items"]:
            labels = deployment["spec"]["selector"]["matchLabels"]
        return self.failure_reason_of(labels) or self._without_pods(f"{app}-{version}")

    def failure_reason_of(self, labels: Mapping[str, str]) -> str:
        """The same of the pods with these labels."""
        # Not above, as in `traffic`.
        from weir.model.values.hosts import label_selector

        pods = self.kubectl.get(["pods", "-l", label_selector(labels)])["items"]
        told = [text for pod in pods if (text := self._ailment(pod))]
        # Pods of one version mostly fail alike.
        return "\n".join(dict.fromkeys(told))

    def _ailment(self, pod: Mapping[str, Any]) -> str:
        status = pod.get("status", {})
        lines = [
            f"{condition.get('reason')}: {condition['message']}"
            for condition in status.get("conditions", [])
            if condition["type"] == "PodScheduled" and condition["status"] != "True" and condition.get("message")
        ]
        for container in (*status.get("initContainerStatuses", []), *status.get("containerStatuses", [])):
            waiting = container.get("state", {}).get("waiting", {})
            ended = (
                container.get("state", {}).get("terminated") or container.get("lastState", {}).get("terminated") or {}
            )
            reason = waiting.get("reason") or ("" if container.get("ready") else ended.get("reason", ""))
            if reason in ("", "PodInitializing", "ContainerCreating", "Completed"):
                continue
            exit_code = f" (exit code {ended['exitCode']})" if "exitCode" in ended else ""
            lines.append(
                f"container {container['name']}: "
                f"{reason}{exit_code}{': ' + waiting['message'] if waiting.get('message') else ''}"
            )
            if ended:
                lines += [
                    f"  log: {line}"
                    for line in self._log(
                        pod["metadata"]["name"], container["name"], "terminated" in container["state"]
                    )
                ]
        return "\n".join(lines)

    def _log(self, pod: str, container: str, ended_now: bool) -> list[str]:
        """The last words of the container that ended: while it is the current one there may be no log of the one
        before it any more.
        """
        for previous in ([], ["--previous"]) if ended_now else (["--previous"], []):
            try:
                result = self.kubectl.call(
                    ["logs", pod, "-c", container, f"--tail={_LOG_LINES}", *previous], timeout=10
                )
            except ClusterError:
                return []
            said = result.stdout.strip()
            # The kubelet says in the place of a log, and with success, that there is none.
            if result.status == 0 and said and not said.startswith("unable to retrieve container logs"):
                return [line[:200] for line in said.splitlines()]
        return []

    def _without_pods(self, deployment: str) -> str:
        """What keeps a Deployment from having pods at all, such as a quota or a webhook that is down: now, and not
        some time ago as events say.
        """
        return next(
            (
                condition["message"]
                for item in self.kubectl.get(["replicasets.apps"])["items"]
                if any(owner["name"] == deployment for owner in item["metadata"].get("ownerReferences", []))
                for condition in item.get("status", {}).get("conditions", [])
                if (condition["type"], condition["status"]) == ("ReplicaFailure", "True")
                and item["spec"].get("replicas")
            ),
            "",
        )


_ahead: dict[Kubectl, Live] = {}


def look_ahead(kubectl: Kubectl) -> None:
    """Begin to read what stands there, for whoever asks `live` for it in a moment."""
    found = _ahead[kubectl] = Live(kubectl)
    Thread(target=found.read, daemon=True).start()


def live(kubectl: Kubectl) -> Live:
    """What stands there: what `look_ahead` has begun to read a moment ago, for the first who asks, else what is read
    with the first question.
    """
    found = _ahead.pop(kubectl, None)
    return found if found is not None and time.monotonic() - found.begun < _FRESH_SECONDS else Live(kubectl)
