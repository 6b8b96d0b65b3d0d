"""Lengths of time in the config: Go's syntax, as Istio takes it, and what Istio's validation demands of them."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Annotated, Any

from pydantic import PlainSerializer, PlainValidator

from weir.model.values.problems import shown
from weir.model.values.schema import described

_MAX_NANOSECONDS = 2562047 * 3600 * 10**9
"""Go holds 47 minutes more, in 63 bits; Envoy adds up what it is given, and rejects what is within a second of their
end.
"""
_NANOSECONDS = {
    "ns": 1,
    "us": 10**3,
    "µs": 10**3,
    "μs": 10**3,
    "ms": 10**6,
    "s": 10**9,
    "m": 60 * 10**9,
    "h": 3600 * 10**9,
}
_TERM = re.compile(r"([0-9]+\.?[0-9]*|\.[0-9]+)(ns|us|µs|μs|ms|s|m|h)")


@dataclass(frozen=True, slots=True)
class Duration:
    """A length of time (`3s`, `500ms`, `1m30s`). `text` is what was written; it goes into objects as is. `60s` equals
    `1m`.
    """

    text: str = field(compare=False)
    nanoseconds: int

    @property
    def seconds(self) -> float:
        """The length in seconds."""
        return self.nanoseconds / 10**9

    def __str__(self) -> str:
        return self.text

    @classmethod
    def parse(cls, value: Any) -> Duration:
        """Read Go's syntax. At least 1ms and in whole milliseconds, as Istio's validation demands; ValueError says
        which.
        """
        if not isinstance(value, str) or not value:
            raise ValueError(f"must be a duration such as 3s or 500ms, was {shown(value)}")
        position, total = int(value.startswith("+")), Decimal(0)
        if value.startswith("-", position):
            raise ValueError(f"must be at least 1ms, was {shown(value)}")
        while position < len(value):
            term = _TERM.match(value, position)
            if term is None:
                raise ValueError(
                    f"must be a number with a unit (ms, s, m or h) such as 3s or 500ms, was {shown(value)}"
                )
            total += Decimal(term[1]) * _NANOSECONDS[term[2]]
            position = term.end()
        if total > _MAX_NANOSECONDS:
            raise ValueError(f"must be at most 2562047h, was {shown(value)}")
        if total < 10**6:
            raise ValueError(f"must be at least 1ms, was {shown(value)}")
        if total % 10**6:
            raise ValueError(f"must be whole milliseconds, was {shown(value)}")
        return cls(value, int(total))


def ready_timeout(value: Any) -> Duration:
    """A Duration of at least one second: the provider counts its waiting in whole seconds."""
    duration = Duration.parse(value)
    if duration.nanoseconds < 10**9:
        raise ValueError(f"must be at least 1s, was {shown(value)}")
    return duration


def whole_seconds(value: Any) -> Duration:
    """A Duration of whole seconds, as the header Access-Control-Max-Age has it."""
    duration = Duration.parse(value)
    if duration.nanoseconds % 10**9:
        raise ValueError(f"must be whole seconds, was {shown(value)}")
    return duration


def length_or_zero(value: Any) -> Duration:
    """A Duration, or `0s` where that switches something off."""
    if value in ("0s", "0", 0) and value is not False:
        return Duration("0s", 0)
    return Duration.parse(value)


def length_or_none(value: Any) -> Duration:
    """A Duration, or `none` for no limit, whose length is zero. Istio knows no such word: there a limit is left out."""
    if value == "none":
        return Duration("none", 0)
    if value in ("0s", "0", 0) and value is not False:
        raise ValueError(f"must be at least 1ms, was {shown(value)}; write none for no limit")
    return Duration.parse(value)


_SCHEMA = described("duration")

Length = Annotated[Duration, PlainValidator(Duration.parse), PlainSerializer(str), _SCHEMA]
LengthOrNone = Annotated[Duration, PlainValidator(length_or_none), PlainSerializer(str), described("duration, or none")]
LengthOrZero = Annotated[Duration, PlainValidator(length_or_zero), PlainSerializer(str), _SCHEMA]
ReadyTimeout = Annotated[Duration, PlainValidator(ready_timeout), PlainSerializer(str), _SCHEMA]
WholeSeconds = Annotated[Duration, PlainValidator(whole_seconds), PlainSerializer(str), _SCHEMA]
