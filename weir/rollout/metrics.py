"""Queries of the user's own, which have a say at every step of a rollout: a bound that a value must keep, or counters
that are compared between the versions as failures and requests are.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any, Protocol

from weir.analysis import Comparison, Counts
from weir.errors import WeirError
from weir.measurement.growth import TARGET, Growth, Series, part
from weir.measurement.prometheus import ASK_SECONDS, FRESH_SECONDS, Prometheus, QueryError, Sample
from weir.model.config.metrics import Metric, asked
from weir.model.config.rollout import Rollout
from weir.model.values.numbers import plain
from weir.rollout import record
from weir.rollout.state import State
from weir.rollout.words import percent, shares

_BAD, _VERSION = "weir_bad", "weir_version"
_TRIES = 3


class _One(Protocol):
    """One metric: what is worse about the version, and what a step still waits for; each empty where nothing is."""

    worse: str
    waits: str

    def look(self, prometheus: Prometheus) -> None:
        """Ask. Raises PrometheusError, QueryError."""

    def begin_step(self) -> None:
        """What is not known of this step is not known."""

    def lost(self) -> None:
        """Prometheus did not answer."""

    def state(self) -> dict[str, Any]:
        """What another process goes on with, as plain data."""


class Bounded(_One):
    """A value that has to stay at most, or at least, at a bound."""

    def __init__(self, metric: Metric, state: State, namespace: str, saved: Mapping[str, Any]) -> None:
        self._metric, self._version = metric, state.version
        self._query = asked(metric.query, service=state.service, version=state.version, namespace=namespace)
        # For how many seconds it has been seen beyond its bound, of which other processes may have seen some.
        self._seconds = float(saved.get("beyond", 0))
        self._beyond: float | None = None
        self.worse = ""
        self.begin_step()

    def begin_step(self) -> None:
        """A value of an earlier step says nothing of this one."""
        self.waits = f"{self._metric.name} has no value yet"

    def lost(self) -> None:
        """Nobody knows whether it was beyond its bound meanwhile."""
        self.begin_step()
        self._beyond, self._seconds = None, 0.0

    def state(self) -> dict[str, Any]:
        """For how long it was seen beyond its bound."""
        return {"beyond": self._seconds} if self._seconds else {}

    def look(self, prometheus: Prometheus) -> None:
        """Ask for the value. One that is beyond its bound is noise; that it stays there for a while is not."""
        value = prometheus.value(self._query)
        if value is None:
            self.lost()
            return
        most, least = self._metric.max, self._metric.min
        if (most is None or value <= float(most)) and (least is None or value >= float(least)):
            self._beyond, self._seconds, self.waits = None, 0.0, ""
            return
        now = time.monotonic()
        self._beyond = now - self._seconds if self._beyond is None else self._beyond
        self._seconds = now - self._beyond
        bound = (
            f"at most {plain(most)}" if most is not None else f"at least {plain(least)}" if least is not None else ""
        )
        said = f"{self._version}: {self._metric.name} is {value:.6g} and must be {bound}"
        self.waits = f"{said}; it counts as worse after {self._metric.for_}"
        if self._seconds >= self._metric.for_.seconds:
            self.worse = f"{said} (for {self._metric.for_})"


class Compared(_One):
    """Counters of what is bad, and of all, compared between the two versions (`weir.analysis`)."""

    def __init__(
        self, metric: Metric, settings: Rollout, state: State, namespace: str, part_of_alpha: float, saved: Any
    ) -> None:
        self._metric, self._state = metric, state
        self._selectors = [
            (asked(query, service=state.service, version=version, namespace=namespace), version, bad)
            for version in (state.compared, state.version)
            for query, bad in ((metric.query, "yes"), (metric.of or "", "no"))
        ]
        analysis = settings.analysis
        worse = float(metric.worse or 1)
        self.comparison = Comparison(
            worse=worse,
            tolerated=float(analysis.tolerated) / 100,
            false_aborts=part_of_alpha,
            margin=max(worse, float(analysis.margin)),
        )
        if saved:
            self.comparison = record.comparison(state, saved)
        self._growth = Growth()
        self._begun, self._apart = False, False
        self._say()

    def begin_step(self) -> None:
        """What shows that it is no worse begins anew, at counters that are scraped from now on."""
        self.comparison.begin_step()
        self._begun = False
        self._say()

    def lost(self) -> None:
        """Counters go on meanwhile."""

    def state(self) -> dict[str, Any]:
        """The comparison."""
        return self.comparison.state()

    def look(self, prometheus: Prometheus) -> None:
        """Ask for all four counters. Those of both versions count where one scrape has them: what is counted of one
        version at another moment than of the other one cannot be compared (docs/decisions/0035-prometheus.md).
        """
        if not self._begun:
            self._growth.anew(prometheus.now())
            self._begun = True
        samples = self._of_one_scrape(prometheus)
        targets: dict[Series, set[str]] = {}
        for sample in samples:
            targets.setdefault(part(sample.labels, TARGET), set()).add(sample.labels[_VERSION])
        seen = {version for versions in targets.values() for version in versions}
        self._apart = len(seen) == 2 and all(len(versions) == 1 for versions in targets.values())
        for grown in self._growth.after(samples):
            counts = {version: _counts(grown, version) for version in (self._state.compared, self._state.version)}
            if all(any(dict(series)[_VERSION] == version for series in grown) for version in counts):
                self.comparison.look(stable=counts[self._state.compared], canary=counts[self._state.version])
        self._say()

    def _of_one_scrape(self, prometheus: Prometheus) -> list[Sample]:
        """The newest samples of all four. Prometheus may have one more scrape between two of the questions; asked once
        more it has it for all of them. Nothing where that goes on.
        """
        before: list[tuple[Series, float]] = []
        for _ in range(_TRIES):
            samples = [
                Sample({**sample.labels, _VERSION: version, _BAD: bad}, sample.at, sample.value)
                for selector, version, bad in self._selectors
                for sample in prometheus.samples(selector)
            ]
            read = [(part(sample.labels, (*TARGET, _VERSION, _BAD)), sample.at) for sample in samples]
            moments: dict[Series, set[float]] = {}
            for question, at in dict(sorted(read, key=lambda each: each[1])).items():
                moments.setdefault(part(dict(question), TARGET), set()).add(at)
            # What is the same twice is no scrape in between: a series has gone.
            if all(len(each) == 1 for each in moments.values()) or read == before:
                return samples
            before = read
        return []

    def _say(self) -> None:
        verdict, name = self.comparison.verdict(), self._metric.name
        self.worse = self.waits = ""
        if verdict.decision == "worse":
            self.worse = (
                f"{self._state.version}: {name}: {shares(verdict.canary)}, of {self._state.compared} "
                f"{shares(verdict.stable)} at the same time (chance of a false alarm below "
                f"{percent(1 / verdict.against_enough)})"
            )
        elif verdict.decision == "undecided":
            if self._apart:
                self.waits = (
                    f"{name}: no target counts both versions, so that they are read at different moments, and cannot "
                    "be compared; use max or min in place of worse"
                )
            elif not verdict.canary.answers:
                self.waits = f"{name} has counted nothing of {self._state.version} in the last {FRESH_SECONDS} s"
            else:
                more = verdict.unproven.requests
                about = f"about {more:,} more" if more is not None else "more"
                self.waits = f"{name}: {about} of {self._state.version} would show that it is no worse"


def _counts(grown: Mapping[Series, int], version: str) -> Counts:
    found = {"yes": 0, "no": 0}
    for series, count in grown.items():
        labels = dict(series)
        if labels[_VERSION] == version:
            found[labels[_BAD]] += count
    # The counter of all may be behind that of the bad ones by what is under way.
    return Counts(max(found.values()), found["yes"])


class Metrics:
    """All metrics of a rollout. Without any, it never has a say."""

    def __init__(
        self,
        prometheus: Prometheus | None = None,
        settings: Rollout | None = None,
        state: State | None = None,
        namespace: str = "",
        also_waits: Callable[[], str] = lambda: "",
    ) -> None:
        """`also_waits`: what else a step waits for, whose numbers come from Prometheus."""
        self._prometheus, self._also_waits = prometheus, also_waits
        self._settings, self._state, self._namespace = settings, state, namespace
        self.comparisons = 0 if settings is None else sum(metric.worse is not None for metric in settings.metrics)
        """How many of them compare: each gets as much of the chance to be wrong as the requests themselves."""
        self._begin({} if state is None else state.evidence.get("metrics", {}))

    def _begin(self, saved: Mapping[str, Any]) -> None:
        self._each: dict[str, Bounded | Compared] = {}
        self._asked = -ASK_SECONDS
        if self._settings is None or self._state is None:
            return
        share = float(self._settings.analysis.false_aborts) / len(self._state.services) / (1 + self.comparisons)
        for metric in self._settings.metrics:
            self._each[metric.name] = (
                Bounded(metric, self._state, self._namespace, saved.get(metric.name, {}))
                if metric.worse is None
                else Compared(metric, self._settings, self._state, self._namespace, share, saved.get(metric.name))
            )

    @property
    def worse(self) -> str:
        """What is worse about the version; empty where nothing is."""
        return next((each.worse for each in self._each.values() if each.worse), "")

    @property
    def waits(self) -> str:
        """What a step still waits for; empty where it waits for nothing."""
        return next((each.waits for each in self._each.values() if each.waits), "") or self._also_waits()

    def try_out(self) -> None:
        """Ask for all, before a rollout begins. Raises PrometheusError, and QueryError for a query that is refused."""
        if self._prometheus is not None:
            for each in self._each.values():
                each.look(self._prometheus)

    def look(self) -> None:
        """Ask, where it is time to. A query that is refused now, and was not at the begin, is one without an answer: a
        step waits for it. Raises PrometheusError.
        """
        if self._prometheus is None or time.monotonic() - self._asked < ASK_SECONDS:
            return
        try:
            for each in self._each.values():
                try:
                    each.look(self._prometheus)
                except QueryError as error:
                    each.lost()
                    each.waits = str(error)
            self._asked = time.monotonic()
        except WeirError:
            # Silence is never good.
            for each in self._each.values():
                each.lost()
            raise

    def begin_step(self) -> None:
        """A step of the rollout begins."""
        self._asked = -ASK_SECONDS
        for each in self._each.values():
            each.begin_step()

    def forget(self) -> None:
        """Nothing of what they have seen counts any more."""
        self._begin({})

    def state(self) -> dict[str, Any]:
        """What another process goes on with, as plain data."""
        return {name: found for name, each in self._each.items() if (found := each.state())}
