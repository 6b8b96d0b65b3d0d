"""The difference between two states of a service's traffic, in words a reviewer reads in one line each."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterator, Mapping
from decimal import Decimal
from fractions import Fraction
from typing import Any

from weir.model.actions import Fault, Mirror, Retries
from weir.model.drills import SUFFIX
from weir.model.durations import Duration
from weir.model.numbers import plain
from weir.model.part import Part, as_written
from weir.model.traffic import DEFAULT_ROUTE, RouteTraffic, ServiceTraffic

_PARTS = ("headers", "cors_policy", "rewrite", "redirect", "direct_response")
_MAX_SHOWN = 120
_SIMPLE_LENGTH = re.compile(r"^([0-9.]+)([a-zµμ]+)$")


def changes(before: ServiceTraffic, after: ServiceTraffic, about: Collection[str] = ()) -> list[str]:
    """Every difference, the split of the default route first, the versions that somebody asked `about` first in that. Empty when both are the same traffic."""
    return [
        *_routes(before, after, about),
        *_versions(before, after),
        *_policies(before, after),
        *_places("exposed at gateways", before.gateways, after.gateways),
        *_places("exposed as", before.hosts, after.hosts),
        *_places("seen from", before.export_to or ("*",), after.export_to or ("*",)),
    ]


def _routes(before: ServiceTraffic, after: ServiceTraffic, about: Collection[str]) -> Iterator[str]:
    old = {route.name: route for route in before.routes}
    new = {route.name: route for route in after.routes}
    # The default route is tried last and read first.
    for name in sorted(new, key=lambda name: name != DEFAULT_ROUTE):
        where = "" if name == DEFAULT_ROUTE else f"route {name}: "
        if name in old:
            yield from (where + line for line in _route(old[name], new[name], about))
        elif name.endswith(SUFFIX):
            yield f"new drill{_drilled(name)}: {_drill(new[name])}"
        else:
            yield f"new route {name}: {_summary(new[name])}"
    for name in old:
        if name not in new:
            yield f"drill{_drilled(name)} ended: {_drill(old[name])}" if name.endswith(SUFFIX) else f"route {name} removed"
    kept = [name for name in old if name in new]
    if kept != [name for name in new if name in old]:
        yield f"routes are tried in another order: {', '.join(name for name in new)}"


def _drilled(name: str) -> str:
    """Which route a drill of some requests stands before; nothing of the default route."""
    return "" if name == DEFAULT_ROUTE + SUFFIX else f" of route {name.removesuffix(SUFFIX)}"


def _drill(route: RouteTraffic) -> str:
    assert route.fault is not None
    headers = route.match[0].headers.items() if all(match.model_fields_set == {"headers"} for match in route.match[:1]) else ()
    told = " and ".join(f"{name}: {condition.exact}" if condition.exact else name for name, condition in headers)
    return f"requests with {told or _matches(route)}: {fault(route.fault)}"


def _route(before: RouteTraffic, after: RouteTraffic, about: Collection[str]) -> Iterator[str]:
    yield from _split(before.weights, after.weights, about)
    if before.match != after.match:
        yield f"takes {_matches(before)} → {_matches(after)}"
    yield from _fault(before.fault, after.fault)
    yield from _single("timeout", _duration(before.timeout), _duration(after.timeout))
    yield from _single("retries", _retries(before.retries), _retries(after.retries))
    yield from _single("copies", _mirrors(before.mirrors), _mirrors(after.mirrors))
    for name in _PARTS:
        old, new = getattr(before, name), getattr(after, name)
        yield from _single(name.replace("_", " "), _part(old), _part(new))
    for version in dict.fromkeys((*before.version_headers, *after.version_headers)):
        old, new = before.version_headers.get(version), after.version_headers.get(version)
        yield from _single(f"headers of {version}", _part(old), _part(new))


def _split(before: Mapping[str, int], after: Mapping[str, int], about: Collection[str]) -> Iterator[str]:
    old, new = percents(before), percents(after)
    if not old and not new:
        return
    if not old or not new:
        yield f"split {_shares(new)}, answered by the proxy before" if new else "answered by the proxy, by no version"
        return
    moved = [version for version in dict.fromkeys((*new, *old)) if old.get(version, 0) != new.get(version, 0)]
    # What gains is what the change is about; where its requests come from stands in brackets.
    moved.sort(key=lambda version: (version not in about, new.get(version, Fraction(0)) < old.get(version, Fraction(0))))
    told = [f"{version} {percent(old.get(version, Fraction(0)))} → {percent(new.get(version, Fraction(0)))}" for version in moved]
    if told:
        yield told[0] + (f" ({', '.join(told[1:])})" if told[1:] else "")
    for version in old:
        if version not in new and not old[version]:
            yield f"{version} is no longer prepared"
    for version in new:
        if version not in old and not new[version]:
            yield f"{version} is prepared, at 0 %"


def percents(weights: Mapping[str, int]) -> dict[str, Fraction]:
    """Percent of each version by its weights."""
    total = sum(weights.values())
    return {version: Fraction(100 * weight, total) if total else Fraction(0) for version, weight in weights.items()}


def percent(share: Fraction | int) -> str:
    """A percentage as people write it: 20 %, 0.5 %."""
    return f"{plain(Decimal(round(float(share), 4)).quantize(Decimal('0.0001')).normalize())} %"


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


def _fault(before: Fault | None, after: Fault | None) -> Iterator[str]:
    if before == after:
        return
    if after is None:
        assert before is not None
        yield f"fault removed: {fault(before)}"
    elif before is None:
        yield f"new fault: {fault(after)}"
    else:
        yield f"fault: {fault(before)} → {fault(after)}"


def _single(name: str, before: str, after: str) -> Iterator[str]:
    if before == after:
        return
    if not before:
        yield f"new {name}: {after}"
    elif not after:
        yield f"{name} removed: {before}"
    else:
        yield f"{name}: {before} → {after}"


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


def _versions(before: ServiceTraffic, after: ServiceTraffic) -> Iterator[str]:
    yield from (f"new version {version}" for version in after.versions if version not in before.versions)
    yield from (f"version {version} retired" for version in before.versions if version not in after.versions)


def _policies(before: ServiceTraffic, after: ServiceTraffic) -> Iterator[str]:
    yield from _single("traffic policy", _part(before.policy), _part(after.policy))
    for version in after.versions:
        if version in before.versions:
            yield from _single(f"traffic policy of {version}", _part(before.versions[version]), _part(after.versions[version]))


def _places(what: str, before: tuple[str, ...], after: tuple[str, ...]) -> Iterator[str]:
    if before != after:
        yield f"{what}: {', '.join(before) or 'none'} → {', '.join(after) or 'none'}"


def _part(part: Part | None) -> str:
    return "" if part is None else _shown(as_written(part))


def _shown(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False, separators=(", ", ": "))
    return text if len(text) <= _MAX_SHOWN else f"{text[: _MAX_SHOWN - 1]}…"
