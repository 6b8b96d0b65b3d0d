"""A cluster with recorded objects (`tests/unit/samples/NAME.yaml`), for what asks kubectl."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from weir.cluster.kubectl import Kubectl, Result

_CUSTOM = {"rollouts.argoproj.io": "Rollout", "canaries.flagger.app": "Canary"}
"""Resources that an API server has where somebody has installed them; here, where there is one."""
_KINDS = {
    "services": "Service",
    "deployments.apps": "Deployment",
    "statefulsets.apps": "StatefulSet",
    "virtualservices.networking.istio.io": "VirtualService",
    "destinationrules.networking.istio.io": "DestinationRule",
    "serviceentries.networking.istio.io": "ServiceEntry",
    **_CUSTOM,
}

SAMPLES = Path(__file__).parent / "samples"


def recorded(name: str) -> list[dict[str, Any]]:
    """The objects of a sample."""
    items: list[dict[str, Any]] = yaml.safe_load((SAMPLES / f"{name}.yaml").read_text())["items"]
    return items


def one(items: Sequence[dict[str, Any]], kind: str, name: str) -> dict[str, Any]:
    """The object of this kind and name, to be read or changed."""
    [found] = [each for each in items if (each["kind"], each["metadata"]["name"]) == (kind, name)]
    return found


@dataclass(frozen=True)
class Recorded(Kubectl):
    """Says what kubectl says of these objects. `denied`: resources that this account may not list."""

    items: Sequence[dict[str, Any]] = ()
    denied: frozenset[str] = frozenset()

    def call(self, args: Sequence[str], *, timeout: float, stdin: str | None = None) -> Result:
        """The answer to `get RESOURCE,…`, or to `get RESOURCE NAME --ignore-not-found`."""
        resources = args[1].split(",")
        for resource in resources:
            if resource in self.denied:
                self._refuse_cluster_failures(Result(1, "", f"Error from server (Forbidden): {resource} is forbidden"))
        found = [each for each in self.items if each["kind"] in {_KINDS.get(resource) for resource in resources}]
        if lacking := [each for each in resources if each in _CUSTOM and not found]:
            plural, _, _ = lacking[0].partition(".")
            return Result(1, "", f'error: the server doesn\'t have a resource type "{plural}"')
        if "--ignore-not-found" in args:
            named = [each for each in found if each["metadata"]["name"] == args[2]]
            return Result(0, json.dumps(named[0]) if named else "", "")
        return Result(0, json.dumps({"kind": "List", "items": found}), "")
