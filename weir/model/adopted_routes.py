"""Routes of a VirtualService that somebody else has written, as keys of the config.

What the config has no key for is said, in words; what its checks refuse is found by loading the whole.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

from weir.model.values.numbers import MAX_PERCENT_DECIMALS

Keys = dict[str, Any]
VersionOf = Callable[[Mapping[str, Any]], str]
"""The version that a destination means. Raises UnsaidError."""

_AS_THEY_ARE = ("headers", "corsPolicy", "rewrite", "redirect", "directResponse", "fault", "retries", "timeout")
_KNOWN = {*_AS_THEY_ARE, "name", "match", "route", "mirror", "mirrorPercentage", "mirrorPercent", "mirrors"}
_ANSWERS = ("redirect", "directResponse")
_NOT_FOUND = {"directResponse": {"status": 404}}
"""What Envoy answers where no route takes a request."""
_ISTIOS_RETRIES = {"attempts": 2}
"""What istiod gives a route that says nothing of retries (pilot/pkg/networking/core/route/retry)."""


class UnsaidError(Exception):
    """A destination that no version can be; the text says which one it is, and why."""


@dataclass
class AdoptedRoutes:
    """`default`: keys of the service; `others`: routes before it.

    `headers`: by version, what each destination that is it says of headers.
    `lost`: what cannot be said, a line each.
    """

    default: Keys | None = None
    others: list[Keys] = field(default_factory=list)
    headers: dict[str, list[Any]] = field(default_factory=dict)
    lost: list[str] = field(default_factory=list)


def adopted_routes(http: Sequence[Mapping[str, Any]], version_of: VersionOf) -> AdoptedRoutes:
    """The routes in their order, the last one the default where it takes every request."""
    found = AdoptedRoutes()
    for index, spec in enumerate(http):
        name = _name(str(spec.get("name") or f"route-{index + 1}"), [each["name"] for each in found.others])
        keys = _route(spec, name, version_of, found)
        if keys is None:
            continue
        match = [dict(each) for each in spec.get("match", [])]
        if index == len(http) - 1 and (not match or {"uri": {"prefix": "/"}} in match):
            found.default = keys
            break
        found.others.append({"name": name, **({"match": match} if match else {}), **keys})
    if found.default is None:
        found.default = dict(_NOT_FOUND)
    _as_if_alone(found)
    return found


def destinations(http: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """All that the routes name, for requests and for copies."""
    entries = [each for route in http for each in (*route.get("route", []), *route.get("mirrors", []))]
    return [each["destination"] for each in entries] + [route["mirror"] for route in http if "mirror" in route]


def shares(parts: Mapping[str, Fraction]) -> Keys:
    """Keys that divide requests in these proportions: the largest is stable."""
    total = sum(parts.values()) or Fraction(1)
    stable = max(parts, key=lambda version: parts[version])
    canary = {
        version: _plain(round(100 * part / total, MAX_PERCENT_DECIMALS))
        for version, part in parts.items()
        if version != stable
    }
    return {"stable": stable, **({"canary": canary} if canary else {})}


def _plain(percent: Fraction) -> int | float:
    return int(percent) if percent.denominator == 1 else float(percent)


def _route(spec: Mapping[str, Any], name: str, version_of: VersionOf, found: AdoptedRoutes) -> Keys | None:
    """What one route does; None where it cannot be said at all."""
    lost = found.lost
    lost += [f"{key} of {name}" for key in sorted(spec.keys() - _KNOWN)]
    keys: Keys = {}
    if not any(answer in spec for answer in _ANSWERS):
        parts: dict[str, Fraction] = {}
        destinations = spec.get("route", [])
        for each in destinations:
            try:
                version = version_of(each["destination"])
            except UnsaidError as what:
                lost.append(f"{name}, which sends requests to {what}")
                return None
            found.headers.setdefault(version, []).append(each.get("headers"))
            weight = 1 if len(destinations) == 1 else each.get("weight", 0)
            parts[version] = parts.get(version, Fraction(0)) + Fraction(weight)
        if not parts:
            lost.append(f"{name}, which has no destination")
            return None
        keys |= shares(parts)
    for key in _AS_THEY_ARE:
        if key in spec:
            keys[key] = _percentages(spec[key])
    if keys.get("timeout") in ("0s", "0"):
        keys["timeout"] = "none"
    if isinstance(conditions := keys.get("retries", {}).get("retryOn"), str):
        keys["retries"] = {**keys["retries"], "retryOn": [each.strip() for each in conditions.split(",")]}
    if mirrors := _mirrors(spec, name, version_of, lost):
        keys["mirrors"] = mirrors
    return keys


def _mirrors(spec: Mapping[str, Any], name: str, version_of: VersionOf, lost: list[str]) -> list[Keys]:
    written = [dict(each) for each in spec.get("mirrors", [])]
    if "mirror" in spec:
        share = spec.get("mirrorPercentage") or ({"value": spec["mirrorPercent"]} if "mirrorPercent" in spec else None)
        written.append({"destination": spec["mirror"], **({"percentage": share} if share else {})})
    found = []
    for each in written:
        try:
            version = version_of(each["destination"])
        except UnsaidError as what:
            lost.append(f"the mirror of {name} to {what}")
            continue
        found.append(_percentages({"version": version, **{k: v for k, v in each.items() if k != "destination"}}))
    return found


def _percentages(value: Any) -> Any:
    """With each percentage as a plain number: Istio writes `{value: 50}`, and once wrote `percent: 50`."""
    if isinstance(value, Mapping):
        found = {("percentage" if key == "percent" else key): _percentages(inner) for key, inner in value.items()}
        if isinstance(share := found.get("percentage"), Mapping):
            found["percentage"] = share.get("value", 0)
        return found
    return [_percentages(each) for each in value] if isinstance(value, list) else value


def _as_if_alone(found: AdoptedRoutes) -> None:
    """A route takes over the timeout and the retries of its service, where Istio gives its own."""
    default = found.default or {}
    for route in found.others:
        if any(answer in route for answer in _ANSWERS):
            continue
        if "timeout" in default:
            route.setdefault("timeout", "none")
        if "retries" in default:
            route.setdefault("retries", dict(_ISTIOS_RETRIES))


def label(text: str) -> str:
    """A DNS label as near to the text as can be."""
    return re.sub(r"[^a-z0-9-]+", "-", text.lower()).strip("-")[:63].rstrip("-") or "x"


def _name(wanted: str, taken: Sequence[str]) -> str:
    """A name for a route, which the default one's is not, and no other's."""
    name = label(wanted)
    name = f"{name}-route" if name == "default" else name
    number = 2
    while name in taken:
        name, number = f"{label(wanted)}-{number}", number + 1
    return name
