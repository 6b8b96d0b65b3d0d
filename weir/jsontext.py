"""JSON as Pulumi and its programs exchange it, read so that no text harms whoever walks the result."""

from __future__ import annotations

import json
import re
from typing import Any, NoReturn

MAX_DEPTH = 100
"""Mappings and lists inside each other; what is deeper is no config, and would exhaust the
stack of whoever walks it.
"""

_SURROGATE = re.compile("[\ud800-\udfff]")


class NotJsonError(ValueError):
    """The text is no JSON, or holds what nobody can work with."""


class TooDeepError(NotJsonError):
    """Mappings and lists are more than MAX_DEPTH deep inside each other."""

    def __init__(self) -> None:
        super().__init__(f"has mappings and lists more than {MAX_DEPTH} deep inside each other")


def loads(text: str) -> Any:
    """What the text holds. Half a surrogate, which no file and no terminal takes, becomes U+FFFD, as it does in Go.
    Raises NotJsonError.
    """
    try:
        tree = json.loads(text, parse_constant=_refuse)
    except RecursionError:
        raise TooDeepError from None
    except ValueError as error:  # among them a whole number of more than 4,300 digits
        raise NotJsonError(str(error)) from None
    level, depth = [tree], 0
    while level := [
        inner
        for outer in level
        if isinstance(outer, dict | list)
        for inner in (outer.values() if isinstance(outer, dict) else outer)
    ]:
        depth += 1
        if depth > MAX_DEPTH:
            raise TooDeepError
    return _whole(tree) if "\\ud" in text.lower() else tree


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is no number of JSON")


def _whole(value: Any) -> Any:
    if isinstance(value, dict):
        return {_whole(key): _whole(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_whole(inner) for inner in value]
    return _SURROGATE.sub("\ufffd", value) if isinstance(value, str) else value
