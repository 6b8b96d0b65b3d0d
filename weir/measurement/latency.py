"""How long answers take and how many of them are errors, of a few requests at a time: the live view of a drill."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

from weir.measurement.sending import Answer


@dataclass(slots=True)
class Latencies:
    """Answers gathered so far: seconds of each, in no order, and how many were errors (HTTP status 400 and above, or
    no response).
    """

    seconds: list[float] = field(default_factory=list)
    errors: int = 0

    def add(self, answers: Sequence[Answer]) -> None:
        """Count these as well."""
        self.seconds += [answer.seconds for answer in answers]
        self.errors += sum(answer.exit_code != 0 or answer.status >= 400 for answer in answers)

    @property
    def requests(self) -> int:
        """How many there are."""
        return len(self.seconds)

    def quantile(self, share: float) -> float | None:
        """The seconds that this share (0 to 1) of the answers took at most; None where there are none."""
        if not self.seconds:
            return None
        return sorted(self.seconds)[max(0, math.ceil(share * len(self.seconds)) - 1)]

    def as_json(self) -> dict[str, float | int | None]:
        """For programs: requests, errors, p50Seconds, p99Seconds."""
        return {
            "requests": self.requests,
            "errors": self.errors,
            "p50Seconds": self.quantile(0.5),
            "p99Seconds": self.quantile(0.99),
        }
