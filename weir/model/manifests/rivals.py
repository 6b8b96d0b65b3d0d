"""VirtualServices of somebody else's for a host of the stack's."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from weir.model.manifests.annotations import OWNER, annotation
from weir.model.manifests.order import Objects
from weir.model.values.hosts import MESH


def rivals(hosts: Iterable[tuple[str, str]], standing: Objects, owner: str) -> Iterator[str]:
    """A line for each that has the host of a service in the mesh. `hosts`: services and their full names.

    Istio merges no VirtualServices of one host in the mesh: of two it takes the older.
    """
    for service, host in hosts:
        for (kind, name), found in standing.items():
            spec: Any = found.get("spec", {})
            if (
                kind == "VirtualService"
                and name != service
                and annotation(found, OWNER) != owner
                and {service, host} & set(spec.get("hosts", []))
                and MESH in spec.get("gateways", [MESH])
            ):
                namespace = host.split(".")[1]
                yield (
                    f"{service}: VirtualService {namespace}/{name}, which this stack did not make, has its host too, "
                    f"and Istio takes the older one: once pulumi up is done, kubectl delete -n {namespace} "
                    f"virtualservice {name}"
                )
