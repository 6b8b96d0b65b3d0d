"""What changes for services that run already and that an update takes over: not all of it is new."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from weir.cli.context import Context
from weir.cluster.errors import ClusterError
from weir.cluster.found import found
from weir.engine.preview import Preview
from weir.model import load, traffic
from weir.model.adopted import adopted
from weir.model.routing.diff import TrafficChange, changes


def taken_over(context: Context, preview: Preview) -> Preview:
    """The preview, in which a service that is new to the stack and runs already is compared with what runs."""
    new = [name for name, changed in preview.services.items() if _is_new(changed)]
    services = dict(preview.services)
    for name in new:
        services[name] = _compared(context, name) or services[name]
    return replace(preview, services=services)


def _is_new(changed: tuple[TrafficChange, ...]) -> bool:
    return [change.kind for change in changed] == ["service"] and changed[0].before is None


def _compared(context: Context, name: str) -> tuple[TrafficChange, ...]:
    """What changes for it; nothing where it does not run, or the cluster cannot be asked."""
    config = context.config
    try:
        there = found(context.kubectl, [name], config.cluster_domain)
    except ClusterError:
        return ()
    if name not in there.services:
        return ()
    as_it_is = adopted(there, name)
    keys: Mapping[str, object] = {
        "namespace": there.namespace,
        "createNamespace": False,
        "services": {name: as_it_is.config},
    }
    before = traffic(load(keys).services[name], there.namespace)
    changed = changes(name, before, traffic(config.services[name], there.namespace))
    return (TrafficChange("takenOver", name, before=as_it_is.lost, after=not changed), *changed)
