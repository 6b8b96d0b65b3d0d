"""What to expect of a rollout, before it begins: how long each step takes, and what it sees in that time.

Simulated with the analysis itself, on requests as Envoy draws them: so many a second, each the version's with the
probability of the step, each failing with a probability that stays. The random numbers are the same in each plan: the
same traffic gives the same plan.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any

from weir.analysis import NO_WORSE, WORSE, Comparison, Counts, Decision, Share
from weir.analysis.counts import MAX_COUNT
from weir.rollout.state import Step

RUNS = 60
"""So many rollouts are simulated for each figure."""

SEEN = 0.9
"""The smallest regression is what is taken back in this part of them."""

EXAMPLE = 0.05
"""The share of failed requests of a bad version that stands for all: a regression that nobody disputes."""

_LONGER = 1.1
"""Each look is so many times further from the begin than the last one, or a second: a look each second says much the
same, and costs a hundred times more.
"""

_LOOKS = 8
"""Whether something is seen within a time takes so many looks: it is the last ones that tell."""

_FINER = 1.1
"""From one share of failures to the next that is tried: times the odds."""

_LEAST, _MOST = 1e-5, 0.999
"""The shares of failures that are tried."""

_TIMES = {1.0: 0.93, 2.0: 0.007}
"""Of all bounds of the answers' times two are simulated: those which about these shares exceed take longest to prove.
Envoy has some more near them, by how answers' times are spread: with all of them a step took 0.9 to 1.3 times as long,
of lognormal times with sigma from 0.3 to 1.
"""

_MANY = 100
"""From so many expected on a count is drawn as a normal number, which is closer to it than the plan has digits."""


@dataclass(frozen=True, slots=True)
class Recent:
    """What a service got a moment ago: in so many seconds so many requests, whatever the version, and of the stable
    version how many failed. `timed`: whether it is known how long answers took.
    """

    seconds: float
    requests: int
    stable: Share
    timed: bool

    @property
    def rate(self) -> float:
        """Requests a second."""
        return self.requests / self.seconds

    @property
    def share(self) -> float:
        """Of failures, 0 to 1, of the stable version."""
        return self.stable.bad / self.stable.answers if self.stable.answers else 0.0


@dataclass(frozen=True, slots=True)
class Regression:
    """A bad version whose requests fail with the probability `share` (0 to 1) from the begin of a step on: in the
    median it is taken back after so many seconds, and `hurt` of its requests have failed by then.
    """

    share: float
    seconds: float
    hurt: float


@dataclass(frozen=True, slots=True)
class Expected:
    """What to expect of a step.

    seconds    how long it takes: its pause, or until a version as good as the stable one is proven to be no worse
    proven     after how many seconds that is, in the median; None where it takes longer than patience
    smallest   the smallest regression that is taken back in that time with 90 %; None where none is
    example    the one of 5 %; None where it mostly is not taken back in that time
    """

    step: Step
    seconds: float
    proven: float | None
    smallest: Regression | None
    example: Regression | None


def expected(
    steps: Sequence[Step], settings: Mapping[str, float], recent: Recent, *, patience: float, control: bool = False
) -> tuple[Expected, ...]:
    """What to expect of each step where the traffic stays as it was.

    settings   those of the Comparison, `false_aborts` among them
    patience   in seconds: how long a step may take to prove that the version is no worse
    control    whether it is compared with as many requests of a control, in place of all others

    A regression is one of failures alone. It begins with its step, after steps in which the version was as good as the
    stable one. Each figure is of 60 simulated rollouts: its error is some 15 %. Raises ValueError where the stable
    version had no request.
    """
    if not recent.stable.answers:
        raise ValueError("without requests nothing can be expected")
    new = Comparison(**settings)
    # With times beside them failures have half of what leads to an abort.
    before = Comparison(**{**settings, "false_aborts": settings["false_aborts"] / (2 if recent.timed else 1)})
    found = []
    for step in steps:
        if not step.share:  # without requests nothing is to be proven
            found.append(Expected(step, step.pause, 0.0, None, None))
            continue
        part = float(step.share) / 100
        against = min(part, 1 - part) if control else 1 - part
        simulated = _Simulated(new.state(), before.state(), part, against, recent)
        proven = simulated.proven(max(patience, step.pause))
        seconds = max(patience, step.pause) if proven is None else max(proven, step.pause)
        smallest = simulated.smallest(seconds)
        found.append(
            Expected(
                step,
                seconds,
                proven,
                None if smallest is None else simulated.regression(smallest, seconds),
                simulated.regression(EXAMPLE, seconds),
            )
        )
        simulated.as_expected(before, seconds)
        before.begin_step()
    return tuple(found)


@dataclass(frozen=True, slots=True)
class _Simulated:
    """A step. `new`: a comparison that has seen nothing; `before`: what it knows of failures when the step begins;
    `part`: of the version, from 0 to 1; `against`: of what it is compared with.
    """

    new: dict[str, Any]
    before: dict[str, Any]
    part: float
    against: float
    recent: Recent

    def proven(self, most: float) -> float | None:
        """After how many seconds a version as good as the stable one is proven to be no worse, in the median."""
        times: list[float] = []
        for run in range(RUNS):
            # What is above the median already need not be known more closely.
            limit = min(most, sorted(times)[RUNS // 2]) if len(times) > RUNS // 2 else most
            times.append(self._until(NO_WORSE, self.recent.share, run, _ends(limit))[0])
        return _median(times)

    def smallest(self, seconds: float) -> float | None:
        """The smallest share of failures that is taken back within so many seconds often enough."""
        low, high = (_odds(min(max(share, _LEAST), _MOST)) for share in (self.recent.share, _MOST))
        shares = [low * _FINER**number for number in range(math.ceil(math.log(high / low) / math.log(_FINER)) + 1)]
        shares = [odds / (1 + odds) for odds in shares]
        below, enough = 0, len(shares)
        while below < enough:
            middle = (below + enough) // 2
            if self._is_seen(shares[middle], seconds):
                enough = middle
            else:
                below = middle + 1
        return shares[enough] if enough < len(shares) else None

    def _is_seen(self, share: float, seconds: float) -> bool:
        missed, ends = 0, [seconds * number / _LOOKS for number in range(1, _LOOKS + 1)]
        for run in range(RUNS):
            missed += self._until(WORSE, share, run, ends)[0] == math.inf
            if missed > RUNS * (1 - SEEN):
                return False
        return True

    def regression(self, share: float, seconds: float) -> Regression | None:
        """What becomes of a version with this share of failures within so many seconds."""
        runs = [self._until(WORSE, share, run, _ends(seconds)) for run in range(RUNS)]
        after, hurt = (_median([run[which] for run in runs]) for which in (0, 1))
        return None if after is None or hurt is None else Regression(share, after, hurt)

    def as_expected(self, comparison: Comparison, seconds: float) -> None:
        """Let the comparison see the whole step of a good version, without any luck."""
        requests = min(self.recent.rate * seconds, MAX_COUNT)
        stable, version = round(requests * self.against), round(requests * self.part)
        comparison.look(
            stable=Counts(stable, round(stable * self.recent.share)),
            canary=Counts(version, round(version * self.recent.share)),
        )

    def _until(self, decision: Decision, share: float, run: int, ends: Sequence[float]) -> tuple[float, float]:
        """After how many seconds this run has the decision, and how many requests of the version have failed by then;
        infinite where that takes longer. `share`: of failures of the version; `ends`: when looks are, in seconds.
        """
        proof = decision == NO_WORSE
        comparison, uniform = Comparison.from_state(self.new if proof else self.before), _luck(run)
        failed, requests, last = 0, 0, 0.0
        for end in ends:
            came = round(self.recent.rate * end) - requests
            requests += came
            version = _drawn(uniform(), came, self.part)
            # All others where they are what it is compared with.
            whole = self.against == 1 - self.part
            stable = came - version if whole else _drawn(uniform(), came - version, self.against / (1 - self.part))
            # As many random numbers whatever comes of them: with another share a run has the same luck.
            stable_bad, bad = _drawn(uniform(), stable, self.recent.share), _drawn(uniform(), version, share)
            times = proof and self.recent.timed
            verdict = comparison.look(
                stable=Counts(stable, stable_bad, _slower(uniform, stable) if times else {}),
                canary=Counts(version, bad, _slower(uniform, version) if times else {}),
            )
            if verdict.decision == decision:
                # With a look each second it had been one of those since the last look here: the middle one.
                since = min(1.0, (end - last + 1) / 2 / (end - last))
                return last + since * (end - last), failed + since * bad
            failed, last = failed + bad, end
        return math.inf, math.inf


def _luck(run: int) -> Callable[[], float]:
    """Numbers from 0 to 1. Of two runs each is lucky where the other is not: fewer are enough for a median then."""
    draw = random.Random(run // 2).random
    return draw if run % 2 else lambda: 1 - draw()


def _slower(uniform: Callable[[], float], answers: int) -> dict[float, int]:
    """How many of the answers exceed each bound: who exceeds one exceeds those before it."""
    found, left, before = {}, answers, 1.0
    for bound, share in _TIMES.items():
        found[bound] = left = _drawn(uniform(), left, share / before)
        before = share
    return found


def _ends(most: float) -> list[float]:
    """When looks are that tell when something is seen, in seconds from the begin."""
    ends = [min(1.0, most)]
    while ends[-1] < most:
        ends.append(min(most, max(ends[-1] + 1, ends[-1] * _LONGER)))
    return ends


def _drawn(uniform: float, count: int, share: float) -> int:
    """How many of so many, each with the probability `share`: where their distribution function reaches `uniform`."""
    if share > 0.5:
        return count - _drawn(1 - uniform, count, 1 - share)
    mean = count * share
    if mean > _MANY:
        normal = NormalDist(mean, math.sqrt(mean * (1 - share))).inv_cdf(min(max(uniform, 1e-12), 1 - 1e-12))
        return min(max(round(normal), 0), count)
    found, odds = 0, share / (1 - share)
    term = total = (1 - share) ** count
    while uniform > total and found < count:
        found += 1
        term *= (count - found + 1) / found * odds
        total += term
    return found


def _odds(share: float) -> float:
    return share / (1 - share)


def _median(values: Sequence[float]) -> float | None:
    middle = sorted(values)[len(values) // 2]
    return None if middle == math.inf else middle
