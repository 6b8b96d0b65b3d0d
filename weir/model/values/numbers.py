"""The numbers of the config: each parser takes what YAML or Pulumi gives and says in plain words what is wrong with
it.

Parsers raise ValueError whose text stands behind a path: `must be …, was …`. Rules come from Istio's validation
(percentages, status codes), from the types of its API (int32, uint32), from Kubernetes (ports, counts), and from
Envoy's API: what is out of the bounds there makes proxies reject all routes of a port, or the cluster.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from decimal import Decimal, InvalidOperation
from typing import Annotated, Any

from pydantic import PlainSerializer, PlainValidator, ValidationInfo, WithJsonSchema

from weir.model.values.problems import shown
from weir.model.values.schema import described

MAX_PERCENT_DECIMALS = 4
"""Envoy counts the share of a fault in millionths: a hundredth of a percent has two more digits, finer ones would be
cut off unseen.
"""

REDIRECT_CODES = (301, 302, 303, 307, 308)
"""What Envoy can answer with (`config.route.v3.RedirectAction.RedirectResponseCode`). For any other code Istio makes a
route that does nothing (`ApplyRedirect` in pilot/pkg/networking/core/route), which Envoy rejects, with all others of
its port.
"""

MAX_RING_SIZE = 8 * 2**20
"""Envoy's bound (`config.cluster.v3.Cluster.RingHashLbConfig`)."""

PORTS_OF_SIDECARS = (15001, 15006, 15021, 15090)
"""Ports that no Service can have. At 15021 and 15090 every sidecar listens for itself (Istio's bootstrap), and rejects
a second listener; for 15001 and 15006, where it takes all traffic in, istiod makes no routes.
"""

PORTS_OF_GATEWAYS = (15000, 15004, 15020, 15021, 15090)
"""Ports at which a gateway's own processes listen, whatever it serves (Istio's documentation,
"Ports used by Istio").
"""

AS_ISTIO_WRITES = "as Istio writes"
"""The validation context for reading objects back: there a percentage is `{value: 50}`."""

_MAX_INT32 = 2**31 - 1
_MAX_UINT32 = 2**32 - 1


def percent(value: Any) -> Decimal:
    """A share of requests as a plain number, 0 to 100, exact: 0.1 is one tenth of a percent and not the nearest binary
    float.

    Text that is a number counts too, because `pulumi config set --path … 0.5` stores text.
    """
    if isinstance(value, dict) and set(value) == {"value"}:
        raise ValueError(
            f"must be a plain number from 0 to 100, was {{value: {value['value']}}}; write {value['value']}"
        )
    try:
        number = Decimal(str(value)) if isinstance(value, int | float | str) and not isinstance(value, bool) else None
    except InvalidOperation:
        number = None
    if number is None or not number.is_finite():
        hint = "; write it without %" if isinstance(value, str) and value.endswith("%") else ""
        raise ValueError(f"must be a number from 0 to 100, was {shown(value)}{hint}")
    if not 0 <= number <= 100:
        raise ValueError(f"must be from 0 to 100, was {value}")
    if number == 0:  # also -0 and 0e9, which would be written as that
        return Decimal(0)
    if number != round(number, MAX_PERCENT_DECIMALS):
        raise ValueError(
            f"must have at most {MAX_PERCENT_DECIMALS} decimals, was {value}; Envoy cannot hold a finer share"
        )
    return number


def plain(number: Decimal) -> int | float:
    """A number as JSON has it; 20 and not 20.0."""
    return int(number) if number == int(number) else float(number)


def whole(value: Any, low: int, high: int = _MAX_INT32) -> int:
    """A whole number between the bounds, both included; text of digits counts, as in `percent`."""
    limits = f"from {low} to {high}" if high not in (_MAX_INT32, _MAX_UINT32) else f"of at least {low}"
    if isinstance(value, str) and re.fullmatch(r"-?[0-9]{1,18}", value):
        value = int(value)
    if isinstance(value, float) and value.is_integer():  # Pulumi's JSON and YAML's 5.0 know no difference
        value = int(value)
    if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
        raise ValueError(f"must be a whole number {limits}, was {shown(value)}")
    return value


def redirect_code(value: Any) -> int:
    """The status of a redirect, one that Envoy has."""
    code = whole(value, 0)
    if code not in REDIRECT_CODES:
        raise ValueError(
            f"must be one of {', '.join(map(str, REDIRECT_CODES))}, was {code}; Envoy has no other redirects"
        )
    return code


def _not_of(istios: Sequence[int]) -> PlainValidator:
    def other(value: Any) -> int:
        port = whole(value, 1, 65535)
        if port in istios:
            raise ValueError(f"must not be {port}, a port of Istio's own in every proxy; choose another one")
        return port

    return PlainValidator(other)


def prime(value: Any) -> int:
    """The size of a Maglev table: a prime below 5,000,011 (Envoy's limit)."""
    number = whole(value, 2, 5_000_010)
    if any(number % factor == 0 for factor in range(2, int(number**0.5) + 1)):
        raise ValueError(f"must be a prime number, as the size of a Maglev table is, was {number}")
    return number


def _share(value: Any, info: ValidationInfo) -> Decimal:
    if info.context == AS_ISTIO_WRITES:
        value = value.get("value", 0)
    return percent(value)


def _positive(value: Any) -> Decimal:
    try:
        number = (
            Decimal(str(value)) if isinstance(value, int | float | str) and not isinstance(value, bool) else Decimal(0)
        )
    except InvalidOperation:
        number = Decimal(0)
    if not number.is_finite() or not 0 < number < 10**9 or float(number) == 0:  # as JSON has it
        raise ValueError(f"must be a number above 0, was {shown(value)}")
    return number


def _number(value: Any) -> Decimal:
    try:
        number = Decimal(str(value)) if isinstance(value, int | float | str) and not isinstance(value, bool) else None
    except InvalidOperation:
        number = None
    if number is None or not number.is_finite() or abs(number) >= 10**15:
        raise ValueError(f"must be a number, was {shown(value)}")
    return number


def _bounded(low: int, high: int) -> PlainValidator:
    return PlainValidator(lambda value: whole(value, low, high))


def _integer(low: int, high: int) -> WithJsonSchema:
    # Text of digits counts, since `pulumi config set --path` may store it.
    return WithJsonSchema(
        {
            "anyOf": [{"type": "integer", "minimum": low, "maximum": high}, {"type": "string", "pattern": "^[0-9]+$"}],
            "title": f"whole number, {low} to {high}" if high < _MAX_INT32 else f"whole number from {low}",
        }
    )


_NUMBER = {
    "title": "percent, 0 to 100",
    "anyOf": [{"type": "number", "minimum": 0, "maximum": 100}, {"type": "string", "pattern": r"^[0-9]+(\.[0-9]+)?$"}],
}

Count = Annotated[int, _bounded(0, _MAX_INT32), _integer(0, _MAX_INT32)]
ErrorCode = Annotated[int, _bounded(100, 599), _integer(100, 599)]
FromOne = Annotated[int, _bounded(1, _MAX_INT32), _integer(1, _MAX_INT32)]
LocalityWeight = Annotated[int, _bounded(1, 100), _integer(1, 100)]
Number = Annotated[
    Decimal, PlainValidator(_number), PlainSerializer(plain), described("number", type=["number", "string"])
]
Percent = Annotated[Decimal, PlainValidator(percent), PlainSerializer(plain), WithJsonSchema(_NUMBER)]
Port = Annotated[int, _bounded(1, 65535), _integer(1, 65535)]
ServicePort = Annotated[int, _not_of(PORTS_OF_SIDECARS), _integer(1, 65535)]
GatewayPort = Annotated[int, _not_of(PORTS_OF_GATEWAYS), _integer(1, 65535)]
Positive = Annotated[
    Decimal,
    PlainValidator(_positive),
    PlainSerializer(plain),
    described("number above 0", type="number", exclusiveMinimum=0),
]
Prime = Annotated[
    int, PlainValidator(prime), described("prime below 5000011", type="integer", minimum=2, maximum=5_000_010)
]
RedirectCode = Annotated[
    int,
    PlainValidator(redirect_code),
    described("status of a redirect", enum=[*REDIRECT_CODES, *map(str, REDIRECT_CODES)]),
]
RingSize = Annotated[int, _bounded(0, MAX_RING_SIZE), _integer(0, MAX_RING_SIZE)]
Share = Annotated[
    Decimal, PlainValidator(_share), PlainSerializer(lambda share: {"value": plain(share)}), WithJsonSchema(_NUMBER)
]
Status = Annotated[int, _bounded(200, 599), _integer(200, 599)]
Unsigned = Annotated[int, _bounded(0, _MAX_UINT32), _integer(0, _MAX_UINT32)]
UnsignedFromOne = Annotated[int, _bounded(1, _MAX_UINT32), _integer(1, _MAX_UINT32)]
WholePercent = Annotated[int, _bounded(0, 100), _integer(0, 100)]
