"""Changes by which requests would be lost in whatever order they are made: what stands in the cluster compared with
what is wanted.

Each is one line that says what would be lost and what to do instead.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any

from weir.model.config.stack import Service
from weir.model.manifests import subsets
from weir.model.manifests.annotations import EXTERNAL_HOST, OWNER, VERSION_HOST, annotation, edited
from weir.model.manifests.host_hazards import exchanges, leaving_hosts
from weir.model.manifests.hosts import HostObjects
from weir.model.manifests.kubernetes import Manifest
from weir.model.manifests.mesh import ServiceObjects
from weir.model.manifests.order import Objects
from weir.model.manifests.service_hazards import service_hazards

NO_PODS = "gets requests and would have 0 replicas: they would be answered 503; send it nothing in the same update"
"""What is said of a version, after its name."""

_PUBLIC = ["*"]


def hazards(
    config: Mapping[str, Service],
    wanted: Mapping[str, ServiceObjects],
    standing: Objects,
    owner: str,
    *,
    hosts: Collection[HostObjects] = (),
    routes_only: bool = False,
) -> list[str]:
    """All of them in an update from what stands to what is wanted. `owner`: this stack, as its objects have it; what
    others made it does not touch. `hosts`: those at gateways that are wanted.

    `routes_only`: the update, a release, reaches neither Services nor pods, whatever the config says of them.
    """
    entrances = {each.name: each.virtual_service for each in hosts}
    entrances |= {each.name: each.virtual_service for service in wanted.values() if (each := service.entrance)}
    routes = {**{name: service.virtual_service for name, service in wanted.items()}, **entrances}
    return [
        *(
            f"{name}: {told}"
            for name, objects in wanted.items()
            for told in _of(name, config[name], objects, standing, owner, routes_only)
        ),
        *([] if routes_only else leaving_hosts(wanted, entrances, standing, owner)),
        *exchanges(routes, standing),
    ]


def orphans(wanted: Iterable[Manifest], standing: Objects, owner: str) -> list[tuple[str, str]]:
    """Kind and name of each object that this stack made and does not want (any more)."""
    names = {(manifest["kind"], manifest["metadata"]["name"]) for manifest in wanted}
    return sorted(key for key, found in standing.items() if key not in names and annotation(found, OWNER) == owner)


def _of(
    name: str, config: Service, objects: ServiceObjects, standing: Objects, owner: str, routes_only: bool
) -> Iterator[str]:
    service, route = standing.get(("Service", name)), standing.get(("VirtualService", name))
    if service is not None and annotation(service, OWNER) == owner and not routes_only:
        if objects.service is None:
            why = (
                "without an image it is routing only: its Service and its pods would be deleted"
                if config.create_service is None
                else "with createService: false its Service would be deleted"
            )
            keep = "image" if config.create_service is None else "createService as it was"
            yield (
                f"{why}, and every request to it lost; keep {keep}, or remove the whole service once nobody calls it"
            )
        else:
            yield from service_hazards(name, objects, objects.service, service, standing, owner)
    yield from _handed_over(name, objects, standing, owner)
    yield from _without_pods(name, objects, standing, route, routes_only)
    if route is not None and not routes_only:
        yield from _moved(name, objects, standing, route)
    if route is not None and annotation(route, OWNER) == owner:
        yield from _seen(config, objects, route["spec"])


def _without_pods(
    name: str, objects: ServiceObjects, standing: Objects, route: Mapping[str, Any] | None, routes_only: bool
) -> Iterator[str]:
    """Pods would be taken from what gets requests, or requests given to what has none; known
    before anything changes.
    """
    sent = subsets.used(route["spec"]) if route is not None else frozenset()
    for version, parts in objects.versions.items():
        if not parts.used or parts.deployment is None:
            continue
        there, number = standing.get(("Deployment", f"{name}-{version}")), parts.deployment["spec"].get("replicas")
        if number == 0:
            taken = there is not None and there["spec"].get("replicas") != 0 and not routes_only
            # No change: what gets requests without pods already, by force.
            if taken or version not in sent:
                yield f"{version} {NO_PODS}"
        elif number is None and there is not None and there["spec"].get("replicas") == 0 and version not in sent:
            yield (
                f"{version} would get requests and has 0 pods, whose number is not weir's, and an autoscaler leaves 0 "
                f"as it is; scale it up first: kubectl scale -n {there['metadata']['namespace']} deployment "
                f"{name}-{version} --replicas=1"
            )


def _handed_over(name: str, objects: ServiceObjects, standing: Objects, owner: str) -> Iterator[str]:
    """Pods of weir's would go in the update that begins to count on somebody else's."""
    for version, parts in objects.versions.items():
        there = standing.get(("Deployment", f"{name}-{version}"))
        if parts.workload is not None and there is not None and annotation(there, OWNER) == owner:
            yield (
                f"{version} would have the pods of {parts.workload}, and those that weir made would be deleted; add a "
                f"version with that workload, move the requests to it, then remove {version}"
            )


def _moved(name: str, objects: ServiceObjects, standing: Objects, route: Mapping[str, Any]) -> Iterator[str]:
    """A version that gets requests becomes another host: its subset, or what the host of requests is set to, would
    change at another moment than where they go.
    """
    where = subsets.hosts(route["spec"])
    for version, parts in objects.versions.items():
        if version not in where:
            continue
        outside, entry = where[version] != route["spec"]["hosts"][0], parts.service_entry
        there = standing.get(("ServiceEntry", f"{name}-{version}"))
        alike = entry is None or there is None or there["spec"] == entry["spec"]
        # What somebody has edited by hand may be put back.
        if outside == (entry is not None) and parts.destination_rule is not None and (alike or edited(there or {})):
            continue
        before, after = _place(route, version), _place(objects.virtual_service, version)
        what = f"{before} → {after}" if before != after else "by its port, protocol or exportTo"
        yield (
            f"{version} gets requests and would change where they go ({what}): some would meet neither; keep it, add a "
            f"version with the new settings, move the requests to that, then remove {version}"
        )


def _place(route: Mapping[str, Any], version: str) -> str:
    """Where a version is, by the annotations of its VirtualService."""
    return annotation(route, f"{EXTERNAL_HOST}{version}") or annotation(route, f"{VERSION_HOST}{version}") or "pods"


def _seen(config: Service, objects: ServiceObjects, route: Mapping[str, Any]) -> Iterator[str]:
    """Rules that are seen by others than before stand whole before the old ones go; where Istio would merge the two,
    or there is no whole one, not.
    """
    before, after = list(route.get("exportTo", [])), list(config.export_to or ())
    if set(before) == set(after):
        return
    if before and not after:
        instead = f"keep {_shown(_PUBLIC)}" if before == _PUBLIC else f"write exportTo: {_shown(_PUBLIC)}"
        yield (
            f"exportTo {_shown(before)} cannot be taken away without losing requests; {instead}, which is Istio's "
            "default"
        )
    elif before not in ([], _PUBLIC, ["."]) and set(before) < set(after):
        yield (
            f"exportTo {_shown(before)} cannot grow to {_shown(after)} in one update: Istio would hide the rules from "
            f"the added namespaces; first write exportTo: {_shown(_PUBLIC)}, and {_shown(after)} in the next update"
        )
    elif gone := sorted(subsets.named(route) - {parts.known_as for parts in objects.versions.values()}):
        yield (
            f"exportTo changes and {', '.join(gone)}, which the route names, is removed: do this in two updates, in "
            "any order"
        )


def _shown(names: list[str]) -> str:
    return "[" + ", ".join(f'"{name}"' if name in (".", "*") else name for name in names) + "]"


def namespace_hazard(before: str, after: str | None) -> str:
    """What to say of a stack that moves from one namespace to another, with all that stands there. `after` is None
    where it is not known yet.
    """
    return (
        f"namespace {before} → {after or 'one of another name'}: everything in {before} would be deleted, and every "
        f"request to its pods lost; keep weir:namespace: {before}, or create another stack for the other namespace, "
        "move the callers, and then destroy this stack"
    )
