"""What callers' own Envoys have seen of a service between two moments: requests, errors and latency of each version.

Requests and errors are Envoy's counters of every endpoint (/clusters), which are always there. Latency is its
histogram `upstream_rq_time`, which Istio keeps only where `proxyStatsMatcher` asks for it: from the request's last
byte sent until the answer's last byte came, so that a delay by a fault, which comes before, is not in it.
"""

from __future__ import annotations

import re
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import pairwise

from weir.cluster.errors import ClusterError
from weir.measurement.caller import Caller
from weir.measurement.clusters import ClusterName, Counted, Measured, counted, counters

MAX_CALLERS = 20
"""Of more callers the first by name are asked: a look must not be a load."""

_AT_A_TIME = 8
_HISTOGRAMS = "stats/prometheus?usedonly&filter=upstream_rq_time"
_BUCKET = re.compile(
    (
        r'^envoy_cluster_upstream_rq_time_bucket\{[^}]*cluster_name="(?P<cluster>[^"]+)"[^}]*le="(?P<le>[^"]+)"\} '
        r"(?P<count>\d+)"
    ),
    re.MULTILINE,
)


@dataclass(slots=True)
class Counts:
    """Of one version: requests, errors (5xx answers, and connections that failed), and requests by the upper bound of
    their bucket, in ms.
    """

    requests: int = 0
    errors: int = 0
    buckets: Counter[float] = field(default_factory=Counter)

    def quantile(self, share: float) -> float | None:
        """The seconds that this share (0 to 1) of the answers took at most, between two bounds in proportion, as
        Prometheus has it.
        """
        bounds = sorted(self.buckets)
        total = max(self.buckets.values(), default=0)
        if total <= 0:
            return None
        rank = share * total
        for low, high in pairwise([0.0, *bounds]):
            below, upto = self.buckets.get(low, 0), self.buckets[high]
            if upto >= rank:
                if high == float("inf"):
                    return low / 1000
                return (low + (high - low) * ((rank - below) / (upto - below) if upto > below else 1.0)) / 1000
        return None


@dataclass(frozen=True, slots=True)
class Observation:
    """What was seen of one service in `seconds`, by version ("": past the versions), by so many callers."""

    seconds: float
    callers: int
    versions: Mapping[str, Counts]

    @property
    def requests(self) -> int:
        """All of them, retries included."""
        return sum(counts.requests for counts in self.versions.values())

    def share(self, version: str) -> float | None:
        """The share of the requests (0 to 1) that the version got; None where there were none."""
        if not self.requests:
            return None
        return self.versions[version].requests / self.requests if version in self.versions else 0.0


_Bucket = tuple[ClusterName, str, str, int]
"""A bucket of a histogram: its cluster, that one's name, the upper bound in ms, and how many answers took at most so
long.
"""

Looked = tuple[Sequence[Counted], Sequence[_Bucket]]
"""What Envoy's /clusters and its histograms say."""

Snapshot = Mapping[str, Looked]
"""By pod."""


@dataclass(frozen=True, slots=True)
class Taken:
    """A snapshot, and when it was taken (monotonic seconds)."""

    at: float
    counters: Snapshot


def snapshot(callers: Sequence[Caller]) -> Snapshot:
    """The counters of all callers at about the same time. A caller that is gone is left out; raises ClusterError when
    none answers.
    """

    def ask(caller: Caller) -> Looked | ClusterError:
        try:
            return looked(caller.envoy("clusters"), caller.envoy(_HISTOGRAMS))
        except ClusterError as error:
            return error

    with ThreadPoolExecutor(_AT_A_TIME) as pool:
        answers = list(zip(callers, pool.map(ask, callers), strict=True))
    found = {caller.pod: answer for caller, answer in answers if isinstance(answer, tuple)}
    if callers and not found:
        raise next(answer for _, answer in answers if isinstance(answer, ClusterError))
    return found


def observe(
    callers: Sequence[Caller], services: Iterable[Measured], seconds: float, before: Taken | None = None
) -> tuple[dict[str, Observation], Taken]:
    """What the callers see of the services in so many seconds from now, or since `before` if that is longer, by host;
    and the last snapshot.

    Raises ClusterError when no caller can be asked.
    """
    first = before or Taken(time.monotonic(), snapshot(callers))
    pause = first.at + seconds - time.monotonic()
    if pause > 0:
        time.sleep(pause)
    last = Taken(time.monotonic(), snapshot(callers))
    seen = {each.host: between(first.counters, last.counters, each, last.at - first.at) for each in services}
    return seen, last


def between(before: Snapshot, after: Snapshot, service: Measured, seconds: float) -> Observation:
    """What came between two snapshots for one service. A counter that fell is that of a new endpoint or proxy, and
    counts from 0.
    """
    versions: dict[str, Counts] = {}
    callers = 0
    for pod, (clusters, histograms) in after.items():
        if pod not in before:
            continue
        callers += 1
        for (version, _, kind), grown in _grown(_counters(before[pod][0], service), _counters(clusters, service)):
            counts = versions.setdefault(version, Counts())
            if kind == "rq_total":
                counts.requests += grown
            else:
                counts.errors += grown
        for (version, bound, _), grown in _grown(_buckets(before[pod][1], service), _buckets(histograms, service)):
            versions.setdefault(version, Counts()).buckets[float(bound)] += grown
    return Observation(seconds, callers, versions)


_Key = tuple[str, str, str]


def _grown(old: Mapping[_Key, int], new: Mapping[_Key, int]) -> Iterator[tuple[_Key, int]]:
    for key, value in new.items():
        earlier = old.get(key, 0)
        yield key, value - earlier if value >= earlier else value


def _counters(lines: Sequence[Counted], service: Measured) -> dict[_Key, int]:
    """By version, endpoint and name: rq_total and rq_error."""
    return {
        (endpoint.cluster.subset, f"{endpoint.cluster.port} {endpoint.address}", name): count
        for endpoint, name, count in counters(lines, service)
    }


def looked(clusters: str, histograms: str) -> Looked:
    """What the two answers of a caller's Envoy say, once for all services: they have hundreds of lines for each."""
    buckets = []
    for match in _BUCKET.finditer(histograms):
        if cluster := ClusterName.parse(match["cluster"]):
            buckets.append((cluster, match["cluster"], match["le"].replace("+Inf", "inf"), int(match["count"])))
    return counted(clusters), buckets


def _buckets(lines: Sequence[_Bucket], service: Measured) -> dict[_Key, int]:
    """By version, upper bound in ms, and cluster: how many answers took at most so long."""
    return {
        (subset.subset, bound, name): count
        for cluster, name, bound, count in lines
        if (subset := service.subset(cluster)) is not None
    }
