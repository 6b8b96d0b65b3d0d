"""Gateway: ports and hosts of a proxy at the edge of the mesh."""

from __future__ import annotations

from components.istio_object import IstioObject


class Gateway(IstioObject):
    """One Istio Gateway. It comes before the routes that are bound to it, and goes after them."""

    token = "weir:mesh:Gateway"
