"""Traffic changes in words, which a reviewer reads in one line each, and as JSON with these words."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping
from fractions import Fraction
from typing import Any

from weir.model.config.actions import Fault, Mirror, Retries
from weir.model.config.base import Part, as_written
from weir.model.config.matches import Match
from weir.model.config.versions import Elsewhere
from weir.model.routing.diff import TrafficChange, moved, percents, plain_percent
from weir.model.routing.hosts import EntryTraffic, HostTraffic
from weir.model.routing.resolve import DEFAULT_ROUTE, RouteTraffic
from weir.model.values.durations import Duration
from weir.model.values.hosts import label_selector
from weir.model.values.numbers import plain

_MAX_SHOWN = 120
_SIMPLE_LENGTH = re.compile(r"^([0-9.]+)([a-zµμ]+)$")
_PLACES = {"gateways": "exposed at gateways", "hosts": "exposed as", "exportTo": "seen from", "ports": "ports"}
# What is said of some kinds that is not the kind itself.
_NAMES = {
    "mirrors": "copies",
    "corsPolicy": "cors policy",
    "directResponse": "direct response",
    "trafficPolicy": "traffic policy",
    "args": "arguments",
    "env": "environment",
    "securityContext": "security context",
}


def as_json(change: TrafficChange) -> dict[str, Any]:
    """For programs, as {kind, route, version, before, after, text}; keys are only ever added."""
    return {**change.data(), "text": describe(change)}


def describe(change: TrafficChange) -> str:
    """The change in one line, without the name of its service."""
    if change.kind in _OF_ENTRIES:
        return f"entry {change.route}: {_OF_ENTRIES[change.kind](change)}"
    whole = change.route in (None, DEFAULT_ROUTE) or change.kind in ("route", "drill", "entry")
    return ("" if whole else f"route {change.route}: ") + _told(change)


def _told(change: TrafficChange) -> str:
    kind, version, before, after = change.kind, change.version, change.before, change.after
    name = _NAMES.get(kind, kind)
    match kind:
        case "service":
            return (
                f"new service: {_answering(after)}"
                if before is None
                else f"service removed; it had {_answering(before)}"
            )
        case "takenOver":
            if before:
                return f"taken over as it runs, but for {'; '.join(before)}"
            return f"taken over as it runs{': traffic does not change' if after else ''}"
        case "route":
            return f"route {change.route} removed" if after is None else f"new route {change.route}: {_summary(after)}"
        case "sharedHost":
            told = "host removed; it was" if after is None else "new host"
            return f"{told} {host_in_words(before if after is None else after)}"
        case "entry":
            return f"entry {change.route} removed" if after is None else f"new entry {_entry(after)}"
        case "entryOrder":
            return f"entries are tried in another order: {', '.join(after)}"
        case "drill":
            which = "" if change.route == DEFAULT_ROUTE else f" of route {change.route}"
            return f"drill{which} ended: {_drill(before)}" if after is None else f"new drill{which}: {_drill(after)}"
        case "split":
            return _split(change)
        case "prepared":
            return f"{version} is no longer prepared" if after is None else f"{version} is prepared, at 0 %"
        case "match":
            return f"takes {_matches(before)} → {_matches(after)}"
        case "order":
            return f"routes are tried in another order: {', '.join(after)}"
        case "version":
            return f"new version {version}" if after else f"version {version} retired"
        case "gateways" | "hosts" | "exportTo" | "ports":
            return f"{_PLACES[kind]}: {', '.join(before) or 'none'} → {', '.join(after) or 'none'}"
        case "autoscaling":
            return f"{version} pods {_autoscaling(before, after)}"
        case "port" | "gatewayPort":
            whose = "requests" if kind == "port" else "requests from gateways"
            return f"{whose} go to port {after}" if after else f"{whose} go to the port that they asked for"
        case "host":
            return f"{version} is {_place(after)}" + ("" if before is None else f", {_place(before)} before")
        case "replicas":
            return f"{version} pods {before} → {after}"
        case "workload":
            whose = f"those of {after}" if after else f"no longer those of {before}"
            return f"pods of {version} are {whose}"
        case "labels":
            return f"pods of {version} are those with {label_selector(before)} → {label_selector(after)}"
        case "image":
            return f"{version} image {_images(str(before), str(after))}"
        case "kubernetes":
            return f"{version} other settings of its pods changed"
        case "command" | "args" | "env" | "resources" | "securityContext" | "probes":
            return f"{version} {name} changed"
    return _value(change, name if version is None else f"{name} of {version}")


def _value(change: TrafficChange, name: str) -> str:
    """A change of one value."""
    words = _WORDS.get(change.kind, _part)
    before, after = ("" if value is None else words(value) for value in (change.before, change.after))
    data = change.data()
    if not data["before"]:
        return f"new {name}: {after}"
    return f"{name}: {before} → {after}" if data["after"] else f"{name} removed: {before}"


def _split(change: TrafficChange) -> str:
    old, new = change.before, change.after
    if not new:
        return "answered by the proxy, by no version"
    if not old:
        return f"split {_shares(new)}, answered by the proxy before"
    # What gains is what the change is about; where its requests come from stands in brackets.
    first, *others = [
        f"{version} {percent(old.get(version, 0))} → {percent(new.get(version, 0))}" for version in moved(change)
    ]
    return first + (f" ({', '.join(others)})" if others else "")


def percent(share: Fraction | int) -> str:
    """A percentage as people write it: 20 %, 0.5 %."""
    return f"{plain_percent(share)} %"


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


def _shares(shares: Mapping[str, Fraction]) -> str:
    return ", ".join(f"{version} {percent(share)}" for version, share in shares.items())


def _answering(shares: Mapping[str, Fraction]) -> str:
    return _shares(shares) or "answered by the proxy"


def _place(place: Elsewhere | None) -> str:
    """Where a version is."""
    return "pods" if place is None else f"{'the external host ' if place.external else ''}{place}"


def _summary(route: RouteTraffic) -> str:
    matches, target = _matches(route.match), percents(route.weights)
    told = f"{matches} to {_shares(target)}" if target else f"{matches} answered by the proxy"
    return told if route.fault is None else f"{told}; new fault: {fault(route.fault)}"


def host_in_words(host: HostTraffic) -> str:
    """A host's gateways and entries in one line: at istio-ingress/public: cart, every request to cart:80."""
    return f"at {', '.join(host.gateways)}: {'; '.join(map(_entry, host.entries))}"


def _entry(found: EntryTraffic) -> str:
    to = f"to {found.service}" if found.service else "answered by the proxy"
    return f"{found.name}, {_matches(found.match)} {to}"


def _drill(route: RouteTraffic) -> str:
    assert route.fault is not None
    headers = (
        route.match[0].headers.items()
        if all(match.model_fields_set == {"headers"} for match in route.match[:1])
        else ()
    )
    told = " and ".join(f"{name}: {condition.exact}" if condition.exact else name for name, condition in headers)
    return f"requests with {told or _matches(route.match)}: {fault(route.fault)}"


def _matches(matches: Iterable[Match]) -> str:
    return _shown([as_written(match) for match in matches]) if matches else "every request"


def _retries(settings: Retries) -> str:
    if settings.attempts == 0:
        return "none"
    told = [f"{settings.attempts} attempts"]
    if settings.per_try_timeout:
        told.append(f"{length(settings.per_try_timeout)} each")
    if settings.retry_on:
        told.append(f"on {', '.join(settings.retry_on)}")
    more = {
        name: value
        for name, value in as_written(settings).items()
        if name not in ("attempts", "perTryTimeout", "retryOn")
    }
    return ", ".join([*told, *(f"{name} {value}" for name, value in more.items())])


def _mirrors(mirrors: tuple[Mirror, ...]) -> str:
    return ", ".join(
        f"{100 if mirror.percentage is None else plain(mirror.percentage)} % to {mirror.version}" for mirror in mirrors
    )


def _autoscaling(before: Mapping[str, Any] | None, after: Mapping[str, Any] | None) -> str:
    old, new = (f"{each['minReplicas']} to {each['maxReplicas']}" if each else "" for each in (before, after))
    if not new:
        return f"no longer autoscaled ({old} before)"
    if old == new:
        return f"autoscaled by other settings ({new} as before)"
    return f"autoscaled: {old} → {new}" if old else f"autoscaled, {new}"


def _images(before: str, after: str) -> str:
    """Both images; the tags alone where only these differ."""
    old, _, old_tag = before.rpartition(":")
    new, _, new_tag = after.rpartition(":")
    return f"{old_tag} → {new_tag}" if old and old == new else f"{before} → {after}"


def _part(part: Part) -> str:
    return _shown(as_written(part))


def _shown(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False, separators=(", ", ": "))
    return text if len(text) <= _MAX_SHOWN else f"{text[: _MAX_SHOWN - 1]}…"


_OF_ENTRIES: Mapping[str, Callable[[TrafficChange], str]] = {
    "entryService": lambda change: f"to {change.before or 'the proxy itself'} → {change.after or 'the proxy itself'}",
    "entryMatch": lambda change: f"takes {_matches(change.before)} → {_matches(change.after)}",
    "entryRewrite": lambda change: _value(change, "rewrite"),
    "entryRoutes": lambda change: f"follows {change.after.partition(':')[0] or 'its service'}",
}
"""What is said of an entry that stays, by the kind of change."""

_WORDS: Mapping[str, Callable[[Any], str]] = {
    "fault": fault,
    "timeout": length,
    "retries": _retries,
    "mirrors": _mirrors,
}
"""How a value of a kind is said; every other is a part of the config, which is shown as it is written."""
