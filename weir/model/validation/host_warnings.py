"""Warnings of hosts at gateways: entries that no request reaches, requests that no entry takes, and gateways that do
not serve the host.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from weir.model.config.hosts import Host
from weir.model.config.stack import StackConfig
from weir.model.routing.combined import condition
from weir.model.routing.resolve import full_gateway
from weir.model.validation.path_warnings import Found, entry_warnings
from weir.model.values.hosts import ANY, covers
from weir.model.values.problems import Path


def host_warnings(config: StackConfig) -> Iterator[Found]:
    """Every such warning of the hosts of the stack."""
    for host, settings in config.hosts.items():
        path: Path = ("hosts", host)
        yield from _entries(path, settings)
        yield from unserved(path, settings.gateways, [host], config)
        for index, entry in enumerate(settings.routes):
            yield from unseen((*path, "routes", index, "service"), entry.service, settings.gateways, config)
            yield from entry_warnings((*path, "routes", index), entry, settings.gateways, config)


def unserved(path: Path, gateways: Sequence[str], hosts: Sequence[str], config: StackConfig) -> Iterator[Found]:
    """Gateways of the stack that serve none of these hosts."""
    for index, name in enumerate(gateways):
        settings = config.gateways.get(name)
        if settings is None:
            continue
        written = [host.rpartition("/") for server in settings.servers for host in server.hosts]
        served = [host for scope, _, host in written if scope in ("", "*", ".", config.namespace)]
        # Every host is what the gateway serves.
        missing = [host for host in hosts if not any(host == ANY or covers(pattern, host) for pattern in served)]
        if missing:
            message = (
                f"gateway {name} serves {', '.join(served) or 'no host to this namespace'}, and not "
                f"{', '.join(missing)}"
            )
            yield ((*path, "gateways", index), message, "gateway-without-host")


def unseen(path: Path, service: str, gateways: Sequence[str], config: StackConfig) -> Iterator[Found]:
    """A gateway's proxy that has a host without the subsets of its service answers 503, and one without the service's
    own rule 404. It mostly lives where the Gateway does.
    """
    seen = config.services[service].export_to or ("*",)
    for name in gateways:
        place = full_gateway(name, config.namespace).partition("/")[0]
        if not {"*", place, *(["."] if place == config.namespace else [])} & set(seen):
            message = (
                f"{service} is seen from {', '.join(seen)} alone (exportTo), and gateway {name} is in namespace "
                f"{place}, where its proxies would answer 404 or 503; add {place} to exportTo"
            )
            yield (path, message, "gateway-out-of-sight")


def _entries(path: Path, settings: Host) -> Iterator[Found]:
    seen: set[str] = set()
    all_taken_by = ""
    for index, entry in enumerate(settings.routes):
        where: Path = (*path, "routes", index)
        asked = {condition(match) for match in entry.match}
        if all_taken_by:
            message = f"entry {entry.label} never gets a request: entry {all_taken_by} before it takes all"
            yield (where, message, "hidden-route")
        elif asked and asked <= seen:
            yield (where, f"entry {entry.label} never gets a request: entries before it take all", "hidden-route")
        seen |= asked
        if not entry.match or any(match.takes_all for match in entry.match):
            all_taken_by = all_taken_by or entry.label
    if not all_taken_by:
        last = len(settings.routes) - 1
        yield (
            (*path, "routes", last, "match"),
            "is the last, so that requests which meet none are answered 404; add an entry without match for those",
            "host-without-default",
        )
