"""What counters have grown by from one scrape of a target to the next.

The differences are taken here, and not by PromQL's rate() and increase(), which guess at what came before the first and
after the last sample of a window, and at what a counter had before it fell.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from weir.measurement.prometheus import Sample

TARGET = ("job", "instance", "cluster", "prometheus", "prometheus_replica")
"""Labels that tell targets apart: those that Prometheus gives each (job, instance), and those that tell one Prometheus
from another where several are asked at once. All series of a target are read in one scrape.
"""

Series = frozenset[tuple[str, str]]
"""The labels of a series, all of them."""


@dataclass(slots=True)
class _Target:
    at: float
    values: dict[Series, float] = field(default_factory=dict)

    def began_anew(self, before: _Target) -> bool:
        """Whether a counter has fallen, or has gone, since the scrape before."""
        return any(self.values.get(series, -1.0) < value for series, value in before.values.items())


class Growth:
    """The counters of some targets as they were last seen."""

    def __init__(self) -> None:
        self._since = 0.0
        self._before: dict[Series, _Target] = {}
        self._ever: dict[Series, set[Series]] = {}

    def anew(self, since: float) -> None:
        """Forget all; what was scraped before that moment is passed over."""
        self._since, self._before = since, {}

    def after(self, samples: Iterable[Sample]) -> Iterator[dict[Series, int]]:
        """For each target that was scraped since: series → what it has grown by.

        A target that is new is left out, and so is one of which a counter has fallen, or has gone: it began anew, and
        what it has counted may be of another time. So is one of which a counter that had gone is there again, which has
        not counted all of it since.
        """
        for name, now in _targets(samples).items():
            before = self._before.get(name)
            if now.at < self._since or (before is not None and now.at <= before.at):
                continue
            self._before[name] = now
            ever = self._ever.setdefault(name, set())
            returned = before is not None and not ever.isdisjoint(now.values.keys() - before.values.keys())
            ever.update(now.values)
            if before is None or returned or now.began_anew(before):
                continue
            # Proxies name a series once it counts something: one that is new began at 0.
            yield {series: round(value - before.values.get(series, 0.0)) for series, value in now.values.items()}


def _targets(samples: Iterable[Sample]) -> dict[Series, _Target]:
    """The newest scrape of each target, with all that was in it."""
    found: dict[Series, _Target] = {}
    for sample in samples:
        name = part(sample.labels, TARGET)
        target = found.setdefault(name, _Target(sample.at))
        if sample.at > target.at:
            target.at, target.values = sample.at, {}
        if sample.at == target.at:
            target.values[frozenset(sample.labels.items())] = sample.value
    return found


def part(labels: Mapping[str, str], names: Collection[str]) -> Series:
    """Those of the labels that have one of the names."""
    return frozenset((name, value) for name, value in labels.items() if name in names)
