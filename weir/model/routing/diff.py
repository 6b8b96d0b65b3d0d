"""The difference between two states of a service's traffic, in words a reviewer reads in one line each."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Collection, Iterator, Mapping
from decimal import Decimal
from fractions import Fraction
from typing import Any

from weir.model.config.actions import Fault, Mirror, Retries
from weir.model.config.base import Part, as_written
from weir.model.config.drills import SUFFIX
from weir.model.routing.change import Change
from weir.model.routing.resolve import DEFAULT_ROUTE, RouteTraffic, ServiceTraffic
from weir.model.values.durations import Duration
from weir.model.values.numbers import plain

_PARTS = {
    "headers": "headers",
    "corsPolicy": "cors_policy",
    "rewrite": "rewrite",
    "redirect": "redirect",
    "directResponse": "direct_response",
}
_MAX_SHOWN = 120
_SIMPLE_LENGTH = re.compile(r"^([0-9.]+)([a-zµμ]+)$")


def changes(before: ServiceTraffic, after: ServiceTraffic, about: Collection[str] = ()) -> list[Change]:
    """Every difference, the split of the default route first, the versions that somebody asked `about` first in that. Empty when both are the same traffic."""
    return [
        *_routes(before, after, about),
        *_versions(before, after),
        *_policies(before, after),
        *_places("gateways", "exposed at gateways", before.gateways, after.gateways),
        *_places("hosts", "exposed as", before.hosts, after.hosts),
        *_places("exportTo", "seen from", before.export_to or ("*",), after.export_to or ("*",)),
    ]


def _routes(before: ServiceTraffic, after: ServiceTraffic, about: Collection[str]) -> Iterator[Change]:
    old = {route.name: route for route in before.routes}
    new = {route.name: route for route in after.routes}
    # The default route is tried last and read first.
    for name in sorted(new, key=lambda name: name != DEFAULT_ROUTE):
        where = "" if name == DEFAULT_ROUTE else f"route {name}: "
        if name in old:
            yield from (line.on(name, where) for line in _route(old[name], new[name], about))
        elif name.endswith(SUFFIX):
            drill, route = f"new drill{_drilled(name)}: {_drill(new[name])}", name.removesuffix(SUFFIX)
            yield Change(drill, "drill", route=route, after=_data(new[name].fault))
        else:
            yield Change(f"new route {name}: {_summary(new[name])}", "route", route=name, after=_taking(new[name]))
    for name in old:
        if name not in new and name.endswith(SUFFIX):
            drill, route = f"drill{_drilled(name)} ended: {_drill(old[name])}", name.removesuffix(SUFFIX)
            yield Change(drill, "drill", route=route, before=_data(old[name].fault))
        elif name not in new:
            yield Change(f"route {name} removed", "route", route=name, before=_taking(old[name]))
    kept = [name for name in old if name in new]
    if kept != [name for name in new if name in old]:
        yield Change(f"routes are tried in another order: {', '.join(new)}", "order", before=list(old), after=list(new))


def _drilled(name: str) -> str:
    """Which route a drill of some requests stands before; nothing of the default route."""
    return "" if name == DEFAULT_ROUTE + SUFFIX else f" of route {name.removesuffix(SUFFIX)}"


def _drill(route: RouteTraffic) -> str:
    assert route.fault is not None
    headers = route.match[0].headers.items() if all(match.model_fields_set == {"headers"} for match in route.match[:1]) else ()
    told = " and ".join(f"{name}: {condition.exact}" if condition.exact else name for name, condition in headers)
    return f"requests with {told or _matches(route)}: {fault(route.fault)}"


def _route(before: RouteTraffic, after: RouteTraffic, about: Collection[str]) -> Iterator[Change]:
    yield from _split(before.weights, after.weights, about)
    if before.match != after.match:
        told = f"takes {_matches(before)} → {_matches(after)}"
        yield Change(told, "match", before=_data(before.match), after=_data(after.match))
    yield from _fault(before.fault, after.fault)
    yield from _single("timeout", "timeout", before.timeout, after.timeout, _duration)
    yield from _single("retries", "retries", before.retries, after.retries, _retries)
    yield from _single("mirrors", "copies", before.mirrors, after.mirrors, _mirrors)
    for kind, name in _PARTS.items():
        yield from _single(kind, name.replace("_", " "), getattr(before, name), getattr(after, name), _part)
    for version in dict.fromkeys((*before.version_headers, *after.version_headers)):
        old, new = before.version_headers.get(version), after.version_headers.get(version)
        yield from _single("headers", f"headers of {version}", old, new, _part, version)


def _split(before: Mapping[str, int], after: Mapping[str, int], about: Collection[str]) -> Iterator[Change]:
    old, new = percents(before), percents(after)
    if not old and not new:
        return
    if not old or not new:
        whole = f"split {_shares(new)}, answered by the proxy before" if new else "answered by the proxy, by no version"
        yield Change(whole, "split", before=shares(before), after=shares(after))
        return
    moved = [version for version in dict.fromkeys((*new, *old)) if old.get(version, 0) != new.get(version, 0)]
    # What gains is what the change is about; where its requests come from stands in brackets.
    moved.sort(key=lambda version: (version not in about, new.get(version, Fraction(0)) < old.get(version, Fraction(0))))
    told = [f"{version} {percent(old.get(version, Fraction(0)))} → {percent(new.get(version, Fraction(0)))}" for version in moved]
    if told:
        line = told[0] + (f" ({', '.join(told[1:])})" if told[1:] else "")
        yield Change(line, "split", version=moved[0], before=shares(before), after=shares(after))
    for version in old:
        if version not in new and not old[version]:
            yield Change(f"{version} is no longer prepared", "prepared", version=version, before=0)
    for version in new:
        if version not in old and not new[version]:
            yield Change(f"{version} is prepared, at 0 %", "prepared", version=version, after=0)


def percents(weights: Mapping[str, int]) -> dict[str, Fraction]:
    """Percent of each version by its weights."""
    total = sum(weights.values())
    return {version: Fraction(100 * weight, total) if total else Fraction(0) for version, weight in weights.items()}


def percent(share: Fraction | int) -> str:
    """A percentage as people write it: 20 %, 0.5 %."""
    return f"{_number(share)} %"


def _number(share: Fraction | int) -> int | float:
    return plain(Decimal(round(float(share), 4)).quantize(Decimal("0.0001")).normalize())


def shares(weights: Mapping[str, int]) -> dict[str, int | float]:
    """Percent of each version for programs; empty where no version answers."""
    return {version: _number(share) for version, share in percents(weights).items()}


def _shares(shares: Mapping[str, Fraction]) -> str:
    return ", ".join(f"{version} {percent(share)}" for version, share in shares.items())


def fault(settings: Fault) -> str:
    """A fault in words: 50 % of requests delayed 3 s, 10 % of requests aborted with 503, until 2026-11-25T14:00:00Z."""
    told = []
    if settings.delay:
        told.append(f"{plain(settings.delay.percentage)} % of requests delayed {length(settings.delay.fixed_delay)}")
    if settings.abort:
        status = settings.abort.http_status or f"gRPC {settings.abort.grpc_status}"
        told.append(f"{plain(settings.abort.percentage)} % of requests aborted with {status}")
    return ", ".join(told) + (f", until {settings.until}" if settings.until else "")


def length(duration: Duration) -> str:
    """A duration in words: 3 s, 500 ms; 1m30s as it is."""
    return _SIMPLE_LENGTH.sub(r"\1 \2", duration.text)


def _fault(before: Fault | None, after: Fault | None) -> Iterator[Change]:
    yield from _single("fault", "fault", before, after, lambda given: "" if given is None else fault(given))


def _single(kind: str, name: str, before: Any, after: Any, words: Callable[[Any], str], version: str | None = None) -> Iterator[Change]:
    """A change of one value. What differs is told also where its words, which are cut when they are long, are the same."""
    old, new = _data(before), _data(after)
    if old == new:
        return
    if not old:
        line = f"new {name}: {words(after)}"
    elif not new:
        line = f"{name} removed: {words(before)}"
    else:
        line = f"{name}: {words(before)} → {words(after)}"
    yield Change(line, kind, version=version, before=old, after=new)


def _data(value: Any) -> Any:
    """A part of the config as JSON has it."""
    if isinstance(value, Part):
        return as_written(value)
    if isinstance(value, Duration):
        return value.text
    return [_data(item) for item in value] if isinstance(value, tuple) else value


def _taking(route: RouteTraffic) -> dict[str, Any]:
    return {"match": _data(route.match), "percent": shares(route.weights), "fault": _data(route.fault)}


def _duration(given: Duration | None) -> str:
    return "" if given is None else length(given)


def _retries(settings: Retries | None) -> str:
    if settings is None:
        return ""
    if settings.attempts == 0:
        return "none"
    told = [f"{settings.attempts} attempts"]
    if settings.per_try_timeout:
        told.append(f"{length(settings.per_try_timeout)} each")
    if settings.retry_on:
        told.append(f"on {', '.join(settings.retry_on)}")
    more = {name: value for name, value in as_written(settings).items() if name not in ("attempts", "perTryTimeout", "retryOn")}
    return ", ".join([*told, *(f"{name} {value}" for name, value in more.items())])


def _mirrors(mirrors: tuple[Mirror, ...]) -> str:
    return ", ".join(f"{100 if mirror.percentage is None else plain(mirror.percentage)} % to {mirror.version}" for mirror in mirrors)


def _matches(route: RouteTraffic) -> str:
    return _shown([as_written(match) for match in route.match]) if route.match else "every request"


def _summary(route: RouteTraffic) -> str:
    target = _shares(percents(route.weights)) if route.weights else "answered by the proxy"
    more = [*_fault(None, route.fault)]
    return "; ".join([f"{_matches(route)} to {target}" if route.weights else f"{_matches(route)} {target}", *more])


def _versions(before: ServiceTraffic, after: ServiceTraffic) -> Iterator[Change]:
    for version in after.versions:
        if version not in before.versions:
            yield Change(f"new version {version}", "version", version=version, before=False, after=True)
    for version in before.versions:
        if version not in after.versions:
            yield Change(f"version {version} retired", "version", version=version, before=True, after=False)


def _policies(before: ServiceTraffic, after: ServiceTraffic) -> Iterator[Change]:
    yield from _single("trafficPolicy", "traffic policy", before.policy, after.policy, _part)
    for version in after.versions:
        if version in before.versions:
            old, new = before.versions[version], after.versions[version]
            yield from _single("trafficPolicy", f"traffic policy of {version}", old, new, _part, version)


def _places(kind: str, what: str, before: tuple[str, ...], after: tuple[str, ...]) -> Iterator[Change]:
    if before != after:
        line = f"{what}: {', '.join(before) or 'none'} → {', '.join(after) or 'none'}"
        yield Change(line, kind, before=list(before), after=list(after))


def _part(part: Part | None) -> str:
    return "" if part is None else _shown(as_written(part))


def _shown(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False, separators=(", ", ": "))
    return text if len(text) <= _MAX_SHOWN else f"{text[: _MAX_SHOWN - 1]}…"
