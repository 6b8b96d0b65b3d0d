"""The stack config as typed objects, and the mesh they describe as plain Kubernetes objects. Pure: no I/O, no engine,
no cluster.
"""

from weir.model.config.actions import Abort, Delay, Fault, Retries
from weir.model.config.drills import Drill
from weir.model.config.routes import Route
from weir.model.config.stack import Client, Service, StackConfig
from weir.model.config.versions import Version, Workload
from weir.model.manifests.kubernetes import Manifest
from weir.model.manifests.mesh import ClientObjects, Mesh, ServiceObjects, VersionObjects, mesh
from weir.model.manifests.outputs import outputs
from weir.model.manifests.read import read
from weir.model.routing.default_request import Sender, plain_route
from weir.model.routing.expectation import AbortExpectation, DelayExpectation, Expectation, expectation
from weir.model.routing.expiry import ended, without_ended
from weir.model.routing.resolve import RouteTraffic, ServiceTraffic, traffic
from weir.model.routing.weights import percentages, weights
from weir.model.validation.load import load
from weir.model.validation.warnings import WARNINGS, Warned, warnings
from weir.model.values.durations import Duration
from weir.model.values.problems import ConfigError, Problem

__all__ = [
    "WARNINGS",
    "Abort",
    "AbortExpectation",
    "Client",
    "ClientObjects",
    "ConfigError",
    "Delay",
    "DelayExpectation",
    "Drill",
    "Duration",
    "Expectation",
    "Fault",
    "Manifest",
    "Mesh",
    "Problem",
    "Retries",
    "Route",
    "RouteTraffic",
    "Sender",
    "Service",
    "ServiceObjects",
    "ServiceTraffic",
    "StackConfig",
    "Version",
    "VersionObjects",
    "Warned",
    "Workload",
    "ended",
    "expectation",
    "load",
    "mesh",
    "outputs",
    "percentages",
    "plain_route",
    "read",
    "traffic",
    "warnings",
    "weights",
    "without_ended",
]
