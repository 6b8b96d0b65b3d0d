"""The pods of a version that the program runs by a Deployment or StatefulSet of its own."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Any

import pulumi

from weir.model import ServiceObjects
from weir.model.manifests.kubernetes import PORT_NAME


class Workload:
    """A Deployment or StatefulSet of the program's own, with what its pods must have to get requests."""

    def __init__(self, service: str, version: str, labels: Mapping[str, str], resource: pulumi.Resource) -> None:
        """Nothing is looked at yet. `labels`: those by which the service and its subset find the pods."""
        self.resource = resource
        self._wanted = labels
        self._who = f"MeshService {service}: the pods of {version}"

    async def checked(self) -> None:
        """Raises RunError where the pods lack the labels or the port by which the service and its subset find them.

        What is not known yet passes.
        """
        spec: pulumi.Output[Any] | None = getattr(self.resource, "spec", None)
        if spec is None or not await spec.is_known():
            return
        template = _at(await spec.future(), "template")
        labels = dict(_at(template, "metadata", "labels") or {})
        lacking = [f"{name}: {value}" for name, value in self._wanted.items() if labels.get(name) != value]
        if lacking:
            raise pulumi.RunError(
                f"{self._who} get no requests without the labels {', '.join(lacking)};"
                f" add them to spec.template.metadata.labels of {self.resource.pulumi_resource_name}"
            )
        containers = _at(template, "spec", "containers") or []
        names = [_at(port, "name") for container in containers for port in _at(container, "ports") or []]
        if PORT_NAME not in names:
            raise pulumi.RunError(
                f"{self._who} get no requests without a port named {PORT_NAME}, which the Service sends them to;"
                f" add it to spec.template.spec.containers of {self.resource.pulumi_resource_name}, with the port they"
                f" listen on: ports: [{{name: {PORT_NAME}, containerPort: …}}]"
            )


def _at(spec: Any, *keys: str) -> Any:
    """A part of a workload as Pulumi hands it on; None where it is not there."""
    for key in keys:
        spec = spec.get(key) if isinstance(spec, dict) else getattr(spec, key, None)
    return spec


def without_pods(objects: ServiceObjects, versions: Collection[str]) -> ServiceObjects:
    """The objects of a service but for the pods of these versions, which somebody else runs."""
    parts = {
        version: replace(each, secret=None, deployment=None, disruption_budget=None, autoscaler=None)
        if version in versions
        else each
        for version, each in objects.versions.items()
    }
    return replace(objects, versions=parts)
