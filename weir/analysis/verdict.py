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
WORSE: Decision = "worse"
NO_WORSE: Decision = "no worse"
UNDECIDED: Decision = "undecided"

_MOST = 10**12


@dataclass(frozen=True, slots=True)
class Share:
    """Bad answers of one version among its answers, over all looks."""

    answers: int
    bad: int

    @property
    def interval(self) -> Interval:
        """Of the share (0 to 1): it holds at all times, for the mean of all looks."""
        return share_interval(self.bad, self.answers)


@dataclass(frozen=True, slots=True)
class Judged:
    """A metric as it stands.

    enough        the logarithm of the e-value against it that alone makes the canary worse
    bound         in seconds, where slower answers are the bad ones; None where failures are
    stable_bound  the same of the stable version's answers: lower where the canary's may be slower by some time
    """

    metric: Metric
    enough: float
    bound: float | None = None
    stable_bound: float | None = None

    @property
    def name(self) -> str:
        """What is bad, in words."""
        if self.bound is None:
            return "failures"
        other = "" if self.stable_bound == self.bound else f" (stable: {self.stable_bound:g} s)"
        return f"slower than {self.bound:g} s{other}"

    @property
    def stable(self) -> Share:
        """Of the stable version."""
        return Share(self.metric.total.stable, self.metric.total.stable_bad)

    @property
    def canary(self) -> Share:
        """Of the canary."""
        return Share(self.metric.total.canary, self.metric.total.canary_bad)

    @property
    def evidence(self) -> float:
        """The e-value against "no worse", of this one alone."""
        return e_value(self.metric.against)


@dataclass(frozen=True, slots=True)
class More:
    """What an undecided verdict still needs: an estimate, from how this step has gone so far.

    requests  so many more of the canary; None where it cannot be told
    decision  what they would show; "undecided" where it cannot be told
    metric    the one that takes longest; empty where it cannot be told
    """

    requests: int | None = None
    decision: Decision = UNDECIDED
    metric: str = ""

    def __str__(self) -> str:
        if self.requests is None:
            return "how many more requests it needs cannot be told: in this step the counts point neither way so far"
        about = float(f"{self.requests:.2g}")  # an estimate: more digits would say more than it knows
        return (
            f"about {about:,.0f} more requests of the canary would show it to be {self.decision} ({self.metric}), if "
            "they go as this step has gone so far"
        )


@dataclass(frozen=True, slots=True)
class Verdict:
    """The verdict after a look, with all that led to it.

    decision  "worse": shown to be worse than tolerated, at any look so far; "no worse": shown in this step to be worse
              by less than the margin, and not "worse"; else "undecided"
    evidence  metric → e-value against "no worse", as it is now
    against   all metrics together: the highest that their e-value has ever been. From `against_enough` on it is "worse"
    proof     the highest e-value in this step against "worse by more than the margin". From `proof_enough` on it is
              "no worse"
    judged    each metric: failures first, then the bounds of latency
    """

    decision: Decision
    evidence: Mapping[str, float]
    against: float
    against_enough: float
    proof: float
    proof_enough: float
    judged: Sequence[Judged]
    likelihood: Ratio

    @property
    def stable(self) -> Share:
        """Failures of the stable version."""
        return self.judged[0].stable

    @property
    def canary(self) -> Share:
        """Failures of the canary."""
        return self.judged[0].canary

    @property
    def ratio(self) -> Interval:
        """The canary's odds of a failure over the stable version's: an interval that holds at all times."""
        return self.likelihood.interval

    @property
    def more(self) -> More | None:
        """What is still needed; None where it is decided."""
        return more(self.judged, math.log(self.proof_enough)) if self.decision == UNDECIDED else None

    @property
    def unproven(self) -> More:
        """What going on still needs, whatever else would decide before: proof that the canary is no worse."""
        requests, name = max(_proofs(self.judged, math.log(self.proof_enough)))
        return More(math.ceil(requests), NO_WORSE, name) if requests < _MOST else More()

    @property
    def slowest(self) -> Judged | None:
        """The bound of latency with the most evidence against the canary; None where there is none at any."""
        suspect = [each for each in self.judged[1:] if each.metric.against > 0]
        return max(suspect, key=lambda each: each.metric.against, default=None)

    def as_json(self) -> dict[str, Any]:
        """The verdict as plain data. Shares are 0 to 1; null: not known, or without bound. Keys are only ever added."""
        needed = self.more
        return {
            "decision": self.decision,
            "evidence": dict(self.evidence),
            "against": {"eValue": self.against, "enough": self.against_enough},
            "proof": {"eValue": self.proof, "enough": self.proof_enough},
            "stable": {"requests": self.stable.answers, "failures": self.stable.bad, **_share(self.stable)},
            "canary": {"requests": self.canary.answers, "failures": self.canary.bad, **_share(self.canary)},
            "oddsRatio": _interval(self.ratio),
            "latency": None if self.slowest is None else _slower(self.slowest),
            "more": None
            if needed is None
            else {"requests": needed.requests, "decision": needed.decision, "metric": needed.metric},
        }


def more(judged: Sequence[Judged], proof_enough: float) -> More:
    """The least that would decide: proof that no metric is worse, which all of them need, or one that is worse."""
    worse = []
    for each in judged:
        seen = each.metric.step
        share, odds, _ = gains(each.metric.limits, seen)
        against = [_until(each.metric.odds, odds, seen, each.enough)]
        if each.metric.share is not None:
            against.append(_until(each.metric.share, share, seen, each.enough))
        worse.append((max(against), each.name))
    last, first = max(_proofs(judged, proof_enough)), min(worse)
    (requests, name), decision = (last, NO_WORSE) if last <= first else (first, WORSE)
    return More(math.ceil(requests), decision, name) if requests < _MOST else More()


def _proofs(judged: Sequence[Judged], enough: float) -> list[tuple[float, str]]:
    """How many more requests of the canary prove each metric to be no worse."""
    found = []
    for each in judged:
        _, _, proof = gains(each.metric.limits, each.metric.step)
        found.append((_until(each.metric.proof, proof, each.metric.step, enough), each.name))
    return found


def _until(evidence: Evidence, gained: Sequence[float], seen: Seen, enough: float) -> float:
    """How many more requests of the canary take one of the bets there, at what each has gained by `seen`."""
    if evidence.log >= enough:
        return 0.0
    gaining = [(log, gain) for log, gain in zip(evidence.logs, gained, strict=True) if gain > 0 and seen.canary]
    return min(((enough - log) * seen.canary / gain for log, gain in gaining), default=math.inf)


def _share(share: Share) -> dict[str, Any]:
    return {"share": _interval(share.interval)}


def _slower(judged: Judged) -> dict[str, Any]:
    versions = {"stable": judged.stable, "canary": judged.canary}
    return {
        "bound": judged.bound,
        "stableBound": judged.stable_bound,
        "eValue": judged.evidence,
        **{name: {"answers": share.answers, "slower": share.bad, **_share(share)} for name, share in versions.items()},
    }


def _interval(interval: Interval) -> dict[str, float | None]:
    return {"low": interval.low, "high": interval.high}
