"""The whole desired mesh of a stack as plain Kubernetes objects: components create them, `weir render` prints them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from weir.model.config.kubernetes_parts import ServiceParts, VersionParts
from weir.model.config.stack import Client, Service, StackConfig
from weir.model.manifests import istio, kubernetes, scaling, subsets
from weir.model.manifests.annotations import WORKLOAD
from weir.model.manifests.hosts import HostObjects, entrance_objects, host_objects
from weir.model.manifests.kubernetes import Manifest
from weir.model.manifests.kubernetes_parts import laid_over
from weir.model.routing.resolve import ServiceTraffic, traffic


@dataclass(frozen=True, slots=True)
class VersionObjects:
    """One version: its pods (None in a service that is routing only), how many of them may be drained at a time, who
    says how many there are (None: weir does, or nobody is known), and its subset (None for another Service).

    `workload`: what of somebody else's runs its pods, as the config names it; None where it names none.
    `secret`: those of its variables that are secrets, None where none is; `service_entry`: that of an external host;
    `named`: whether a route names it; `used`: whether it gets requests or copies; `known_as`: as what routes name it
    (`weir.model.manifests.subsets.version_of`).
    """

    secret: Manifest | None
    deployment: Manifest | None
    disruption_budget: Manifest | None
    autoscaler: Manifest | None
    service_entry: Manifest | None
    destination_rule: Manifest | None
    workload: str | None
    named: bool
    used: bool
    known_as: str

    def of_pods(self) -> Iterator[Manifest]:
        """The objects of its pods, each after those it needs."""
        yield from (each for each in (self.secret, self.deployment, self.disruption_budget, self.autoscaler) if each)


@dataclass(frozen=True, slots=True)
class ServiceObjects:
    """One service. Account and Service are None where it is routing only; `host_rule` where nothing is said of all its
    pods, nor who sees its rules.

    `host` is its full name; `pods` by version: the labels by which its pods are found.
    """

    host: str
    service_account: Manifest | None
    service: Manifest | None
    versions: Mapping[str, VersionObjects]
    host_rule: Manifest | None
    virtual_service: Manifest
    pods: Mapping[str, Mapping[str, str]]
    entrance: HostObjects | None
    """where it is exposed as every host"""

    def host_in(self, namespace: str) -> str:
        """Its full name in the real namespace, which may be known only once there is one."""
        name, _, domain = self.host.split(".", 2)
        return f"{name}.{namespace}.{domain}"

    def objects(self) -> Iterator[Manifest]:
        """All objects, each after those it needs: pods before the subset that selects them, subsets before the route
        that names them.
        """
        yield from (each for each in (self.service_account, self.service) if each)
        yield from (each for version in self.versions.values() for each in version.of_pods())
        yield from (version.service_entry for version in self.versions.values() if version.service_entry)
        yield from (version.destination_rule for version in self.versions.values() if version.destination_rule)
        if self.host_rule:
            yield self.host_rule
        yield self.virtual_service
        if self.entrance:
            yield self.entrance.virtual_service


@dataclass(frozen=True, slots=True)
class ClientObjects:
    """One client."""

    service_account: Manifest
    deployment: Manifest


@dataclass(frozen=True, slots=True)
class Mesh:
    """Everything a stack creates, by name. `namespace` is None where it is somebody else's."""

    namespace: Manifest | None
    gateways: Mapping[str, Manifest]
    services: Mapping[str, ServiceObjects]
    clients: Mapping[str, ClientObjects]
    hosts: Mapping[str, HostObjects]

    def entrances(self) -> Iterator[HostObjects]:
        """Every host that has a VirtualService of its own: the stack's, and those of services that are exposed as
        every host.
        """
        yield from self.hosts.values()
        yield from (service.entrance for service in self.services.values() if service.entrance)

    def objects(self) -> Iterator[Manifest]:
        """All objects, each after those it needs."""
        if self.namespace:
            yield self.namespace
        yield from self.gateways.values()
        for service in self.services.values():
            yield from service.objects()
        yield from (host.virtual_service for host in self.hosts.values())
        for client in self.clients.values():
            yield client.service_account
            yield client.deployment


def mesh(config: StackConfig, namespace: str) -> Mesh:
    """The mesh of this config in this namespace.

    `namespace` is its real name; an ephemeral stack knows it only once the cluster does, so it is not read from the
    config.
    """
    return Mesh(
        namespace=kubernetes.namespace(namespace, config.revision) if config.create_namespace else None,
        gateways={name: istio.gateway(name, gateway, namespace) for name, gateway in config.gateways.items()},
        services={name: service_objects(name, config, namespace) for name in config.services},
        clients={name: client_objects(name, client, namespace) for name, client in config.clients.items()},
        hosts={host: host_objects(host, config, namespace) for host in config.hosts},
    )


def client_objects(name: str, client: Client, namespace: str) -> ClientObjects:
    """The objects of one client in this namespace."""
    return ClientObjects(
        kubernetes.service_account(name, namespace), kubernetes.client_deployment(name, client, namespace)
    )


def service_objects(name: str, config: StackConfig, namespace: str) -> ServiceObjects:
    """The objects of one service of this config in this namespace."""
    service = config.services[name]
    routes = traffic(service, namespace)
    there = config.host(name, namespace)
    parts = service.kubernetes or ServiceParts()
    route = istio.virtual_service(name, routes, namespace, there)
    return ServiceObjects(
        host=there,
        service_account=laid_over(kubernetes.service_account(name, namespace), parts.service_account)
        if service.makes_service and not service.routing_only
        else None,
        service=laid_over(kubernetes.service(name, service, namespace), parts.service)
        if service.makes_service
        else None,
        versions={
            version: _version(
                name,
                version,
                service,
                istio.service_entry(name, version, service, routes, namespace, there),
                _rule(name, version, service, routes, namespace, there),
                route,
                namespace,
            )
            for version in service.versions
        },
        host_rule=istio.host_rule(name, routes, namespace, there),
        virtual_service=route,
        pods={
            # Which pods somebody else's Service selects is not known.
            version: service.pod_labels(name, version) if service.makes_service else service.told_apart_by(version)
            for version in service.versions
        },
        entrance=entrance_objects(name, config, namespace),
    )


def _rule(
    name: str, version: str, service: Service, routes: ServiceTraffic, namespace: str, there: str
) -> Manifest | None:
    """The subset of a version, which says whose its pods are: who removes it reads there whom to tell."""
    made = istio.version_rule(name, version, routes, namespace, there)
    workload = service.versions[version].workload
    if made is None or workload is None:
        return made
    return {**made, "metadata": {**made["metadata"], "annotations": {WORKLOAD: workload}}}


def _version(
    name: str,
    version: str,
    service: Service,
    entry: Manifest | None,
    rule: Manifest | None,
    route: Manifest,
    namespace: str,
) -> VersionObjects:
    workload, place = service.workload(version), service.versions[version].elsewhere
    known_as = str(place) if place and not place.external else version
    secret = deployment = budget = autoscaler = None
    if workload:
        parts, own = service.kubernetes or ServiceParts(), service.versions[version].kubernetes or VersionParts()
        secret = kubernetes.version_secret(name, version, workload, namespace)
        deployment = laid_over(
            kubernetes.version_deployment(name, version, service, workload, namespace),
            parts.deployment,
            own.deployment,
        )
        budget = scaling.disruption_budget(
            name, version, service.pod_labels(name, version), workload.replicas, namespace
        )
        budget = laid_over(budget, parts.pod_disruption_budget) if budget else None
        if workload.autoscaling:
            autoscaler = scaling.autoscaler(name, version, workload.autoscaling, namespace)
    return VersionObjects(
        secret=secret,
        deployment=deployment,
        disruption_budget=budget,
        autoscaler=autoscaler,
        service_entry=entry,
        destination_rule=rule,
        workload=service.versions[version].workload,
        named=known_as in subsets.named(route["spec"]),
        used=known_as in subsets.used(route["spec"]),
        known_as=known_as,
    )
