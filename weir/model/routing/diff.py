"""The difference between two states of a service's traffic, as data. `weir.model.routing.words` says it in words."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from fractions import Fraction
from typing import Any

from weir.model.config.base import Part, as_written
from weir.model.config.drills import SUFFIX
from weir.model.config.versions import Elsewhere
from weir.model.routing.hosts import EntryTraffic, HostTraffic
from weir.model.routing.resolve import DEFAULT_ROUTE, RouteTraffic, ServiceTraffic
from weir.model.values.durations import Duration
from weir.model.values.numbers import plain

# Key of the config → field of a route, for what is one value of it.
_VALUES = {
    "fault": "fault",
    "timeout": "timeout",
    "retries": "retries",
    "mirrors": "mirrors",
    "headers": "headers",
    "corsPolicy": "cors_policy",
    "rewrite": "rewrite",
    "redirect": "redirect",
    "directResponse": "direct_response",
    "port": "port",
    "gatewayPort": "gateway_port",
}


@dataclass(frozen=True, slots=True)
class TrafficChange:
    """One difference in the traffic or the pods of a service, or in the entries of a host at gateways.

    `kind`: what differs, mostly a key of the config.
    `service`: the name of the service, or the host.
    `route`, `version`: which one of them, or which entry; None where it is about none.
    `before`, `after`: values of the model, splits in percent; None where there is none, or none that may be shown.
    `about`: the versions that somebody asked for, which words name first.
    """

    kind: str
    service: str
    route: str | None = None
    version: str | None = None
    before: Any = None
    after: Any = None
    about: tuple[str, ...] = ()

    def data(self) -> dict[str, Any]:
        """For programs, with plain values as JSON has them. The service is left out: what this stands in names it."""
        # Of a drill's route its fault is the drill; the rest is that of the route it stands before.
        before, after = (
            value.fault if self.kind == "drill" and value else value for value in (self.before, self.after)
        )
        return {
            "kind": self.kind,
            "route": self.route,
            "version": self.version,
            "before": _data(before),
            "after": _data(after),
        }


def changes(
    service: str, before: ServiceTraffic, after: ServiceTraffic, about: Collection[str] = ()
) -> list[TrafficChange]:
    """Every difference, the split of the default route first; empty when both are the same traffic.

    `about`: the versions that somebody asked for.
    """
    return [
        *_routes(service, before, after, tuple(about)),
        *_versions(service, before, after),
        *_policies(service, before, after),
        *_places("gateways", service, before.gateways, after.gateways),
        *_places("hosts", service, before.hosts, after.hosts),
        *_places("exportTo", service, before.export_to or ("*",), after.export_to or ("*",)),
    ]


def percents(weights: Mapping[str, int]) -> dict[str, Fraction]:
    """Percent of each version by its weights."""
    total = sum(weights.values())
    return {version: Fraction(100 * weight, total) if total else Fraction(0) for version, weight in weights.items()}


def plain_percent(share: Fraction | int) -> int | float:
    """A percentage as a plain number: 20, 0.5."""
    return plain(Decimal(round(float(share), 4)).quantize(Decimal("0.0001")).normalize())


def moved(split: TrafficChange) -> list[str]:
    """The versions whose share changes: those that somebody asked for first, then those that gain."""
    old, new = split.before, split.after
    found = [version for version in dict.fromkeys((*new, *old)) if old.get(version, 0) != new.get(version, 0)]
    return sorted(found, key=lambda version: (version not in split.about, new.get(version, 0) < old.get(version, 0)))


def _routes(
    service: str, before: ServiceTraffic, after: ServiceTraffic, about: tuple[str, ...]
) -> Iterator[TrafficChange]:
    old = {route.name: route for route in before.routes}
    new = {route.name: route for route in after.routes}
    # The default route is tried last and read first.
    for name in sorted(new, key=lambda name: name != DEFAULT_ROUTE):
        if name in old:
            yield from (replace(change, route=name) for change in _route(service, old[name], new[name], about))
        else:
            yield _whole(service, name, after=new[name])
    for name in old:
        if name not in new:
            yield _whole(service, name, before=old[name])
    kept = [name for name in old if name in new]
    if kept != [name for name in new if name in old]:
        yield TrafficChange("order", service, before=tuple(old), after=tuple(new))


def _whole(
    service: str, name: str, *, before: RouteTraffic | None = None, after: RouteTraffic | None = None
) -> TrafficChange:
    """A route that comes or goes; a drill's is about the route that it stands before."""
    kind = "drill" if name.endswith(SUFFIX) else "route"
    return TrafficChange(kind, service, name.removesuffix(SUFFIX), before=before, after=after)


def _route(service: str, before: RouteTraffic, after: RouteTraffic, about: tuple[str, ...]) -> Iterator[TrafficChange]:
    yield from _split(service, percents(before.weights), percents(after.weights), about)
    if before.match != after.match:
        yield TrafficChange("match", service, before=before.match, after=after.match)
    for kind, name in _VALUES.items():
        yield from _value(kind, service, getattr(before, name), getattr(after, name))
    for version in dict.fromkeys((*before.version_headers, *after.version_headers)):
        old, new = before.version_headers.get(version), after.version_headers.get(version)
        yield from _value("headers", service, old, new, version)


def _split(
    service: str, old: Mapping[str, Fraction], new: Mapping[str, Fraction], about: tuple[str, ...]
) -> Iterator[TrafficChange]:
    if not old and not new:
        return
    split = TrafficChange("split", service, before=old, after=new, about=about)
    if not old or not new:
        yield split
        return
    if versions := moved(split):
        yield replace(split, version=versions[0])
    for version in old:
        if version not in new and not old[version]:
            yield TrafficChange("prepared", service, version=version, before=0)
    for version in new:
        if version not in old and not new[version]:
            yield TrafficChange("prepared", service, version=version, after=0)


def _value(kind: str, service: str, before: Any, after: Any, version: str | None = None) -> Iterator[TrafficChange]:
    """A change of one value, if it says something else in the config's words."""
    if _data(before) != _data(after):
        yield TrafficChange(kind, service, version=version, before=before, after=after)


def _versions(service: str, before: ServiceTraffic, after: ServiceTraffic) -> Iterator[TrafficChange]:
    for version in after.versions:
        if version not in before.versions:
            yield TrafficChange("version", service, version=version, before=False, after=True)
            if (place := after.elsewhere.get(version)) is not None:
                yield TrafficChange("host", service, version=version, after=place)
    for version in before.versions:
        if version not in after.versions:
            yield TrafficChange("version", service, version=version, before=True, after=False)


def _policies(service: str, before: ServiceTraffic, after: ServiceTraffic) -> Iterator[TrafficChange]:
    yield from _value("trafficPolicy", service, before.policy, after.policy)
    for version in after.versions:
        if version in before.versions:
            yield from _value("trafficPolicy", service, before.versions[version], after.versions[version], version)
            old, new = before.elsewhere.get(version), after.elsewhere.get(version)
            if old != new:
                yield TrafficChange("host", service, version=version, before=old, after=new)
            elif (was := before.labels.get(version, {})) != (becomes := after.labels.get(version, {})):
                yield TrafficChange("labels", service, version=version, before=was, after=becomes)


def _places(kind: str, service: str, before: tuple[str, ...], after: tuple[str, ...]) -> Iterator[TrafficChange]:
    if before != after:
        yield TrafficChange(kind, service, before=before, after=after)


def _data(value: Any) -> Any:
    """A value of the model as JSON has it."""
    if isinstance(value, Part):
        return as_written(value)
    if isinstance(value, Duration):
        return value.text
    if isinstance(value, Elsewhere):
        return {"host": value.host, "port": value.port, "external": value.external}
    if isinstance(value, Fraction):
        return plain_percent(value)
    if isinstance(value, EntryTraffic | HostTraffic):
        return value.data()
    if isinstance(value, RouteTraffic):
        return {"match": _data(value.match), "percent": _data(percents(value.weights)), "fault": _data(value.fault)}
    if isinstance(value, Mapping):
        return {name: _data(inner) for name, inner in value.items()}
    return [_data(item) for item in value] if isinstance(value, tuple) else value
