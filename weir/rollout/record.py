"""Where a rollout's state is kept: a ConfigMap of the service in the stack's namespace, so that any machine goes on
where another one ended. Whoever writes says which version of it was read, and the API server refuses the second of two.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from weir.cluster.errors import ClusterError
from weir.cluster.kubectl import Kubectl
from weir.errors import WeirError
from weir.model.config.rollout import record_name
from weir.rollout.state import State, as_json, from_json

LABEL = "weir.dev/rollout"
"""The label of the ConfigMap; its value is the name of the service."""

_SECONDS = 10.0
_KEY = "state"


class AnotherWroteError(WeirError):
    """Another process has written the state since it was read."""


class UnreadableError(WeirError):
    """There is a state that this weir cannot read; the text says what to do."""


@dataclass(frozen=True, slots=True)
class Kept:
    """A state as it is in the cluster, and Kubernetes' version of the object."""

    state: State
    resource_version: str


def read(kubectl: Kubectl, service: str) -> Kept | None:
    """The last rollout of the service, be it over or not; None where there was none. Raises ClusterError,
    UnreadableError.
    """
    found = kubectl.get(["configmap", record_name(service), "--ignore-not-found"], missing={})
    return kept(found, kubectl.namespace) if found else None


def read_all(kubectl: Kubectl, services: Collection[str]) -> dict[str, State]:
    """The last rollout of each of these services that had one. One that cannot be read is left out. Raises
    ClusterError.
    """
    found: dict[str, State] = {}
    for each in listed(kubectl, services):
        with suppress(UnreadableError):
            state = kept(each, kubectl.namespace).state
            found[state.service] = state
    return found


def listed(kubectl: Kubectl, services: Collection[str]) -> Sequence[Mapping[str, Any]]:
    """The ConfigMaps there are of these services, as they are (`kept` reads one). Raises ClusterError."""
    if not services:
        return []
    names = [record_name(service) for service in services]
    found = kubectl.get(["configmap", *names, "--ignore-not-found"], missing={})
    items: Sequence[Mapping[str, Any]] = found.get("items", [found] if found else [])
    return items


def kept(found: Mapping[str, Any], namespace: str) -> Kept:
    """What a ConfigMap has. Raises UnreadableError."""
    metadata = found["metadata"]
    try:
        return Kept(from_json(json.loads(found["data"][_KEY])), metadata["resourceVersion"])
    except (KeyError, TypeError, ValueError) as error:
        raise UnreadableError(
            f"ConfigMap {namespace}/{metadata['name']} is no state of a rollout that this weir can read ({error!r}). "
            f"Use the weir that wrote it, or end the rollout by hand: kubectl delete configmap -n {namespace} "
            f"{metadata['name']}, and weir abort"
        ) from None


def write(kubectl: Kubectl, state: State, before: Kept | None) -> Kept:
    """Keep the state in place of the one that was read; None: there was none. Raises AnotherWroteError,
    ClusterError.
    """
    manifest: dict[str, Any] = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {
            "name": record_name(state.service),
            "labels": {LABEL: state.service, "app.kubernetes.io/managed-by": "weir"},
        },
        "data": {_KEY: json.dumps(as_json(state), indent=1)},
    }
    if before is not None:
        manifest["metadata"]["resourceVersion"] = before.resource_version
    command = ["create" if before is None else "replace", "-f", "-", "-o", "json"]
    result = kubectl.call(command, timeout=_SECONDS, stdin=json.dumps(manifest))
    if result.status == 0:
        return Kept(state, json.loads(result.stdout)["metadata"]["resourceVersion"])
    # Of one that was created, changed or deleted meanwhile (409, 404).
    if any(word in result.stderr for word in ("AlreadyExists", "Conflict", "has been modified", "NotFound")):
        raise AnotherWroteError(
            f"another process goes on with the rollout of {state.service}; weir status {state.service} shows it"
        )
    raise ClusterError(f"the state of the rollout of {state.service} could not be kept: {result.complaint}")
