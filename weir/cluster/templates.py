"""Which pod templates the pods of a version are made of: another image is another template, and so is other env."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from weir.cluster.kubectl import Kubectl
from weir.model.adopted_versions import HASHES


def made_of(kubectl: Kubectl, pods: Mapping[str, Mapping[str, str]]) -> dict[str, str]:
    """By name, of which templates the pods with these labels are made, those left out that are being deleted; not of a
    name without pods. Equal for equal templates, and nothing else can be told of it. Raises ClusterError.
    """
    there = [each for each in kubectl.get(["pods"])["items"] if not each["metadata"].get("deletionTimestamp")]
    found = {
        name: sorted({_template(pod) for pod in there if labels.items() <= pod["metadata"].get("labels", {}).items()})
        for name, labels in pods.items()
    }
    return {name: " ".join(templates) for name, templates in found.items() if templates}


def _template(pod: Mapping[str, Any]) -> str:
    labels = pod["metadata"].get("labels", {})
    if known := next((labels[each] for each in HASHES if each in labels), None):
        return str(known)
    # Of a controller that says nothing of it.
    return ",".join(container["image"] for container in pod["spec"]["containers"])
