"""What may be wrong with a version that is rolled out: ten kinds of faults, and two kinds of good ones. How its pods are
told to behave, and how soon a rollout has to notice.

Pods are fortios. What their echo servers answer by default is a flag that is set while they run, by HTTP
(`/fortio/flags/set`, fortio.org/dflag): a kind of fault costs no update. Limits are for 100 requests a second, a tenth
of which reaches the version.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

BASE_CODE = 500
"""The code of the failures that both versions have."""

TIMEOUT_SECONDS = 2
"""After which a route gives up, with a 504."""

# Milliseconds by percent of the answers. Each is a little more than a bound at which weir compares times, and what the
# way takes on top does not reach the next: times of a real service have no steps, and two pods that differ by half a
# millisecond must not differ at a bound by a fifth of all answers.
_TIMES = {18.2: 10, 22.3: 20, 27.3: 20, 33.3: 20, 47.3: 15, 68.3: 10, 100.5: 5}


def answers(failing: Mapping[int, float] | None = None, times: Mapping[float, float] | None = None) -> str:
    """What an echo server is told: percent of the answers by code, and by milliseconds that they take."""
    codes = {BASE_CODE: 0.1} | dict(failing or {})
    status = ",".join(f"{code}:{share:g}" for code, share in codes.items())
    delay = ",".join(f"{milliseconds:g}ms:{share:g}" for milliseconds, share in (times or _TIMES).items())
    return f"status={status}&delay={delay}"


def failing(percent: float) -> str:
    """So many of the answers are 500."""
    return answers({BASE_CODE: percent})


GOOD = answers()
"""One in a thousand fails."""

_SLOWER = {milliseconds * 2: share for milliseconds, share in _TIMES.items()}
# The fastest tenth, so that nothing else changes.
_SOME_SLOW = {
    milliseconds * 10 if milliseconds == min(_TIMES) else milliseconds: each for milliseconds, each in _TIMES.items()
}
_HANGING = {5000: 5, **_TIMES, 33.3: 15}


@dataclass(frozen=True, slots=True)
class Stage:
    """How pods behave from the version's so manyth request of the rollout on.

    `answers`: what they are told; None: there are no pods any more. `whose`: all pods of the version, one of them, or
    those of both versions at the same moment. `seconds`: until they are good again; for good when left out.
    """

    after: int
    answers: str | None
    whose: Literal["version", "one pod", "both"] = "version"
    seconds: int | None = None


@dataclass(frozen=True, slots=True)
class Kind:
    """`within`: seconds from the begin of the fault until the rollout has decided; None for a version that is no worse.
    `codes`: what users get by it, beside `BASE_CODE`. `steps`, `pause`: how it is rolled out. `settles`: seconds that
    one of its requests may take.
    """

    name: str
    stages: tuple[Stage, ...]
    within: float | None = None
    codes: frozenset[int] = frozenset()
    steps: str = "10"
    pause: str = "60s"
    settles: float = 1

    @property
    def worse(self) -> bool:
        return self.within is not None


FAULTS = (
    Kind("one in twenty fails", (Stage(0, failing(5)),), 20),
    Kind("half of them fail", (Stage(0, failing(50)),), 10),
    Kind("all answers take twice as long", (Stage(0, answers(times=_SLOWER)),), 15),
    Kind("one answer in ten takes ten times as long", (Stage(0, answers(times=_SOME_SLOW)),), 20),
    Kind(
        "one in twenty hangs",
        (Stage(0, answers(times=_HANGING)),),
        20 + TIMEOUT_SECONDS,
        frozenset({504}),
        settles=TIMEOUT_SECONDS + 1,
    ),
    # Two in five attempts, of which retries leave one request in sixteen.
    Kind("retries hide most failures", (Stage(0, answers({503: 40})),), 20, frozenset({503})),
    # Two pods share the requests.
    Kind("one in ten fails after 200 requests of a pod's life", (Stage(400, failing(10)),), 20, pause="90s"),
    Kind("the pods go away", (Stage(30, None),), 15, frozenset({503})),
    Kind("one of two pods fails one in five", (Stage(0, failing(20), "one pod"),), 20),
    Kind("more and more fail", (Stage(20, failing(1)), Stage(80, failing(4)), Stage(140, failing(16))), 30),
)
"""Each is worse by more than the analysis is told to notice."""

FINE = Kind("as good as the stable version", (), steps="10,50", pause="8s")
SHARED = Kind("a dependency of both fails", (Stage(20, failing(30), "both", seconds=10),), pause="25s")
"""Both versions are as good as each other, whatever happens to them."""
