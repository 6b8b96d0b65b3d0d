"""The pods of a version that the program runs by a Deployment or StatefulSet of its own."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from typing import Any

import pulumi

from weir.model import ServiceObjects


class Workload:
    """A Deployment or StatefulSet of the program's own, with what its pods must have to get requests."""

    def __init__(self, service: str, version: str, resource: pulumi.Resource) -> None:
        """Nothing is looked at yet."""
        self.resource = resource
        self._wanted = {"app": service, "version": version}

    async def checked(self) -> None:
        """Raises RunError where the pods lack the labels by which the service and its subset select them. What is not
        known yet passes.
        """
        spec: pulumi.Output[Any] | None = getattr(self.resource, "spec", None)
        if spec is None or not await spec.is_known():
            return
        labels = _labels(await spec.future())
        lacking = [f"{name}: {value}" for name, value in self._wanted.items() if labels.get(name) != value]
        if lacking:
            raise pulumi.RunError(
                f"MeshService {self._wanted['app']}: the pods of {self._wanted['version']} get no requests without "
                f"the labels {', '.join(lacking)};"
                f" add them to spec.template.metadata.labels of {self.resource.pulumi_resource_name}"
            )


def _labels(spec: Any) -> dict[str, str]:
    """The labels of the pods, by the spec of a workload as Pulumi hands it on."""
    found = spec
    for key in ("template", "metadata", "labels"):
        found = found.get(key) if isinstance(found, dict) else getattr(found, key, None)
    return dict(found or {})


def without_pods(objects: ServiceObjects, versions: Collection[str]) -> ServiceObjects:
    """The objects of a service but for the pods of these versions, which somebody else runs."""
    parts = {
        version: replace(each, secret=None, deployment=None, disruption_budget=None) if version in versions else each
        for version, each in objects.versions.items()
    }
    return replace(objects, versions=parts)
