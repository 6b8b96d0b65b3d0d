"""Changes of a Service by which requests would be lost: it changes for all callers at one moment, its pods do not."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from weir.model.config.ports import HTTP, PASSED_THROUGH
from weir.model.manifests.annotations import OWNER, annotation
from weir.model.manifests.kubernetes import Manifest, with_port_names
from weir.model.manifests.mesh import ServiceObjects
from weir.model.manifests.order import Objects
from weir.model.values.hosts import label_selector

_HTTP2 = ("http2", "grpc", "grpc-web")


def service_hazards(
    name: str, objects: ServiceObjects, wanted: Manifest, there: Mapping[str, Any], standing: Objects, owner: str
) -> Iterator[str]:
    """A line for each. `wanted`: the Service as it is to be, `there`: as it is. The rest is as for `hazards`."""
    yield from _address(wanted["spec"], there["spec"])
    yield from _ports(wanted, there)
    yield from _protocols(name, objects, wanted, there, standing)
    yield from _selectors(name, objects, wanted, there, standing, owner)


def _address(wanted: Mapping[str, Any], there: Mapping[str, Any]) -> Iterator[str]:
    """Kubernetes gives a Service no other address."""
    before, after = there.get("clusterIP"), wanted.get("clusterIP")
    if after is not None and after != before:
        yield (
            f"clusterIP {before} → {after}: the Service would be deleted and made anew, and every request to it lost "
            "in between; leave clusterIP out, and make a service of its own for another address"
        )


def _ports(wanted: Manifest, service: Mapping[str, Any]) -> Iterator[str]:
    """A Service stops serving a port at once, and callers know only that one. It goes by another name of the pods' port
    at once, too, which those that serve do not have.
    """
    before, after = _by_number(service["spec"]), _by_number(wanted["spec"])
    for number in before:
        if number not in after:
            instead = "" if len(after) > 1 else f" once it is {next(iter(after))}"
            yield (
                f"callers at port {number} would lose every request{instead}; keep port: {number}, with others beside "
                f"it as entries of ports, as long as there is a caller left at {number} (the pods' own port, "
                "targetPort, may change at any time)"
            )
        elif isinstance(known_as := before[number].get("targetPort"), str) and after[number]["targetPort"] != known_as:
            yield (
                f"port {number} would go to the pods' port {after[number]['targetPort']}, and those that serve have it "
                f"as {known_as}; keep the name {known_as} for the first entry of ports with this targetPort"
            )
    names: dict[str, int] = {}
    for port in with_port_names(wanted["spec"], service)["ports"]:
        if (other := names.setdefault(port["name"], port["port"])) != port["port"]:
            new, old = sorted((port["port"], other), key=lambda number: number in before)
            yield (
                f'port {new} cannot have the name "{port["name"]}": port {old} has it in the cluster, and keeps it; '
                "choose another name"
            )


def _by_number(spec: Mapping[str, Any]) -> dict[int, Mapping[str, Any]]:
    return {int(port["port"]): port for port in spec.get("ports", [])}


def _protocols(
    name: str, objects: ServiceObjects, wanted: Manifest, service: Mapping[str, Any], standing: Objects
) -> Iterator[str]:
    """What a port of the Service speaks changes at one moment; callers and pods do not.

    Callers' proxies have another listener for a port that is routed (at all addresses) than for one that passes through
    (at the Service's): with the old one go the connections that are open at it.
    """
    changing = sorted(
        version
        for version, parts in objects.versions.items()
        if parts.used
        and parts.deployment
        and _runs(parts.deployment) != _runs(standing.get(("Deployment", f"{name}-{version}")))
    )
    standing_ports = _by_number(service["spec"])
    for number, port in _by_number(wanted["spec"]).items():
        there, after = standing_ports.get(number, {}), port["appProtocol"]
        before = str(there.get("appProtocol") or there.get("name") or after)
        if {before, after} & set(HTTP) and {before, after} & set(PASSED_THROUGH):
            yield (
                f"protocol of port {number} {before} → {after}: who speaks {before} there, caller or pod, would not be "
                f"understood any more, and callers' proxies would cut open connections; keep protocol: {before}, add a "
                f"port with protocol: {after} beside it in ports, and move the callers there"
            )
        elif changing and (before in _HTTP2) != (after in _HTTP2):
            where = f" of port {number}" if len(wanted["spec"]["ports"]) > 1 else ""
            yield (
                f"protocol{where} {before} → {after} and other pods ({', '.join(changing)}) in one update: old pods "
                "would get requests in a protocol that they may not speak; first deploy pods that speak both, with "
                f"protocol: {before}, and change protocol in the next update"
            )


def _selectors(
    name: str,
    objects: ServiceObjects,
    wanted: Manifest,
    service: Mapping[str, Any],
    standing: Objects,
    owner: str,
) -> Iterator[str]:
    """By which labels pods are found: a Service leaves those with the old ones at once, and a Deployment cannot change
    it (Kubernetes' API: spec.selector is immutable).
    """
    before, after = service["spec"].get("selector", {}), wanted["spec"]["selector"]
    if before != after:
        yield (
            f"selector {label_selector(before)} → {label_selector(after)}: the Service would leave the pods that "
            "serve; keep selector, and make a service of its own for pods with other labels"
        )
        return
    for version, parts in objects.versions.items():
        there = standing.get(("Deployment", f"{name}-{version}"))
        if parts.deployment is None or there is None or annotation(there, OWNER) != owner:
            continue
        before, after = (each["spec"]["selector"].get("matchLabels", {}) for each in (there, parts.deployment))
        if before != after:
            yield (
                f"labels of {version}, {label_selector(before)} → {label_selector(after)}: its Deployment would be "
                "deleted with its pods and made anew; add a version with the new labels, move the requests to it, then "
                f"remove {version}"
            )


def _runs(deployment: Mapping[str, Any] | None) -> Any:
    """What decides what the pods speak, as both the API server and weir have it."""
    if deployment is None:
        return None
    container = deployment["spec"]["template"]["spec"]["containers"][0]
    return [container.get(key) or [] for key in ("image", "command", "args")]
