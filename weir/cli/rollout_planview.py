"""How a plan looks, on a terminal of 80 columns or more, and the same for programs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table

from weir.console import Text
from weir.model.config.rollout import Analysis
from weir.model.values.numbers import plain
from weir.rollout.plan import EXAMPLE, Expected, Recent, Regression
from weir.rollout.state import State
from weir.rollout.words import between, percent, shares

_UNDECIDED = {
    "hold": "and {version} is held there",
    "promote": "and the rollout goes on all the same",
    "abort": "and {version} is taken back",
}


@dataclass(frozen=True, slots=True)
class Plan:
    """A rollout, its settings, what its service got, and what to expect of each step: nothing without requests."""

    state: State
    analysis: Analysis
    recent: Recent
    steps: Sequence[Expected] = ()

    @property
    def seconds(self) -> float | None:
        """How long the rollout takes; None where a step ends undecided, or there are no requests."""
        if not self.steps or any(each.proven is None for each in self.steps):
            return None
        return sum(each.seconds for each in self.steps)


def view(plan: Plan) -> RenderableType:
    """The plan for a terminal of 80 columns or more."""
    state, recent, steps = plan.state, plan.recent, plan.steps
    head = Text.assemble("rollout of ", (state.service, "bold"), f": {state.version} takes over from {state.stable}")
    if not steps:
        got = f"none of {recent.requests:,} requests" if recent.requests else "no request"
        return Group(
            head,
            Text(
                f"{got} reached {state.stable} in {recent.seconds:.0f} s: nothing can be said of how long a step takes "
                f"or what it sees. Without requests nothing is proven: after {plan.analysis.patience} (analysis."
                f"patience) the step ends undecided, {_undecided(plan)}."
            ),
        )
    measured = (
        f"measured for {recent.seconds:.0f} s: {_two_digits(recent.rate)} requests/s; {state.stable}: "
        f"{shares(recent.stable)} failed, which may mean {between(recent.stable.interval)}"
    )
    if plan.seconds is None:
        late = ", ".join(f"{plain(each.step.share)} %" for each in steps if each.proven is None)
        end = (
            f"{late}: so few requests do not prove within {plan.analysis.patience} (analysis.patience) that "
            f"{state.version} is no worse. Such a step ends undecided, {_undecided(plan)}. Larger steps prove sooner."
        )
    else:
        gates = ", and the time that gates take" * any(each.step.manual for each in steps)
        end = f"A version as good as {state.stable} is promoted after {_about(plan.seconds)}{gates}."
    how = (
        f"hurt: requests of {state.version} that fail until it is taken back. Simulated, for such traffic: good to "
        f"some 20 %{'; answers are timed: a step may take twice as long' * recent.timed}."
    )
    return Group(head, Text(measured), Text(), _table(plan), Text(), Text(end), Text(how, style="dim"))


def _undecided(plan: Plan) -> str:
    what = _UNDECIDED[plan.analysis.undecided].format(version=plan.state.version)
    return f"{what} (analysis.undecided: {plan.analysis.undecided})"


def _table(plan: Plan) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 3, 0, 0))
    for title in ("\nstep", "\ntakes", "taken back in 9 of\n10 cases: from"):
        table.add_column(title, no_wrap=True)
    for title in ("\nhurt", f"{100 * EXAMPLE:g} % failing:\nback after", "\nhurt"):
        table.add_column(title, justify="right", no_wrap=True)
    for each in plan.steps:
        takes = f"{'> ' if each.proven is None else ''}{_about(each.seconds)}{' + gate' if each.step.manual else ''}"
        table.add_row(
            f"{plain(each.step.share)} %", takes, _smallest(plan, each), _hurt(each.smallest),
            _about(each.example.seconds) if each.example else "–", _hurt(each.example),
        )  # fmt: skip
    return table


def _smallest(plan: Plan, step: Expected) -> str:
    if step.smallest is None:
        return "none" if step.step.share else "–"
    now, times = plan.recent.share, _times(plan, step.smallest)
    return f"{percent(now)} → {percent(step.smallest.share)}{f' ({_two_digits(times)}×)' if times else ''}"


def _times(plan: Plan, regression: Regression) -> float | None:
    return regression.share / plan.recent.share if plan.recent.share else None


def _hurt(regression: Regression | None) -> str:
    return f"{regression.hurt:,.0f}" if regression else "–"


def _about(seconds: float) -> str:
    if seconds < 99.5:
        return f"{seconds:.0f} s"
    size, unit = (60, "min") if seconds < 99.5 * 60 else (3600, "h")
    return f"{_two_digits(seconds / size)} {unit}"


def _two_digits(value: float) -> str:
    return f"{float(f'{value:.2g}'):,.15g}"


def for_programs(plan: Plan) -> dict[str, Any]:
    """The plan as plain data. Times are in seconds, shares of failures 0 to 1; null: not known, or never."""
    state, recent = plan.state, plan.recent
    interval = recent.stable.interval

    def regression(found: Regression | None) -> dict[str, Any] | None:
        if found is None:
            return None
        return {
            "share": found.share, "times": _times(plan, found), "seconds": found.seconds, "hurt": found.hurt,
        }  # fmt: skip

    return {
        "service": state.service,
        "version": state.version,
        "stable": state.stable,
        "measured": {
            "seconds": recent.seconds,
            "requests": recent.requests,
            "stable": {
                "requests": recent.stable.answers,
                "failures": recent.stable.bad,
                "share": {"low": interval.low, "high": interval.high},
            },
            "times": recent.timed,
        },
        "seconds": plan.seconds,
        "steps": [
            {
                "share": plain(each.step.share),
                "pause": each.step.pause,
                "manual": each.step.manual,
                "seconds": each.seconds,
                "proven": each.proven,
                "smallest": regression(each.smallest),
                "example": regression(each.example),
            }
            for each in plan.steps
        ],
    }
