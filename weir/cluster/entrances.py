"""What of a stack's gateways and hosts depends on others in the cluster: a Gateway names the labels of a proxy's pods,
and Kubernetes takes it whether or not there are such pods; and a host may be bound to a gateway by two stacks.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping

from weir.cluster.kubectl import Kubectl
from weir.model.config.gateways import Gateway
from weir.model.manifests.annotations import OWNER, annotation
from weir.model.routing.resolve import full_gateway
from weir.model.values.hosts import covers, label_selector


def unserved(kubectl: Kubectl, gateways: Mapping[str, Gateway]) -> Iterator[str]:
    """A line for each gateway whose selector no pod has, in whatever namespace. Raises ClusterError, also without the
    right to see them all.
    """
    for name, gateway in gateways.items():
        selector = label_selector(gateway.selector)
        if gateway.selector and not kubectl.get(["pods", "--all-namespaces", "--selector", selector])["items"]:
            yield (
                f"gateway {name}: no pod in the cluster has the labels {selector}, so nothing serves it;"
                " correct its selector, or run a proxy with these labels (docs/guide/ingress-gateway.yaml)"
            )


def claimed_by_others(kubectl: Kubectl, own: Collection[tuple[str, str]], ours: Callable[[str], bool]) -> Iterator[str]:
    """A line for each of the stack's hosts at a gateway (`weir.model.routing.hosts.claims`) that another
    VirtualService has there, or covers, in whatever namespace. `ours`: whether an owner, as objects have it, is this
    stack.

    Raises ClusterError, also without the right to see them all.
    """
    for found in kubectl.get(["virtualservices.networking.istio.io", "--all-namespaces"])["items"] if own else ():
        owner = annotation(found, OWNER)
        if owner is not None and ours(owner):
            continue
        spec, metadata = found.get("spec", {}), found["metadata"]
        what = f"VirtualService {metadata['namespace']}/{metadata['name']}"
        whose = f"stack {owner} ({what})" if owner else what
        there = {full_gateway(str(name), metadata["namespace"]) for name in spec.get("gateways") or []}
        for theirs in (str(each).lower() for each in spec.get("hosts") or []):
            for host, gateway in own:
                if gateway in there and covers(theirs, host):
                    as_what = "" if theirs == host else f", as {theirs}"
                    yield (
                        f"host {host} at gateway {gateway} is claimed by {whose}{as_what}, too: where Istio puts both "
                        "behind each other, nobody knows which of the two gets a request; keep it in one of them"
                    )
