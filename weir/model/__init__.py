"""The stack config as typed objects, and the mesh they describe as plain Kubernetes objects. Pure: no I/O, no engine, no cluster."""

from weir.model.actions import Abort, Delay, Fault, Retries
from weir.model.config import Client, Service, StackConfig, Version, Workload
from weir.model.drills import Drill
from weir.model.durations import Duration
from weir.model.endings import ended, without_ended
from weir.model.expectation import AbortExpectation, DelayExpectation, Expectation, expectation
from weir.model.load import load
from weir.model.mesh import ClientObjects, Mesh, ServiceObjects, VersionObjects, mesh
from weir.model.outputs import outputs
from weir.model.problems import ConfigError, Problem
from weir.model.reach import Sender, plain_route
from weir.model.reading import read
from weir.model.routes import Route
from weir.model.traffic import RouteTraffic, ServiceTraffic, traffic
from weir.model.warnings import WARNINGS, Warned, warnings
from weir.model.weights import percentages, weights
from weir.model.workloads import Manifest

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
