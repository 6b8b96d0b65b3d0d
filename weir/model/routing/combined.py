"""The requests that meet two matches at once, as one match: that of a host's entry, and that of a service's route."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from weir.model.config.base import as_written
from weir.model.config.matches import Match, PresenceMatch
from weir.model.values.http import full_match
from weir.model.values.problems import shown

_TEXTS = ("scheme", "method", "authority")


class _NobodyError(Exception):
    """No request meets both."""


def both(inner: Match, outer: Match) -> Match | None:
    """The match that takes what both take; None where no request meets both. What names one of them, and what asks for
    nothing, is the inner one's first.

    Raises ValueError where no single match says it; its text goes on from the name of the inner one.
    """
    try:
        found: dict[str, Any] = _paths(inner, outer)
        for name in _TEXTS:
            found[name] = _narrower(name, getattr(inner, name), getattr(outer, name))
        found["port"] = _same_port(inner.port, outer.port)
        found["headers"] = _named("header", inner.headers, outer.headers, str.lower)
        found["query_params"] = _named("query parameter", inner.query_params, outer.query_params, str)
    except _NobodyError:
        return None
    found["without_headers"] = _without(inner.without_headers, outer.without_headers)
    found["gateways"] = inner.gateways or outer.gateways
    found["name"] = inner.name or outer.name
    found["stat_prefix"] = inner.stat_prefix or outer.stat_prefix
    said = {name: value for name, value in found.items() if value not in (None, (), {}, False)}
    return Match.model_construct(_fields_set=set(said), **said)


def condition(match: Match) -> str:
    """What the match asks for, to compare it; its name asks for nothing, nor does what is false or empty."""
    asked = {
        name: value for name, value in as_written(match).items() if name != "name" and value not in (False, [], {})
    }
    return json.dumps(asked, sort_keys=True)


def _paths(inner: Match, outer: Match) -> dict[str, Any]:
    first, second = (each for each in (inner, outer))
    if first.uri is None or (first.takes_path and second.uri is not None):
        first, second = second, first
    chosen: PresenceMatch | None
    if second.uri is None or second.takes_path:
        chosen = first.uri
    elif bool(first.ignore_uri_case) != bool(second.ignore_uri_case):
        raise ValueError(
            "and this entry both have uri, and one of them alone has ignoreUriCase; give it to both, or to none"
        )
    else:
        chosen = _narrower("uri", first.uri, second.uri, str.lower if first.ignore_uri_case else str)
    return {"uri": chosen, "ignore_uri_case": first.ignore_uri_case if chosen else None}


def _narrower(
    what: str, one: PresenceMatch | None, other: PresenceMatch | None, fold: Callable[[str], str] = str
) -> PresenceMatch | None:
    """The condition of the two that holds for fewer: what meets it meets the other as well."""
    if one is None or other is None:
        return one or other
    if as_written(one) == as_written(other) or not as_written(other):
        return one
    if not as_written(one):
        return other
    for narrow, wide in ((one, other), (other, one)):
        if narrow.exact is not None:
            if _meets(fold(narrow.exact), wide, fold):
                return narrow
            raise _NobodyError
        if narrow.prefix is not None and wide.prefix is not None and fold(narrow.prefix).startswith(fold(wide.prefix)):
            return narrow
    if one.prefix is not None and other.prefix is not None:
        raise _NobodyError
    told = " and ".join(shown(each.regex or each.prefix) for each in (one, other))
    raise ValueError(
        f"and this entry both have {what}, and no single condition says both ({told}); keep it in one of the two"
    )


def _meets(text: str, asked: PresenceMatch, fold: Callable[[str], str]) -> bool:
    if asked.exact is not None:
        return text == fold(asked.exact)
    if asked.prefix is not None:
        return text.startswith(fold(asked.prefix))
    return asked.regex is None or full_match(asked.regex, text)


def _same_port(one: int | None, other: int | None) -> int | None:
    if one is not None and other is not None and one != other:
        raise _NobodyError
    return one or other


def _named(
    what: str, one: Mapping[str, PresenceMatch], other: Mapping[str, PresenceMatch], fold: Callable[[str], str]
) -> dict[str, PresenceMatch | None]:
    found: dict[str, PresenceMatch | None] = dict(one)
    for name, asked in other.items():
        key = next((each for each in found if fold(each) == fold(name)), name)
        found[key] = _narrower(f"{what} {name}", found.get(key), asked)
    return found


def _without(one: Mapping[str, PresenceMatch], other: Mapping[str, PresenceMatch]) -> dict[str, PresenceMatch]:
    """A header may be missing in one way alone: a match has it once."""
    found = dict(one)
    for name, asked in other.items():
        key = next((each for each in found if each.lower() == name.lower()), name)
        if key in found and as_written(found[key]) != as_written(asked):
            raise ValueError(
                f"and this entry both have withoutHeaders {name}, each another value; keep it in one of the two"
            )
        found[key] = asked
    return found
