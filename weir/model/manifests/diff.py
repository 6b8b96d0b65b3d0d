"""What two sets of Kubernetes objects differ in for traffic and pods, in words, service by service."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from weir.model.manifests.kubernetes import Manifest
from weir.model.manifests.read import read
from weir.model.routing.change import Change
from weir.model.routing.diff import changes, percent, percents, shares
from weir.model.routing.resolve import ServiceTraffic


@dataclass(slots=True)
class _Side:
    """The objects of one service, before or after."""

    route: Manifest | None = None
    rules: list[Manifest] = field(default_factory=list)
    pods: dict[str, Manifest] = field(default_factory=dict)


def service_of(kind: str, manifest: Manifest) -> str | None:
    """The service whose traffic or pods the object is; None for objects that are neither."""
    match kind:
        case "VirtualService":
            return str(manifest["metadata"]["name"])
        case "DestinationRule":
            return str(manifest["spec"]["host"]).split(".")[0]
        case "Deployment" if "version" in manifest["metadata"].get("labels", {}):
            return str(manifest["metadata"]["labels"]["app"])
    return None


def differences(before: Iterable[tuple[str, Manifest]], after: Iterable[tuple[str, Manifest]]) -> Mapping[str, tuple[Change, ...]]:
    """The lines by service, sorted by name; services without a difference are left out. Objects are given with their kinds.

    An object that is in neither has not changed. Raises KeyError, TypeError or pydantic's ValidationError for objects that weir would not
    have written.
    """
    sides: dict[str, tuple[_Side, _Side]] = {}
    for index, objects in enumerate((before, after)):
        for kind, manifest in objects:
            name = service_of(kind, manifest)
            if name is not None:
                _put(sides.setdefault(name, (_Side(), _Side()))[index], kind, manifest)
    told = {name: tuple(_lines(*both)) for name, both in sorted(sides.items())}
    return {name: lines for name, lines in told.items() if lines}


def _put(side: _Side, kind: str, manifest: Manifest) -> None:
    if kind == "VirtualService":
        side.route = manifest
    elif kind == "DestinationRule":
        side.rules.append(manifest)
    else:
        side.pods[manifest["metadata"]["labels"]["version"]] = manifest


def _lines(before: _Side, after: _Side) -> list[Change]:
    old, new = _traffic(before, after), _traffic(after, before)
    if before.route is None and after.route is not None:
        lines = [Change(f"new service: {_split(new)}", "service", after=_shares(new))]
    elif after.route is None and before.route is not None:
        lines = [Change(f"service removed; it had {_split(old)}", "service", before=_shares(old))]
    else:
        lines = changes(old, new)
    for version in dict.fromkeys((*before.pods, *after.pods)):
        if version in before.pods and version in after.pods:
            lines += _pods(version, before.pods[version]["spec"], after.pods[version]["spec"])
    return lines


def _traffic(side: _Side, other: _Side) -> ServiceTraffic:
    """The side's traffic. What is left out has not changed, and so is left out on both sides."""
    hosts = [rule["spec"]["host"] for rule in (*side.rules, *other.rules)]
    route = side.route or {"spec": {"hosts": hosts[:1] or ["?"], "http": []}}
    return read(route, side.rules)


def _split(service: ServiceTraffic) -> str:
    weights = service.routes[-1].weights if service.routes else {}
    return ", ".join(f"{version} {percent(share)}" for version, share in percents(weights).items()) or "answered by the proxy"


def _shares(service: ServiceTraffic) -> dict[str, int | float]:
    return shares(service.routes[-1].weights) if service.routes else {}


def _pods(version: str, before: Manifest, after: Manifest) -> list[Change]:
    """What is different in the pods; values that can be long, or secret, are not shown."""
    lines = []

    def told(text: str, kind: str, was: Any = None, becomes: Any = None) -> None:
        lines.append(Change(f"{version} {text}", kind, version=version, before=was, after=becomes))

    if (was := before.get("replicas")) != (becomes := after.get("replicas")):
        told(f"pods {was} → {becomes}", "replicas", was, becomes)
    old, new = (spec["template"]["spec"]["containers"][0] for spec in (before, after))
    if (was := old.get("image")) != (becomes := new.get("image")):
        told(f"image {_images(str(was), str(becomes))}", "image", was, becomes)
    named = {"args": "arguments", "env": "environment", "resources": "resources", "securityContext": "security context"}
    for key, name in named.items():
        if old.get(key) != new.get(key) or (key == "env" and old.get("envFrom") != new.get("envFrom")):
            told(f"{name} changed", key)
    if any(old.get(probe) != new.get(probe) for probe in ("readinessProbe", "livenessProbe", "startupProbe")):
        told("probes changed", "probes")
    return lines


def _images(before: str, after: str) -> str:
    """Both images; the tags alone where only these differ."""
    old, _, old_tag = before.rpartition(":")
    new, _, new_tag = after.rpartition(":")
    return f"{old_tag} → {new_tag}" if old and old == new else f"{before} → {after}"
