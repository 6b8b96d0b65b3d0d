"""DestinationRule: the subset of one version, or how all pods of a service are treated."""

from __future__ import annotations

from components.istio_object import IstioObject


class DestinationRule(IstioObject):
    """One Istio DestinationRule, after the pods of its subset. One for each version: Pulumi deletes last, so a subset outlives the route that named it."""

    token = "weir:mesh:DestinationRule"
