"""The pods of a version that the program runs by a Deployment or StatefulSet of its own."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from typing import Any

import pulumi

from weir.model import ServiceObjects


class Workload:
    """A Deployment or StatefulSet of the program's own, with what its pods must have to get requests."""

    def __init__(
        self, service: str, version: str, labels: Mapping[str, str], ports: Iterable[str], resource: pulumi.Resource
    ) -> None:
        """Nothing is looked at yet. `labels` and `ports`: those by which the service and its subset find the pods."""
        self.resource = resource
        self._wanted, self._ports = labels, tuple(ports)
        self._who = f"MeshService {service}: the pods of {version}"

    async def checked(self) -> None:
        """Raises RunError where the pods lack the labels or a port by which the service and its subset find them.

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
        missing = [name for name in self._ports if name not in names]
        if missing:
            several = "ports" if len(missing) > 1 else "a port"
            them = "them" if len(missing) > 1 else "it"
            entries = ", ".join(f"{{name: {name}, containerPort: …}}" for name in missing)
            raise pulumi.RunError(
                f"{self._who} get no requests without {several} named {' and '.join(missing)}, which the Service sends"
                f" them to; add {them} to spec.template.spec.containers of {self.resource.pulumi_resource_name}, with"
                f" the port they listen on: ports: [{entries}]"
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
