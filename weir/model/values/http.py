"""The words of HTTP in the config: header names and values, methods, gRPC statuses, retry conditions, regular
expressions.

Rules come from Istio's validation (pkg/config/validation in its source): what it refuses is refused here, for the same
reason.
"""

from __future__ import annotations

import re
from http import HTTPStatus
from typing import Annotated, Any

import re2
from pydantic import PlainSerializer, PlainValidator, ValidationInfo

from weir.model.values.numbers import AS_ISTIO_WRITES
from weir.model.values.problems import nearest, shown
from weir.model.values.schema import described
from weir.model.values.text import some_text, text, within, without_control
from weir.model.values.variables import check_variables

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
"""What Istio takes for retryOn, beside the number of an HTTP status (Envoy's x-envoy-retry-on and
x-envoy-retry-grpc-on).
"""

GRPC_STATUSES = (
    "OK",
    "CANCELLED",
    "UNKNOWN",
    "INVALID_ARGUMENT",
    "DEADLINE_EXCEEDED",
    "NOT_FOUND",
    "ALREADY_EXISTS",
    "PERMISSION_DENIED",
    "RESOURCE_EXHAUSTED",
    "FAILED_PRECONDITION",
    "ABORTED",
    "OUT_OF_RANGE",
    "UNIMPLEMENTED",
    "INTERNAL",
    "UNAVAILABLE",
    "DATA_LOSS",
    "UNAUTHENTICATED",
)
"""The names of gRPC's status codes, in the order of their numbers, 0 to 16."""

CORS_METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "CONNECT", "OPTIONS", "TRACE", "*")

MAX_REGEX_BYTES = 1024
"""Istio's bound."""

MAX_PROGRAM_SIZE = 32768
"""What Istio lets a compiled expression have in Envoy (`re2.max_program_size.error_level` in
pkg/bootstrap/config.go).
"""

MAX_HEADER_BYTES = 16384
"""Envoy's bound for names and values of headers to set or add (`config.core.v3.HeaderValue`)."""

_HTTP_STATUSES = frozenset(str(status.value) for status in HTTPStatus)
_HEADER_NAME = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")  # a token of RFC 9110
_PSEUDO_HEADERS = (":method", ":scheme", ":authority", ":path", ":status")
_CLAIM = "@request.auth.claims"
# What C++'s RE2 takes and Go's refuses: a single byte, and names of groups that are not ASCII.
_UNKNOWN_TO_GO = re.compile(r"(?<!\\)(?:\\\\)*(?P<it>\\C|\(\?P?<\w*[^\x00-\x7f]\w*>)")


def match_header(value: Any) -> str:
    """The name of a header to match on: a token, or a pseudo-header such as :authority."""
    name = _name(value)
    if name.startswith(_CLAIM):
        raise ValueError(
            "JWT claims can only be matched at a gateway, and weir's routes also serve the mesh; match another header"
        )
    if name not in _PSEUDO_HEADERS and not _HEADER_NAME.fullmatch(name):
        raise ValueError("not a valid header name; use letters, digits and !#$%&'*+-.^_`|~")
    return name


def written_header(value: Any) -> str:
    """The name of a header to set or add on a request; Host, also as :authority, is one of them."""
    name = _name(value)
    if name.startswith(":") and name.lower() != ":authority":
        raise ValueError(
            f"{name} cannot be changed here: names with a colon are HTTP/2's own; use rewrite for path and host"
        )
    return _header_token(name)


def other_header(value: Any) -> str:
    """The name of a header to remove, or to set or add on a response."""
    name = _name(value)
    if name.startswith(":") or name.lower() == "host":
        raise ValueError(f"{name} cannot be changed here; set it on the request, or use rewrite.authority")
    return _header_token(name)


def cors_header(value: Any) -> str:
    """The name of a header in a CORS policy, or `*`."""
    name = _name(value)
    if name.startswith(":"):
        raise ValueError(
            f"{name} cannot be named here: names with a colon are HTTP/2's own, and browsers do not ask for them"
        )
    return name if name == "*" else _header_token(name)


def _name(value: Any) -> str:
    if not isinstance(value, str) or not value:
        raise ValueError(f"must be the name of a header, was {shown(value)}")
    return value


def _header_token(name: str) -> str:
    if not _HEADER_NAME.fullmatch(name.removeprefix(":")):
        raise ValueError(f"must be the name of a header (letters, digits and !#$%&'*+-.^_`|~), was {shown(name)}")
    return within(name, MAX_HEADER_BYTES)


def header_value(value: Any) -> str:
    """The value of a header to set or add: text with Envoy's variables (`%HOSTNAME%`); a percent sign of its own is
    written `%%`.
    """
    written = within(without_control(text(value)), MAX_HEADER_BYTES)
    check_variables(written)
    return written


def cors_method(value: Any) -> str:
    """A method of HTTP, in upper case, or `*`."""
    if value not in CORS_METHODS:
        raise ValueError(f"must be one of {', '.join(CORS_METHODS)}, was {shown(value)}")
    return str(value)


def grpc_status(value: Any) -> str:
    """The name of a status of gRPC."""
    if value not in GRPC_STATUSES:
        near = nearest(value, GRPC_STATUSES) if isinstance(value, str) else None
        choice = f"did you mean {near}?" if near else f"one of {', '.join(GRPC_STATUSES)}"
        raise ValueError(f"no such gRPC status {shown(value)}, {choice}")
    return str(value)


def regex(value: Any) -> str:
    """A regular expression in RE2's syntax, which matches the whole value."""
    pattern = some_text(value)
    if len(pattern.encode()) > MAX_REGEX_BYTES:
        raise ValueError(f"must be at most {MAX_REGEX_BYTES} bytes, was {len(pattern.encode())}")
    # Envoy reads the bytes of a value one by one, and once took them as UTF-8: both kinds of proxies are about.
    for encoding in (re2.Options.Encoding.UTF8, re2.Options.Encoding.LATIN1):
        try:
            size = re2.compile(pattern.encode(), _re2_options(encoding)).programsize
        except re2.error as error:
            reason = error.args[0].decode() if isinstance(error.args[0], bytes) else str(error.args[0])
            raise ValueError(f"must be a regular expression in RE2's syntax, was {shown(pattern)}: {reason}") from None
        if size > MAX_PROGRAM_SIZE:
            raise ValueError(
                f"must compile to at most {MAX_PROGRAM_SIZE} instructions, was {size}; repeat less, or fewer "
                "characters at a time"
            )
    unknown = _UNKNOWN_TO_GO.search(pattern)
    if unknown:
        raise ValueError(
            f"must be a regular expression that Go reads too, as Istio does, was {shown(pattern)}: it does not know "
            f"{unknown['it']}"
        )
    return pattern


def groups(pattern: str) -> int:
    """How many groups a checked expression has."""
    return int(re2.compile(pattern, _re2_options()).groups)


def full_match(pattern: str, value: str) -> bool:
    """Whether a checked expression matches the whole value."""
    return re2.fullmatch(pattern, value, _re2_options()) is not None


def _re2_options(encoding: Any = None) -> Any:
    options = re2.Options()
    options.log_errors = False
    if encoding is not None:
        options.encoding = encoding
    return options


def retry_conditions(value: Any, info: ValidationInfo | None = None) -> tuple[str, ...]:
    """Conditions to retry on, as a list or as Istio's comma-separated text; status codes count as well."""
    parts = value.split(",") if isinstance(value, str) else value
    if not isinstance(parts, list) or not parts:
        raise ValueError(
            f"must be a list of conditions such as gateway-error, connect-failure or 503, was {shown(value)}"
        )
    conditions = tuple(str(part).strip() for part in parts)
    if info is not None and info.context == AS_ISTIO_WRITES:
        return conditions
    for condition in conditions:
        if condition not in RETRY_CONDITIONS and condition not in _HTTP_STATUSES:
            near = nearest(condition, RETRY_CONDITIONS)
            choice = (
                f", did you mean {near}?"
                if near
                else f" (conditions: {', '.join(RETRY_CONDITIONS)}, or an HTTP status)"
            )
            raise ValueError(f"no such condition {shown(condition)}{choice}")
    return conditions


_HEADER = described("name of a header")
_CONDITION = {
    "anyOf": [{"enum": list(RETRY_CONDITIONS)}, {"type": ["string", "integer"], "pattern": "^[1-5][0-9][0-9]$"}]
}

CorsHeader = Annotated[str, PlainValidator(cors_header), _HEADER]
CorsMethod = Annotated[str, PlainValidator(cors_method), described("method of HTTP", enum=list(CORS_METHODS))]
GrpcStatus = Annotated[str, PlainValidator(grpc_status), described("status of gRPC", enum=list(GRPC_STATUSES))]
HeaderValue = Annotated[
    str, PlainValidator(header_value), described("text with Envoy's variables", type=["string", "integer", "boolean"])
]
MatchHeader = Annotated[str, PlainValidator(match_header), _HEADER]
OtherHeader = Annotated[str, PlainValidator(other_header), _HEADER]
Regex = Annotated[str, PlainValidator(regex), described("regular expression (RE2)")]
RetryConditions = Annotated[
    tuple[str, ...],
    PlainValidator(retry_conditions),
    PlainSerializer(",".join),
    described("list of conditions", anyOf=[{"type": "array", "items": _CONDITION, "minItems": 1}, {"type": "string"}]),
]
WrittenHeader = Annotated[str, PlainValidator(written_header), _HEADER]
