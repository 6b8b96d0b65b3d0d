"""Versions of a service that runs already, by what runs their pods and by the subsets of somebody else's rules."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from weir.model.adopted_routes import label
from weir.model.manifests.kubernetes import Manifest
from weir.model.values.hosts import label_selector

_TELLING = ("version", "app.kubernetes.io/version", "color", "track", "release", "slot")
"""Labels by which people tell versions apart, the most usual first."""
HASHES = ("pod-template-hash", "rollouts-pod-template-hash", "controller-revision-hash")
"""Labels that a controller gives the pods of one template, and changes with it: of a Deployment's ReplicaSet, of Argo's
Rollout, of a StatefulSet or DaemonSet. https://kubernetes.io/docs/reference/labels-annotations-taints/
"""


@dataclass
class AdoptedVersion:
    """One version. `labels`: those of its pods; `policy`, `headers`: what rules say of it; None where nothing.

    `place`: the host and port that it is, in the place of pods; None for pods.
    """

    name: str
    labels: Mapping[str, str]
    workloads: list[Manifest]
    policy: Any = None
    headers: Any = None
    place: tuple[str, int] | None = None


def labels_of(workload: Manifest) -> dict[str, str]:
    """The labels of its pods; empty where it does not say."""
    return dict(workload["spec"].get("template", {}).get("metadata", {}).get("labels") or {})


def reference(workload: Manifest) -> str:
    """The workload as the config names it."""
    return f"{workload['kind'].lower()}/{workload['metadata']['name']}"


def of_subsets(
    subsets: Mapping[str, Mapping[str, Any]], pods: Sequence[Manifest], notes: list[str]
) -> Iterator[AdoptedVersion]:
    """A version for each subset; what is to be known of one is added to `notes`."""
    for name, subset in subsets.items():
        labels = dict(subset.get("labels") or {})
        own = [each for each in pods if labels.items() <= labels_of(each).items()]
        if not own:
            notes.append(f"nothing runs pods of {name}, with the labels {label_selector(labels)}")
        yield AdoptedVersion(version_name(name), labels, own, subset.get("trafficPolicy"))


def of_workloads(pods: Sequence[Manifest], selector: Mapping[str, str], notes: list[str]) -> Iterator[AdoptedVersion]:
    """A version for each, told from the others by one label; of one alone, by a label that usually tells versions
    apart.
    """
    own = [{key: value for key, value in labels_of(each).items() if key not in (*selector, *HASHES)} for each in pods]
    common = sorted(set.intersection(*(set(each) for each in own))) if own else []
    usual = (*_TELLING, *(common if len(pods) > 1 else ()))
    telling = [key for key in usual if key in common and len({each[key] for each in own}) == len(own)]
    if not telling and len(pods) > 1:
        names = ", ".join(map(reference, pods))
        notes.append(f"no label tells the pods of {names} apart, so they are one version here")
        yield AdoptedVersion("v1", selector, list(pods))
    elif not telling:
        for each in pods:
            notes.append(
                f"pods of {reference(each)} have no label but those of the selector. Before there is a second "
                "version, give them one, such as version: v1, and take labels of v1 out of the config"
            )
            yield AdoptedVersion("v1", selector, [each])
    else:
        for each, labels in zip(pods, own, strict=True):
            key = telling[0]
            yield AdoptedVersion(version_name(labels[key]), {key: labels[key]}, [each])


def version_name(text: str) -> str:
    """A name for a version of this subset, or of pods with this label."""
    found = label(text)
    return f"v{found}" if found != text and found[0].isdigit() else found


def port_numbers(workload: Manifest, name: str) -> Iterator[int]:
    """The numbers of the containers' ports of this name."""
    for container in workload["spec"].get("template", {}).get("spec", {}).get("containers", []):
        yield from (port["containerPort"] for port in container.get("ports", []) if port.get("name") == name)
