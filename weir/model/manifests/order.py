"""In which order an update goes, as far as that depends on what stands: which pods come before the route, and which
route before which.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from weir.model.manifests import subsets
from weir.model.manifests.kubernetes import Manifest
from weir.model.manifests.mesh import ServiceObjects, VersionObjects
from weir.model.values.hosts import MESH, covers

Objects = Mapping[tuple[str, str], Mapping[str, Any]]
"""What stands in a namespace, by kind and name."""


def pods_first(name: str, objects: ServiceObjects, standing: Objects | None) -> frozenset[str]:
    """The versions of a service whose pods must be ready before its route changes; the others' change after it.

    Those that newly get requests, and those that get more and more pods for them. A version that gets requests already
    has the pods it has: whatever becomes of them, a route that takes requests away from it must not wait for them.
    None stands for what cannot be known.
    """
    wanted = {version for version, parts in objects.versions.items() if parts.used and not _elsewhere(parts)}
    if standing is None:
        return frozenset(wanted)
    old = standing.get(("VirtualService", name), {}).get("spec")
    before, after = subsets.shares(old), subsets.shares(objects.virtual_service["spec"])
    known = subsets.used(old)
    return frozenset(
        version
        for version in wanted
        if version not in known
        or _lacks(objects.versions[version].deployment, name, version, standing, more=after[version] > before[version])
    )


def _elsewhere(parts: VersionObjects) -> bool:
    """Whether a version has no pods that anybody could wait for here."""
    return parts.service_entry is not None or parts.destination_rule is None


def _lacks(wanted: Manifest | None, name: str, version: str, standing: Objects, *, more: bool) -> bool:
    """Whether a version has fewer pods than it needs; those of somebody else are as many as there are. `more`: it gets
    more requests.
    """
    there = standing.get(("Deployment", f"{name}-{version}"))
    return wanted is not None and (there is None or (more and _more(wanted, there)))


def _more(wanted: Manifest, there: Mapping[str, Any]) -> bool:
    """Whether pods are added. Where somebody else says how many there are, an update adds none."""
    return bool(wanted["spec"].get("replicas", 0) > there["spec"].get("replicas", 1))


def routes_first(routes: Mapping[str, Manifest], standing: Objects | None) -> Mapping[str, frozenset[str]]:
    """By VirtualService, given by name, the others that must be changed before it: they gain a host at a gateway that
    it loses, so that somebody has it all the time.

    Two that take hosts from each other are in `exchanged`, and have no order.
    """
    found = _handed_over(routes, standing)
    return {name: frozenset(others - _circle(name, found)) for name, others in found.items()}


def exchanged(routes: Mapping[str, Manifest], standing: Objects | None) -> frozenset[str]:
    """The VirtualServices that hand hosts over in a circle."""
    found = _handed_over(routes, standing)
    return frozenset(name for name in found if _circle(name, found))


def lost_hosts(services: Mapping[str, ServiceObjects], standing: Objects) -> list[tuple[str, str]]:
    """The services that give up a host which no other route that stands has; each with the host."""
    return [
        (name, host)
        for name, service in services.items()
        for host in _hosts(standing, name) - set(service.virtual_service["spec"]["hosts"])
        if not any(
            covers(there, host)
            for kind, other in standing
            if kind == "VirtualService" and other != name
            for there in _hosts(standing, other)
        )
    ]


def route_before_service(name: str, objects: ServiceObjects, standing: Objects | None) -> bool:
    """Whether the route of a service must change before its Service: that gets more ports than one, and what stands at
    gateways names none, which is right only as long as there is one (GetDestinationCluster in
    pilot/pkg/networking/core/route).
    """
    there, route = (standing or {}).get(("Service", name)), (standing or {}).get(("VirtualService", name))
    if objects.service is None or there is None or route is None or not route["spec"].get("gateways"):
        return False
    one = len(there["spec"].get("ports", [])) == 1
    return one and len(objects.service["spec"]["ports"]) > 1


def _hosts(standing: Objects, name: str) -> set[str]:
    return set(standing.get(("VirtualService", name), {}).get("spec", {}).get("hosts", []))


def _bound(spec: Mapping[str, Any]) -> set[tuple[str, str]]:
    """Each host with each gateway at which a VirtualService has it."""
    return {(host, name) for host in spec.get("hosts", []) for name in spec.get("gateways") or [MESH]}


def _handed_over(routes: Mapping[str, Manifest], standing: Objects | None) -> dict[str, set[str]]:
    """By VirtualService that loses a host at a gateway, those that gain it, or one that covers or is within it."""
    after = {name: _bound(route["spec"]) for name, route in routes.items()}
    before = {name: _bound((standing or {}).get(("VirtualService", name), {}).get("spec", {})) for name in routes}
    gained = [(name, *there) for name in routes for there in after[name] - before[name]]
    lost = {name: before[name] - after[name] for name in routes}
    return {
        name: {
            gainer
            for host, gateway in gone
            for gainer, other, at in gained
            # Where one is wider (`*`), requests for the narrower one are handed over all the same.
            if gainer != name and at == gateway and (covers(host, other) or covers(other, host))
        }
        for name, gone in lost.items()
        if gone
    }


def _circle(name: str, found: Mapping[str, set[str]]) -> set[str]:
    """The services after which `name` must come and which must come after it, too."""
    return {other for other in found.get(name, ()) if name in _reached(other, found)}


def _reached(start: str, found: Mapping[str, set[str]]) -> set[str]:
    reached: set[str] = set()
    left = [start]
    while left:
        for other in found.get(left.pop(), ()):
            if other not in reached:
                reached.add(other)
                left.append(other)
    return reached
