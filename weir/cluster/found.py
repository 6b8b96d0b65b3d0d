"""What runs in a namespace beside what the stack has made: Services, what runs their pods, and rules of Istio."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import suppress
from typing import Any

from weir.cluster.errors import ClusterError, DeniedError
from weir.cluster.kubectl import Kubectl
from weir.model.adopted import Found
from weir.model.adopted_hosts import AdoptedHosts, adopted_hosts
from weir.model.manifests.annotations import OWNER, annotation

_RULES = "virtualservices.networking.istio.io,destinationrules.networking.istio.io"
_ENTRIES = "serviceentries.networking.istio.io"
_WORKLOADS = "deployments.apps,statefulsets.apps,daemonsets.apps"
_CONTROLLERS = {
    "rollouts.argoproj.io": (
        "Rollout",
        "Argo Rollouts writes its rules; take out spec.strategy.canary.trafficRouting first",
    ),
    "canaries.flagger.app": (
        "Canary",
        "Flagger writes its rules unless spec.suspend is true: set that first, and do not delete the Canary while its "
        "Services get requests, since Kubernetes would delete them and their pods with it",
    ),
}
"""Resource → kind of what writes rules of Istio by itself, and what to do so that it does not."""


def found(kubectl: Kubectl, services: Iterable[str], domain: str) -> Found:
    """What there is of these services, without what any stack of weir's has made; those that are not there are left
    out. Raises ClusterError.
    """
    there = {each["metadata"]["name"]: each for each in kubectl.get(["services"])["items"]}
    rules = [each for each in kubectl.get([_RULES])["items"] if annotation(each, OWNER) is None]
    ports = {
        f"{name}.{kubectl.namespace}.svc.{domain}": [each["port"] for each in found["spec"].get("ports", [])]
        for name, found in there.items()
    }
    with suppress(DeniedError):
        entries = [each["spec"] for each in kubectl.get([_ENTRIES])["items"]]
        ports |= {
            host: [each["number"] for each in spec.get("ports", [])] for spec in entries for host in spec["hosts"]
        }
    return Found(
        namespace=kubectl.namespace,
        domain=domain,
        services={name: there[name] for name in services if name in there},
        workloads=kubectl.get([_WORKLOADS])["items"],
        routes=[each for each in rules if each["kind"] == "VirtualService"],
        rules=[each for each in rules if each["kind"] == "DestinationRule"],
        ports=ports,
    )


def hosts_of(there: Found) -> AdoptedHosts:
    """The hosts at gateways that lead to these services."""
    names = {f"{name}.{there.namespace}.svc.{there.domain}": name for name in there.services}
    return adopted_hosts(there.routes, names, there.domain)


def controllers(kubectl: Kubectl, names: set[tuple[str, str]]) -> Iterator[str]:
    """A line for each controller of the namespace that goes on writing these rules (kind and name)."""
    for resource, (kind, what) in _CONTROLLERS.items():
        try:
            items = kubectl.get([resource])["items"]
        except ClusterError:
            continue  # it is not installed, or not to be seen
        for each in items:
            if names & set(_written_by(each)):
                yield f"{kind} {each['metadata']['name']}: {what}"


def _written_by(item: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Kind and name of the rules that a Rollout or a Canary writes."""
    istio = item["spec"].get("strategy", {}).get("canary", {}).get("trafficRouting", {}).get("istio", {})
    routes = [istio.get("virtualService"), *istio.get("virtualServices", [])]
    yield from (("VirtualService", each["name"]) for each in routes if each)
    if rule := istio.get("destinationRule"):
        yield "DestinationRule", rule["name"]
    if "targetRef" in item["spec"]:
        name = item["spec"].get("service", {}).get("name") or item["spec"]["targetRef"]["name"]
        yield "VirtualService", name
        yield from (("DestinationRule", each) for each in (f"{name}-primary", f"{name}-canary"))
