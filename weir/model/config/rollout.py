"""How `weir rollout` takes a version from no requests to all of them: steps, what is looked at between them, and what
follows from it. None of it becomes part of an object.
"""

from __future__ import annotations

from decimal import Decimal
from itertools import pairwise
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, field_validator

from weir.model.config.base import Part, key, required
from weir.model.config.metrics import Metric
from weir.model.values.durations import Duration, Length, LengthOrZero
from weir.model.values.numbers import Percent, Positive, plain
from weir.model.values.text import Flag, SomeText


def _above(value: Decimal, least: int) -> Decimal:
    if value <= least:
        raise ValueError(f"must be above {least}, was {plain(value)}")
    return value


_STEPS = (5, 25, 50)


RECORD_LABEL = "weir.dev/rollout"
"""The label of the ConfigMap in which the state of a rollout is kept; its value is the name of the service."""


def record_name(service: str) -> str:
    """The ConfigMap in which the state of a service's rollout is kept."""
    return f"weir-rollout-{service}"


class RolloutStep(Part):
    """A share of the requests for the new version, and what ends it."""

    share: Percent = required("percent of the requests that the version gets", example=25, unit="percent")
    pause: LengthOrZero | None = key(
        "how long it lasts at least; the rollout's pause when left out", example="5m", unit="duration"
    )
    gate: Literal["manual"] | None = key(
        "manual: it lasts until somebody lets the rollout go on (`weir rollout SERVICE --continue`)", example="manual"
    )


def _step(value: Any) -> Any:
    return {"share": value} if isinstance(value, int | float | str) and not isinstance(value, bool) else value


class LatencyAnalysis(Part):
    """When a version is slower."""

    worse: Positive = key(
        "how many times the odds of an answer that takes longer than some bound are worse than the stable version's",
        Decimal(2),
        example=2,
    )
    tolerated: LengthOrZero = key(
        "how much slower an answer may be that is never worse, whatever the stable version's", Duration.parse("5ms"),
        example="5ms", unit="duration",
    )  # fmt: skip

    _above_one = field_validator("worse")(lambda value: _above(value, 1))


class Analysis(Part):
    """When a version is worse than the stable one, by how many requests each of them failed at the same time."""

    worse: Positive = key(
        "how many times the odds of a failed request are worse than the stable version's", Decimal("1.5"), example=1.5
    )
    tolerated: Percent = key(
        "a share of failed requests that is never worse, whatever the stable version's", Decimal("0.1"), example=0.1,
        unit="percent",
    )  # fmt: skip
    false_aborts: Positive = key(
        "the most chance that a version that is no worse is taken back, over the whole rollout",
        Decimal("0.01"),
        example=0.01,
        unit="probability",
    )
    latency: LatencyAnalysis = key("when a version is slower", LatencyAnalysis(), example={"worse": 2})
    margin: Positive = key(
        "a step ends once odds so many times the stable version's are ruled out", Decimal(2), example=2
    )
    patience: Length = key(
        "how long a step may take to rule them out, from its begin on", Duration.parse("30m"), example="30m",
        unit="duration",
    )  # fmt: skip
    undecided: Literal["hold", "promote", "abort"] = key(
        "what follows when it has not: hold, go on to the next step (promote), or take the version back (abort)",
        "hold",
        example="hold",
    )

    _above_one = field_validator("worse", "margin")(lambda value: _above(value, 1))

    @field_validator("false_aborts")
    @classmethod
    def _some(cls, value: Decimal) -> Decimal:
        if value > Decimal("0.5"):
            raise ValueError(
                "must be a probability of at most 0.5, such as 0.01 for one good version in a hundred, was "
                f"{plain(value)}"
            )
        return value


class Check(Part):
    """A command of the user's own that has to succeed before a step ends."""

    run: SomeText = required("what sh runs, in the directory of the project", example="scripts/smoke.sh")
    at: tuple[Percent, ...] = key("the steps, by their share; all when left out", (), example=[25], unit="percent")
    timeout: Length = key(
        "how long it may take; longer counts as failed", Duration.parse("1m"), example="2m", unit="duration"
    )


class Rollout(Part):
    """The way of a version from no requests to all of them."""

    steps: tuple[Annotated[RolloutStep, BeforeValidator(_step)], ...] | None = key(
        "percent of the requests at each step, ascending; 5, 25 and 50 when left out; after the last one the version "
        "is promoted. At a first step of 0 only checks and its gate have a say; without any step that is all there is",
        example=[5, {"share": 25, "gate": "manual"}, 50],
    )
    pause: LengthOrZero = key("how long each step lasts at least", Duration.parse("1m"), example="5m", unit="duration")
    analysis: Analysis = key("when the version is worse, or proven to be not", Analysis(), example={"worse": 2})
    metrics: tuple[Metric, ...] = key(
        "queries of weir:prometheus that have a say at every step",
        (),
        example=[{"name": "queue", "query": 'max(queue_length{version="{version}"})', "max": 100}],
    )
    checks: tuple[Check, ...] = key(
        "commands that have to succeed before a step ends; one that fails counts as worse",
        (),
        example=[{"run": "scripts/smoke.sh", "at": [25]}],
    )
    on_regression: Literal["abort", "hold"] = key(
        "what follows when the version is worse: abort (its share goes to 0) or hold", "abort", example="hold"
    )
    control: Flag = key(
        "whether the version is compared with fresh pods of the stable one, in place of those that have run for long: "
        "a version STABLE-control while the rollout is under way, with as many pods and requests", False, example=True,
    )  # fmt: skip
    keep: Length | None = key(
        "how long the version that was stable is kept after the promotion; then it is retired: it goes from the stack "
        "file and the cluster. For ever when left out", example="1h", unit="duration",
    )  # fmt: skip

    @field_validator("metrics")
    @classmethod
    def _told_apart(cls, metrics: tuple[Metric, ...]) -> tuple[Metric, ...]:
        names = [metric.name for metric in metrics]
        if twice := next((name for name in names if names.count(name) > 1), None):
            raise ValueError(f'must have a name of its own each, "{twice}" is there twice; rename one')
        return metrics

    @property
    def all_steps(self) -> tuple[RolloutStep, ...]:
        """The steps, those of the default included. `[]` is blue/green: checks without requests, then all at once."""
        if self.steps is None:
            return tuple(RolloutStep.model_validate({"share": share}) for share in _STEPS)
        return self.steps or (RolloutStep.model_validate({"share": 0, "pause": "0s"}),)

    @field_validator("steps")
    @classmethod
    def _ascend(cls, steps: tuple[RolloutStep, ...]) -> tuple[RolloutStep, ...]:
        shares = [step.share for step in steps]
        if any(after <= before for before, after in pairwise(shares)):
            raise ValueError(f"must ascend, was {', '.join(str(plain(share)) for share in shares)}")
        return steps
