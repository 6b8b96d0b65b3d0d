"""VirtualService: how the traffic of one service is divided."""

from __future__ import annotations

import pulumi

from components.istio_object import IstioObject
from components.safeguards import Safeguards


class VirtualService(IstioObject):
    """The one Istio VirtualService of a service. It comes after all subsets it may name, and the Service, and goes before them."""

    token = "weir:mesh:VirtualService"

    def hooks(self, guard: Safeguards) -> pulumi.ResourceHookBinding:
        """It waits until every proxy knows the versions it newly sends requests to."""
        return guard.routes
