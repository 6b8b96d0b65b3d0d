"""The difference between two states of a host at gateways, as data: its gateways and entries. What a service's own
routes differ in is told of the service, and here only that the entry follows.
"""

from __future__ import annotations

from collections.abc import Iterator

from weir.model.routing.diff import TrafficChange
from weir.model.routing.hosts import EntryTraffic, HostTraffic


def host_changes(before: HostTraffic | None, after: HostTraffic | None) -> list[TrafficChange]:
    """Every difference, by the name of the host; None stands for no such host. Routes of a change are entries."""
    host = (after or before or HostTraffic("", (), ())).host
    if before is None or after is None:
        return [] if before is after else [TrafficChange("sharedHost", host, before=before, after=after)]
    found = []
    if before.gateways != after.gateways:
        found.append(TrafficChange("gateways", host, before=before.gateways, after=after.gateways))
    old, new = ({entry.name: entry for entry in each.entries} for each in (before, after))
    for name in (*new, *(name for name in old if name not in new)):
        if name in old and name in new:
            found += _entry(host, old[name], new[name])
        else:
            found.append(TrafficChange("entry", host, name, before=old.get(name), after=new.get(name)))
    if [name for name in old if name in new] != [name for name in new if name in old]:
        found.append(TrafficChange("entryOrder", host, before=tuple(old), after=tuple(new)))
    return found


def _entry(host: str, before: EntryTraffic, after: EntryTraffic) -> Iterator[TrafficChange]:
    if before.service != after.service:
        yield TrafficChange("entryService", host, before.name, before=before.service, after=after.service)
    elif before.match != after.match:
        yield TrafficChange("entryMatch", host, before.name, before=before.match, after=after.match)
    elif before.rewrite != after.rewrite:
        yield TrafficChange("entryRewrite", host, before.name, before=before.rewrite, after=after.rewrite)
    elif before.routes != after.routes:
        yield TrafficChange("entryRoutes", host, before.name, after=after.service)
