"""Changes of hosts at gateways by which requests would be lost in whatever order they are made."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from weir.model.manifests import order, subsets
from weir.model.manifests.annotations import OWNER, annotation
from weir.model.manifests.hosts import of_host
from weir.model.manifests.kubernetes import Manifest
from weir.model.manifests.mesh import ServiceObjects
from weir.model.manifests.order import Objects


def leaving_hosts(
    wanted: Mapping[str, ServiceObjects], entrances: Mapping[str, Manifest], standing: Objects, owner: str
) -> Iterator[str]:
    """The VirtualService of a host goes last of all, and until then sends requests to what it names."""
    for (kind, name), found in standing.items():
        if kind != "VirtualService" or name in entrances or not of_host(found["spec"]):
            continue
        for service, objects in wanted.items() if annotation(found, OWNER) == owner else ():
            left = {version for version, parts in objects.versions.items() if _runs_pods(parts.deployment)}
            if gone := sorted(subsets.used(found["spec"], service) - left):
                yield (
                    f"{service}: host {found['spec']['hosts'][0]} is removed in the same update as the pods of "
                    f"{', '.join(gone)}, to which it sends requests until the end; first remove the host, and "
                    f"{', '.join(gone)} in the next update"
                )


def _runs_pods(deployment: Manifest | None) -> bool:
    return deployment is None or deployment["spec"].get("replicas") != 0


def exchanges(routes: Mapping[str, Manifest], standing: Objects) -> Iterator[str]:
    """VirtualServices that hand hosts over in a circle: none of them can be first."""
    circle = sorted(order.exchanged(routes, standing))
    if circle:
        yield (
            f"{', '.join(circle)}: these take hosts at gateways from each other, so none can be updated first; "
            "move one host in each update"
        )
