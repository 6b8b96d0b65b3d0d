"""The state of a rollout: what there is to know to go on with it, on any machine."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Literal

from pydantic import ValidationError

from weir.model import Duration
from weir.model.config.rollout import Rollout
from weir.model.routing.expiry import ago
from weir.model.values.numbers import plain

Phase = Literal["begun", "step", "held", "aborted", "promoted"]
"""begun: no step is applied yet; step: one is under way; held: it stays at its step until somebody says what follows;
the other two are ends.
"""

Cause = Literal["", "worse", "undecided"]
"""Of a hold: what was seen of the version, what was not seen, or something else."""

OVER: tuple[Phase, ...] = ("aborted", "promoted")
_MOMENTS = "since", "retire"


@dataclass(frozen=True, slots=True)
class Step:
    """A share of the requests in percent, how many seconds it lasts at least, and whether somebody has to say that the
    rollout may go on.
    """

    share: Decimal
    pause: float
    manual: bool = False


@dataclass(frozen=True, slots=True)
class State:
    """A rollout of one service.

    `version` takes over from `stable`.
    `command`: as typed. `who`: user and machine. `began`: when, in UTC. `reason`: what was given for it.
    `index`: which step it is at. `since`: from when on, in UTC: proxies had acknowledged it.
    `released`: somebody has opened the step's manual gate.
    `unproven`: somebody has let the step end without proof that the version is no worse.
    `cause`: of a hold.
    `why`: what led to the phase, in words.
    `hurt`: failed requests of the version so far.
    `requests`: all of its requests so far.
    `owner`: the process that goes on with it, by a name that no other one has.
    `checked`: the checks that the step has passed, by their command.
    `together`: the services that go through the steps as one, this one among them; none where it is alone.
    `evidence`: what the comparison of the two versions goes on with.
    `pods`: of which templates the version's pods are made, whose answers the evidence is of; empty where nobody knows.
    `settings`: by which they are compared: what the config said of that at the begin. None in a state of an older weir.
    `control`: the version of fresh pods of the stable one that it is compared with; empty where that is the stable one
    itself, and once it is gone after the end.
    `retire`: after the promotion, when the version that was stable is to be retired, in UTC; None where it stays, or
    that is settled. `retired`: what has become of it, in words.
    """

    service: str
    version: str
    stable: str
    steps: tuple[Step, ...]
    command: str
    who: str
    began: datetime
    phase: Phase = "begun"
    index: int = 0
    since: datetime | None = None
    released: bool = False
    unproven: bool = False
    cause: Cause = ""
    why: str = ""
    hurt: int = 0
    requests: int = 0
    checked: tuple[str, ...] = ()
    together: tuple[str, ...] = ()
    evidence: Mapping[str, Any] = field(default_factory=dict)
    reason: str = ""
    settings: Mapping[str, Any] = field(default_factory=dict)
    owner: str = ""
    pods: str = ""
    control: str = ""
    retire: datetime | None = None
    retired: str = ""

    @property
    def over(self) -> bool:
        """Whether it has come to an end."""
        return self.phase in OVER

    @property
    def step(self) -> Step:
        """The step that it is at."""
        return self.steps[self.index]

    def at_step(self, index: int, since: datetime) -> State:
        """The same at another step, which proxies have acknowledged at that moment."""
        return replace(
            self, phase="step", index=index, since=since, released=False, unproven=False, cause="", checked=(), why=""
        )

    def held(self, why: str, cause: Cause) -> State:
        """The same at its step, until somebody lets it go on."""
        return replace(self, phase="held", released=False, why=why, cause=cause)

    def let_go_on(self, now: datetime) -> State:
        """The same once somebody has said so: of a hold, or else of the step's gate.

        After a hold pause, checks and gate of the step begin anew; one for want of proof goes on without. What was seen
        to be worse led to its hold: who goes on in spite of it begins anew with all evidence.
        """
        if self.phase != "held":
            return replace(self, released=True)
        return replace(
            self,
            phase="begun" if self.since is None else "step",
            since=None if self.since is None else now,
            unproven=self.cause == "undecided",
            evidence={} if self.cause == "worse" else self.evidence,
            checked=(),
            why="",
            cause="",
        )

    def with_other_pods(self, pods: str, now: datetime) -> State:
        """The same at its step, once the version's pods are made of another template: the step begins anew."""
        return replace(self, pods=pods, since=now, released=False, unproven=False, checked=(), evidence={})

    @property
    def compared(self) -> str:
        """The version that the new one is compared with."""
        return self.control or self.stable

    @property
    def services(self) -> tuple[str, ...]:
        """All services of the rollout."""
        return self.together or (self.service,)

    def seconds(self, now: datetime) -> float:
        """How long the step has lasted."""
        return 0.0 if self.since is None else (now - self.since).total_seconds()


def in_words(state: State, now: datetime) -> str:
    """How far it is, in one line."""
    afterwards = f"; {told}" if (told := retirement(state, now)) else ""
    shares = ", ".join(str(plain(step.share)) for step in state.steps)
    others = [name for name in state.together if name != state.service]
    match state.phase:
        case "begun":
            how = f"is about to begin ({shares} %)"
        case "promoted":
            how = "has become the stable version"
        case "aborted":
            how = f"was taken back at {plain(state.step.share)} %: {state.why}"
        case _:
            held = f", held: {state.why}" if state.phase == "held" else ""
            how = f"is at {plain(state.step.share)} % for {ago(now - state.since) if state.since else '0 s'}{held}"
            how += f" (step {state.index + 1} of {len(state.steps)}: {shares} %)"
    with_others = f" (as one with {', '.join(others)})" if others else ""
    got = f"{state.hurt:,} of its {state.requests:,} requests failed"
    return f"rollout: {state.version} {how}{with_others}; {got}{afterwards}"


def retirement(state: State, now: datetime) -> str:
    """What becomes, or has become, of the version that was stable; empty where it stays."""
    if state.retire is None:
        return state.retired
    left = state.retire - now
    return f"{state.stable} is {f'retired in {ago(left)}' if left.total_seconds() > 0 else 'due to be retired'}"


def steps_of(settings: Rollout) -> tuple[Step, ...]:
    """The steps that a config asks for."""
    return tuple(
        Step(step.share, (step.pause or settings.pause).seconds, step.gate == "manual") for step in settings.all_steps
    )


def given_steps(text: str, pause: Duration) -> tuple[Step, ...]:
    """Those of a list of percents, `5,25,50`. Raises ValueError with what the config would say."""
    try:
        settings = Rollout.model_validate({"steps": [each.strip() for each in text.split(",") if each.strip()]})
    except ValidationError as error:
        raise ValueError("; ".join(each["msg"].removeprefix("Value error, ") for each in error.errors())) from None
    return tuple(Step(step.share, pause.seconds if step.share else 0.0) for step in settings.all_steps)


def as_json(state: State) -> dict[str, Any]:
    """The state as it is kept."""
    found = {each.name: getattr(state, each.name) for each in fields(state)}
    return {
        **found,
        "steps": [
            {"share": plain(step.share), "pause": step.pause, **({"manual": True} if step.manual else {})}
            for step in state.steps
        ],
        "began": _text(state.began),
        "since": None if state.since is None else _text(state.since),
        "retire": None if state.retire is None else _text(state.retire),
        "checked": list(state.checked),
        "together": list(state.together),
        "evidence": dict(state.evidence),
        "settings": dict(state.settings),
    }


def for_programs(state: State) -> dict[str, Any]:
    """The state without what only weir can make something of."""
    return {name: value for name, value in as_json(state).items() if name not in ("evidence", "settings", "pods")}


def from_json(found: Mapping[str, Any]) -> State:
    """The state that was kept. Raises KeyError, TypeError or ValueError where it is none."""
    names = {each.name for each in fields(State)}
    steps = tuple(
        Step(Decimal(str(step["share"])), float(step["pause"]), bool(step.get("manual"))) for step in found["steps"]
    )
    since, retire = (None if (text := found.get(key)) is None else datetime.fromisoformat(text) for key in _MOMENTS)
    return State(
        **{
            **{name: value for name, value in found.items() if name in names},
            "steps": steps,
            "began": datetime.fromisoformat(found["began"]),
            "since": since,
            "retire": retire,
            "checked": tuple(found.get("checked", ())),
            "together": tuple(found.get("together", ())),
        }
    )


def _text(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="microseconds")
