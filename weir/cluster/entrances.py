"""Gateways that nobody serves: a Gateway names the labels of a proxy's pods, and Kubernetes takes it whether or not
there are such pods.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from weir.cluster.kubectl import Kubectl
from weir.model.config.gateways import Gateway
from weir.model.values.hosts import label_selector


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
