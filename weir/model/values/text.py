"""Flags and texts of the config. Numbers, durations, names, hosts and the words of HTTP have modules of their own."""

from __future__ import annotations

import re
from typing import Annotated, Any

from pydantic import PlainValidator

from weir.model.values.problems import shown
from weir.model.values.schema import described

_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")


def yes_or_no(value: Any) -> bool:
    """A boolean; Pulumi hands the ones at the top of the config over as text."""
    if value is True or value == "true":
        return True
    if value is False or value == "false":
        return False
    raise ValueError(f"must be true or false, was {shown(value)}")


def text(value: Any) -> str:
    """Text for an argument or an environment variable. Whole numbers and booleans are written out; fractions would
    lose their zeros.
    """
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int):
        return str(value)
    if not isinstance(value, str):
        hint = "" if value is None or isinstance(value, dict | list) else "; write it in quotes"
        raise ValueError(f"must be text, was {shown(value)}{hint}")
    return value


def some_text(value: Any) -> str:
    """Text that is not empty, in one line: Envoy refuses the whole configuration of a route that has, say, a line
    break in a path.
    """
    if not isinstance(value, str) or not value.strip():
        raise ValueError(f"must be text, was {shown(value)}")
    return without_control(value)


def bounded_text(most: int) -> PlainValidator:
    """Text of at most so many bytes."""

    def bounded(value: Any) -> str:
        return within(some_text(value), most)

    return PlainValidator(bounded)


def within(value: str, most: int) -> str:
    """The text, if it has at most so many bytes."""
    if len(value.encode()) > most:
        raise ValueError(f"must be at most {most} bytes, was {len(value.encode())}")
    return value


def without_control(value: str) -> str:
    """The text, if it has none of the characters that HTTP allows in no header."""
    if _CONTROL.search(value):
        raise ValueError(f"must have no control characters, was {shown(value)}")
    return value


Flag = Annotated[bool, PlainValidator(yes_or_no), described("true or false", enum=[True, False, "true", "false"])]
SomeText = Annotated[str, PlainValidator(some_text), described("text")]
Text = Annotated[str, PlainValidator(text), described("text", type=["string", "integer", "boolean"])]
