"""Whether the canary is worse than the stable version: all metrics, from the first look of a rollout to its last."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Iterable, Mapping
from typing import Any

from weir.analysis import state
from weir.analysis.bets import FINGERPRINT, Limits
from weir.analysis.counts import Counts
from weir.analysis.evidence import e_value, log_mean, log_sum
from weir.analysis.intervals import Ratio
from weir.analysis.metric import Metric, Seen
from weir.analysis.verdict import NO_WORSE, UNDECIDED, WORSE, Judged, Verdict

_SLOWEST, _FASTEST = 0.01, 0.1
"""To go on, times must be shown to be no worse but for the slowest and the fastest answers, these shares of them. What
makes only the fastest tenth slower can be told by few answers, and hurts few.
"""

_MOST_TIMES = 1000.0


class Comparison:
    """One canary against the stable version.

    worse           so many times the stable version's odds of a bad answer are tolerated (1 or more), …
    tolerated       … and so is any share of bad answers up to this (0 to 1)
    false_aborts    α: the most probability that a canary that is no worse is called worse, over all looks and steps
    latency_worse   as `worse`, for answers slower than a bound, …
    latency_tolerated  … and so is any answer that is slower by up to so many seconds (0 or more)
    margin          a step may go on when the odds are shown to be below so many times the stable version's, or below
                    so many times those of a share of `tolerated`. For times it is as many times above `latency_worse`
                    as it is above `worse` for failures
    false_proofs    the most probability that a canary that is worse by the margin is called no worse, in a step

    Raises ValueError for numbers outside their range. Looks in which a counter fell are the caller's to drop.
    """

    def __init__(
        self,
        *,
        worse: float = 1.5,
        tolerated: float = 0.001,
        false_aborts: float = 0.01,
        latency_worse: float = 2.0,
        latency_tolerated: float = 0.005,
        margin: float = 2.0,
        false_proofs: float = 0.05,
    ) -> None:
        for name, value, least in (("worse", worse, 1), ("latency_worse", latency_worse, 1), ("margin", margin, 1)):
            if not least <= value <= _MOST_TIMES:
                raise ValueError(f"{name} must lie between {least} and {_MOST_TIMES:,.0f}, not {value}")
        if margin == 1:
            raise ValueError("margin must be above 1: that two versions are exactly alike can never be shown")
        if not 0 <= tolerated < 1:
            raise ValueError(f"tolerated must be a share from 0 to below 1, not {tolerated}")
        if not 0 <= latency_tolerated < math.inf:
            raise ValueError(f"latency_tolerated must be a number of seconds, 0 or more, not {latency_tolerated}")
        for name, value in (("false_aborts", false_aborts), ("false_proofs", false_proofs)):
            if not 0 < value < 1:
                raise ValueError(f"{name} must be a probability between 0 and 1, not {value}")
        self._settings = {
            "worse": worse,
            "tolerated": tolerated,
            "false_aborts": false_aborts,
            "latency_worse": latency_worse,
            "latency_tolerated": latency_tolerated,
            "margin": margin,
            "false_proofs": false_proofs,
        }
        self._enough, self._proof_enough = -math.log(false_aborts), -math.log(false_proofs)
        # The margin is one over what is tolerated, too: else a share right at the floor could never be decided.
        rare = margin * tolerated / (1 + (margin - 1) * tolerated)
        # What lies between tolerated and ruled out could be told from neither by any number of requests.
        slow_margin = latency_worse * max(1.0, margin / worse)
        self._slow = Limits(latency_worse, tolerated, slow_margin, max(rare, _SLOWEST), 1 - _FASTEST)
        self._failures = Metric.new(Limits(worse, tolerated, margin, rare))
        self._bounds: frozenset[float] = frozenset()
        self._slower: dict[float, Metric] = {}
        # What each kind of metric has of the evidence of all, as logarithms.
        self._failures_stake, self._slower_stake = 0.0, -math.inf
        self._ratio = Ratio()
        self._against, self._proof = 0.0, 0.0

    def look(self, *, stable: Counts, canary: Counts) -> Verdict:
        """The verdict with what came since the last look. The order of looks does not matter within a step.

        The bounds of latency are those of the first look that has any. Raises ValueError for a look with others, which
        then is not counted.
        """
        slower = self._times(stable, canary)
        self._bounds = self._bounds or frozenset({*stable.slower, *canary.slower})
        if slower and not self._slower:
            # Half of what has been gained goes on with the failures, and half with the times, which begin there.
            self._slower_stake = self._now() - math.log(2)
            self._failures_stake -= math.log(2)
            self._slower = {bound: Metric.new(self._slow) for bound in slower}
            # What failures alone have shown says nothing of times.
            self._proof = 0.0
        failures = Seen(canary.requests, canary.failures, stable.requests, stable.failures)
        self._failures = self._failures.after(failures)
        self._slower = {
            bound: metric.after(slower[bound]) if slower else metric for bound, metric in self._slower.items()
        }
        self._ratio = self._ratio.after(failures)
        self._against = max(self._against, self._now())
        self._proof = max(self._proof, min(metric.proof.log for metric in (self._failures, *self._slower.values())))
        return self.verdict()

    def begin_step(self) -> None:
        """A step of the rollout begins: what shows that the canary is no worse begins anew, and what has been seen
        against it stays.
        """
        if all(metric.step == Seen() for metric in (self._failures, *self._slower.values())):
            return
        self._failures = self._failures.next_step()
        self._slower = {bound: metric.next_step() for bound, metric in self._slower.items()}
        self._proof = 0.0

    def verdict(self) -> Verdict:
        """The verdict as it stands."""
        decision = UNDECIDED
        if self._against >= self._enough:
            decision = WORSE
        elif self._proof >= self._proof_enough:
            decision = NO_WORSE
        evidence = {"failures": e_value(self._failures.against)}
        if self._slower:
            evidence["latency"] = e_value(self._latency())
        return Verdict(
            decision,
            evidence,
            e_value(self._against),
            1 / self._settings["false_aborts"],
            e_value(self._proof),
            1 / self._settings["false_proofs"],
            self._judged(),
            self._ratio,
        )

    def state(self) -> dict[str, Any]:
        """All that the comparison knows, as plain data for JSON; `from_state` goes on with the same evidence."""
        return {
            "bets": FINGERPRINT,
            "settings": dict(self._settings),
            "failures": state.of_metric(self._failures),
            "bounds": sorted(self._bounds),
            "slower": {repr(bound): state.of_metric(metric) for bound, metric in self._slower.items()},
            "stakes": [self._failures_stake, self._slower_stake] if self._slower else None,
            "ratio": list(self._ratio.logs),
            "highest": [self._against, self._proof],
        }

    @classmethod
    def from_state(cls, saved: Mapping[str, Any]) -> Comparison:
        """The comparison that `state` was taken of. Raises ValueError for what is no state, or one of another weir."""
        if saved.get("bets") != FINGERPRINT:
            raise ValueError("the state of the analysis is of another version of weir; begin the analysis anew")
        try:
            found = cls(**saved["settings"])
            found._failures = state.metric(found._failures, saved["failures"])
            found._bounds = frozenset(state.numbers(saved["bounds"], len(saved["bounds"])))
            found._slower = {
                float(bound): state.metric(Metric.new(found._slow), metric) for bound, metric in saved["slower"].items()
            }
            if saved["stakes"] is not None:
                found._failures_stake, found._slower_stake = state.numbers(saved["stakes"], 2)
            found._ratio = Ratio(state.numbers(saved["ratio"], len(found._ratio.logs)))
            found._against, found._proof = state.numbers(saved["highest"], 2)
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"this is no state of an analysis: {error!r}") from None
        return found

    def _now(self) -> float:
        """The evidence of all metrics together. Its mean, and not the highest of them: that is valid whatever their
        dependence, and never less than each with its part of α.
        """
        logs = [self._failures_stake + self._failures.against]
        if self._slower:
            logs.append(self._slower_stake + self._latency())
        return log_sum(logs)

    def _latency(self) -> float:
        return log_mean([metric.against for metric in self._slower.values()])

    def _judged(self) -> list[Judged]:
        against = self._compared(self._bounds)
        each = self._enough - self._slower_stake + math.log(len(self._slower)) if self._slower else 0.0
        return [
            Judged(self._failures, self._enough - self._failures_stake),
            *(Judged(metric, each, bound, against[bound]) for bound, metric in self._slower.items()),
        ]

    def _times(self, stable: Counts, canary: Counts) -> dict[float, Seen]:
        """Bound → answers, and how many were slower; empty where no version has times in this look."""
        bounds = self._bounds or {*stable.slower, *canary.slower}
        if not stable.slower and not canary.slower:
            return {}
        for version, counts in (("stable", stable), ("canary", canary)):
            other = bounds ^ set(counts.slower)
            if other and (counts.slower or counts.answers):
                raise ValueError(
                    f"{version}: slower must have the same bounds for both versions in every look, also where none was "
                    f"slower; that of {min(other):g} s is not in all of them"
                )
        return {
            bound: Seen(canary.answers, canary.slower.get(bound, 0), stable.answers, stable.slower.get(less, 0))
            for bound, less in self._compared(bounds).items()
        }

    def _compared(self, bounds: Iterable[float]) -> dict[float, float]:
        """Bound of the canary's answers → bound of the stable version's: lower by what an answer may be slower, or by
        the next there is more. Where that is less than a tenth of the bound it is the same.

        A bound is left out where there is none below it by so much: an answer that is tolerated in any case.
        """
        tolerated, found = self._settings["latency_tolerated"], {}
        places = sorted(map(float, bounds))
        for bound in places:
            if bound >= 10 * tolerated:
                found[bound] = bound
            elif below := places[: bisect_right(places, (bound - tolerated) * (1 + 1e-9))]:
                found[bound] = below[-1]
        return found
