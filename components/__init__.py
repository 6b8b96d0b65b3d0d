"""The component resources of weir, for any Pulumi program. They turn the plain objects of `weir.model` into Pulumi
resources and fix the order between them.
"""

from weir.orphans import end_with_engine

# First of all: what is imported next takes a second, and an engine can be killed in it.
end_with_engine()

from components.args import (  # noqa: E402
    BackendVersionArgs,
    ClientArgs,
    ClusterArgs,
    DestinationRuleArgs,
    GatewayArgs,
    MeshServiceArgs,
    VersionArgs,
    VirtualServiceArgs,
)
from components.backend_version import BackendVersion  # noqa: E402
from components.client import Client  # noqa: E402
from components.istio import DestinationRule, Gateway, VirtualService  # noqa: E402
from components.mesh_service import MeshService  # noqa: E402

__all__ = [
    "BackendVersion",
    "BackendVersionArgs",
    "Client",
    "ClientArgs",
    "ClusterArgs",
    "DestinationRule",
    "DestinationRuleArgs",
    "Gateway",
    "GatewayArgs",
    "MeshService",
    "MeshServiceArgs",
    "VersionArgs",
    "VirtualService",
    "VirtualServiceArgs",
]
