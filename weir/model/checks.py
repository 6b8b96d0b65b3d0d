"""Rules between the fields of a config that is well formed field by field.

A service named wrongly, a split that cannot add up, a version without pods: what a cluster would refuse, or answer 503 to, is refused here.
"""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

from weir.model.config import Service, StackConfig
from weir.model.names import MAX_LABEL, MAX_PET
from weir.model.problems import Path, Problem
from weir.model.weights import percentages


def check(config: StackConfig, reported: frozenset[Path]) -> Iterator[Problem]:
    """Every problem between fields. `reported` are the paths refused before, which count as left out in this config."""
    yield from _namespace(config)
    yield from _names(config)
    for name, service in config.services.items():
        path: Path = ("services", name)
        yield from _versions(path, name, service, reported)
        if service.versions:
            yield from _stable(path, service)
            yield from _canaries(path, service)
            yield from _pods(path, service)


def _namespace(config: StackConfig) -> Iterator[Problem]:
    path: Path = ("namespace",)
    if not config.namespace:
        yield Problem(path, "missing: the namespace weir creates for the services and clients of this stack")
    limit = MAX_LABEL - MAX_PET
    if config.ephemeral and len(config.namespace) > limit:
        yield Problem(path, f"must be at most {limit} characters with ephemeral, which adds a suffix, was {len(config.namespace)}")


def _names(config: StackConfig) -> Iterator[Problem]:
    """Deployments, rules and accounts of one namespace share their names: `a` with version `b-c` and `a-b` with version `c` collide."""
    taken: dict[str, str] = {}
    wanted: list[tuple[str, Path, str]] = []
    for service, settings in config.services.items():
        wanted.append((service, ("services", service), f"service {service}"))
        wanted += [
            (f"{service}-{version}", ("services", service, "versions", version), f"version {version} of service {service}")
            for version in settings.versions
        ]
    wanted += [(client, ("clients", client), f"client {client}") for client in config.clients]
    for name, path, what in wanted:
        if name == "default":
            yield Problem(path, 'the name "default" belongs to the account Kubernetes puts into every namespace; choose another name')
        elif name in taken:
            yield Problem(path, f'the name "{name}" is taken by {taken[name]}; rename one of the two')
        else:
            taken[name] = what


def _versions(path: Path, name: str, service: Service, reported: frozenset[Path]) -> Iterator[Problem]:
    if not service.versions:
        yield Problem((*path, "versions"), "missing: at least one version, such as v1: {}")
    for version in service.versions:
        full = f"{name}-{version}"
        if len(full) > MAX_LABEL:
            message = f"must be at most {MAX_LABEL} characters together with the name of its service ({name}), was {len(full)}"
            yield Problem((*path, "versions", version), message)
    without = [version for version in service.versions if service.workload(version) is None]
    if not service.routing_only and (*path, "image") not in reported:
        others = ", ".join(version for version in service.versions if version not in without)
        for version in without:
            message = f"missing: {others} of this service has an image, so this version needs one too (or none at all: routing only)"
            yield Problem((*path, "versions", version, "image"), message)


def _stable(path: Path, service: Service) -> Iterator[Problem]:
    if not service.stable:
        message = f"missing: the version that gets what the canaries leave (versions: {', '.join(service.versions)})"
        yield Problem((*path, "stable"), message)
    elif service.stable not in service.versions:
        yield Problem((*path, "stable"), _no_such_version(service, service.stable))


def _canaries(path: Path, service: Service) -> Iterator[Problem]:
    for version in service.canary:
        if version not in service.versions:
            yield Problem((*path, "canary", version), _no_such_version(service))
        elif version == service.stable:
            message = "is the stable version, which gets what the canaries leave; remove it here, or make another version stable"
            yield Problem((*path, "canary", version), message)
    total = sum(service.canary.values(), Decimal(0))
    if total > 100:
        parts = ", ".join(f"{version} {percent}" for version, percent in service.canary.items())
        yield Problem((*path, "canary"), f"must add up to at most 100, was {total} ({parts}); lower one of them")


def _pods(path: Path, service: Service) -> Iterator[Problem]:
    """A version that gets traffic and has no pods answers 503 to all of it."""
    if service.routing_only:
        return
    for version, percent in percentages(service).items():
        if version in service.versions and percent > 0 and service.replicas_of(version) == 0:
            where: Path = (*path, "stable") if version == service.stable else (*path, "canary", version)
            yield Problem(where, f"sends {percent} % of the requests to {version}, which has 0 replicas; give it pods, or send it nothing")


def _no_such_version(service: Service, given: str = "") -> str:
    quoted = f' "{given}"' if given else ""
    return f"no such version{quoted} (versions: {', '.join(service.versions)})"
