"""VirtualService: how the traffic of one service is divided."""

from __future__ import annotations

from components.istio_object import IstioObject


class VirtualService(IstioObject):
    """The one Istio VirtualService of a service. It comes after all subsets it may name, and the Service, and goes before them."""

    token = "weir:mesh:VirtualService"
