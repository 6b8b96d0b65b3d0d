"""The answers that two versions of a service give at the same time, look by look, from what Prometheus has scraped."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator, Mapping

from weir.measurement.answers import Answers
from weir.measurement.growth import Growth, Series
from weir.measurement.mesh_metrics import MeshMetrics
from weir.measurement.prometheus import ASK_SECONDS, FRESH_SECONDS, Prometheus


class Scraped:
    """Counters of callers' proxies as Prometheus had them last."""

    def __init__(self, prometheus: Prometheus, metrics: MeshMetrics) -> None:
        """Nothing is asked yet."""
        self._prometheus, self._metrics = prometheus, metrics
        self._counters, self._times = Growth(), Growth()
        self._begun, self._asked = False, -ASK_SECONDS
        self.unknown = 0
        """Failed requests, since it was begun anew, of which nobody can tell the version."""
        self.why = ""
        """Why the last look could tell nothing, and what to do; empty where it could."""

    def anew(self) -> None:
        """What was scraped before the next look belongs to another split of the traffic. Asks nothing."""
        self._begun, self.unknown = False, 0

    def look(self) -> dict[str, Answers] | None:
        """What came since the last look, by version; None where Prometheus has nothing that is fresh. Raises
        PrometheusError, QueryError.
        """
        if self._begun and time.monotonic() - self._asked < ASK_SECONDS:
            return None if self.why else {}
        if not self._begun:
            # By the clock of Prometheus: this machine's may be another one.
            since = self._prometheus.now()
            self._counters.anew(since)
            self._times.anew(since)
            self._begun = True
        counters = self._prometheus.samples(self._metrics.counters)
        self.why = "" if counters else _nothing(self._metrics.counters)
        found: dict[str, Answers] = {}
        for grown in self._counters.after(counters):
            self._count(grown, found)
        for grown in self._times.after(self._prometheus.samples(self._metrics.times)):
            for version, seconds in self._buckets(grown):
                found.setdefault(version, Answers()).seconds += seconds
        # Where it did not answer, the next look asks again: silence must not pass for an answer.
        self._asked = time.monotonic()
        self.unknown += found.pop("", Answers()).failures
        return found if counters else None

    def _count(self, grown: Mapping[Series, int], found: dict[str, Answers]) -> None:
        for series, count in grown.items():
            labels = dict(series)
            version, outcome = self._metrics.version(labels), self._metrics.requests(labels)
            if version is None or outcome == "not counted":
                continue
            answers = found.setdefault(version, Answers())
            answers.failures += count if outcome == "failed" else 0
            answers.requests += 0 if self._metrics.repeats(labels) else count
        for answers in found.values():
            # Envoy counts a failure as one before it counts it as a request.
            answers.requests = max(answers.requests, answers.failures)

    def _buckets(self, grown: Mapping[Series, int]) -> Iterator[tuple[str, Counter[float]]]:
        """Answers by the lower bound of their bucket, in seconds, for each histogram; its buckets have all answers up
        to a bound.
        """
        histograms: dict[Series, dict[float, int]] = {}
        for series, count in grown.items():
            labels = dict(series)
            bound = float(labels.pop("le", "inf")) / 1000
            if self._metrics.version(labels) and self._metrics.requests(labels) != "not counted":
                histograms.setdefault(frozenset(labels.items()), {})[bound] = count
        for series, up_to in histograms.items():
            seconds: Counter[float] = Counter()
            lower, below = 0.0, 0
            for bound, count in sorted(up_to.items()):
                seconds[lower] += count - below
                lower, below = bound, count
            yield self._metrics.version(dict(series)) or "", +seconds


def _nothing(selector: str) -> str:
    return (
        f"Prometheus has no sample of the last {FRESH_SECONDS} s of {selector}: nothing is decided until it has; see "
        "whether it scrapes the callers' sidecars, and flavour of weir:prometheus"
    )
