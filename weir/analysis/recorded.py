"""Looks as they are recorded: a line of JSON each, so that anybody can compute a verdict again."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

from weir.analysis.comparison import Comparison
from weir.analysis.counts import Counts
from weir.analysis.verdict import Verdict
from weir.jsontext import NotJsonError, loads

_KEYS = ("at", "stable", "canary", "step")
_COUNTS = ("requests", "failures", "slower", "timed")


class RecordError(ValueError):
    """A line that is no look; the text begins with its number."""


@dataclass(frozen=True, slots=True)
class Look:
    """One look: when it was, in seconds from any beginning; in which step, if that is told; what it saw."""

    at: float
    step: int | None
    stable: Counts
    canary: Counts


def replay(lines: Iterable[str], comparison: Comparison) -> Iterator[tuple[Look, Verdict]]:
    """Each look of the lines, and the verdict after it. Another `step` than before begins a step of the rollout.

    Empty lines are left out. Raises RecordError.
    """
    before: Look | None = None
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            look = _look(line)
            if before is not None and look.at < before.at:
                raise ValueError(f"at {look.at:g} s is before the look above it, at {before.at:g} s")
            if before is not None and look.step != before.step:
                comparison.begin_step()
            verdict = comparison.look(stable=look.stable, canary=look.canary)
        except ValueError as error:
            raise RecordError(f"line {number}: {error}") from None
        yield look, verdict
        before = look


def _look(line: str) -> Look:
    try:
        found = _known("a look", loads(line), _KEYS, _KEYS[:3])
    except NotJsonError as error:
        raise ValueError(f"is not valid JSON ({error})") from None
    at, step = found["at"], found.get("step")
    if isinstance(at, bool) or not isinstance(at, int | float) or not math.isfinite(at):
        raise ValueError(f"at must be a number of seconds, not {at!r}")
    if step is not None and type(step) is not int:
        raise ValueError(f"step must be the number of the step, not {step!r}")
    return Look(at, step, _counts("stable", found["stable"]), _counts("canary", found["canary"]))


def _counts(version: str, found: Any) -> Counts:
    counts = _known(version, found, _COUNTS, _COUNTS[:2])
    slower = counts.get("slower", {})
    if not isinstance(slower, dict):
        raise ValueError(f'{version}: slower must have bounds in seconds and counts, such as {{"0.25": 3}}')
    try:
        return Counts(**{**counts, "slower": {_bound(bound): count for bound, count in slower.items()}})
    except ValueError as error:
        raise ValueError(f"{version}: {error}") from None


def _bound(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise ValueError(f"slower: {text!r} is no number of seconds") from None


def _known(what: str, found: Any, keys: Iterable[str], needed: Iterable[str]) -> Mapping[str, Any]:
    if not isinstance(found, dict):
        raise ValueError(f"{what} must be an object with {', '.join(needed)}")
    for key in found:
        if key not in keys:
            near = get_close_matches(key, keys, 1)
            raise ValueError(f"{what} has the unknown key {key!r}" + (f", did you mean {near[0]}?" if near else ""))
    for key in needed:
        if key not in found:
            raise ValueError(f"{what} has no {key}")
    return found
