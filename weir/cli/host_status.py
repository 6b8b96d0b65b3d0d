"""The status of hosts at gateways: what the config says, and what the cluster has instead."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from weir.cli.context import Context
from weir.cluster.live import Live
from weir.console import Text
from weir.model import mesh, without_ended
from weir.model.manifests.hosts import read_host
from weir.model.routing.diff import TrafficChange
from weir.model.routing.host_diff import host_changes
from weir.model.routing.hosts import HostTraffic
from weir.model.routing.words import as_json as change_as_json
from weir.model.routing.words import describe, host_in_words


@dataclass(frozen=True, slots=True)
class HostStatus:
    """One host: as it is configured, and what an update would change; None where it is not in the cluster."""

    configured: HostTraffic
    drift: tuple[TrafficChange, ...] | None


def host_statuses(context: Context, live: Live, services: Collection[str]) -> Iterator[HostStatus]:
    """The hosts that have an entry for one of these services. Raises ClusterError."""
    wanted = mesh(without_ended(context.config, datetime.now(UTC)), context.namespace)
    for host in wanted.entrances():
        if not set(services).isdisjoint(host.services):
            configured, there = read_host(host.virtual_service), live.host(host.name)
            yield HostStatus(configured, None if there is None else tuple(host_changes(there, configured)))


def host_lines(hosts: Sequence[HostStatus]) -> Iterator[Text]:
    """A line for each, and below it what is out of the ordinary."""
    for host in hosts:
        yield Text(f"host {host.configured.host} {host_in_words(host.configured)}")
        if host.drift is None:
            yield Text("not in the cluster yet: pulumi up", style="yellow")
        for change in host.drift or ():
            yield Text(f"  differs from the config (what is → what will be): {describe(change)}", style="yellow")


def as_json(host: HostStatus) -> dict[str, Any]:
    """For programs: {name, gateways, entries[] {name, match, service}, inCluster, drift[], differences[]}, the last
    two as of a service.
    """
    return {
        "name": host.configured.host,
        **host.configured.data(),
        "inCluster": host.drift is not None,
        "drift": list(map(describe, host.drift or ())),
        "differences": list(map(change_as_json, host.drift or ())),
    }
