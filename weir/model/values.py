"""The scalar values of the config: each a parser that takes what YAML or Pulumi gives and says in plain words what is wrong with it.

Parsers raise ValueError whose text stands behind a path: `must be …, was …`. Rules come from Istio's validation (durations, percentages,
status codes, retry conditions) and from Kubernetes (ports, counts). Names and image references are in `weir.model.names`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from http import HTTPStatus
from typing import Annotated, Any

from pydantic import PlainSerializer, PlainValidator

from weir.model.problems import shown

MAX_PERCENT_DECIMALS = 4
"""Envoy counts the share of a fault in millionths: a hundredth of a percent has two more digits, finer ones would be cut off unseen."""

_MAX_INT32 = 2**31 - 1
_MAX_NANOSECONDS = 2**63 - 1
_NANOSECONDS = {"ns": 1, "us": 10**3, "µs": 10**3, "μs": 10**3, "ms": 10**6, "s": 10**9, "m": 60 * 10**9, "h": 3600 * 10**9}
_DURATION_TERM = re.compile(r"([0-9]+\.?[0-9]*|\.[0-9]+)(ns|us|µs|μs|ms|s|m|h)")

RETRY_CONDITIONS = (
    "5xx",
    "gateway-error",
    "reset",
    "reset-before-request",
    "connect-failure",
    "retriable-4xx",
    "refused-stream",
    "retriable-status-codes",
    "retriable-headers",
    "envoy-ratelimited",
    "http3-post-connect-failure",
    "cancelled",
    "deadline-exceeded",
    "internal",
    "resource-exhausted",
    "unavailable",
)
"""What Istio takes for retryOn, beside the number of an HTTP status (Envoy's x-envoy-retry-on and x-envoy-retry-grpc-on)."""

_HTTP_STATUSES = frozenset(str(status.value) for status in HTTPStatus)


@dataclass(frozen=True, slots=True)
class Duration:
    """A length of time in Go's syntax, as Istio takes it (`3s`, `500ms`, `1m30s`). `text` is what was written; it goes into objects as is."""

    text: str
    nanoseconds: int

    @property
    def seconds(self) -> float:
        """The length in seconds."""
        return self.nanoseconds / 10**9

    def __str__(self) -> str:
        return self.text

    @classmethod
    def parse(cls, value: Any) -> Duration:
        """Read Go's syntax. At least 1ms and in whole milliseconds, as Istio's validation demands; ValueError says which."""
        if not isinstance(value, str) or not value:
            raise ValueError(f"must be a duration such as 3s or 500ms, was {shown(value)}")
        rest, total = value.removeprefix("+"), Decimal(0)
        if rest.startswith("-"):
            raise ValueError(f"must be at least 1ms, was {shown(value)}")
        while rest:
            term = _DURATION_TERM.match(rest)
            if term is None:
                raise ValueError(f"must be a number with a unit (ms, s, m or h) such as 3s or 500ms, was {shown(value)}")
            total += Decimal(term[1]) * _NANOSECONDS[term[2]]
            rest = rest[term.end() :]
        if total < 10**6:
            raise ValueError(f"must be at least 1ms, was {shown(value)}")
        if total % 10**6:
            raise ValueError(f"must be whole milliseconds, was {shown(value)}")
        if total > _MAX_NANOSECONDS:
            raise ValueError(f"must be at most 2562047h, was {shown(value)}")
        return cls(value, int(total))


def ready_timeout(value: Any) -> Duration:
    """A Duration of at least one second: the provider counts its waiting in whole seconds."""
    duration = Duration.parse(value)
    if duration.nanoseconds < 10**9:
        raise ValueError(f"must be at least 1s, was {shown(value)}")
    return duration


def percent(value: Any) -> Decimal:
    """A share of requests as a plain number, 0 to 100, exact: 0.1 is one tenth of a percent and not the nearest binary float.

    Text that is a number counts too, because `pulumi config set --path … 0.5` stores text.
    """
    if isinstance(value, dict) and set(value) == {"value"}:
        raise ValueError(f"must be a plain number from 0 to 100, was {{value: {value['value']}}}; write {value['value']}")
    try:
        number = Decimal(str(value)) if isinstance(value, int | float | str) and not isinstance(value, bool) else None
    except InvalidOperation:
        number = None
    if number is None or not number.is_finite():
        raise ValueError(f"must be a number from 0 to 100, was {shown(value)}")
    if not 0 <= number <= 100:
        raise ValueError(f"must be from 0 to 100, was {value}")
    if number == 0:  # also -0 and 0e9, which would be written as that
        return Decimal(0)
    if number != round(number, MAX_PERCENT_DECIMALS):
        raise ValueError(f"must have at most {MAX_PERCENT_DECIMALS} decimals, was {value}; Envoy cannot hold a finer share")
    return number


def whole(value: Any, low: int, high: int = _MAX_INT32) -> int:
    """A whole number between the bounds, both included; text of digits counts, as in `percent`."""
    limits = f"from {low} to {high}" if high != _MAX_INT32 else f"of at least {low}"
    if isinstance(value, str) and re.fullmatch(r"-?[0-9]{1,18}", value):
        value = int(value)
    if isinstance(value, float) and value.is_integer():  # Pulumi's JSON and YAML's 5.0 know no difference
        value = int(value)
    if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
        raise ValueError(f"must be a whole number {limits}, was {shown(value)}")
    return value


def yes_or_no(value: Any) -> bool:
    """A boolean; Pulumi hands the ones at the top of the config over as text."""
    if value is True or value == "true":
        return True
    if value is False or value == "false":
        return False
    raise ValueError(f"must be true or false, was {shown(value)}")


def text(value: Any) -> str:
    """Text for an argument or an environment variable. Whole numbers and booleans are written out; fractions would lose their zeros."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int):
        return str(value)
    if not isinstance(value, str):
        hint = "; write it in quotes" if isinstance(value, float) else ""
        raise ValueError(f"must be text, was {shown(value)}{hint}")
    return value


def some_text(value: Any) -> str:
    """Text that is not empty."""
    if not isinstance(value, str) or not value.strip():
        raise ValueError(f"must be text, was {shown(value)}")
    return value


def retry_conditions(value: Any) -> tuple[str, ...]:
    """Conditions to retry on, as a list or as Istio's comma-separated text; status codes count as well."""
    parts = value.split(",") if isinstance(value, str) else value
    if not isinstance(parts, list) or not parts:
        raise ValueError(f"must be a list of conditions such as gateway-error, connect-failure or 503, was {shown(value)}")
    conditions = tuple(str(part).strip() for part in parts)
    for condition in conditions:
        if condition not in RETRY_CONDITIONS and condition not in _HTTP_STATUSES:
            raise ValueError(f"no such condition {shown(condition)} (conditions: {', '.join(RETRY_CONDITIONS)}, or an HTTP status)")
    return conditions


def _port(value: Any) -> int:
    return whole(value, 1, 65535)


def _count(value: Any) -> int:
    return whole(value, 0)


def _abort_status(value: Any) -> int:
    return whole(value, 200, 599)


AbortStatus = Annotated[int, PlainValidator(_abort_status)]
Count = Annotated[int, PlainValidator(_count)]
Flag = Annotated[bool, PlainValidator(yes_or_no)]
Length = Annotated[Duration, PlainValidator(Duration.parse), PlainSerializer(str)]
Percent = Annotated[Decimal, PlainValidator(percent)]
Port = Annotated[int, PlainValidator(_port)]
ReadyTimeout = Annotated[Duration, PlainValidator(ready_timeout), PlainSerializer(str)]
RetryConditions = Annotated[tuple[str, ...], PlainValidator(retry_conditions)]
SomeText = Annotated[str, PlainValidator(some_text)]
Text = Annotated[str, PlainValidator(text)]
