"""The stack config as typed objects, and the mesh they describe as plain Kubernetes objects. Pure: no I/O, no engine, no cluster."""

from weir.model.config import Abort, Client, Delay, Fault, Retries, Service, StackConfig, Version, Workload
from weir.model.expectation import AbortExpectation, DelayExpectation, Expectation, expectation
from weir.model.load import load
from weir.model.mesh import ClientObjects, Mesh, ServiceObjects, VersionObjects, mesh
from weir.model.outputs import outputs
from weir.model.problems import ConfigError, Problem
from weir.model.values import Duration
from weir.model.weights import percentages, shares, weights
from weir.model.workloads import Manifest

__all__ = [
    "Abort",
    "AbortExpectation",
    "Client",
    "ClientObjects",
    "ConfigError",
    "Delay",
    "DelayExpectation",
    "Duration",
    "Expectation",
    "Fault",
    "Manifest",
    "Mesh",
    "Problem",
    "Retries",
    "Service",
    "ServiceObjects",
    "StackConfig",
    "Version",
    "VersionObjects",
    "Workload",
    "expectation",
    "load",
    "mesh",
    "outputs",
    "percentages",
    "shares",
    "weights",
]
