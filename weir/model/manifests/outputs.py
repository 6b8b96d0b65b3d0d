"""What a stack says about itself once it is up: the stack outputs, a contract with whoever reads them."""

from __future__ import annotations

from typing import Any

from weir.model.config.scaling import EXTERNAL
from weir.model.config.stack import Service, StackConfig
from weir.model.routing.weights import weights
from weir.model.values.numbers import plain


def outputs(config: StackConfig, namespace: str) -> dict[str, Any]:
    """`namespace`, and `services` by name: host, stable, canary (percent), weights (as in the route), faults, versions
    (image, replicas; `external` where somebody else owns them, or `autoscaling` with its bounds in their place; of a
    version elsewhere host and port).

    All are those of the default route; `weights` is empty where the proxy answers by itself. `faults` has `delay` and
    `abort` where they are configured, with the keys of the config, and `until` where that ends; percentages are plain
    numbers.
    """
    return {
        "namespace": namespace,
        "services": {
            name: _service(service, config.host(name, namespace)) for name, service in config.services.items()
        },
    }


def _service(service: Service, host: str) -> dict[str, Any]:
    return {
        "host": host,
        "stable": service.stable,
        "canary": {version: plain(percent) for version, percent in service.canary.items()},
        "weights": {} if service.answers_itself else weights(*service.split(service)),
        "faults": _faults(service),
        "versions": {version: _version(service, version) for version in service.versions},
    }


def _version(service: Service, version: str) -> dict[str, Any]:
    workload, place = service.workload(version), service.versions[version].elsewhere
    if place is not None:
        return {"host": place.host, "port": place.port}
    if workload is None:
        return {}
    if (own := workload.autoscaling) is not None:
        pods: Any = {"minReplicas": own.min_replicas, "maxReplicas": own.max_replicas}
        return {"image": workload.image, "autoscaling": pods}
    return {"image": workload.image, "replicas": EXTERNAL if workload.replicas is None else workload.replicas}


def _faults(service: Service) -> dict[str, Any]:
    fault = service.fault
    if fault is None and service.drill is not None and service.drill.match is None:
        fault = service.drill
    if fault is None or service.answers_itself:
        return {}
    faults: dict[str, Any] = {}
    if delay := fault.delay:
        faults["delay"] = {"percentage": plain(delay.percentage), "fixedDelay": delay.fixed_delay.text}
    if abort := fault.abort:
        status = {"httpStatus": abort.http_status} if abort.http_status else {"grpcStatus": abort.grpc_status}
        faults["abort"] = {"percentage": plain(abort.percentage), **status}
    if fault.until:
        faults["until"] = fault.until.text
    return faults
