"""Hosts at gateways that several services share: which requests go to which service."""

from __future__ import annotations

from pydantic import model_validator

from weir.model.config.actions import Rewrite
from weir.model.config.base import ConflictError, Part, given, key, required
from weir.model.config.matches import Match
from weir.model.values.hosts import GatewayReference
from weir.model.values.names import Label, ServiceName


class HostRoute(Part):
    """An entry of a host: requests that one service gets, by all the routes that it has, each with its own split,
    faults, retries and timeout.
    """

    service: ServiceName = required(
        "the service, one of weir:services", example="cart", becomes="HTTPRoute.route.destination.host"
    )
    name: Label | None = key(
        "a name for the entry, once in its host; the service's when left out", example="cart", becomes="HTTPRoute.name"
    )
    match: tuple[Match, ...] = key(
        "which requests it takes: those that meet any of these; all when left out",
        (),
        example=[{"uri": {"prefix": "/cart"}}],
        becomes="HTTPRoute.match",
    )
    rewrite: Rewrite | None = key(
        "a new path or host, on every route of the service here", example={"uri": "/"}, becomes="HTTPRoute.rewrite"
    )

    @property
    def label(self) -> str:
        """Its name."""
        return self.name or self.service

    @model_validator(mode="after")
    def _asks_no_caller(self) -> HostRoute:
        for match in self.match:
            if asked := given(match, "source_labels", "source_namespace", "gateways"):
                raise ConflictError(
                    f"match must not have {asked[0]}: every caller here comes through the gateways of the host; "
                    "remove it"
                )
        return self


class Host(Part):
    """One host, or `*` for every host, at gateways: its requests go to the service of the first entry that takes them.

    It is a VirtualService of its own, bound to the gateways alone: callers in the mesh do not see it.
    """

    gateways: tuple[GatewayReference, ...] = required(
        "gateways: namespace/name, or the name of one of weir:gateways",
        example=["istio-ingress/public"],
        becomes="VirtualService.gateways",
    )
    routes: tuple[HostRoute, ...] = required(
        "its entries, first match wins",
        example=[{"match": [{"uri": {"prefix": "/cart"}}], "service": "cart"}, {"service": "web"}],
        becomes="VirtualService.http",
    )

    @model_validator(mode="after")
    def _says_both(self) -> Host:
        for name, entries in (("gateways", self.gateways), ("routes", self.routes)):
            if not entries:
                raise ValueError(f"{name} is empty; name at least one, or remove the host")
        if len(set(self.gateways)) < len(self.gateways):
            raise ValueError(f"must name each of gateways once, was {', '.join(self.gateways)}")
        labels = [route.label for route in self.routes]
        twice = next((label for label in labels if labels.count(label) > 1), None)
        if twice:
            raise ValueError(f'routes must have each name once, was "{twice}" twice; give one of the two another name')
        return self
