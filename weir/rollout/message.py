"""What receivers are told of a rollout: a sentence that chat systems show (`text`), and the same as data."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from weir.model.config.notify import Event
from weir.model.values.numbers import plain
from weir.rollout.state import Phase, State
from weir.visible import in_one_line

EVENTS: Mapping[Phase, Event] = {
    "begun": "begin",
    "step": "step",
    "held": "hold",
    "aborted": "abort",
    "promoted": "promotion",
}
"""What it is called that a rollout comes to a phase."""


def message(state: State, stack: str, namespace: str, at: datetime) -> dict[str, Any]:
    """What the rollout has come to at that moment. `step` counts from 1; `share` is in percent, as the callers have it:
    0 before the first step and after an abort, 100 after the promotion.
    """
    share = {"begun": 0, "aborted": 0, "promoted": 100}.get(state.phase, plain(state.step.share))
    return {
        "text": in_one_line(f"{stack}: {_sentence(state)}"),
        "event": EVENTS[state.phase],
        "service": state.service,
        "version": state.version,
        "stable": state.stable,
        "stack": stack,
        "namespace": namespace,
        "share": share,
        "step": 0 if state.phase == "begun" else state.index + 1,
        "of": len(state.steps),
        "why": state.why,
        "requests": state.requests,
        "hurt": state.hurt,
        "who": state.who,
        "command": state.command,
        "at": at.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z"),
    }


def _sentence(state: State) -> str:
    what, share = f"{state.version} of {state.service}", plain(state.step.share)
    got = f"{state.hurt:,} of its {state.requests:,} requests failed"
    match state.phase:
        case "begun":
            steps = ", ".join(str(plain(step.share)) for step in state.steps)
            return f"{what} begins to take over from {state.stable} ({steps} %), by {state.who}"
        case "step":
            return f"{what} gets {share} % of the requests (step {state.index + 1} of {len(state.steps)})"
        case "held":
            return (
                f"{what} is held at {share} %: {state.why}; {got}. To go on: weir rollout {state.service} --continue; "
                f"to end it: weir abort {state.service}"
            )
        case "aborted":
            return f"{what} was taken back at {share} %: {state.why}; {got}"
        case "promoted":
            return f"{what} is the stable version now, in place of {state.stable}; {got}"
