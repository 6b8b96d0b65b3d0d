"""What a look has led to: a decision, the evidence behind it, and what an undecided one still needs."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from weir.analysis.evidence import Evidence, e_value
from weir.analysis.intervals import Interval, Ratio, share_interval
from weir.analysis.metric import Metric, Seen, gains

Decision = Literal["worse", "no worse", "undecided"]

_MOST = 10**12


@dataclass(frozen=True, slots=True)
class Judged:
    """A metric as it stands; `enough` is the logarithm of the e-value against it that alone makes the canary worse."""

    name: str
    metric: Metric
    enough: float


@dataclass(frozen=True, slots=True)
class Share:
    """Failures of one version among its requests, over all looks."""

    requests: int
    failures: int

    @property
    def interval(self) -> Interval:
        """Of the share (0 to 1): it holds at all times, for the mean of all looks."""
        return share_interval(self.failures, self.requests)


@dataclass(frozen=True, slots=True)
class More:
    """What an undecided verdict still needs: an estimate, from how this step has gone so far.

    requests  so many more of the canary; None where it cannot be told
    decision  what they would show; "undecided" where it cannot be told
    metric    the one that takes longest; empty where it cannot be told
    """

    requests: int | None = None
    decision: Decision = "undecided"
    metric: str = ""

    def __str__(self) -> str:
        if self.requests is None:
            return "how many more requests it needs cannot be told: in this step the counts point neither way so far"
        return (
            f"about {self.requests:,} more requests of the canary would show it to be {self.decision} ({self.metric}), "
            "if they go as this step has gone so far"
        )


@dataclass(frozen=True, slots=True)
class Verdict:
    """The verdict after a look.

    decision  "worse": shown to be worse than tolerated, at any look so far; "no worse": shown in this step to be worse
              by less than the margin, and not "worse"; else "undecided"
    evidence  metric → e-value against "no worse", as it is now
    against   all metrics together: the highest that their e-value has ever been. From `against_enough` on it is "worse"
    proof     the highest e-value in this step against "worse by more than the margin". From `proof_enough` on it is
              "no worse"
    stable, canary   requests and failures of all looks
    """

    decision: Decision
    evidence: Mapping[str, float]
    against: float
    against_enough: float
    proof: float
    proof_enough: float
    stable: Share
    canary: Share
    judged: Sequence[Judged]
    likelihood: Ratio

    @property
    def ratio(self) -> Interval:
        """The canary's odds of a failure over the stable version's: an interval that holds at all times."""
        return self.likelihood.interval

    @property
    def more(self) -> More | None:
        """What is still needed; None where it is decided."""
        return more(self.judged, math.log(self.proof_enough)) if self.decision == "undecided" else None

    @property
    def slowest(self) -> Judged | None:
        """The bound of latency with the most evidence against the canary; None where no times are compared."""
        return max(self.judged[1:], key=lambda each: each.metric.against, default=None)

    def as_json(self) -> dict[str, Any]:
        """The verdict as plain data. Shares are 0 to 1; null: not known, or without bound. Keys are only ever added."""
        needed = self.more
        return {
            "decision": self.decision,
            "evidence": dict(self.evidence),
            "against": {"eValue": self.against, "enough": self.against_enough},
            "proof": {"eValue": self.proof, "enough": self.proof_enough},
            "stable": _share(self.stable),
            "canary": _share(self.canary),
            "oddsRatio": _interval(self.ratio),
            "latency": None
            if self.slowest is None
            else {"bound": self.slowest.name, "eValue": e_value(self.slowest.metric.against)},
            "more": None
            if needed is None
            else {"requests": needed.requests, "decision": needed.decision, "metric": needed.metric},
        }


def more(judged: Sequence[Judged], proof_enough: float) -> More:
    """The least that would decide, of either kind: every metric must be proven to be no worse, one is enough for worse."""
    proofs, worse = [], []
    for each in judged:
        seen = each.metric.step
        share, odds, proof = gains(each.metric.limits, seen)
        proofs.append((_until(each.metric.proof, proof, seen, proof_enough), each.name))
        against = [_until(each.metric.odds, odds, seen, each.enough)]
        if each.metric.share is not None:
            against.append(_until(each.metric.share, share, seen, each.enough))
        worse.append((max(against), each.name))
    slowest, soonest = max(proofs), min(worse)
    (requests, name), decision = min((slowest, "no worse"), (soonest, "worse"))
    return More(math.ceil(requests), decision, name) if requests < _MOST else More()


def _until(evidence: Evidence, gained: Sequence[float], seen: Seen, enough: float) -> float:
    """How many more requests of the canary take one of the bets there, at what each has gained by `seen`."""
    if evidence.log >= enough:
        return 0.0
    return min(
        ((enough - log) * seen.canary / gain for log, gain in zip(evidence.logs, gained, strict=True) if gain > 0),
        default=math.inf,
    )


def _share(share: Share) -> dict[str, Any]:
    return {"requests": share.requests, "failures": share.failures, "share": _interval(share.interval)}


def _interval(interval: Interval) -> dict[str, float | None]:
    return {"low": interval.low, "high": interval.high}
