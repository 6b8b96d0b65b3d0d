"""What a release is about to do: the text that the update is bound to, what it changes in the cluster, and what of the
stack file it leaves alone.

The update reaches the VirtualServices of the services that are named, and nothing else. Where the stack file has more
that was never applied, it goes by the config that was applied last, with the same edit made in that: what was not
asked for stays as it is, in the outputs of the stack too.
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
from weir.model.manifests.subsets import named, used
from weir.model.routing.diff import changes
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
    `lines`: by service, what changes in the cluster.
    `left`: objects in which the stack file differs from the cluster, and which the release does not change.
    `found`, `wanted`: the specs of the VirtualServices when the plan was made, and after the update.
    """

    text: str
    config: StackConfig
    lines: Mapping[str, tuple[str, ...]]
    left: tuple[str, ...]
    found: Mapping[str, Any] = field(repr=False)
    wanted: Mapping[str, Any] = field(repr=False)

    @property
    def empty(self) -> bool:
        """Whether the cluster has all of it."""
        return not any(self.lines.values())

    def stands(self, live: Live) -> bool:
        """Whether the VirtualServices are still, or again, what they were."""
        return all(_spec(live, service) == spec for service, spec in self.found.items())

    @property
    def newly(self) -> bool:
        """Whether a version gets requests that got none before."""
        return any(used(self.wanted[service]) - used(spec) for service, spec in self.found.items())

    def done(self, live: Live) -> bool:
        """Whether the VirtualServices are what they were to be."""
        return all(_spec(live, service) == spec for service, spec in self.wanted.items())

    def edited(self, live: Live) -> str:
        """The first service whose VirtualService somebody has edited by hand; empty where nobody has."""
        return next(
            (service for service in self.found if (there := live.find("VirtualService", service)) and edited(there)), ""
        )


def plan(
    context: Context,
    file: StackEdit,
    edits: Mapping[str, Edit],
    live: Live,
    entry: Operation,
    *,
    take_back: bool,
    about: Collection[str] = (),
) -> Planned:
    """What the edits, which have been made in `file`, change in the cluster.

    `take_back`: edits by hand are undone with it. `about`: the versions that are asked for.

    Raises NotThereError, ConfigError, ClusterError.
    """
    now = datetime.now(UTC)
    wanted, before = (without_ended(context.saying(text).config, now) for text in (file.text, file.original))
    own = {("VirtualService", service) for service in edits}
    left = pending(
        mesh(wanted, live.kubectl.namespace).objects(),
        live.objects,
        stackfile.qualified(context.stack, context.project),
        own,
    )
    text, config = file.text, context.saying(file.text).config
    routes = _routes(before, live, edits)
    if left or pending(routes.values(), {key: live.objects[key] for key in own & live.objects.keys()}, ""):
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
                    what = f"{', '.join(about)} of {list(edits)[-1]}"
                    raise NotThereError(f"{what} is {_ABSENT}, without requests: pulumi up") from None
            text = copy.text
            # What the file has for them besides.
            more = (_routes(each, live, edits) for each in (wanted, without_ended(config, now)))
            asked, besides = more
            left += tuple(
                f"VirtualService {service}" for service in edits if asked[service]["spec"] != besides[service]["spec"]
            )
    sure = without_ended(config, now)
    if any(live.find("VirtualService", service) is None for service in edits):
        # What was never initialised has nothing in the cluster either, and Pulumi says so.
        context.engine.history(1)
    for service in edits:
        _require(sure, service, live)
    lines = {service: tuple(_lines(sure, service, live, take_back, about)) for service in edits}
    found = {service: _spec(live, service) for service in edits}
    return Planned(
        text,
        config,
        lines,
        left,
        found,
        {service: each["spec"] for service, each in _routes(sure, live, edits).items()},
    )


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
        ):
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


def _routes(config: StackConfig, live: Live, services: Any) -> dict[str, Manifest]:
    built = mesh(config, live.kubectl.namespace).services
    return {service: built[service].virtual_service for service in services}


def _traffic(config: StackConfig, service: str, live: Live) -> ServiceTraffic:
    return traffic(config.services[service], live.kubectl.namespace)


def _standing(config: StackConfig, live: Live, service: str) -> ServiceTraffic | None:
    try:
        return live.traffic(service, config.host(service, live.kubectl.namespace))
    except ClusterError:
        return None


def _routed(one: ServiceTraffic | None) -> ServiceTraffic | None:
    return None if one is None else replace(one, versions={}, policy=None)


def _spec(live: Live, service: str) -> Any:
    return (live.find("VirtualService", service) or {}).get("spec")
