"""One process's part in a rollout: it looks, decides, and has done what follows, until there is an end, or nothing
is due.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Literal, Protocol

from weir.analysis import Comparison, Counts, Verdict
from weir.cluster.errors import ClusterError
from weir.cluster.kubectl import Kubectl
from weir.model.config.rollout import Analysis, Check, Rollout
from weir.rollout import record
from weir.rollout.decide import Next, decide
from weir.rollout.state import State
from weir.rollout.words import needs, why_worse

LOOK_SECONDS = 1.0
"""From one look to the next."""

SAVE_SECONDS = 5.0
"""From one writing down of what was seen to the next."""

ONCE_SECONDS = 10.0
"""How long a process looks that is to do what is due and no more."""

PATIENCE_SECONDS = 60.0
"""How long the cluster may fail to answer before a rollout is left as it is: proxies keep what they have."""


class Traffic(Protocol):
    """Moves requests. Each returns once proxies have acknowledged it; raises WeirError."""

    def move(self, state: State) -> None:
        """Give the version the share of the step."""

    def promote(self, state: State) -> None:
        """Make the version the stable one."""

    def take_back(self, state: State) -> None:
        """Give the version nothing."""


class Source(Protocol):
    """Counts answers."""

    def look(self) -> tuple[Counts, Counts] | None:
        """Those of the stable version and of the new one since the last look; None where nobody can tell. Raises
        ClusterError.
        """


@dataclass(frozen=True, slots=True)
class Seen:
    """What there is to show: the state, the verdict over the whole rollout and the step, and what is waited for."""

    state: State
    verdict: Verdict
    next: Next
    settings: Rollout


def comparison_settings(analysis: Analysis) -> dict[str, float]:
    """What a Comparison is made with, by the config."""
    return {
        "worse": float(analysis.worse),
        "tolerated": float(analysis.tolerated) / 100,
        "false_aborts": float(analysis.false_aborts) / 100,
        "latency_worse": float(analysis.latency.worse),
        "margin": float(analysis.margin),
    }


class Run:
    """A rollout in this process. `begin` or `go_on`, then `until_end`."""

    def __init__(
        self,
        kubectl: Kubectl,
        settings: Rollout,
        kept: record.Kept,
        *,
        traffic: Traffic,
        source: Source,
        check: Callable[[Check, State], str],
        show: Callable[[Seen], None],
    ) -> None:
        """`check`: runs a check; why it failed, or nothing. `show`: told of each look."""
        self._kubectl, self._settings, self._kept = kubectl, settings, kept
        self._traffic, self._source, self._check, self._show = traffic, source, check, show
        self._comparison = Comparison(**comparison_settings(settings.analysis))
        if kept.state.evidence:
            self._comparison = Comparison.from_state(kept.state.evidence)
        self._hurt = self._requests = 0
        self._saved = time.monotonic()

    @property
    def state(self) -> State:
        """How far it is."""
        return self._kept.state

    def until_end(self, *, once: bool = False) -> State:
        """Do what is due, one thing after the other. `once`: return where nothing is due.

        Raises WeirError where a step could not be applied, or the cluster did not answer for too long: the state says
        how far it got.
        """
        try:
            return self._until_end(once)
        except record.AnotherWroteError:
            # An abort ends it for whoever is at it.
            kept = record.read(self._kubectl, self.state.service)
            if kept is None or not kept.state.over:
                raise
            self._kept = kept
            return self.state

    def _until_end(self, once: bool) -> State:
        if self.state.phase == "begun":
            self._enter(0)
        self._source.look()
        started = answered = time.monotonic()
        while not self.state.over:
            began = time.monotonic()
            try:
                verdict = self._look()
                answered = time.monotonic()
            except ClusterError:
                if time.monotonic() - answered > PATIENCE_SECONDS:
                    raise
                verdict = self._comparison.verdict()
            following = self._next(verdict)
            self._show(Seen(self.state, verdict, following, self._settings))
            if following.kind == "wait":
                if once and time.monotonic() - started >= ONCE_SECONDS:
                    return self._left()
                time.sleep(max(0.0, LOOK_SECONDS - (time.monotonic() - began)))
            else:
                self._do(following)
                if self.state.phase == "held":
                    return self.state
        return self.state

    def end(self, how: Literal["hold", "abort"]) -> None:
        """What somebody has said in between."""
        self._do(Next(how, "somebody said so"))

    def _left(self) -> State:
        """Write down what was seen, and leave the rollout as it is."""
        self._keep(self.state)
        return self.state

    def _look(self) -> Verdict:
        counts = self._source.look()
        if counts is None:
            return self._comparison.verdict()
        stable, version = counts
        verdict = self._comparison.look(stable=stable, canary=version)
        self._hurt += version.failures
        self._requests += version.requests
        # What is not kept yet, a process that is killed loses: a few looks.
        if time.monotonic() - self._saved >= SAVE_SECONDS:
            self._keep(self.state)
        return verdict

    def _next(self, verdict: Verdict) -> Next:
        return decide(
            self.state,
            self._settings,
            worse=why_worse(self.state, verdict),
            no_worse=verdict.decision == "no worse",
            needs=needs(self.state, verdict),
            now=datetime.now(UTC),
        )

    def _do(self, following: Next) -> None:
        state = self.state
        match following.kind:
            case "go on":
                # Whoever has ended the rollout meanwhile is heard before traffic moves.
                self._keep(state)
                self._enter(state.index + 1)
            case "promote":
                self._keep(state)
                self._traffic.promote(state)
                self._keep(replace(self.state, phase="promoted", why=following.why))
            case "abort":
                # First the traffic: what is written down can be written later.
                self._traffic.take_back(state)
                self._keep(replace(state, phase="aborted", why=following.why))
            case "hold":
                self._keep(replace(state, phase="held", released=False, why=following.why))
            case "check":
                assert following.check is not None
                if failed := self._check(following.check, state):
                    self._do(Next(self._settings.on_regression, failed))
                else:
                    self._keep(replace(state, checked=(*state.checked, following.check.run)))

    def _enter(self, index: int) -> None:
        self._traffic.move(replace(self.state, index=index))
        self._comparison.begin_step()
        # What was counted while proxies changed over belongs to no step.
        self._source.look()
        self._keep(self.state.at_step(index, datetime.now(UTC)))

    def _keep(self, state: State) -> None:
        """Write the state down, with all that was seen by now."""
        seen = replace(
            state,
            evidence=self._comparison.state(),
            hurt=state.hurt + self._hurt,
            requests=state.requests + self._requests,
        )
        self._hurt = self._requests = 0
        self._kept = record.write(self._kubectl, seen, self._kept)
        self._saved = time.monotonic()
