"""Evidence as an e-value: what a bet against a claim has made of 1, by now.

Each alternative to the claim is a bet, whose stake grows by the likelihood ratio of what was seen: alternative over
claim. While the claim holds, the sum of all bets is a nonnegative supermartingale that begins at 1. By Ville's
inequality it ever reaches 1/α with probability at most α, however often somebody looks and whatever makes them stop.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Evidence:
    """The bets against one claim.

    logs      of each alternative, the logarithm of stake times likelihood ratio
    reserve   what has not been staked yet
    """

    logs: tuple[float, ...]
    reserve: float = 0.0

    @classmethod
    def of(cls, stakes: Sequence[float], reserve: float = 0.0) -> Evidence:
        """Before anything was seen; the stakes are in proportion, and `reserve` (0 to 1) is kept back."""
        total = sum(stakes) / (1 - reserve)
        return cls(tuple(math.log(stake / total) for stake in stakes), reserve)

    def after(self, ratios: Iterable[float]) -> Evidence:
        """With what was seen since: the logarithm of each alternative's likelihood ratio."""
        return Evidence(tuple([log + ratio for log, ratio in zip(self.logs, ratios, strict=True)]), self.reserve)

    def restaked(self, stakes: Sequence[float]) -> Evidence:
        """With half of the reserve staked anew.

        A long time without a difference makes every bet next to nothing. What begins only now would have to make up for
        all of that; the new stake need not.
        """
        new = Evidence.of(stakes).logs
        half = self.reserve / 2
        if not half:
            return self
        return Evidence(
            tuple(log_sum((log, fresh + math.log(half))) for log, fresh in zip(self.logs, new, strict=True)), half
        )

    @property
    def log(self) -> float:
        """The logarithm of the e-value."""
        return log_sum((*self.logs, math.log(self.reserve)) if self.reserve else self.logs)


def log_sum(logs: Sequence[float]) -> float:
    """The logarithm of the sum of what the logarithms are of; -inf where there is none."""
    most = max(logs, default=-math.inf)
    if most == -math.inf:
        return most
    return most + math.log(sum([math.exp(log - most) for log in logs]))


def log_mean(logs: Sequence[float]) -> float:
    """The logarithm of their mean; 0 where there is none."""
    return log_sum(logs) - math.log(len(logs)) if logs else 0.0


def e_value(log: float) -> float:
    """The e-value itself, which ends at 1e300: JSON has no infinity."""
    return math.exp(min(log, 300 * math.log(10)))
