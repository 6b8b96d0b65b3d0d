"""Gateway: ports and hosts of a proxy at the edge of the mesh."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from components.istio_object import IstioObject
from components.safeguards import Safeguards


class Gateway(IstioObject):
    """One Istio Gateway. It comes before the routes that are bound to it, and goes after them."""

    token = "weir:mesh:Gateway"

    async def _stands(self, guard: Safeguards, kind: str, name: str, known: Mapping[str, Any]) -> bool:
        """The proxies of the gateway, if it has any, have taken it."""
        await super()._stands(guard, kind, name, known)
        await guard.acknowledgement.acknowledged(str(known["namespace"]), name, "")
        return True
