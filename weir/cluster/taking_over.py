"""An object of somebody else's becomes weir's as it stands, field by field."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from weir.cluster.errors import ClusterError
from weir.cluster.kubectl import Kubectl
from weir.model.routing.resolve import full_gateway

KEPT = "-before-weir"
"""What the name of a copy ends with."""
_SECONDS = 20.0
_OF_THE_SERVER = ("managedFields", "uid", "creationTimestamp", "generation")


def take_over(kubectl: Kubectl, found: Mapping[str, Any], spec: Mapping[str, Any]) -> None:
    """Have weir alone own all fields of the object, and change nothing of it. `spec`: what it is to be then. Raises
    ClusterError.

    A VirtualService that is reached otherwise than the one of its name is to be is copied before: what serves those
    callers in its place comes after it.

    By server-side apply a field goes when nobody who owns it says it any more: what weir does not write of a rule, such
    as another route, would stay for as long as its maker owns it.
    """
    group, _, version = found["apiVersion"].rpartition("/")
    name = (
        f"{found['kind']}.{version}.{group}/{found['metadata']['name']}"
        if group
        else (f"{found['kind']}/{found['metadata']['name']}")
    )
    if found["kind"] == "VirtualService" and reached(found) - reached({"spec": spec}):
        _keep(kubectl, found)
    # Kubernetes' documentation, "Server-Side Apply", clearing managedFields: an empty entry forgets all owners.
    forget = json.dumps({"metadata": {"managedFields": [{}]}})
    there = json.loads(_run(kubectl, ["patch", name, "--type=merge", "-o", "json", "-p", forget]))
    # With its resourceVersion: what somebody changes at this very moment is not undone, the API server refuses.
    metadata = {key: value for key, value in there["metadata"].items() if key not in _OF_THE_SERVER}
    same = {**{key: value for key, value in there.items() if key != "status"}, "metadata": metadata}
    _run(kubectl, ["apply", "--server-side", "--force-conflicts", "--field-manager=weir", "-f", "-"], json.dumps(same))


def reached(route: Mapping[str, Any]) -> set[tuple[str, str]]:
    """Gateways and hosts of a VirtualService: gateways in full, a service's host by its first label, however they are
    written.
    """
    spec, namespace = route["spec"], route.get("metadata", {}).get("namespace", "")
    hosts = {host.split(".")[0] if ".svc." in host else host for host in spec.get("hosts", [])}
    return {(full_gateway(gateway, namespace), host) for gateway in spec.get("gateways") or ["mesh"] for host in hosts}


def _keep(kubectl: Kubectl, found: Mapping[str, Any]) -> None:
    """Make a copy under another name, for as long as somebody needs it."""
    copy = {
        "apiVersion": found["apiVersion"],
        "kind": found["kind"],
        "metadata": {"name": f"{found['metadata']['name']}{KEPT}", "namespace": found["metadata"]["namespace"]},
        "spec": found["spec"],
    }
    _run(kubectl, ["apply", "--server-side", "--field-manager=weir", "-f", "-"], json.dumps(copy))


def _run(kubectl: Kubectl, command: list[str], stdin: str | None = None) -> str:
    done = kubectl.call(command, timeout=_SECONDS, stdin=stdin)
    if done.status:
        raise ClusterError(f"kubectl {' '.join(command[:2])} failed, and nothing was taken over: {done.complaint}")
    return done.stdout
