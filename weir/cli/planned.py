"""What a release is about to do: the text that the update is bound to, what it changes in the cluster, and what of the
stack file it leaves alone.

The update reaches the VirtualServices of the services that are named, and of hosts at gateways that have an entry for
one of them, and nothing else. Where the stack file has more that was never applied, it goes by the config that was
applied last, with the same edit made in that: what was not asked for stays as it is, in the outputs of the stack too.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from weir.cli.context import Context
from weir.cluster.errors import ClusterError
from weir.cluster.live import Live
from weir.cluster.pending import pending
from weir.engine.applied import applied
from weir.engine.journal import Operation
from weir.errors import WeirError
from weir.model import ConfigError, Manifest, Service, ServiceTraffic, StackConfig, mesh, traffic, without_ended
from weir.model.manifests.annotations import edited
from weir.model.manifests.hosts import HostObjects, read_host
from weir.model.manifests.subsets import named, used, uses
from weir.model.routing.diff import changes
from weir.model.routing.host_diff import host_changes
from weir.model.routing.words import describe
from weir.stack import stackfile, yaml_reader
from weir.stack.edit import StackEdit
from weir.yaml_writer import dump

Edit = Callable[[StackEdit, str, Service], None]
"""Changes a stack file; given the service and what the file says of it."""

_ENTRIES = 10
_ABSENT = "not in the cluster yet, and nothing was applied; bring it there first"


class NotThereError(WeirError):
    """What the change needs is not in the cluster yet; the text says what to run first."""


@dataclass(frozen=True, slots=True)
class Planned:
    """What a release changes.

    `text`: the stack file for the update; `config`: its config.
    `lines`: by service or host, what changes in the cluster.
    `left`: objects in which the stack file differs from the cluster, and which the release does not change.
    `found`, `wanted`: the specs of the VirtualServices, by name, when the plan was made, and after the update.
    `services`: those of which they are, or to which they send requests.
    """

    text: str
    config: StackConfig
    lines: Mapping[str, tuple[str, ...]]
    left: tuple[str, ...]
    services: tuple[str, ...]
    found: Mapping[str, Any] = field(repr=False)
    wanted: Mapping[str, Any] = field(repr=False)

    @property
    def empty(self) -> bool:
        """Whether the cluster has all of it."""
        return not any(self.lines.values())

    def stands(self, live: Live) -> bool:
        """Whether the VirtualServices are still, or again, what they were."""
        return all(_spec(live, name) == spec for name, spec in self.found.items())

    @property
    def newly(self) -> bool:
        """Whether a version gets requests that got none before."""
        return any(uses(self.wanted[name]) - uses(spec) for name, spec in self.found.items())

    def done(self, live: Live) -> bool:
        """Whether the VirtualServices are what they were to be."""
        return all(_spec(live, name) == spec for name, spec in self.wanted.items())

    def edited(self, live: Live) -> str:
        """The first VirtualService that somebody has edited by hand; empty where nobody has."""
        return next((name for name in self.found if (there := live.find("VirtualService", name)) and edited(there)), "")


def plan(
    context: Context,
    file: StackEdit,
    edits: Mapping[str, Edit],
    live: Live,
    entry: Operation,
    *,
    take_back: bool,
    about: Mapping[str, Collection[str]],
) -> Planned:
    """What the edits, which have been made in `file`, change in the cluster.

    `take_back`: edits by hand are undone with it. `about`: the versions that are asked for, by service.

    Raises NotThereError, ConfigError, ClusterError.
    """
    now = datetime.now(UTC)
    wanted, before = (without_ended(context.saying(text).config, now) for text in (file.text, file.original))
    # A host that is not there yet is one more change of the file.
    own = {key for name in _routes(wanted, live, edits) if (key := ("VirtualService", name)) in live.objects}
    left = pending(
        mesh(wanted, live.kubectl.namespace).objects(),
        live.objects,
        stackfile.qualified(context.stack, context.project),
        own,
    )
    text, config = file.text, context.saying(file.text).config
    routes = _routes(before, live, edits)
    routes = {name: each for name, each in routes.items() if ("VirtualService", name) in own}
    if left or pending(routes.values(), {key: live.objects[key] for key in own}, ""):
        base = _applied(context, file, edits, live)
        if base is not None:
            copy = StackEdit(entry.bind(base))
            settings = context.saying(base).config.services
            for service, edit in edits.items():
                edit(copy, service, settings[service])
            try:
                config = context.saying(copy.text).config
            except ConfigError:
                # It may be sound only with the split that the file has, as after a promotion that was killed: a release
                # owns the split.
                for service in edits:
                    _split_as(copy, service, settings[service], wanted.services[service])
                try:
                    config = context.saying(copy.text).config
                except ConfigError:
                    if not about:
                        raise
                    # The file is sound with it: it names a version that was never applied.
                    what = " and ".join(f"{', '.join(versions)} of {service}" for service, versions in about.items())
                    raise NotThereError(f"{what} is {_ABSENT}, without requests: pulumi up") from None
            text = copy.text
            # What the file has for them besides.
            more = (_routes(each, live, edits) for each in (wanted, without_ended(config, now)))
            asked, besides = more
            left += tuple(
                f"VirtualService {name}"
                for name in asked
                if name in besides and asked[name]["spec"] != besides[name]["spec"]
            )
    sure = without_ended(config, now)
    routes = _routes(sure, live, edits)
    if any(live.find("VirtualService", name) is None for name in routes):
        # What was never initialised has nothing in the cluster either, and Pulumi says so.
        context.engine.history(1)
    for service in edits:
        _require(sure, service, live)
    lines = {service: tuple(_lines(sure, service, live, take_back, about.get(service, ()))) for service in edits}
    specs = {name: each["spec"] for name, each in routes.items()}
    for host in _hosts(sure, live, edits):
        there = live.find("VirtualService", host.name)
        if there is None:
            raise NotThereError(f"host {host.host} is {_ABSENT}: pulumi up")
        if not pending([host.virtual_service], {("VirtualService", host.name): there}, ""):
            del specs[host.name]
        else:
            lines[f"host {host.host}"] = tuple(_host_lines(host, live, take_back))
    return Planned(text, config, lines, left, tuple(edits), {name: _spec(live, name) for name in specs}, specs)


def _applied(context: Context, file: StackEdit, edits: Mapping[str, Edit], live: Live) -> str | None:
    """The text of a stack file with the config that the cluster's routes are of, else with that of the last update
    that succeeded.
    """
    others = yaml_reader.load(file.text)
    found = None
    for config in applied(context.engine.revealed_history(_ENTRIES), others["config"]):
        kept = {key: value for key, value in others["config"].items() if not key.startswith("weir:")}
        text = dump([{**others, "config": {**kept, **config}}])
        try:
            known = context.saying(text).config
        except ConfigError:
            continue  # of a weir of another day
        if not edits.keys() <= known.services.keys():
            continue
        found = text
        if all(
            _routed(_traffic(known, service, live)) == _routed(_standing(known, live, service)) for service in edits
        ) and all(_stands_but_for_splits(host, live) for host in _hosts(known, live, edits)):
            break
    return found


def _split_as(copy: StackEdit, service: str, before: Service, wanted: Service) -> None:
    """Give the service the stable version and the canaries of another config."""
    copy.set_stable(service, wanted.stable)
    for version in {**before.canary, **wanted.canary}:
        copy.set_canary(service, version, wanted.canary.get(version))


def _lines(config: StackConfig, service: str, live: Live, take_back: bool, about: Collection[str]) -> Iterator[str]:
    """What changes; of the subsets' policies nothing does."""
    wanted, there = _traffic(config, service, live), live.find("VirtualService", service)
    if there is not None and edited(there) and take_back:
        yield f"VirtualService {live.kubectl.namespace}/{service} was edited by hand; the edit is undone"
    try:
        stands = live.traffic(service, config.host(service, live.kubectl.namespace))
    except ClusterError:
        if not take_back:
            raise
        return
    assert stands is not None  # required above
    yield from map(
        describe, changes(service, stands, replace(wanted, versions=stands.versions, policy=stands.policy), about)
    )


def _host_lines(host: HostObjects, live: Live, take_back: bool) -> Iterator[str]:
    """What changes of a host; not of the routes of its services, which are told of these."""
    there = live.objects["VirtualService", host.name]
    if edited(there) and take_back:
        yield f"VirtualService {live.kubectl.namespace}/{host.name} was edited by hand; the edit is undone"
    try:
        stands = live.host(host.name)
    except ClusterError:
        if not take_back:
            raise
        return
    yield from map(describe, host_changes(stands, read_host(host.virtual_service)))


def _stands_but_for_splits(host: HostObjects, live: Live) -> bool:
    """Whether the cluster has the host with these entries, whatever becomes of their routes."""
    try:
        found = host_changes(live.host(host.name), read_host(host.virtual_service))
    except ClusterError:
        return False
    return all(change.kind == "entryRoutes" for change in found)


def _require(config: StackConfig, service: str, live: Live) -> None:
    """The route, its subsets, and the pods of versions that newly get requests are there."""
    there = live.find("VirtualService", service)
    if there is None:
        raise NotThereError(
            f"{service} is not in the cluster yet, and nothing was applied; bring it there first: pulumi up"
        )
    spec = _routes(config, live, [service])[service]["spec"]
    versions, newly = config.services[service].versions, used(spec) - used(there["spec"])
    # What is not among them is another Service, which proxies are asked about before the route changes.
    lacking = {each for each in named(spec) if each in versions} - live.subsets(
        config.host(service, live.kubectl.namespace)
    )
    lacking |= {
        each
        for each in newly
        if each in versions
        and config.services[service].workload(each)
        and live.find("Deployment", f"{service}-{each}") is None
    }
    if lacking:
        what = f"{', '.join(sorted(lacking))} of {service} {'is' if len(lacking) == 1 else 'are'}"
        raise NotThereError(
            f"{what} not in the cluster yet, and nothing was applied; bring it there first, without requests: pulumi up"
        )


def _routes(config: StackConfig, live: Live, services: Collection[str]) -> dict[str, Manifest]:
    """The VirtualServices of these services, and of the hosts that have an entry for one of them, by name."""
    built = mesh(config, live.kubectl.namespace).services
    own = {service: built[service].virtual_service for service in services}
    return own | {host.name: host.virtual_service for host in _hosts(config, live, services)}


def _hosts(config: StackConfig, live: Live, services: Collection[str]) -> list[HostObjects]:
    entrances = mesh(config, live.kubectl.namespace).entrances()
    return [host for host in entrances if not set(services).isdisjoint(host.services)]


def _traffic(config: StackConfig, service: str, live: Live) -> ServiceTraffic:
    return traffic(config.services[service], live.kubectl.namespace)


def _standing(config: StackConfig, live: Live, service: str) -> ServiceTraffic | None:
    try:
        return live.traffic(service, config.host(service, live.kubectl.namespace))
    except ClusterError:
        return None


def _routed(one: ServiceTraffic | None) -> ServiceTraffic | None:
    return None if one is None else replace(one, versions={}, policy=None)


def _spec(live: Live, name: str) -> Any:
    return (live.find("VirtualService", name) or {}).get("spec")
