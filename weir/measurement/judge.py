"""Whether measured traffic is what the config says: one check for each thing the config promises.

Shares are judged by exact binomial bounds whose error rates add up to the one asked for (Bonferroni), so that correct
traffic fails a check with at most that probability in all. What must never happen (an error, a request past the
versions, an answer from a version with share 0) is judged without tolerance.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

from weir.measurement.binomial import acceptance, detectable
from weir.measurement.sending import Answer, summary
from weir.model.routing.expectation import Expectation

ERROR_RATE = 1e-6
"""Probability that one `weir verify` refuses traffic which is what the config says."""

POWER = 0.99
"""Probability with which a shift of the stated size is seen."""


@dataclass(frozen=True, slots=True)
class Check:
    """One promise of the config and what became of it.

    `kind` is split, mirror, reached, delay, abort or errors; `version` is set for split and mirror. `count` of `of`
    requests were observed, `lo` to `hi` are accepted. `expected` and `observed` are texts for people. `detectable` is
    the shift of the share (0..1) that this number of requests shows with probability POWER, None where no chance is
    involved or no shift would be seen.
    """

    kind: str
    version: str | None
    expected: str
    observed: str
    count: int
    of: int
    lo: int
    hi: int
    detectable: float | None = None

    @property
    def ok(self) -> bool:
        """Whether the promise is kept."""
        return self.lo <= self.count <= self.hi

    @property
    def name(self) -> str:
        """What is checked, in a word or two."""
        return self.kind if self.version is None else f"{self.kind} {self.version}"

    @property
    def bound(self) -> str:
        """The accepted counts, as text."""
        if self.kind == "reached":  # more may, by retries
            return f"{self.lo:,} or more"
        return f"{self.lo:,}" if self.lo == self.hi else f"{self.lo:,} to {self.hi:,}"


@dataclass(frozen=True, slots=True)
class Timing:
    """Seconds: the slowest request that no delay hit, and the fastest that one did; None where there is none."""

    slowest_undelayed: float | None
    fastest_delayed: float | None


@dataclass(frozen=True, slots=True)
class Verdict:
    """All checks of one service, and remarks that explain without judging."""

    checks: tuple[Check, ...]
    timing: Timing
    notes: tuple[str, ...]

    @property
    def ok(self) -> bool:
        """Whether every promise is kept."""
        return all(check.ok for check in self.checks)


def delayed(answer: Answer, seconds: float) -> bool:
    """Whether a request took as long as a fixed delay makes it.

    2 % (10 ms at least, half the delay at most) are allowed for: Envoy's timers start from the time at which its event
    loop woke up, and so may fire that much early when many requests arrive at once.
    """
    slack = min(max(0.02 * seconds, 0.010), seconds / 2)
    return answer.seconds >= seconds - slack


def judge(
    expected: Expectation,
    answers: Sequence[Answer],
    attempts: Mapping[str, int],
    *,
    versions: Sequence[str] = (),
    stale_delay: float | None = None,
    error_rate: float = ERROR_RATE,
) -> Verdict:
    """Judge what was measured.

    `attempts` is requests per subset as `clusters.attempts` gives them ("" is past the versions); `versions` are those
    of the config, so that one with share 0 is checked as well; `stale_delay` is the delay in seconds that the caller's
    Envoy still has where the config has none. `error_rate` is split over the checks that involve chance.
    """
    chances = [share for share in (*expected.shares.values(), *expected.mirrors.values()) if 0 < share < 1]
    chances += [fault.share for fault in (expected.delay, expected.abort) if fault is not None and 0 < fault.share < 1]
    alpha = error_rate / max(1, len(chances))
    copies = {
        version: count
        for version, count in attempts.items()
        if version in expected.mirrors and version not in expected.shares
    }
    attempts = {version: count for version, count in attempts.items() if version not in copies}
    versions = [version for version in versions if version not in expected.mirrors]
    aborted = _aborted(expected, answers, attempts)
    checks = [
        _errors(expected, answers),
        _reached(expected, answers, attempts, aborted),
        *_split(expected, attempts, versions, alpha),
    ]
    reached = _reached_versions(attempts)
    for version in copies:
        share = expected.mirrors[version]
        checks.append(_chance("mirror", version, share, percent(share), copies[version], reached, alpha))
    timing = Timing(max((answer.seconds for answer in answers), default=None), None)
    if expected.delay is not None:
        seconds, share = expected.delay.seconds, expected.delay.share
        timing = _timing(answers, seconds)
        hit = sum(delayed(answer, seconds) for answer in answers)
        checks.append(_chance("delay", None, share, f"{percent(share)} by {seconds:g} s", hit, len(answers), alpha))
    elif stale_delay is not None:
        timing = _timing(answers, stale_delay)
        hit = sum(delayed(answer, stale_delay) for answer in answers)
        checks.append(_chance("delay", None, Fraction(0), f"none by {stale_delay:g} s", hit, len(answers), alpha))
    if expected.abort is not None:
        share, status = expected.abort.share, expected.abort.status
        checks.append(_chance("abort", None, share, f"{percent(share)} with {status}", aborted, len(answers), alpha))
    return Verdict(tuple(checks), timing, tuple(_notes(expected, answers, attempts, aborted, timing)))


def percent(share: Fraction) -> str:
    """A share as a percentage with as many decimals as it needs, four at most."""
    return f"{float(share * 100):.4f}".rstrip("0").rstrip(".") + " %"


def _chance(kind: str, version: str | None, share: Fraction, expected: str, count: int, of: int, alpha: float) -> Check:
    region = acceptance(of, share, alpha)
    shift = detectable(of, share, alpha, POWER).largest if 0 < share < 1 else None
    seen = f"{count:,} ({percent(Fraction(round(Fraction(count, of) * 1000), 1000))})" if of else "no request"
    return Check(
        kind, version, expected, seen, count, of, region.lo, region.hi, None if shift is None else float(shift)
    )


def _split(expected: Expectation, attempts: Mapping[str, int], versions: Sequence[str], alpha: float) -> list[Check]:
    """One check per version: those of the config, and any other subset that got requests."""
    reached = _reached_versions(attempts)
    strangers = [subset for subset, count in attempts.items() if subset and count]
    names = dict.fromkeys([*expected.shares, *versions, *strangers])
    shares = {name: expected.shares.get(name, Fraction(0)) for name in names}
    return [
        _chance("split", name, share, percent(share), attempts.get(name, 0), reached, alpha)
        for name, share in shares.items()
    ]


def _reached(expected: Expectation, answers: Sequence[Answer], attempts: Mapping[str, int], aborted: int) -> Check:
    """Every request that was answered, and neither aborted nor failed, must have gone to a version: else another route
    took it.
    """
    reached = _reached_versions(attempts)
    needed = sum(answer.exit_code == 0 and answer.status < 500 for answer in answers)
    if expected.abort is not None and expected.abort.status < 500:
        needed -= aborted
    past = attempts.get("", 0)
    observed = f"{reached:,} of {needed:,}" + (f", {past:,} to the service as a whole" if past else "")
    return Check("reached", None, "a version each", observed, reached, needed, needed, max(needed, reached))


def _errors(expected: Expectation, answers: Sequence[Answer]) -> Check:
    allowed = expected.abort.status if expected.abort is not None else None
    bad = [answer for answer in answers if answer.exit_code != 0 or (answer.status >= 500 and answer.status != allowed)]
    kinds = ", ".join(f"{count} × {kind}" for kind, count in summary(bad).items())
    return Check("errors", None, "none", kinds or "none", len(bad), len(answers), 0, 0)


def _aborted(expected: Expectation, answers: Sequence[Answer], attempts: Mapping[str, int]) -> int:
    """How many requests were aborted.

    By their status where that is an error of the server (another of the kind would be one too many). A service may
    well answer 404 or 200 itself: with such a status, those count that went to no version, which an abort never lets
    happen.
    """
    if expected.abort is None:
        return 0
    status = expected.abort.status
    alike = sum(answer.exit_code == 0 and answer.status == status for answer in answers)
    if status >= 500:
        return alike
    answered_otherwise = len(answers) - alike
    from_versions = max(0, sum(attempts.values()) - answered_otherwise)
    return max(0, alike - from_versions)


def _reached_versions(attempts: Mapping[str, int]) -> int:
    return sum(count for subset, count in attempts.items() if subset)


def _timing(answers: Sequence[Answer], seconds: float) -> Timing:
    hit = [answer.seconds for answer in answers if delayed(answer, seconds)]
    missed = [answer.seconds for answer in answers if not delayed(answer, seconds)]
    return Timing(max(missed, default=None), min(hit, default=None))


def _notes(
    expected: Expectation, answers: Sequence[Answer], attempts: Mapping[str, int], aborted: int, timing: Timing
) -> list[str]:
    notes = []
    surplus = sum(attempts.values()) - (len(answers) - aborted)
    if surplus > 0:
        notes.append(
            f"{surplus} attempts more than requests: retries, or other requests of the same pod; both count in the "
            "split"
        )
    abort = expected.abort.status if expected.abort is not None else None
    declined = [
        answer for answer in answers if answer.exit_code == 0 and 400 <= answer.status < 500 and answer.status != abort
    ]
    if declined:
        # Not judged: many a service answers GET / so, and the config does not say what it should answer.
        kinds = ", ".join(f"{count:,} × {kind}" for kind, count in summary(declined).items())
        notes.append(
            f"{kinds} of {len(answers):,} answers: the service's own, or Istio's (an AuthorizationPolicy answers 403)"
        )
    slow = timing.slowest_undelayed
    if expected.delay is not None and slow is not None and slow > expected.delay.seconds * 0.75:
        notes.append(
            f"requests without delay took up to {slow:.2f} s: too near the delay to tell all of them from delayed ones"
        )
    return notes
