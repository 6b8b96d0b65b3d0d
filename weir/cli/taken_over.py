"""What changes for services and hosts that are there already and that an update takes over: not all of it is new."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from weir.cli.context import Context
from weir.cluster.errors import ClusterError
from weir.cluster.found import found, hosts_of
from weir.engine.preview import Preview
from weir.model import StackConfig, load, traffic
from weir.model.adopted import adopted
from weir.model.routing.diff import TrafficChange, changes
from weir.model.routing.host_diff import host_changes
from weir.model.routing.hosts import host_traffic


def taken_over(context: Context, preview: Preview) -> Preview:
    """The preview, in which what is new to the stack and runs already is compared with what runs; unchanged where the
    cluster cannot be asked.
    """
    services = [name for name, changed in preview.services.items() if _is_new("service", changed)]
    hosts = [name for name, changed in preview.hosts.items() if _is_new("sharedHost", changed)]
    hosts = [name for name in hosts if name in context.config.hosts]
    if not services and not hosts:
        return preview
    entries = [entry.service for name in hosts for entry in context.config.hosts[name].routes]
    try:
        return _compared(context, preview, services, hosts, list(dict.fromkeys((*services, *entries))))
    except ClusterError:
        return preview


def _is_new(kind: str, changed: tuple[TrafficChange, ...]) -> bool:
    return [change.kind for change in changed] == [kind] and changed[0].before is None


def _compared(
    context: Context, preview: Preview, services: Sequence[str], hosts: Sequence[str], names: Sequence[str]
) -> Preview:
    config = context.config
    there = found(context.kubectl, names, config.cluster_domain)
    known = {name: adopted(there, name) for name in there.services}
    shared = hosts_of(there)
    before: StackConfig = load(
        {
            "namespace": there.namespace,
            "createNamespace": False,
            "clusterDomain": there.domain,
            "services": {name: each.config for name, each in known.items()},
            "hosts": shared.config,
        }
    )
    told, told_hosts = dict(preview.services), dict(preview.hosts)
    for name in services:
        if name in known:
            changed = changes(
                name,
                traffic(before.services[name], there.namespace),
                traffic(config.services[name], there.namespace),
            )
            told[name] = _told(name, known[name].lost, changed)
    for name in hosts:
        if name in before.hosts:
            changed = host_changes(
                host_traffic(name, before, there.namespace), host_traffic(name, config, there.namespace)
            )
            told_hosts[name] = _told(name, shared.lost, changed)
    return replace(preview, services=told, hosts=told_hosts)


def _told(name: str, lost: Sequence[str], changed: Sequence[TrafficChange]) -> tuple[TrafficChange, ...]:
    return (TrafficChange("takenOver", name, before=tuple(lost), after=not changed), *changed)
