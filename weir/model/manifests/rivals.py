"""VirtualServices of somebody else's for a host of the stack's."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from weir.model.manifests.annotations import OWNER, annotation
from weir.model.manifests.hosts import of_host
from weir.model.manifests.order import Objects


def rivals(hosts: Mapping[str, str], standing: Objects, owner: str) -> Iterator[str]:
    """A line for each that has the host of a service in the mesh. `hosts`: the full name of each service.

    Istio merges no VirtualServices of one host in the mesh: of two it takes the older.
    """
    services = {name: service for service, host in hosts.items() for name in (service, host)}
    for (kind, name), found in standing.items():
        if kind != "VirtualService" or annotation(found, OWNER) == owner or of_host(found["spec"]):
            continue
        for service in dict.fromkeys(services[host] for host in found["spec"].get("hosts", []) if host in services):
            if name != service:
                namespace = hosts[service].split(".")[1]
                yield (
                    f"{service}: VirtualService {namespace}/{name}, which this stack did not make, has its host too, "
                    f"and Istio takes the older one: once pulumi up is done, kubectl delete -n {namespace} "
                    f"virtualservice {name}"
                )
