"""Rules between the fields of a config that is well formed field by field: names, versions, and the objects that would
collide.

A service named wrongly, a version without an image: what a cluster would refuse is refused here.
`weir.model.validation.route_checks` has the rules of routes.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence

from weir.model.config.stack import Service, StackConfig
from weir.model.config.traffic_policy import TrafficPolicy
from weir.model.manifests.hosts import object_name
from weir.model.routing.hosts import gateways_of
from weir.model.routing.resolve import DEFAULT_ROUTE
from weir.model.validation.autoscaling import check_autoscaling
from weir.model.validation.elsewhere import check_elsewhere
from weir.model.validation.host_checks import check_exposed_routes, check_gateways, check_hosts
from weir.model.validation.kubernetes_parts import check_parts
from weir.model.validation.port_checks import check_ports
from weir.model.validation.route_checks import check_routes
from weir.model.values.hosts import ANY, covers
from weir.model.values.names import MAX_LABEL, MAX_PET
from weir.model.values.problems import Path, Problem

_OF_THE_SIDECAR = ("istio-proxy", "istio-init", "istio-validation")
"""Istio takes a container of such a name, which weir's containers have from their service, for changes to its own."""

_SHARED = ("default", "istio-system")
"""Namespaces that are not weir's to create and delete, beside those of Kubernetes, which begin with kube-."""

_OF_A_VERSION = len(("services", "NAME", "versions", "NAME"))


def check(config: StackConfig, reported: frozenset[Path]) -> Iterator[Problem]:
    """Every problem between fields. `reported` are the paths refused before, which count as left out in this config."""
    yield from _namespace(config, reported)
    yield from _names(config)
    yield from _selectors(config)
    refused: defaultdict[str, list[str]] = defaultdict(list)
    for where in sorted(reported, key=str):
        if len(where) == _OF_A_VERSION and where[0] == "services" and where[2] == "versions":
            refused[str(where[1])].append(str(where[3]))
    without_ports = {where[1] for where in reported if where[:1] == ("services",) and where[2:3] == ("ports",)}
    unsound = {str(path[1]) for path in reported if path[0] == "services" and len(path) > 1}
    for name in config.services:
        found = list(_service(name, config, reported, refused[name]))
        if name not in without_ports:
            found += check_ports(("services", name), config.services[name], config)
        yield from found
        unsound |= {name} if found else set()
    if ("services",) in reported:
        unsound |= {entry.service for host in config.hosts.values() for entry in host.routes}
    yield from check_hosts(config, unsound)


def _service(name: str, config: StackConfig, reported: frozenset[Path], refused: Sequence[str]) -> Iterator[Problem]:
    path: Path = ("services", name)
    service = config.services[name]
    yield from _versions(path, name, service, reported, refused)
    yield from check_elsewhere(path, service, config.host(name), reported)
    yield from _labels(path, name, service)
    yield from _exposure(path, name, service, config)
    yield from _policies(path, service)
    yield from check_parts(path, name, service)
    yield from check_autoscaling(path, service.autoscaling)
    if (
        service.rollout.metrics
        and config.prometheus.url is None
        and not any(where[0] == "prometheus" for where in reported)
    ):
        yield Problem((*path, "rollout", "metrics"), "needs weir:prometheus, which is asked for them; add its url")
    for version, own in service.versions.items():
        yield from check_autoscaling((*path, "versions", version), own.autoscaling)
    if service.versions:
        # A version that was refused is there all the same: who names it is not to blame.
        yield from check_routes(path, service, [*service.versions, *refused], gateways_of(name, config))


def _namespace(config: StackConfig, reported: frozenset[Path]) -> Iterator[Problem]:
    path: Path = ("namespace",)
    if not config.namespace:
        yield Problem(path, "missing: the namespace weir creates for the services and clients of this stack")
    shared = config.namespace in _SHARED or config.namespace.startswith("kube-")
    if shared and config.create_namespace and ("createNamespace",) not in reported:
        yield Problem(
            path,
            (
                f'must be a namespace of its own, was "{config.namespace}"; weir creates it and deletes it (not with '
                "createNamespace: false)"
            ),
        )
    limit = MAX_LABEL - MAX_PET
    if config.ephemeral and len(config.namespace) > limit:
        yield Problem(
            path, f"must be at most {limit} characters with ephemeral, which adds a suffix, was {len(config.namespace)}"
        )
    if config.ephemeral and not config.create_namespace:
        yield Problem(("createNamespace",), "must be true with ephemeral, which makes a namespace of its own")


def _names(config: StackConfig) -> Iterator[Problem]:
    """Deployments, rules and accounts of one namespace share their names: `a` with version `b-c` and `a-b` with
    version `c` collide.
    """
    taken: dict[str, str] = {}
    wanted: list[tuple[str, Path, str]] = []
    for service, settings in config.services.items():
        wanted.append((service, ("services", service), f"service {service}"))
        wanted += [
            (
                f"{service}-{version}",
                ("services", service, "versions", version),
                f"version {version} of service {service}",
            )
            for version in settings.versions
        ]
    wanted += [(client, ("clients", client), f"client {client}") for client in config.clients]
    wanted += [(object_name(host), ("hosts", host), f"the VirtualService of host {host}") for host in config.hosts]
    for name, path, what in wanted:
        if name == "default":
            yield Problem(
                path,
                'the name "default" belongs to the account Kubernetes puts into every namespace; choose another name',
            )
        elif name in _OF_THE_SIDECAR:
            yield Problem(
                path,
                (
                    f'the name "{name}" belongs to a container of Istio\'s sidecar, beside which this would run; '
                    "choose "
                    "another name"
                ),
            )
        elif name in taken:
            yield Problem(path, f'the name "{name}" is taken by {taken[name]}; rename one of the two')
        else:
            taken[name] = what


def _selectors(config: StackConfig) -> Iterator[Problem]:
    """A Deployment takes every pod with its labels for its own, also those of another service."""
    with_pods = {name: service for name, service in config.services.items() if not service.routing_only}
    for name, service in with_pods.items():
        # Without a selector it is the name, which no other service has.
        for other, theirs in with_pods.items() if service.selector else ():
            if other != name and any(
                service.pod_labels(name, mine).items() <= theirs.pod_labels(other, their).items()
                for mine in service.with_pods
                for their in theirs.with_pods
            ):
                yield Problem(
                    ("services", name, "selector"),
                    f"pods of service {other} have these labels, too; add one that tells them apart",
                )
                break


def _versions(
    path: Path, name: str, service: Service, reported: frozenset[Path], refused: Sequence[str]
) -> Iterator[Problem]:
    if not service.versions and not refused:
        yield Problem((*path, "versions"), "missing: at least one version, such as v1: {}")
    for version in service.versions:
        full = f"{name}-{version}"
        if len(full) > MAX_LABEL:
            message = (
                f"must be at most {MAX_LABEL} characters together with the name of its service ({name}), was "
                f"{len(full)}"
            )
            yield Problem((*path, "versions", version), message)
    without = [
        version
        for version, own in service.versions.items()
        if service.workload(version) is None
        and own.workload is None
        and own.host is None
        and (*path, "versions", version, "host") not in reported
    ]
    if not service.routing_only and (*path, "image") not in reported:
        others = ", ".join(version for version in service.versions if service.workload(version))
        for version in without:
            message = (
                f"missing: {others} of this service has an image, so this version needs one too (or none at all: "
                "routing only)"
            )
            yield Problem((*path, "versions", version, "image"), message)


def _labels(path: Path, name: str, service: Service) -> Iterator[Problem]:
    """Each version's pods are told from those of every other, by what its own labels say."""
    if service.selector is None and all(version.labels is None for version in service.versions.values()):
        return  # their names tell them apart
    for version in service.with_pods:
        where = (*path, "versions", version, "labels")
        labels = service.told_apart_by(version)
        other = {key for key, value in labels.items() if service.selected_by(name).get(key, value) != value}
        if other:
            yield Problem(where, f"{min(other)} is a label of selector too, with another value; take one of them out")
        same = next(
            (
                each
                for each in service.with_pods
                if each != version and labels.items() <= service.pod_labels(name, each).items()
            ),
            None,
        )
        if same is not None:
            told = ", ".join(f"{key}: {value}" for key, value in labels.items())
            yield Problem(where, f"pods of {same} have {told} as well; give each version labels that no other has")


def _exposure(path: Path, name: str, service: Service, config: StackConfig) -> Iterator[Problem]:
    if service.expose is not None:
        there = config.host(name)
        for index, other in enumerate(service.expose.hosts):
            if other != ANY and covers(other, there):
                message = f"is or covers {there}, the service's own host; remove it"
                yield Problem((*path, "expose", "hosts", index), message)
        yield from check_gateways((*path, "expose"), service.expose.gateways, config)
        known = [*(route.name for route in service.routes), DEFAULT_ROUTE]
        for index, route in enumerate(service.expose.routes):
            if route not in known:
                message = f'no such route "{route}" (routes: {", ".join(known)})'
                yield Problem((*path, "expose", "routes", index), message)
        yield from check_exposed_routes((*path, "expose", "routes"), service, service.expose)
    own = config.namespace
    if service.export_to and "." in service.export_to and own in service.export_to:
        yield Problem((*path, "exportTo"), f'must name each namespace once: "." is {own}')


def _policies(path: Path, service: Service) -> Iterator[Problem]:
    yield from _ports((*path, "trafficPolicy"), service.traffic_policy)
    for name, version in service.versions.items():
        yield from _ports((*path, "versions", name, "trafficPolicy"), version.traffic_policy)


def _ports(path: Path, policy: TrafficPolicy | None) -> Iterator[Problem]:
    seen: set[int] = set()
    for index, entry in enumerate(policy.port_level_settings if policy else ()):
        if entry.port.number in seen:
            yield Problem(
                (*path, "portLevelSettings", index, "port"),
                f"port {entry.port.number} has settings in an earlier entry; merge the two entries",
            )
        seen.add(entry.port.number)
