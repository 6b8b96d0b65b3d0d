"""A preview of an update, run or saved (`pulumi preview --json`), as what changes for each service's traffic and pods."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pydantic import ValidationError

from weir.errors import UsageError
from weir.model import ServiceTraffic, read
from weir.model.changes import changes, percent, percents
from weir.model.workloads import Manifest

_KUBERNETES = "kubernetes:"
_DONE = {"create": "created", "update": "updated", "delete": "deleted", "replace": "replaced"}
_OPS = {
    "create": "create",
    "update": "update",
    "delete": "delete",
    "replace": "replace",
    "create-replacement": "replace",
    "delete-replaced": "",
    "discard-replaced": "",
}


class PreviewError(UsageError):
    """The text is no preview in JSON, or one of objects that weir did not write."""


@dataclass(frozen=True, slots=True)
class Preview:
    """What an update would do: `services` by name, each with its lines; `others`: how many objects of other kinds are created, updated, deleted or replaced."""

    services: Mapping[str, tuple[str, ...]]
    others: Mapping[str, Mapping[str, int]]

    @property
    def empty(self) -> bool:
        """Whether nothing changes."""
        return not self.services and not self.others


@dataclass(slots=True)
class _Side:
    """The objects of one service, before or after."""

    route: Manifest | None = None
    rules: list[Manifest] = field(default_factory=list)
    pods: dict[str, Manifest] = field(default_factory=dict)


def parse(document: Any) -> Preview:
    """The changes in a preview's JSON. Raises PreviewError for anything else."""
    if not isinstance(document, dict) or not isinstance(document.get("steps", []), list) or "changeSummary" not in document:
        raise PreviewError("this is no preview in JSON; make one with: pulumi preview --json > preview.json")
    sides: dict[str, tuple[_Side, _Side]] = {}
    others: dict[str, Counter[str]] = {}
    for step in document.get("steps", []):
        op = _OPS.get(step["op"], "")
        old, new = ((step.get(state) or {}).get("inputs") or {} for state in ("oldState", "newState"))
        kind = str((step.get("newState") or step.get("oldState") or {}).get("type", ""))
        if not op or not kind.startswith(_KUBERNETES):
            continue
        name = _service(kind, new or old)
        if name is None:
            others.setdefault(kind.rpartition(":")[2], Counter())[_DONE[op]] += 1
            continue
        before, after = sides.setdefault(name, (_Side(), _Side()))
        for side, manifest in ((before, old), (after, new)):
            if manifest:
                _put(side, kind.rpartition(":")[2], manifest)
    try:
        told = {name: tuple(_lines(*both)) for name, both in sorted(sides.items())}
    except (KeyError, TypeError, ValidationError) as broken:
        raise PreviewError(f"this preview has an object that weir did not write: {broken}") from None
    return Preview({name: lines for name, lines in told.items() if lines}, {kind: dict(ops) for kind, ops in sorted(others.items())})


def _service(kind: str, manifest: Manifest) -> str | None:
    """The service whose traffic or pods the object is; None for objects that are neither."""
    match kind.rpartition(":")[2]:
        case "VirtualService":
            return str(manifest["metadata"]["name"])
        case "DestinationRule":
            return str(manifest["spec"]["host"]).split(".")[0]
        case "Deployment" if "version" in manifest["metadata"].get("labels", {}):
            return str(manifest["metadata"]["labels"]["app"])
    return None


def _put(side: _Side, kind: str, manifest: Manifest) -> None:
    if kind == "VirtualService":
        side.route = manifest
    elif kind == "DestinationRule":
        side.rules.append(manifest)
    else:
        side.pods[manifest["metadata"]["labels"]["version"]] = manifest


def _lines(before: _Side, after: _Side) -> list[str]:
    old, new = _traffic(before, after), _traffic(after, before)
    if before.route is None and after.route is not None:
        lines = [f"new service: {_split(new)}"]
    elif after.route is None and before.route is not None:
        lines = [f"service removed; it had {_split(old)}"]
    else:
        lines = changes(old, new)
    for version in dict.fromkeys((*before.pods, *after.pods)):
        if version in before.pods and version in after.pods:
            lines += _pods(version, before.pods[version]["spec"], after.pods[version]["spec"])
    return lines


def _traffic(side: _Side, other: _Side) -> ServiceTraffic:
    """The side's traffic. What a preview leaves out has not changed, and so is left out on both sides."""
    hosts = [rule["spec"]["host"] for rule in (*side.rules, *other.rules)]
    route = side.route or {"spec": {"hosts": hosts[:1] or ["?"], "http": []}}
    return read(route, side.rules)


def _split(service: ServiceTraffic) -> str:
    weights = service.routes[-1].weights if service.routes else {}
    return ", ".join(f"{version} {percent(share)}" for version, share in percents(weights).items()) or "answered by the proxy"


def _pods(version: str, before: Manifest, after: Manifest) -> list[str]:
    lines = []
    if before.get("replicas") != after.get("replicas"):
        lines.append(f"{version} pods {before.get('replicas')} → {after.get('replicas')}")
    old, new = (spec["template"]["spec"]["containers"][0] for spec in (before, after))
    if old.get("image") != new.get("image"):
        lines.append(f"{version} image {_images(str(old.get('image')), str(new.get('image')))}")
    for key, name in (("args", "arguments"), ("env", "environment"), ("resources", "resources"), ("securityContext", "security context")):
        if old.get(key) != new.get(key):
            lines.append(f"{version} {name} changed")
    if any(old.get(probe) != new.get(probe) for probe in ("readinessProbe", "livenessProbe", "startupProbe")):
        lines.append(f"{version} probes changed")
    return lines


def _images(before: str, after: str) -> str:
    """Both images; the tags alone where only these differ."""
    old, _, old_tag = before.rpartition(":")
    new, _, new_tag = after.rpartition(":")
    return f"{old_tag} → {new_tag}" if old and old == new else f"{before} → {after}"
