"""What a scalar without quotes is in YAML, as Pulumi reads it."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from datetime import datetime
from typing import Any

_WORDS: dict[str, Any] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
    **dict.fromkeys((".inf", ".Inf", ".INF", "+.inf", "+.Inf", "+.INF"), math.inf),
    **dict.fromkeys(("-.inf", "-.Inf", "-.INF"), -math.inf),
    **dict.fromkeys((".nan", ".NaN", ".NAN"), math.nan),
}
_MAYBE_NUMBER = frozenset("+-.0123456789")
_WHOLE = re.compile(r"([-+]?)(?:0[xX]([0-9a-fA-F]+)|0[oO]?([0-7]+)|0[bB]([01]+)|(0|[1-9][0-9]{0,19}))")
_BASES = (16, 8, 2, 10)
_FRACTION = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
_BETWEEN_DIGITS = re.compile(r"(?<=[0-9])_(?=[0-9])")
_CLOCK = r"([0-9]{1,2}):([0-9]{1,2}):([0-9]{1,2})(?:\.[0-9]+)?"
_DATE = re.compile(
    rf"([0-9]{{4}})-([0-9]{{1,2}})-([0-9]{{1,2}})(?:[Tt]{_CLOCK}(?:Z|[-+][0-9]{{2}}:[0-9]{{2}})| {_CLOCK})?"
)


@dataclass(frozen=True, slots=True)
class Moment:
    """A date or a time without quotes. Pulumi hands another text on than the one written, so that it is neither text
    nor a number.
    """

    text: str

    def __str__(self) -> str:
        return self.text


def untagged(text: str) -> Any:
    """What a scalar without quotes is: yaml.v3's resolve()."""
    if text in _WORDS:
        return _WORDS[text]
    if text[0] not in _MAYBE_NUMBER:
        return text
    if _is_moment(text):
        return Moment(text)
    digits = _BETWEEN_DIGITS.sub("", text) if text[0] == "." else text.replace("_", "")
    whole = _WHOLE.fullmatch(digits)
    if whole is not None:
        number = next(
            int(group, base) for group, base in zip(whole.groups()[1:], _BASES, strict=True) if group is not None
        )
        number = -number if whole[1] == "-" else number
        if -(2**63) <= number < 2**64:
            return number
    if _FRACTION.fullmatch(digits) and math.isfinite(fraction := float(digits)):
        return fraction
    return text


def _is_moment(text: str) -> bool:
    match = _DATE.fullmatch(text)
    if match is None:
        return False
    try:
        datetime(*(int(part) for part in match.groups() if part is not None))  # type: ignore[arg-type]
    except ValueError:  # the 13th month, the 25th hour: text to Go as well
        return False
    return True
