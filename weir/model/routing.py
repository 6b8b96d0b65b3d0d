"""The plain Istio objects of a service: a DestinationRule for each version, and the VirtualService that divides the traffic."""

from __future__ import annotations

from decimal import Decimal

from weir.model.config import Fault, Retries, Service
from weir.model.weights import weights
from weir.model.workloads import Manifest, metadata

_API = "networking.istio.io/v1"


def host(service: str, namespace: str) -> str:
    """The full name of a service. A short one would mean another service wherever a rule is read from another namespace."""
    return f"{service}.{namespace}.svc.cluster.local"


def destination_rule(service: str, version: str, namespace: str) -> Manifest:
    """The subset of one version: the pods with its label. Istio merges the rules of a host, so each version comes and goes alone."""
    return {
        "apiVersion": _API,
        "kind": "DestinationRule",
        "metadata": metadata(f"{service}-{version}", namespace, service, version),
        "spec": {"host": host(service, namespace), "subsets": [{"name": version, "labels": {"version": version}}]},
    }


def virtual_service(name: str, service: Service, namespace: str) -> Manifest:
    """The one route of a service, for every caller in the mesh: how requests are divided, delayed, aborted and retried.

    Which versions it names: `weir.model.weights.percentages`. Faults act in the caller's proxy and switch that route's retries off.
    """
    there = host(name, namespace)
    route: Manifest = {
        "name": "default",
        "route": [{"destination": {"host": there, "subset": version}, "weight": weight} for version, weight in weights(service).items()],
    }
    if service.fault:
        route["fault"] = _fault(service.fault)
    if service.retries:
        route["retries"] = _retries(service.retries)
    return {
        "apiVersion": _API,
        "kind": "VirtualService",
        "metadata": metadata(name, namespace, name),
        "spec": {"hosts": [there], "http": [route]},
    }


def _fault(settings: Fault) -> Manifest:
    """Istio's HTTPFaultInjection."""
    spec: Manifest = {}
    if settings.delay:
        spec["delay"] = {"percentage": {"value": number(settings.delay.percentage)}, "fixedDelay": settings.delay.fixed_delay.text}
    if settings.abort:
        spec["abort"] = {"percentage": {"value": number(settings.abort.percentage)}, "httpStatus": settings.abort.http_status}
    return spec


def number(percent: Decimal) -> int | float:
    """A percentage as JSON has it; 20 and not 20.0."""
    return int(percent) if percent == int(percent) else float(percent)


def _retries(settings: Retries) -> Manifest:
    spec: Manifest = {"attempts": settings.attempts}
    if settings.per_try_timeout:
        spec["perTryTimeout"] = settings.per_try_timeout.text
    if settings.retry_on:
        spec["retryOn"] = ",".join(settings.retry_on)
    return spec
