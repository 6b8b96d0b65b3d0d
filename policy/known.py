"""The properties of a resource as plain values, with what a preview does not know yet marked as such."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import Enum
from typing import Any

from pulumi_policy.proxy import UnknownValueError

Props = Mapping[str, Any]


class Unknown(Enum):
    """The type of UNKNOWN."""

    UNKNOWN = "unknown"


UNKNOWN = Unknown.UNKNOWN
"""Stands for a value that is known only once the update has made what it depends on, such as the name of an ephemeral
namespace.

A rule passes it over: the update itself asks the rule again, with all values known.
"""


def known(value: Any) -> Any:
    """Dicts, lists and scalars without Pulumi's proxies, which raise where something unknown is touched.

    Numbers come as protobuf's doubles; whole ones become int again, as the config had them.
    """
    if isinstance(value, Mapping):
        return {key: _item(value, key) for key in value}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [_item(value, index) for index in range(len(value))]
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value


def _item(container: Any, key: Any) -> Any:
    try:
        return known(container[key])
    except UnknownValueError:
        return UNKNOWN


def complete(value: Any) -> bool:
    """Whether nothing in the value is unknown."""
    if isinstance(value, Mapping):
        return all(complete(item) for item in value.values())
    if isinstance(value, list):
        return all(complete(item) for item in value)
    return value is not UNKNOWN


def mapping(value: Any) -> Mapping[str, Any]:
    """The value, or an empty mapping where it is none: left out, unknown, or not what the object's API has there."""
    return value if isinstance(value, Mapping) else {}


def listed(value: Any) -> Sequence[Any]:
    """The value, or an empty list where it is none."""
    return value if isinstance(value, list) else []
