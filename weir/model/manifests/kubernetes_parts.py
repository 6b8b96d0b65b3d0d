"""Partial objects of the config, laid over the objects that weir makes; and which of their fields are weir's alone.

Kubernetes' strategic merge decides what comes of it. What safe traffic stands on (names, selectors, the drain, the
readiness that order rests on) stays as weir makes it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from weir.model.manifests.annotations import PREFIX
from weir.model.manifests.kubernetes import DRAIN_SECONDS, MANAGED_BY, Manifest
from weir.model.values import kubernetes_api
from weir.model.values.problems import Path
from weir.model.values.strategic_merge import merged

_TYPES = {
    "Deployment": "apps.v1.Deployment",
    "Service": "core.v1.Service",
    "ServiceAccount": "core.v1.ServiceAccount",
    "PodDisruptionBudget": "policy.v1.PodDisruptionBudget",
}

_NAMES = "objects are found by it; weir gives it"
_SELECTOR = "it decides which pods are the service's; weir gives it"
_FIND = "by it pods are found, and versions told apart; weir gives it"
_ORDER = "a new pod is ready before an old one goes, or requests are lost"
_READY = "a pod gets requests once it is ready; weir's order rests on that"
_DRAIN = (
    f"a pod that is told to go serves {DRAIN_SECONDS} s more, until every proxy has heard of it; what the program must "
    "do at its end it does on SIGTERM"
)
_PORT = "callers, and pods by their port's name, are reached by it; write port, targetPort and protocol of the service"
_KEYS = {
    "image": "image",
    "command": "command",
    "args": "args",
    "env": "env",
    "envFrom": "envFrom",
    "resources": "resources",
    "readinessProbe": "readinessProbe",
    "livenessProbe": "livenessProbe",
    "startupProbe": "startupProbe",
    "securityContext": "securityContext",
}
"""Fields of a container for which the config has keys, by these."""


@dataclass(frozen=True, slots=True)
class Item:
    """The item of a list whose `key` has this value, as a step of a path."""

    key: str
    value: Any


Steps = tuple[str | Item, ...]


def laid_over(manifest: Manifest, *patches: Mapping[str, Any] | None) -> Manifest:
    """The object with the partial objects merged over it, one after the other; itself where there is none."""
    for patch in patches:
        if patch:
            manifest = merged(manifest, patch, type_of(manifest))
    return manifest


def type_of(manifest: Manifest) -> kubernetes_api.Shape:
    """Kubernetes' type of an object that weir makes."""
    return kubernetes_api.kind(_TYPES[manifest["kind"]])


def broken(made: Manifest, merged: Manifest, patch: Mapping[str, Any]) -> Iterator[tuple[Path, str]]:
    """What the patch changes that is weir's alone: where in the patch, and why it may not."""
    told: set[Path] = set()
    for steps, why in _own(made):
        if _at(made, steps) != _at(merged, steps):
            path = _in_patch(patch, steps)
            # What goes as a whole is told once.
            if not any(other[: len(path)] == path for other in told):
                told.add(path)
                yield path, why
    yield from _forbidden(made, merged, patch)


def _own(made: Manifest) -> Iterator[tuple[Steps, str]]:
    """The fields that stay as weir makes them, each with the reason."""
    yield from (((name,), f"{name} is what it is; leave it out") for name in ("apiVersion", "kind", "status"))
    yield ("metadata", "name"), f"must stay: {_NAMES}"
    yield ("metadata", "namespace"), f"must stay: {_NAMES}"
    yield from ((("metadata", "labels", label), f"must stay: {_NAMES}") for label in ("app", "version", *MANAGED_BY))
    if made["kind"] in ("Deployment", "Service", "PodDisruptionBudget"):
        yield ("spec", "selector"), f"must stay: {_SELECTOR}"
    if made["kind"] == "Deployment":
        yield from _own_of_pods(made)
    if made["kind"] == "Service":
        for port in made["spec"]["ports"]:
            for field in port:
                yield ("spec", "ports", Item("port", port["port"]), field), f"must stay: {_PORT}"


def _own_of_pods(made: Manifest) -> Iterator[tuple[Steps, str]]:
    template = made["spec"]["template"]
    yield ("spec", "replicas"), "write it as replicas, of the version or its service"
    yield ("spec", "strategy", "type"), f"must stay: {_ORDER}"
    yield ("spec", "strategy", "rollingUpdate", "maxUnavailable"), f"must stay: {_ORDER}"
    yield ("spec", "paused"), "must not be: an update waits for the new pods"
    for label in made["spec"]["selector"]["matchLabels"]:
        yield ("spec", "template", "metadata", "labels", label), f"must stay: {_FIND}"
    # Those of the config come after weir's own.
    name = template["spec"]["containers"][0]["name"]
    here: Steps = ("spec", "template", "spec", "containers", Item("name", name))
    yield (*here, "name"), f"the container {name} must stay: it is what serves"
    for field, key in _KEYS.items():
        yield (*here, field), f"write it as {key}, of the version or its service"
    yield (*here, "lifecycle", "preStop"), f"must stay: {_DRAIN}"
    for port in template["spec"]["containers"][0]["ports"]:
        yield (*here, "ports", Item("name", port["name"])), "write it as targetPort of the service, or in its ports"


def _forbidden(made: Manifest, merged: Manifest, patch: Mapping[str, Any]) -> Iterator[tuple[Path, str]]:
    """What must not be, whatever weir makes of it."""
    for place in (("metadata",), ("spec", "template", "metadata")):
        found = _at(patch, (*place, "annotations"))
        for name in found if isinstance(found, Mapping) else ():
            if str(name).startswith(PREFIX):
                yield (*place, "annotations", str(name)), f"annotations that begin with {PREFIX} are weir's own"
    kind, spec = made["kind"], merged.get("spec", {})
    if kind == "Deployment":
        grace = spec["template"]["spec"].get("terminationGracePeriodSeconds")
        if grace is not None and grace <= DRAIN_SECONDS:
            yield (
                ("spec", "template", "spec", "terminationGracePeriodSeconds"),
                f"must be more than {DRAIN_SECONDS}: a pod that is told to go serves so many seconds more",
            )
    if kind == "Service":
        yield from _forbidden_in_service(made["spec"], spec)
    if kind == "PodDisruptionBudget" and {"minAvailable", "maxUnavailable"} <= spec.keys():
        yield ("spec", "minAvailable"), "has maxUnavailable beside it, which weir gives; add maxUnavailable, empty"


def _forbidden_in_service(made: Mapping[str, Any], spec: Mapping[str, Any]) -> Iterator[tuple[Path, str]]:
    if spec.get("type") == "ExternalName":
        yield ("spec", "type"), "must not be ExternalName: the Service is that of pods"
    if spec.get("clusterIP") == "None":
        yield ("spec", "clusterIP"), "must not be None: Istio would not divide the requests between versions"
    if len(spec["ports"]) > len(made["ports"]):
        yield ("spec", "ports"), "must have no other port than the service's; write it as an entry of its ports"
    if spec.get("publishNotReadyAddresses"):
        yield ("spec", "publishNotReadyAddresses"), f"must not be true: {_READY}"


def _at(tree: Any, steps: Sequence[str | Item]) -> Any:
    """What is there; None where nothing is."""
    for step in steps:
        if isinstance(step, Item):
            items = tree if isinstance(tree, list) else []
            tree = next((each for each in items if each.get(step.key) == step.value), None)
        else:
            tree = tree.get(step) if isinstance(tree, Mapping) else None
    return tree


def _in_patch(patch: Any, steps: Steps) -> Path:
    """The path of it in the patch, as far as the patch goes: one that replaces or deletes ends before."""
    path: Path = ()
    for step in steps:
        if isinstance(step, Item):
            found = [
                (index, each)
                for index, each in enumerate(patch if isinstance(patch, list) else ())
                if isinstance(each, Mapping) and each.get(step.key) == step.value
            ]
            if not found:
                break
            index, patch = found[-1]
            path = (*path, index)
        elif isinstance(patch, Mapping) and step in patch:
            patch, path = patch[step], (*path, step)
        else:
            break
    return path
