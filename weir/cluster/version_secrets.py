"""Secrets of weir's that no pods take: one that an update makes has a generated name, and where that is killed just
then, nobody writes the name down.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from weir.cluster.kubectl import Kubectl


def secrets_of_weir(kubectl: Kubectl) -> list[dict[str, Any]]:
    """The metadata of those in the namespace. Raises ClusterError, also without the right to list Secrets."""
    items = kubectl.get(["secrets", "--selector", "app.kubernetes.io/managed-by=weir"])["items"]
    # Nothing else of them is anybody's business.
    return [item["metadata"] for item in items]


def unused(
    secrets: Iterable[Mapping[str, Any]], objects: Mapping[tuple[str, str], Mapping[str, Any]], stack: str
) -> list[str]:
    """The names of those that the stack has made and that no Deployment takes a variable from.

    `stack`: with its project; `objects`: those of the namespace, by kind and name.
    """
    # It brings the model along, which who asks the cluster alone does without.
    from weir.model.manifests.annotations import OWNER, annotation

    taken = {name for (kind, _), item in objects.items() if kind == "Deployment" for name in _taken(item)}
    own = (each for each in secrets if (annotation({"metadata": each}, OWNER) or "").partition("/")[2] == stack)
    return sorted(str(each["name"]) for each in own if each["name"] not in taken)


def _taken(deployment: Mapping[str, Any]) -> Iterator[str]:
    for container in deployment["spec"]["template"]["spec"]["containers"]:
        for variable in container.get("env", []):
            if reference := (variable.get("valueFrom") or {}).get("secretKeyRef"):
                yield reference["name"]
