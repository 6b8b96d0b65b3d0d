"""What one look has seen of one version: requests, failures, and how many answers took longer than each bound."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

MAX_COUNT = 10**9
"""The most requests of a version in one look: up to here the logarithm of an e-value keeps four decimals."""


@dataclass(frozen=True, slots=True)
class Counts:
    """The counts of one version since the last look.

    requests   requests that were answered or given up, each once, whatever its retries
    failures   of these, the ones whose final answer was bad
    slower     bound in seconds → how many answers took longer
    timed      how many answers the times are of; all requests where left out. A proxy may count times later than
               requests: then both are not of the same answers, and only its own number of times goes with them

    Raises ValueError where that cannot be.
    """

    requests: int
    failures: int
    slower: Mapping[float, int] = field(default_factory=dict)
    timed: int | None = None

    def __post_init__(self) -> None:
        _whole("requests", self.requests)
        _whole("failures", self.failures)
        if self.timed is not None:
            _whole("timed", self.timed)
        if self.failures > self.requests:
            raise ValueError(f"failures ({self.failures:,}) are more than requests ({self.requests:,})")
        of, most = ("requests", self.requests) if self.timed is None else ("timed", self.timed)
        before: tuple[float, int] | None = None
        for bound, count in sorted(self.slower.items()):
            what = f"slower than {bound:g} s"
            if not 0 <= bound < float("inf"):
                raise ValueError(f"{what}: a bound is a number of seconds, 0 or more")
            _whole(what, count)
            if count > most:
                raise ValueError(f"{what} ({count:,}) are more than {of} ({most:,})")
            if before is not None and count > before[1]:
                raise ValueError(
                    f"{what} ({count:,}) are more than slower than {before[0]:g} s ({before[1]:,}): each count is of "
                    "all answers that took longer than its bound"
                )
            before = bound, count

    @property
    def answers(self) -> int:
        """How many answers the times are of."""
        return self.requests if self.timed is None else self.timed


def _whole(what: str, count: object) -> None:
    if isinstance(count, bool) or not isinstance(count, int):
        raise ValueError(f"{what} must be a whole number, not {count!r}")
    if not 0 <= count <= MAX_COUNT:
        raise ValueError(
            f"{what} must lie between 0 and {MAX_COUNT:,}, not {count:,}"
            + ("; drop a look in which a counter fell" if count < 0 else "")
        )
