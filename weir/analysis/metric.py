"""One kind of bad answers, compared between two versions look by look: failures, or answers slower than a bound."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from weir.analysis.bets import RESERVE, Limits, Share, bets
from weir.analysis.evidence import Evidence
from weir.analysis.hypergeometric import log_normalisers


@dataclass(frozen=True, slots=True)
class Seen:
    """Answers of each version, and how many of them were bad."""

    canary: int = 0
    canary_bad: int = 0
    stable: int = 0
    stable_bad: int = 0

    @property
    def bad(self) -> int:
        """Of both."""
        return self.canary_bad + self.stable_bad

    def __add__(self, other: Seen) -> Seen:
        return Seen(
            self.canary + other.canary,
            self.canary_bad + other.canary_bad,
            self.stable + other.stable,
            self.stable_bad + other.stable_bad,
        )


@dataclass(frozen=True, slots=True)
class Metric:
    """What is known of it. Nothing in it changes: `after` gives what is known after one more look.

    odds      evidence against "the canary's odds are no more than tolerated"
    share     evidence against "the canary's share is no more than tolerated"; None where no share is
    proof     evidence against "worse by more than the margin", of this step alone
    total     what was seen in all
    step      what was seen in this step
    """

    limits: Limits
    odds: Evidence
    share: Evidence | None
    proof: Evidence
    total: Seen = Seen()
    step: Seen = Seen()

    @classmethod
    def new(cls, limits: Limits) -> Metric:
        """Before anything was seen."""
        known = bets(limits)
        worse = Evidence.of(known.worse_stakes, RESERVE)
        return cls(limits, worse, worse if known.frequent else None, Evidence.of(known.proof_stakes))

    @property
    def against(self) -> float:
        """The logarithm of the e-value against "no worse", for which odds and share must both be refuted."""
        return self.odds.log if self.share is None else min(self.odds.log, self.share.log)

    def after(self, look: Seen) -> Metric:
        """With one more look."""
        frequent, worse, proof = gains(self.limits, look)
        return Metric(
            self.limits,
            self.odds.after(worse),
            None if self.share is None else self.share.after(frequent),
            self.proof.after(proof),
            self.total + look,
            self.step + look,
        )

    def next_step(self) -> Metric:
        """At the beginning of a step: proof begins anew; against "no worse" some more is staked."""
        known = bets(self.limits)
        return Metric(
            self.limits,
            self.odds.restaked(known.worse_stakes),
            None if self.share is None else self.share.restaked(known.worse_stakes),
            Evidence.of(known.proof_stakes),
            self.total,
        )


def gains(limits: Limits, seen: Seen) -> tuple[list[float], list[float], list[float]]:
    """What the counts add to the logarithm of each bet: on shares, on odds, and for proof, in the order of the stakes.

    What both versions have in common cancels in the second, and in the third but for shares.
    """
    known = bets(limits)
    frequent = _share_gains(known.frequent, seen.canary, seen.canary_bad)
    rare = _share_gains(known.rare, seen.canary, seen.canary_bad)
    good = _share_gains(known.good, seen.stable, seen.stable - seen.stable_bad)
    places = (*known.worse, known.tolerated, *known.alike, known.margin)
    logs = [
        seen.canary_bad * place - normaliser
        for place, normaliser in zip(places, log_normalisers(seen.canary, seen.stable, seen.bad, places), strict=True)
    ]
    between = len(known.worse)
    worse = [log - logs[between] for log in logs[:between]]
    alike = [log - logs[-1] for log in logs[between + 1 : -1]]
    return frequent, worse, [*alike, *rare, *good]


def _share_gains(wagers: Iterable[Share], answers: int, counted: int) -> list[float]:
    return [counted * each - answers * every for each, every in wagers]
