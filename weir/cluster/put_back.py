"""What becomes of an object of Istio that proxies do not take: put back as it was before, or marked. Nothing else of
`weir.cluster` changes anything.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from weir.cluster.errors import ClusterError
from weir.cluster.kubectl import Kubectl

_SECONDS = 10.0
_KEPT = ("name", "namespace", "labels", "annotations")


def put_back(kubectl: Kubectl, kind: str, name: str, before: Mapping[str, Any] | None) -> None:
    """Give the object the spec, labels and annotations that it had; one that was not there is removed. Raises
    ClusterError.
    """
    if before is None:
        result = kubectl.call(
            ["delete", f"{kind.lower()}.networking.istio.io", name, "--ignore-not-found", "--wait=false"],
            timeout=_SECONDS,
        )
    else:
        manifest = {
            "apiVersion": before["apiVersion"],
            "kind": before["kind"],
            "metadata": {key: before["metadata"][key] for key in _KEPT if key in before["metadata"]},
            "spec": before["spec"],
        }
        apply = ["apply", "--server-side", "--force-conflicts", f"--field-manager={_manager(before)}", "-f", "-"]
        result = kubectl.call(apply, timeout=_SECONDS, stdin=json.dumps(manifest))
    if result.status != 0:
        raise ClusterError(f"{kind} {kubectl.namespace}/{name} could not be put back: {result.complaint}")


def mark_lagging(kubectl: Kubectl, kind: str, name: str, lagging: bool) -> None:
    """Note on the object that proxies have not acknowledged it, or that they have since. Raises ClusterError."""
    # It brings the model along, which who asks the cluster alone does without.
    from weir.model.manifests.annotations import LAGGING

    patch = json.dumps({"metadata": {"annotations": {LAGGING: "true" if lagging else None}}})
    command = [
        "patch",
        f"{kind.lower()}.networking.istio.io",
        name,
        "--type=merge",
        "--field-manager=weir",
        f"--patch={patch}",
    ]
    result = kubectl.call(command, timeout=_SECONDS)
    if result.status != 0:
        raise ClusterError(f"{kind} {kubectl.namespace}/{name} could not be marked: {result.complaint}")


def _manager(found: Mapping[str, Any]) -> str:
    """The field manager as which Pulumi has written the spec: under any other name the next update would find the
    fields in somebody else's hand.
    """
    entries = found["metadata"].get("managedFields", [])
    appliers = [
        str(entry["manager"])
        for entry in entries
        if entry.get("operation") == "Apply" and "f:spec" in entry.get("fieldsV1", {})
    ]
    return next(
        (name for name in appliers if name.startswith("pulumi-kubernetes")), appliers[0] if appliers else "weir"
    )
