"""What two sets of Kubernetes objects differ in for traffic and pods, service by service."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from fractions import Fraction

from weir.model.manifests.annotations import WORKLOAD, annotation
from weir.model.manifests.hosts import of_host, read_host
from weir.model.manifests.kubernetes import Manifest
from weir.model.manifests.read import read
from weir.model.manifests.scaling import number_of_pods
from weir.model.routing.diff import TrafficChange, changes, percents
from weir.model.routing.host_diff import host_changes
from weir.model.routing.hosts import HostTraffic
from weir.model.routing.resolve import ServiceTraffic

# Kind of change → the keys of a container that it is about.
_UNSHOWN = {
    "command": ("command",),
    "args": ("args",),
    "env": ("env", "envFrom"),
    "resources": ("resources",),
    "securityContext": ("securityContext",),
    "probes": ("readinessProbe", "livenessProbe", "startupProbe"),
}


@dataclass(slots=True)
class _Side:
    """The objects of one service, before or after."""

    route: Manifest | None = None
    rules: list[Manifest] = field(default_factory=list)
    pods: dict[str, Manifest] = field(default_factory=dict)
    autoscalers: dict[str, Manifest] = field(default_factory=dict)
    service: Manifest | None = None


def service_of(kind: str, manifest: Manifest) -> str | None:
    """The service whose traffic, pods or ports the object is; None for objects that are neither."""
    match kind:
        case "VirtualService" if not of_host(manifest["spec"]):
            return str(manifest["metadata"]["name"])
        case "DestinationRule":
            labels = manifest["metadata"].get("labels", {})
            return str(labels.get("app") or str(manifest["spec"]["host"]).split(".")[0])
        case "Deployment" | "HorizontalPodAutoscaler" if "version" in manifest["metadata"].get("labels", {}):
            return str(manifest["metadata"]["labels"]["app"])
        case "Service":
            return str(manifest["metadata"]["name"])
    return None


def ports_of(service: Manifest) -> tuple[str, ...]:
    """The ports of a Service, each with what it speaks."""
    return tuple(
        f"{int(port['port'])} {port.get('appProtocol') or port.get('name')}" for port in service["spec"]["ports"]
    )


def host_of(kind: str, manifest: Manifest) -> str | None:
    """The host at gateways whose VirtualService the object is; None for other objects. One of a service that is
    exposed as every host has the service's name behind it.
    """
    if kind != "VirtualService" or not of_host(manifest["spec"]):
        return None
    service = manifest["metadata"].get("labels", {}).get("app")
    return f"{manifest['spec']['hosts'][0]}{f' of {service}' if service else ''}"


def host_differences(
    before: Iterable[tuple[str, Manifest]], after: Iterable[tuple[str, Manifest]]
) -> Mapping[str, tuple[TrafficChange, ...]]:
    """The changes by host, as `differences` has those of services, and raising what it raises."""
    sides: dict[str, list[HostTraffic | None]] = {}
    for index, objects in enumerate((before, after)):
        for kind, manifest in objects:
            if (name := host_of(kind, manifest)) is not None:
                sides.setdefault(name, [None, None])[index] = read_host(manifest)
    found = {name: tuple(host_changes(*both)) for name, both in sorted(sides.items())}
    return {name: changed for name, changed in found.items() if changed}


def differences(
    before: Iterable[tuple[str, Manifest]], after: Iterable[tuple[str, Manifest]]
) -> Mapping[str, tuple[TrafficChange, ...]]:
    """The changes by service, sorted by name; services without a difference are left out. Objects are given with their
    kinds.

    An object that is in neither has not changed. Raises KeyError, TypeError or pydantic's ValidationError for objects
    that weir would not have written.
    """
    sides: dict[str, tuple[_Side, _Side]] = {}
    for index, objects in enumerate((before, after)):
        for kind, manifest in objects:
            name = service_of(kind, manifest)
            if name is not None:
                _put(sides.setdefault(name, (_Side(), _Side()))[index], kind, manifest)
    found = {name: tuple(_changes(name, *both)) for name, both in sorted(sides.items())}
    return {name: changed for name, changed in found.items() if changed}


def _put(side: _Side, kind: str, manifest: Manifest) -> None:
    if kind == "VirtualService":
        side.route = manifest
    elif kind == "DestinationRule":
        side.rules.append(manifest)
    elif kind == "Service":
        side.service = manifest
    else:
        kind_of = side.pods if kind == "Deployment" else side.autoscalers
        kind_of[manifest["metadata"]["labels"]["version"]] = manifest


def _changes(service: str, before: _Side, after: _Side) -> list[TrafficChange]:
    old, new = _traffic(before, after), _traffic(after, before)
    if before.route is None and after.route is not None:
        found = [TrafficChange("service", service, after=_split(new))]
    elif after.route is None and before.route is not None:
        found = [TrafficChange("service", service, before=_split(old))]
    else:
        found = changes(service, old, new)
    if before.service and after.service and (ports := ports_of(before.service)) != ports_of(after.service):
        found.append(TrafficChange("ports", service, before=ports, after=ports_of(after.service)))
    for version in dict.fromkeys((*before.pods, *after.pods)):
        if version in before.pods and version in after.pods:
            found += _pods(service, version, before.pods[version], after.pods[version])
        elif version in _alone(before, after):
            # Without a number Kubernetes begins with one.
            pods_before, pods_after = (
                (number_of_pods(each.pods[version]) or 1) if version in each.pods else 0 for each in (before, after)
            )
            found.append(TrafficChange("replicas", service, version=version, before=pods_before, after=pods_after))
    found += [
        TrafficChange("workload", service, version=version, before=one, after=other)
        for version, one, other in _workloads(before, after)
    ]
    for version in dict.fromkeys((*before.autoscalers, *after.autoscalers)):
        was, becomes = (_bounds(side.autoscalers.get(version)) for side in (before, after))
        if was != becomes and (version in before.pods) == (version in after.pods):
            found.append(TrafficChange("autoscaling", service, version=version, before=was, after=becomes))
    return found


def _alone(before: _Side, after: _Side) -> set[str]:
    """The versions whose pods come or go without the rest of the version, as after an update that was killed."""
    if (before.route is None) != (after.route is None):
        return set()
    ruled = {rule["metadata"]["labels"].get("version") for rule in (*before.rules, *after.rules)}
    return {*before.pods, *after.pods} - ruled


def _workloads(before: _Side, after: _Side) -> Iterator[tuple[str, str | None, str | None]]:
    """By version what of somebody else's runs its pods, where that is another one than before."""
    old, new = ({rule["metadata"]["name"]: rule for rule in side.rules} for side in (before, after))
    for name in old.keys() & new.keys():
        was, becomes = annotation(old[name], WORKLOAD), annotation(new[name], WORKLOAD)
        if was != becomes:
            yield new[name]["metadata"]["labels"]["version"], was, becomes


def _traffic(side: _Side, other: _Side) -> ServiceTraffic:
    """The side's traffic. What is left out has not changed, and so is left out on both sides."""
    hosts = [rule["spec"]["host"] for rule in (*side.rules, *other.rules)]
    route = side.route or {"spec": {"hosts": hosts[:1] or ["?"], "http": []}}
    return read(route, side.rules)


def _split(traffic: ServiceTraffic) -> Mapping[str, Fraction]:
    """Percent by version of the default route; empty where no version answers."""
    return percents(traffic.routes[-1].weights) if traffic.routes else {}


def _pods(
    service: str, version: str, deployment_before: Manifest, deployment_after: Manifest
) -> Iterator[TrafficChange]:
    """What is different in the pods; values that can be long, or secret, are not shown."""
    before, after = deployment_before["spec"], deployment_after["spec"]
    old, new = (spec["template"]["spec"]["containers"][0] for spec in (before, after))
    numbers = number_of_pods(deployment_before), number_of_pods(deployment_after)
    for kind, was, becomes in (("replicas", *numbers), ("image", old.get("image"), new.get("image"))):
        if was != becomes:
            yield TrafficChange(kind, service, version=version, before=was, after=becomes)
    for kind, keys in _UNSHOWN.items():
        if any(old.get(key) != new.get(key) for key in keys):
            yield TrafficChange(kind, service, version=version)
    if _rest(before) != _rest(after):
        yield TrafficChange("kubernetes", service, version=version)


def _bounds(autoscaler: Manifest | None) -> Manifest | None:
    """What an autoscaler goes by, without whose it is."""
    return autoscaler and {key: value for key, value in autoscaler["spec"].items() if key != "scaleTargetRef"}


def _rest(spec: Manifest) -> Manifest:
    """The spec of a Deployment without what is told of it by itself."""
    told = {"image", *(key for keys in _UNSHOWN.values() for key in keys)}
    pod = spec["template"]["spec"]
    first, *others = pod["containers"]
    containers = [{key: value for key, value in first.items() if key not in told}, *others]
    template = {**spec["template"], "spec": {**pod, "containers": containers}}
    return {**{key: value for key, value in spec.items() if key != "replicas"}, "template": template}
