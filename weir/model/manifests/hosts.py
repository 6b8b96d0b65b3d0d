"""The VirtualService of a host at gateways, made of its traffic, and read back."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from weir.model.config.stack import StackConfig
from weir.model.manifests.istio import host_virtual_service
from weir.model.manifests.kubernetes import MANAGED_BY, Manifest, metadata
from weir.model.manifests.read import read
from weir.model.manifests.subsets import owner_of
from weir.model.routing.hosts import EntryTraffic, HostTraffic, entrance, host_traffic
from weir.model.values.hosts import MESH

_MAX_BEGINNING = 50


@dataclass(frozen=True, slots=True)
class HostObjects:
    """One host, and the `services` that have an entry in it."""

    host: str
    services: tuple[str, ...]
    virtual_service: Manifest

    @property
    def name(self) -> str:
        """The name of its object."""
        return str(self.virtual_service["metadata"]["name"])


def host_objects(host: str, config: StackConfig, namespace: str) -> HostObjects:
    """The objects of one host of the config in this namespace."""
    own = {"name": object_name(host), "namespace": namespace, "labels": dict(MANAGED_BY)}
    services = tuple(dict.fromkeys(entry.service for entry in config.hosts[host].routes))
    return HostObjects(host, services, host_virtual_service(own, host_traffic(host, config, namespace)))


def entrance_objects(service: str, config: StackConfig, namespace: str) -> HostObjects | None:
    """Those of a service that is exposed as every host; None where it is not."""
    found = entrance(service, config, namespace)
    if found is None:
        return None
    own = metadata(object_name(found.host, service), namespace, service)
    return HostObjects(found.host, (service,), host_virtual_service(own, found))


def object_name(host: str, service: str = "") -> str:
    """What the VirtualService of a host is called; `service`: of one that is exposed as this host. A digest tells
    hosts apart that become one label, and all from a service's own.
    """
    readable = host.lower().replace("*", "any").replace(".", "-")
    beginning = (f"{service}-{readable}" if service else readable)[:_MAX_BEGINNING].strip("-")
    return f"{beginning}-{hashlib.sha256(f'{host.lower()} {service}'.encode()).hexdigest()[:6]}"


def of_host(spec: Mapping[str, Any] | None) -> bool:
    """Whether a VirtualService is a host's, and not a service's: it is bound to gateways alone."""
    return spec is not None and MESH not in (spec.get("gateways") or [MESH])


def read_host(virtual_service: Manifest) -> HostTraffic:
    """The traffic that the VirtualService of a host makes.

    Raises pydantic's ValidationError, KeyError, TypeError or ValueError for objects that weir would not have written.
    """
    spec = virtual_service["spec"]
    [host] = spec["hosts"]
    entries = [
        _entry(name, list(written), virtual_service)
        for name, written in groupby(spec["http"], key=lambda route: str(route["name"]).partition("_")[0])
    ]
    return HostTraffic(host, tuple(spec["gateways"]), tuple(entries))


def _entry(name: str, written: list[Mapping[str, Any]], virtual_service: Manifest) -> EntryTraffic:
    """Its routes are those of one service, and read as such."""
    places = [each["destination"] for route in written for each in (*route.get("route", []), *route.get("mirrors", []))]
    owners = {owner for place in places if (owner := owner_of(place))}
    if len(owners) > 1:
        raise ValueError(f"entry {name} sends to several services")
    host = next(iter(owners), "")
    found = read({**virtual_service, "spec": {"hosts": [host], "http": written}}, [])
    return EntryTraffic(name, host, found.routes, found.elsewhere)
