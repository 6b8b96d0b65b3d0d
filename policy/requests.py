"""Requests as the matches of routes describe them: which can meet a route before and another one after, and which are
few.

Nobody knows what requests will come. So a class of them counts as all there are, unless it is told to be narrow: an
exact match on a header that the rule's config names. What cannot be told apart here counts as possible.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

from policy.rule import Option
from weir.model import RouteTraffic
from weir.model.config.matches import Match, PresenceMatch

NARROW_HEADERS = Option(
    ["x-beta", "x-canary", "x-drill", "x-user"],
    (
        "headers whose every value few requests have, names or patterns: what a route takes by an exact match on one "
        "of "
        "them is passed over"
    ),
    {"type": "array", "items": {"type": "string"}},
)


@dataclass(frozen=True, slots=True)
class Condition:
    """One thing that a match asks for: of which part of a request, how, and what."""

    part: str
    how: str
    value: Any

    def implies(self, other: Condition) -> bool:
        """Whether what meets this one meets the other as well, for all that is known."""
        if self == other:
            return True
        if self.part != other.part:
            return False
        match other.how:
            case "there":
                return self.how in ("exact", "prefix", "regex")
            case "prefix":
                return self.how in ("exact", "prefix") and bool(self.value.startswith(other.value))
            case "in":
                return self.how == "in" and bool(self.value <= other.value)
        return False

    def excludes(self, other: Condition) -> bool:
        """Whether nothing meets both."""
        if self.part != other.part:
            return False
        match self.how, other.how:
            case "exact", "exact":
                return bool(self.value != other.value)
            case "exact" | "prefix", "prefix":
                return not (self.implies(other) or other.implies(self))
            case "in", "in":
                return not (self.value & other.value)
            case how, "without":
                return bool((how, self.value) == other.value)
        return False


Requests = frozenset[Condition]
"""All requests that meet each of the conditions; without any, all there are."""


def taken(route: RouteTraffic) -> tuple[Requests, ...]:
    """What a route takes, one entry for each of its matches."""
    return tuple(frozenset(_conditions(match)) for match in route.match) or (frozenset(),)


def narrow(requests: Requests, headers: Sequence[str]) -> bool:
    """Whether few requests are of these: they have a certain value in one of the headers."""
    names = [
        each.part.removeprefix("header ")
        for each in requests
        if each.how == "exact" and each.value and each.part.startswith("header ")
    ]
    return any(fnmatchcase(name, pattern.lower()) for name in names for pattern in headers)


def wide(route: RouteTraffic, headers: Sequence[str]) -> bool:
    """Whether a route may take many requests."""
    return not all(narrow(each, headers) for each in taken(route))


class Journeys:
    """Which requests can have taken one route before and take another one after."""

    def __init__(self, before: Sequence[RouteTraffic], after: Sequence[RouteTraffic], headers: Sequence[str]) -> None:
        self._before = [taken(route) for route in before]
        self._after = [taken(route) for route in after]
        self._headers = headers

    def possible(self, old: int, new: int) -> bool:
        """Whether many requests can: they meet both, none of the routes that are tried earlier on either side, and are
        not narrow.
        """
        earlier = [each for matches in (*self._before[:old], *self._after[:new]) for each in matches]
        known = frozenset(earlier)
        return any(
            first not in known
            and second not in known
            and not narrow(first | second, self._headers)
            and _can_be(first | second)
            and not any(_all_meet(first | second, each) for each in known)
            for first in self._before[old]
            for second in self._after[new]
        )


def _can_be(requests: Requests) -> bool:
    return not any(one.excludes(other) for one in requests for other in requests)


def _all_meet(requests: Requests, others: Requests) -> bool:
    return all(any(one.implies(asked) for one in requests) for asked in others)


def meets_uri(requests: Requests, uri: str) -> bool:
    """Whether a request for this path can be one of them."""
    return _can_be(requests | {Condition("uri", "exact", uri)})


def _conditions(match: Match) -> Iterator[Condition]:
    for part in ("uri", "scheme", "method", "authority"):
        asked: PresenceMatch | None = getattr(match, part)
        # Every path begins with /.
        if asked is not None and not (part == "uri" and asked.prefix == "/"):
            how, value = _how(asked)
            # What is read without regard to case is compared with its like alone.
            yield (
                Condition(part, f"caseless {how}", value.lower())
                if part == "uri" and match.ignore_uri_case
                else Condition(part, how, value)
            )
    for part, texts in (("header", match.headers), ("query", match.query_params)):
        yield from (Condition(f"{part} {_name(part, name)}", *_how(asked)) for name, asked in texts.items())
    yield from (
        Condition(f"header {name.lower()}", "without", _how(asked)) for name, asked in match.without_headers.items()
    )
    yield from (Condition(f"label {name}", "exact", value) for name, value in match.source_labels.items())
    yield from (
        Condition(part, "exact", str(value))
        for part in ("port", "source_namespace")
        if (value := getattr(match, part)) is not None
    )
    if match.gateways:
        yield Condition("gateways", "in", frozenset(match.gateways))


def _name(part: str, name: str) -> str:
    return name.lower() if part == "header" else name


def _how(asked: PresenceMatch) -> tuple[str, str]:
    kinds = ((kind, getattr(asked, kind)) for kind in ("exact", "prefix", "regex"))
    return next(((kind, value) for kind, value in kinds if value is not None), ("there", ""))
