"""The whole desired mesh of a stack as plain Kubernetes objects: components create them, `weir render` prints them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from weir.model import routing, workloads
from weir.model.config import Service, StackConfig
from weir.model.workloads import Manifest


@dataclass(frozen=True, slots=True)
class VersionObjects:
    """One version: its pods (None in a service that is routing only) and its subset."""

    deployment: Manifest | None
    destination_rule: Manifest


@dataclass(frozen=True, slots=True)
class ServiceObjects:
    """One service. Account and Service are None where it is routing only. `host` is its full name."""

    host: str
    service_account: Manifest | None
    service: Manifest | None
    versions: Mapping[str, VersionObjects]
    virtual_service: Manifest


@dataclass(frozen=True, slots=True)
class ClientObjects:
    """One client."""

    service_account: Manifest
    deployment: Manifest


@dataclass(frozen=True, slots=True)
class Mesh:
    """Everything a stack creates, by name of service and client."""

    namespace: Manifest
    services: Mapping[str, ServiceObjects]
    clients: Mapping[str, ClientObjects]

    def objects(self) -> Iterator[Manifest]:
        """All objects, each after those it needs: pods before the subset that selects them, subsets before the route that names them."""
        yield self.namespace
        for service in self.services.values():
            if service.service_account and service.service:
                yield service.service_account
                yield service.service
            yield from (version.deployment for version in service.versions.values() if version.deployment)
            yield from (version.destination_rule for version in service.versions.values())
            yield service.virtual_service
        for client in self.clients.values():
            yield client.service_account
            yield client.deployment


def mesh(config: StackConfig, namespace: str) -> Mesh:
    """The mesh of this config in this namespace.

    `namespace` is its real name; an ephemeral stack knows it only once the cluster does, so it is not read from the config.
    """
    return Mesh(
        namespace=workloads.namespace(namespace),
        services={name: _service(name, service, namespace) for name, service in config.services.items()},
        clients={
            name: ClientObjects(workloads.service_account(name, namespace), workloads.client_deployment(name, client, namespace))
            for name, client in config.clients.items()
        },
    )


def _service(name: str, service: Service, namespace: str) -> ServiceObjects:
    return ServiceObjects(
        host=routing.host(name, namespace),
        service_account=None if service.routing_only else workloads.service_account(name, namespace),
        service=None if service.routing_only else workloads.service(name, service, namespace),
        versions={version: _version(name, version, service, namespace) for version in service.versions},
        virtual_service=routing.virtual_service(name, service, namespace),
    )


def _version(name: str, version: str, service: Service, namespace: str) -> VersionObjects:
    workload = service.workload(version)
    return VersionObjects(
        deployment=None if workload is None else workloads.version_deployment(name, version, service.container_port, workload, namespace),
        destination_rule=routing.destination_rule(name, version, namespace),
    )
