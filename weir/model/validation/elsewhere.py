"""Rules of versions elsewhere: a host has no pods of weir's, a port, and one name in its service; and warnings."""

from __future__ import annotations

from collections.abc import Iterator

from weir.model.config.base import given
from weir.model.config.routes import Traffic
from weir.model.config.stack import Service
from weir.model.config.versions import Container, Version
from weir.model.values.problems import Path, Problem

_OF_PODS = (*Container.model_fields, "labels", "kubernetes", "workload")


def check_elsewhere(path: Path, service: Service, there: str, reported: frozenset[Path]) -> Iterator[Problem]:
    """Every problem of the keys `host`, `port` and `external`. `there`: the full name of the service; `reported`: the
    paths refused before, which count as left out.
    """
    seen: dict[str, str] = {}
    for name, version in service.versions.items():
        here: Path = (*path, "versions", name)
        if (*here, "host") in reported:
            continue
        if version.host is None:
            for key in given(version, "port", "external"):
                yield Problem((*here, key), "has no effect without host; add host, or remove it")
            continue
        for key in given(version, *_OF_PODS):
            yield Problem((*here, key), f"has no effect: its pods are elsewhere, at {version.host}; remove it, or host")
        if version.port is None and (*here, "port") not in reported:
            yield Problem((*here, "port"), f"missing: the port of {version.host}, such as 443")
        if version.host == there:
            yield Problem((*here, "host"), f"is the service itself, was {version.host}; name another host")
        place = str(version.elsewhere)
        if version.elsewhere and place in seen:
            yield Problem((*here, "host"), f"is {place}, as {seen[place]} is; remove one of the two")
        seen.setdefault(place, name)
        yield from _policy((*here, "trafficPolicy"), version)


def _policy(here: Path, version: Version) -> Iterator[Problem]:
    policy = version.traffic_policy
    if policy is None:
        return
    if not version.external:
        message = (
            f"belongs to who owns {version.host}: a rule of this namespace would hide theirs from callers here; set it "
            "there and remove it, or say external: true of a host outside the mesh"
        )
        yield Problem(here, message)
    elif policy.port_level_settings:
        message = "has no effect: an external host has one port; say it in trafficPolicy itself"
        yield Problem((*here, "portLevelSettings"), message)


def elsewhere_warnings(path: Path, service: Service) -> Iterator[tuple[Path, str, str]]:
    """Where, what, and the name of each warning."""
    written: list[tuple[Path, Traffic]] = [(path, service)]
    written += [((*path, "routes", index), route) for index, route in enumerate(service.routes)]
    for where, own in written:
        for index, mirror in enumerate(own.mirrors):
            version = service.versions[mirror.version]
            if version.external and not own.sets_host:
                message = (
                    f"copies keep the host that the caller asked for, which {version.host} may not serve; set it for "
                    "the route by headers.request.set.host, or make sure that it does"
                )
                yield (*where, "mirrors", index), message, "mirror-keeps-host"
