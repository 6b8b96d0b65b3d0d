"""What a rollout does next, from its state, what its versions' requests say, and the time."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from weir.model.config.rollout import Check, Rollout
from weir.rollout.state import State

Kind = Literal["wait", "check", "go on", "promote", "abort", "hold"]


@dataclass(frozen=True, slots=True)
class Next:
    """What follows, and why, in words. `seconds`: how long there is nothing to do but look, where that is known.
    `check`: the one to run.
    """

    kind: Kind
    why: str = ""
    seconds: float | None = None
    check: Check | None = None


def decide(state: State, settings: Rollout, *, worse: str, no_worse: bool, needs: str, now: datetime) -> Next:
    """What follows at a step that is under way.

    `worse`: what is worse about the version, over the whole rollout; empty where nothing is. `no_worse`: whether this
    step's requests have ruled out that it is worse by more than the margin. `needs`: what it takes until they have, in
    words.

    Worse comes first, whatever else holds. Then a step lasts its pause; what it waits for after that is a person, the
    evidence, or a check.
    """
    if worse:
        return Next(settings.on_regression, worse)
    if state.phase == "held" and not state.released:
        return Next("wait", state.why)
    left = state.step.pause - state.seconds(now)
    if left > 0:
        return Next("wait", "the step's pause is not over", left)
    if not no_worse and not state.released:
        return _undecided(state, settings, needs, now)
    for check in settings.checks:
        if check.run not in state.checked and (not check.at or state.step.share in check.at):
            return Next("check", check.run, check=check)
    if state.step.manual and not state.released:
        return Next("wait", f"its gate is manual; to go on: weir rollout {state.service} --continue")
    if state.index + 1 == len(state.steps):
        return Next("promote", "the last step is done")
    return Next("go on", "the step is done")


def _undecided(state: State, settings: Rollout, needs: str, now: datetime) -> Next:
    """The pause is over and nothing is proven yet."""
    analysis = settings.analysis
    left = analysis.patience.seconds - state.seconds(now)
    if left > 0:
        return Next("wait", needs, left)
    why = f"undecided after {analysis.patience}: {needs}"
    if analysis.undecided == "promote":
        last = state.index + 1 == len(state.steps)
        return Next("promote" if last else "go on", why)
    return Next(analysis.undecided, why)
