"""What a rollout does next, from its state, what its versions' requests say, and the time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Literal

from weir.model.config.rollout import Check, Rollout
from weir.rollout.state import Cause, State

Kind = Literal["wait", "check", "go on", "promote", "abort", "hold"]

_FIRST: tuple[Kind, ...] = ("abort", "hold", "check", "wait", "go on", "promote")


@dataclass(frozen=True, slots=True)
class Next:
    """What follows, and why, in words. `seconds`: how long there is nothing to do but look, where that is known.
    `check`: the one to run. `service`: of several, the one whose it is. `cause`: of a hold, what the rollout goes on
    without once somebody lets it go on.
    """

    kind: Kind
    why: str = ""
    seconds: float | None = None
    check: Check | None = None
    service: str = ""
    cause: Cause = ""


def decide(
    state: State, settings: Rollout, *, worse: str, no_worse: bool, needs: str, now: datetime, looking: float = 0.0
) -> Next:
    """What follows at a step that is under way.

    `worse`: what is worse about the version, over the whole rollout; empty where nothing is. `no_worse`: whether this
    step's requests have ruled out that it is worse by more than the margin. `needs`: what it takes until they have, in
    words. `looking`: how many seconds this process has yet to look, before what others have seen counts.

    Worse comes first, whatever else holds. Then a step lasts its pause; what it waits for after that is a person, the
    evidence, or a check.
    """
    if worse:
        return Next(settings.on_regression, worse, cause="worse")
    if state.phase == "held":
        return Next("wait", state.why)
    left = state.step.pause - state.seconds(now)
    if left > 0:
        return Next("wait", "the step's pause is not over", left)
    done = Next("go on", "the step is done")
    # A version without requests is told by checks and people alone.
    if state.step.share and not state.unproven:
        if looking > 0:
            return Next("wait", "what was proven before counts once callers have answered for a while", looking)
        if not no_worse:
            done = _undecided(state, settings, needs, now)
    if done.kind != "go on":
        return done
    for check in settings.checks:
        if check.run not in state.checked and (not check.at or state.step.share in check.at):
            return Next("check", check.run, check=check)
    if state.step.manual and not state.released:
        return Next("wait", f"its gate is manual; to go on: weir rollout {state.service} --continue")
    if state.index + 1 == len(state.steps):
        return Next("promote", "the last step is done" if state.unproven or no_worse else done.why)
    return done


def _undecided(state: State, settings: Rollout, needs: str, now: datetime) -> Next:
    """The pause is over and nothing is proven yet."""
    analysis = settings.analysis
    left = analysis.patience.seconds - state.seconds(now)
    if left > 0:
        return Next("wait", needs, left)
    why = f"undecided after {analysis.patience}: {needs}"
    return Next("go on" if analysis.undecided == "promote" else analysis.undecided, why, cause="undecided")


def together(following: Mapping[str, Next]) -> Next:
    """What follows for services that go through the steps as one, from what would follow for each: the first of them
    that is worse takes all back, and the last one that is ready lets all go on.
    """
    if len(following) == 1:
        return next(iter(following.values()))
    for kind in _FIRST:
        found = {service: each for service, each in following.items() if each.kind == kind}
        if kind == "wait" and found:
            known = [each.seconds for each in found.values()]
            seconds = None if None in known else max(each for each in known if each is not None)
            return Next("wait", "; ".join(f"{service}: {each.why}" for service, each in found.items()), seconds)
        if found:
            service, each = next(iter(found.items()))
            return replace(each, why=f"{service}: {each.why}", service=service)
    raise ValueError("no service")
