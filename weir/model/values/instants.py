"""Moments in the config, such as the end of a fault: RFC 3339, with the offset from UTC, so that nobody has to guess a
time zone.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Annotated, Any

from pydantic import PlainSerializer, PlainValidator

from weir.model.values.problems import shown
from weir.model.values.schema import described

_RFC_3339 = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{1,6})?(?:Z|[-+][0-9]{2}:[0-9]{2})"
)
_FORM = "2026-11-25T14:00:00Z"


@dataclass(frozen=True, slots=True)
class Instant:
    """A moment. `text` is what was written; it goes into objects as is. `…T14:00:00Z` equals `…T15:00:00+01:00`."""

    text: str = field(compare=False)
    moment: datetime

    def __str__(self) -> str:
        return self.text

    @classmethod
    def at(cls, moment: datetime) -> Instant:
        """This moment, to the second, in UTC."""
        exact = moment.astimezone(UTC).replace(microsecond=0)
        return cls(exact.strftime("%Y-%m-%dT%H:%M:%SZ"), exact)

    @classmethod
    def parse(cls, value: Any) -> Instant:
        """Read RFC 3339; ValueError says what is wrong."""
        if not isinstance(value, str):
            # YAML reads a moment without quotes as something that is no text, and Pulumi hands it on in another form.
            hint = (
                "" if value is None or isinstance(value, bool | int | float | dict | list) else "; write it in quotes"
            )
            raise ValueError(f'must be a moment such as "{_FORM}", was {shown(value)}{hint}')
        if not _RFC_3339.fullmatch(value):
            raise ValueError(f"must be a date and a time with the offset from UTC such as {_FORM}, was {shown(value)}")
        try:
            return cls(value, datetime.fromisoformat(value).astimezone(UTC))
        except (ValueError, OverflowError):
            raise ValueError(f"must be a date and a time that there is, such as {_FORM}, was {shown(value)}") from None


Moment = Annotated[
    Instant,
    PlainValidator(Instant.parse),
    PlainSerializer(str),
    described("moment (RFC 3339)", type="string", format="date-time"),
]
