"""Part of `make soak`: rollouts of versions with faults of ten kinds, and of as many good ones; how many were taken
back, how soon, and which wrongly.

One after the other. A rollout looks at seven pods each second, by a kubectl each, which is half a core; with load,
sidecars and updates a second one beside it has no core of its own left on two, and times would be those of the machine.
A fault takes 20 s on average (a minute where it begins after 200 requests of a pod's life), a good version 25 to 35 s:
20 of each are a quarter of an hour, 200 of each are 2 hours 40 minutes.
"""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Callable, Sequence
from random import Random
from typing import Any

from tests.live.lossless.faults import FAULTS, FINE, SHARED, Kind
from tests.live.lossless.lab_stack import LabStack
from tests.live.lossless.trials import STANDING, Trial, trials

FALSE_ABORTS = 0.01
"""The chance that weir promises of a good version."""

_LOAD_SECONDS = 2700
_GOOD = (FINE, FINE, FINE, SHARED)


def drive(stack: LabStack, count: int, seed: int, tell: Callable[[str], None]) -> tuple[list[Trial], str]:
    """`count` versions with faults and as many good ones, in an order that the seed draws; and what ended it early, if
    anything did.
    """
    stack.up(STANDING, "--skip-preview")
    kinds = drawn(count, seed)
    found: list[Trial] = []
    while kinds:
        end = time.monotonic() + _LOAD_SECONDS
        with trials(stack) as running:
            while kinds and time.monotonic() < end:
                try:
                    found.append(running.run(kinds.pop()))
                except AssertionError as error:
                    # What was measured in two hours is not to be lost.
                    tell(f"the rollouts could not go on: {error}")
                    return found, str(error)
                tell(f"rollout {len(found)} of {2 * count}: {found[-1]}")
    return found, ""


def drawn(count: int, seed: int) -> list[Kind]:
    """Each kind of fault as often as any other, give or take one, and as many good versions."""
    kinds = [each[number % len(each)] for each in (FAULTS, _GOOD) for number in range(count)]
    Random(seed).shuffle(kinds)
    return kinds


def figures(found: Sequence[Trial], broken: str = "") -> dict[str, Any]:
    """The report: every kind, precision and recall of aborts, and how soon they came. `broken`: what ended it early."""
    faults = [each for kind in FAULTS for each in found if each.kind == kind.name]
    good = [each for kind in (FINE, SHARED) for each in found if each.kind == kind.name]
    detected = [each for each in faults if each.aborted]
    wrong = sum(each.aborted for each in good)
    kinds = [_of(kind, [each for each in found if each.kind == kind.name]) for kind in (*FAULTS, FINE, SHARED)]
    aborts = len(detected) + wrong
    return {
        "faults": len(faults),
        "detected": len(detected),
        "missed": len(faults) - len(detected),
        "good": len(good),
        "falseAborts": wrong,
        "falseAbortsAllowed": allowed(len(good)),
        "precision": round(len(detected) / aborts, 4) if aborts else None,
        "recall": round(len(detected) / len(faults), 4) if faults else None,
        "secondsToAbort": _spread([each.seconds for each in detected]),
        "secondsUntilAcknowledged": _spread([each.acknowledged for each in detected]),
        "stray": [each for trial in found for each in trial.stray],
        "broken": broken,
        "kinds": [each for each in kinds if each["rollouts"]],
    }


def held(report: dict[str, Any]) -> bool:
    """Whether it is as it has to be: of each kind nine in ten in time, no more false aborts than chance allows, and no
    request failed that nobody meant to.
    """
    late = [each for each in report["kinds"] if "inTime" in each and each["inTime"] < 0.9 * each["rollouts"]]
    wrong = report["falseAborts"] > report["falseAbortsAllowed"]
    return not (late or wrong or report["stray"] or report["broken"])


def allowed(good: int) -> int:
    """So many false aborts among good versions, or fewer, come with a chance of 99 % and more, where each has
    `FALSE_ABORTS`.
    """
    chance, count = (1 - FALSE_ABORTS) ** good, 0
    while chance < 0.99:
        count += 1
        chance += math.comb(good, count) * FALSE_ABORTS**count * (1 - FALSE_ABORTS) ** (good - count)
    return count


def _of(kind: Kind, found: Sequence[Trial]) -> dict[str, Any]:
    aborted = [each for each in found if each.aborted]
    faulty = {
        "within": kind.within,
        "inTime": sum(each.in_time(kind) for each in found),
        "missed": len(found) - len(aborted),
        "secondsToAbort": _spread([each.seconds for each in aborted]),
        "hurt": _spread([each.hurt for each in aborted]),
    }
    return {
        "kind": kind.name,
        "rollouts": len(found),
        "aborted": len(aborted),
        "requests": sum(each.requests for each in found),
        **(faulty if kind.worse else {}),
    }


def _spread(values: Sequence[float | None]) -> dict[str, float]:
    """Median, 90th percentile (nearest rank) and the most; nothing of none."""
    known = sorted(each for each in values if each is not None)
    if not known:
        return {}
    rank = math.ceil(0.9 * len(known)) - 1
    return {"median": round(statistics.median(known), 2), "p90": round(known[rank], 2), "most": round(known[-1], 2)}
