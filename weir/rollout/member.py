"""One service's part in a rollout: what was counted of it, and what follows from that."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from weir.analysis import Comparison, Counts, Verdict
from weir.model.config.rollout import Analysis, Rollout
from weir.rollout import record
from weir.rollout.decide import Next, decide
from weir.rollout.metrics import Metrics
from weir.rollout.state import Phase, State
from weir.rollout.words import needs, why_worse


def comparison_settings(analysis: Analysis, parts: int = 1) -> dict[str, float]:
    """What a Comparison is made with, by the config. `parts`: how many share the chance of a false abort."""
    return {
        "worse": float(analysis.worse),
        "tolerated": float(analysis.tolerated) / 100,
        "false_aborts": float(analysis.false_aborts) / parts,
        "latency_worse": float(analysis.latency.worse),
        "margin": float(analysis.margin),
    }


class Member:
    """A service, its state as it was last kept, and what was counted since."""

    def __init__(self, settings: Rollout, kept: record.Kept, metrics: Metrics) -> None:
        """The chance of a false abort is that of the rollout: its services, and of each the requests and the metrics
        that are compared, share it (the union bound).
        """
        self.settings, self.kept, self.metrics = settings, kept, metrics
        parts = len(kept.state.services) * (1 + metrics.comparisons)
        self.comparison = Comparison(**comparison_settings(settings.analysis, parts))
        if kept.state.evidence:
            self.comparison = Comparison.from_state(kept.state.evidence)
        self._hurt = self._requests = 0

    @property
    def state(self) -> State:
        """How far it is."""
        return self.kept.state

    @property
    def verdict(self) -> Verdict:
        """What all that was counted says."""
        return self.comparison.verdict()

    def count(self, stable: Counts, version: Counts) -> None:
        """What the two versions have answered since the last look."""
        self.comparison.look(stable=stable, canary=version)
        self._hurt += version.failures
        self._requests += version.requests

    def begin_step(self) -> None:
        """What shows that the version is no worse begins anew."""
        self.comparison.begin_step()
        self.metrics.begin_step()

    def next(self, now: datetime) -> Next:
        """What would follow for this service alone."""
        verdict = self.verdict
        return decide(
            self.state,
            self.settings,
            worse=why_worse(self.state, verdict) or self.metrics.worse,
            no_worse=verdict.decision == "no worse" and not self.metrics.waits,
            needs=self.metrics.waits if verdict.decision == "no worse" else needs(self.state, verdict),
            now=now,
        )

    def ended(self, phase: Phase, why: str, now: datetime) -> State:
        """The state in a phase that ends its step without another one. The config says what the promotion leaves."""
        keep = self.settings.keep if phase == "promoted" else None
        retire = None if keep is None else now + timedelta(seconds=keep.seconds)
        return replace(self.state, phase=phase, released=False, why=why, retire=retire)

    def seen(self, state: State) -> State:
        """The state with all that was counted."""
        return replace(
            state,
            evidence={**self.comparison.state(), "metrics": self.metrics.state()},
            hurt=state.hurt + self._hurt,
            requests=state.requests + self._requests,
        )

    def keep(self, kept: record.Kept) -> None:
        """What was counted is kept now."""
        self.kept = kept
        self._hurt = self._requests = 0
