"""One service's part in a rollout: what was counted of it, and what follows from that."""

from __future__ import annotations

import time
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from pydantic import ValidationError

from weir.analysis import Comparison, Counts, Verdict
from weir.model.config.base import as_written
from weir.model.config.rollout import Analysis, Rollout
from weir.rollout import record
from weir.rollout.decide import Next, decide
from weir.rollout.metrics import Metrics
from weir.rollout.state import Phase, State
from weir.rollout.words import needs, why_worse

_COMPARED = ("worse", "tolerated", "false_aborts", "latency", "margin")


def comparison_settings(analysis: Analysis, parts: int = 1) -> dict[str, float]:
    """What a Comparison is made with, by the config. `parts`: how many share the chance of a false abort."""
    return {
        "worse": float(analysis.worse),
        "tolerated": float(analysis.tolerated) / 100,
        "false_aborts": float(analysis.false_aborts) / parts,
        "latency_worse": float(analysis.latency.worse),
        "latency_tolerated": analysis.latency.tolerated.seconds,
        "margin": float(analysis.margin),
    }


def at_begin(settings: Rollout) -> dict[str, Any]:
    """What a state keeps of the config: by what the two versions are compared."""
    analysis = settings.analysis.model_dump(mode="json", by_alias=True, include=set(_COMPARED))
    return {"analysis": analysis, "metrics": [as_written(metric) for metric in settings.metrics]}


def since_begin(state: State, settings: Rollout) -> Rollout:
    """The config with what it said of the comparison when the rollout began: the chance to be wrong is that of one
    comparison, from its first look to its last. Raises UnreadableError.
    """
    if not state.settings:
        return settings
    try:
        begun = Rollout.model_validate(state.settings)
    except ValidationError as error:
        raise record.UnreadableError(
            f"the rollout of {state.service} was begun by another weir, with settings that this one does not know "
            f"({error.errors()[0]['msg']}). Use that one, or end the rollout: weir abort {state.service}"
        ) from None
    compared = {name: getattr(begun.analysis, name) for name in _COMPARED}
    analysis = settings.analysis.model_copy(update=compared)
    return settings.model_copy(update={"analysis": analysis, "metrics": begun.metrics})


class Member:
    """A service, its state as it was last kept, and what was counted since."""

    def __init__(self, settings: Rollout, kept: record.Kept, metrics: Metrics) -> None:
        """The chance of a false abort is that of the rollout: its services, and of each the requests and the metrics
        that are compared, share it (the union bound).
        """
        self.settings, self.kept, self.metrics = settings, kept, metrics
        self._parts = len(kept.state.services) * (1 + metrics.comparisons)
        self.comparison = self._new_comparison()
        if kept.state.evidence:
            self.comparison = record.comparison(kept.state, kept.state.evidence)
        self._hurt = self._requests = 0
        # Of a step that this process has not begun, others have seen what was proven, and nobody what came since.
        self._taken_over = kept.state.phase == "step"
        self._answered: float | None = None

    def _new_comparison(self) -> Comparison:
        return Comparison(**comparison_settings(self.settings.analysis, self._parts))

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

    def answered(self, answered: bool) -> None:
        """Whether a look could tell of this service."""
        if not answered:
            self._answered = None
        elif self._answered is None:
            self._answered = time.monotonic()

    def looking(self, began: float, most: float) -> float:
        """How many seconds to look yet before anything that others have seen counts, where this process has looked
        since `began` (monotonic): until half of `most` seconds were answered without a gap, or all of them were not.
        """
        if not self._taken_over:
            return 0.0
        since, seconds = (began, most) if self._answered is None else (self._answered, most / 2)
        return max(0.0, since + seconds - time.monotonic())

    def begin_step(self) -> None:
        """What shows that the version is no worse begins anew."""
        self._taken_over = False
        self.comparison.begin_step()
        self.metrics.begin_step()

    def made_of(self, pods: str, now: datetime) -> State:
        """The state with the version's pods made of these templates; empty where nobody can tell. What others have
        answered is no evidence of these.
        """
        if not pods or pods == self.state.pods:
            return self.state
        if not self.state.pods:
            return replace(self.state, pods=pods)
        self.comparison = self._new_comparison()
        self.metrics.forget()
        self._taken_over = False
        return self.state.with_other_pods(pods, now)

    def next(self, now: datetime, looking: float = 0.0) -> Next:
        """What would follow for this service alone. `looking`: how many seconds there are to look yet."""
        verdict = self.verdict
        proven = verdict.decision == "no worse"
        silent = "" if not self._taken_over or self._answered is not None else "callers do not answer"
        waits = self.metrics.waits or silent
        return decide(
            self.state,
            self.settings,
            worse=why_worse(self.state, verdict) or self.metrics.worse,
            no_worse=proven and not waits,
            needs=waits if proven else needs(self.state, verdict),
            now=now,
            looking=looking,
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
