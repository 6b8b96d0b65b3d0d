"""Final answers of a service by version, as its callers' own Envoys count them: requests, failures, what retries have
hidden, and how long answers took.

Envoy's statistics of a subset's cluster count each request once, by its last answer (`upstream_rq_completed`,
`upstream_rq_5xx`); the 503 of a version without endpoints, or that no connection reaches, is among them. What was
tried again is in `retry.upstream_rq_5xx`. How long answers took is in the histogram `upstream_rq_time`, to which Envoy
adds every five seconds (`stats_flush_interval`): so answers with a time are counted for themselves. A request that its
caller gives up before there is an answer is in none of these, and has been begun (`upstream_rq_total`) all the same.
Istio keeps these where `proxyStatsMatcher` asks for them. Where it does not, the counters of endpoints in /clusters
count attempts.

https://www.envoyproxy.io/docs/envoy/latest/configuration/upstream/cluster_manager/cluster_stats
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from urllib.parse import quote

from weir.cluster.errors import ClusterError
from weir.measurement.caller import Caller
from weir.measurement.clusters import ClusterName, Counted, Measured, counted, counters

BOUNDS = (
    *(number / 1000 for number in range(1, 10)),
    *(
        step * decade / 1000
        for decade in (1, 10, 100, 1000)
        for step in (10, 12, 15, 18, 22, 27, 33, 39, 47, 56, 68, 82)
    ),
)
"""Seconds at which answers are told to be slower or not: edges of Envoy's own buckets, which have two digits, about a
fifth apart, up to 82 s.
"""

_AT_A_TIME = 8
_ANSWERS = ("upstream_rq_completed", "upstream_rq_5xx", "retry.upstream_rq_5xx", "upstream_rq_time")
_BEGUN = ("upstream_rq_total", "upstream_rq_cancelled", "upstream_rq_pending_failure_eject")
"""Attempts that got a connection, that were given up before they had one, and that found none."""

_ALL = "|".join(re.escape(each) for each in (*_ANSWERS, *_BEGUN, "upstream_rq_retry", "upstream_rq_active"))
_NAMES = rf"^cluster\.outbound\|.*\.({_ALL})$"
_STATISTICS = f"stats?usedonly&histogram_buckets=detailed&filter={quote(_NAMES, safe='')}"
# Since Istio 1.24 a semicolon ends the name of the cluster; `external.` counts the same requests once more.
_LINE = re.compile(
    rf"^cluster\.(?P<cluster>outbound\|[^;:]*?);?\.(?P<name>{_ALL}):"
    r"(?: (?P<count>\d+)$|\n  totals=(?P<buckets>.*)$)",
    re.MULTILINE,
)
_BUCKET = re.compile(r"([0-9.e+]+),[0-9.e+]+:(\d+)")


@dataclass(slots=True)
class Answers:
    """Of one version: requests that were answered in the end, failures among them (5xx), attempts that failed and were
    tried again, and of answers whose time is known how many took at least so many seconds (a lower edge of Envoy's
    buckets) and less than the next.

    `unanswered`: requests that have got no answer, because their caller gave up, or not yet; between two readings, by
    how many they have become more, or less. `active`: requests under way, of which some may have got an answer whose
    end is still to come.
    """

    requests: int = 0
    failures: int = 0
    retried: int = 0
    seconds: Counter[float] = field(default_factory=Counter)
    unanswered: int = 0
    active: int = 0

    @property
    def timed(self) -> int:
        """How many answers have a time."""
        return self.seconds.total()

    def slower(self, bounds: Sequence[float] = BOUNDS) -> dict[float, int]:
        """How many answers took so many seconds or longer, by bound."""
        edges = sorted(self.seconds)
        below = [0]
        for edge in edges:
            below.append(below[-1] + self.seconds[edge])
        # An edge is a bound's own where they are the same number but for the last bits.
        return {bound: below[-1] - below[bisect_right(edges, bound * (1 - 1e-9))] for bound in bounds}

    def add(self, other: Answers) -> None:
        """Count these as well."""
        self.requests += other.requests
        self.failures += other.failures
        self.retried += other.retried
        self.seconds += other.seconds
        self.unanswered += other.unanswered
        self.active += other.active


@dataclass(frozen=True, slots=True)
class Reading:
    """What the proxy of one caller has counted since it began, by version; `attempts`: its statistics say nothing of
    the service, and these are attempts at its endpoints.
    """

    versions: Mapping[str, Answers]
    attempts: bool = False


Readings = Mapping[str, Reading]
"""By pod of a caller."""

Line = tuple[ClusterName, str, str]


def read(callers: Sequence[Caller], services: Mapping[str, Measured]) -> dict[str, Readings]:
    """What the proxies of these callers have counted of each of the services, at about the same time. A caller that
    does not answer is left out. Raises ClusterError when none does.
    """

    def ask(caller: Caller) -> dict[str, Reading] | ClusterError:
        try:
            lines = parsed(caller.envoy(_STATISTICS))
            found = {name: statistics(lines, service) for name, service in services.items()}
            clusters = [] if all(found.values()) else counted(caller.envoy("clusters"))
        except ClusterError as error:
            return error
        return {
            name: Reading(each) if each else Reading(_attempts(clusters, services[name]), attempts=True)
            for name, each in found.items()
        }

    with ThreadPoolExecutor(_AT_A_TIME) as pool:
        answers = list(zip(callers, pool.map(ask, callers), strict=True))
    found = {caller.pod: answer for caller, answer in answers if not isinstance(answer, ClusterError)}
    if callers and not found:
        raise next(answer for _, answer in answers if isinstance(answer, ClusterError))
    return {name: {pod: answer[name] for pod, answer in found.items()} for name in services}


def between(before: Readings, after: Readings) -> dict[str, Answers]:
    """What came between two readings, by version. A caller that is new, or of whose counters one has fallen (its proxy
    is another), is left out: what it has counted may be of another time.
    """
    found: dict[str, Answers] = {}
    for pod, reading in after.items():
        earlier = before.get(pod)
        if earlier is None or (earlier.attempts != reading.attempts and earlier.versions):
            continue
        grown = dict(_grown(earlier.versions, reading.versions))
        if len(grown) == len(earlier.versions.keys() | reading.versions.keys()):
            for version, answers in grown.items():
                found.setdefault(version, Answers()).add(answers)
    return found


def _grown(before: Mapping[str, Answers], after: Mapping[str, Answers]) -> Iterator[tuple[str, Answers]]:
    """The versions whose counters have not fallen."""
    for version in before.keys() | after.keys():
        old, new = before.get(version, Answers()), after.get(version, Answers())
        seconds = {edge: new.seconds[edge] - old.seconds[edge] for edge in old.seconds.keys() | new.seconds.keys()}
        grown = Answers(
            new.requests - old.requests,
            new.failures - old.failures,
            new.retried - old.retried,
            Counter(seconds),
            new.unanswered - old.unanswered,
            new.active,
        )
        if min(grown.requests, grown.failures, grown.retried, *seconds.values()) >= 0:
            grown.seconds = +grown.seconds
            # A failure is counted as one before it is counted as a request.
            grown.requests = max(grown.requests, grown.failures)
            yield version, grown


def parsed(text: str) -> list[Line]:
    """The counters and histograms in Envoy's answer to GET /stats: cluster, name, and the count or the buckets."""
    found = []
    for match in _LINE.finditer(text):
        if cluster := ClusterName.parse(match["cluster"]):
            found.append((cluster, match["name"], match["count"] or match["buckets"] or ""))
    return found


def statistics(lines: Sequence[Line], service: Measured) -> dict[str, Answers]:
    """What Envoy's answer to GET /stats says of the versions of a service, on all ports that speak HTTP; empty where
    it says nothing of it.
    """
    found: dict[str, Answers] = {}
    told = False
    for name, statistic, value in lines:
        cluster = service.subset(name)
        if cluster is None:
            continue
        told = told or statistic in _ANSWERS
        answers = found.setdefault(cluster.subset, Answers())
        match statistic:
            case "upstream_rq_completed":
                answers.requests += int(value)
                answers.unanswered -= int(value)
            case "upstream_rq_5xx":
                answers.failures += int(value)
            case "retry.upstream_rq_5xx":
                answers.retried += int(value)
            case "upstream_rq_retry":
                answers.unanswered -= int(value)
            case "upstream_rq_active":
                answers.active += int(value)
            case _ if statistic in _BEGUN:
                answers.unanswered += int(value)
            case _:
                for edge, count in _BUCKET.findall(value):
                    answers.seconds[float(edge) / 1000] += int(count)
    # Some proxies keep a few of them alone, which say nothing of answers.
    return found if told else {}


def _attempts(lines: Sequence[Counted], service: Measured) -> dict[str, Answers]:
    """What Envoy's answer to GET /clusters says: each attempt as a request."""
    found: dict[str, Answers] = {}
    for endpoint, name, count in counters(lines, service):
        answers = found.setdefault(endpoint.cluster.subset, Answers())
        if name == "rq_total":
            answers.requests += count
        else:
            answers.failures += count
    return found
