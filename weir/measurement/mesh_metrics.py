"""The metrics of callers' proxies that count the requests of a service by version, as they are in Prometheus: Istio's
own (`istio_requests_total`), or those of Envoy's clusters.

Both are counted by the callers (reporter="source"), who draw the version of each request: one scrape of one caller has
both versions at the same moment.

https://istio.io/latest/docs/reference/config/metrics/
https://www.envoyproxy.io/docs/envoy/latest/configuration/upstream/cluster_manager/cluster_stats
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal, Protocol

from weir.measurement.clusters import ClusterName, Measured

BOUNDS = (0.0005, 0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
"""Seconds at which answers are told to be slower or not: the bounds of Envoy's histograms in the text for Prometheus.

Where a proxy has others, "slower" is at the next one above, for both versions alike.
"""

GRPC_FAILURES = frozenset(("2", "4", "12", "13", "14", "15"))
"""gRPC's statuses that are the server's: UNKNOWN, DEADLINE_EXCEEDED, UNIMPLEMENTED, INTERNAL, UNAVAILABLE, DATA_LOSS.

Those that OpenTelemetry calls errors of a server (semantic conventions for gRPC), and that stand for 5xx in HTTP
(google/rpc/code.proto). CANCELLED is the caller's; a sound server says RESOURCE_EXHAUSTED and ABORTED, too.
"""

Outcome = Literal["good", "failed", "not counted"]


class MeshMetrics(Protocol):
    """One kind of metrics."""

    @property
    def counters(self) -> str:
        """A selector of counters of requests, in PromQL."""

    @property
    def times(self) -> str:
        """One of the buckets of their times, in milliseconds."""

    def version(self, labels: Mapping[str, str]) -> str | None:
        """The version that a series is of; "" where nobody can tell; None where it is of no version."""

    def requests(self, labels: Mapping[str, str]) -> Outcome:
        """What a series of `counters` counts."""

    def repeats(self, labels: Mapping[str, str]) -> bool:
        """Whether what it counts is among the requests of another series, too."""


@dataclass(frozen=True, slots=True)
class IstioMetrics:
    """Istio's standard metrics of a service.

    `host`: its full name. `elsewhere`: version by host, of those that have another one.
    `versions`, `workloads`: version by the value of the label version of its pods, and by the name of what runs them.

    An answer that no pod gave has no label version: a connection that failed has the name of the workload still, and a
    request for which there was no pod has neither.
    """

    host: str
    versions: Mapping[str, str]
    workloads: Mapping[str, str]
    elsewhere: Mapping[str, str] = field(default_factory=dict)

    @property
    def counters(self) -> str:
        """Of each request one, by its final answer."""
        return f"istio_requests_total{{{self._matchers}}}"

    @property
    def times(self) -> str:
        """Of their times."""
        return f"istio_request_duration_milliseconds_bucket{{{self._matchers}}}"

    @property
    def _matchers(self) -> str:
        return f'reporter="source",destination_service=~"{_any_of((self.host, *self.elsewhere))}"'

    def version(self, labels: Mapping[str, str]) -> str | None:
        """By the host, the label version, or the name of the workload."""
        host = labels.get("destination_service", "")
        if host != self.host:
            return self.elsewhere.get(host)
        by_label = self.versions.get(labels.get("destination_version", ""))
        return by_label or self.workloads.get(labels.get("destination_workload", ""), "")

    def requests(self, labels: Mapping[str, str]) -> Outcome:
        """What a request counts as. A caller that went away before there was an answer (flag DC, code 0, or 499 in
        later Envoys) has ended its request itself; 0 without that flag is a request that nobody answered.
        """
        code = labels.get("response_code", "")
        if not code or (code in ("0", "499") and "DC" in labels.get("response_flags", "").split(",")):
            return "not counted"
        failed = code == "0" or code.startswith("5") or labels.get("grpc_response_status") in GRPC_FAILURES
        return "failed" if failed else "good"

    def repeats(self, labels: Mapping[str, str]) -> bool:
        """Each series has requests of its own."""
        return False


@dataclass(frozen=True, slots=True)
class EnvoyMetrics:
    """The statistics of the clusters of a service's versions, as Istio's sidecars show them at /stats/prometheus.

    Istio's bootstrap makes labels of parts of their names: `cluster.NAME.upstream_rq_5xx` is
    `envoy_cluster_upstream_rq{response_code_class="5xx",cluster_name="NAME"}`, with or without the semicolon that ends
    NAME since Istio 1.24.
    """

    service: Measured

    @property
    def counters(self) -> str:
        """Requests by their final answer, and those of them that failed."""
        names = "envoy_cluster_upstream_rq_completed|envoy_cluster_upstream_rq"
        return f'{{__name__=~"{names}",response_code="",response_code_class=~"5xx|",{self._matcher}}}'

    @property
    def times(self) -> str:
        """From the request to the end of the answer."""
        return f"envoy_cluster_upstream_rq_time_bucket{{{self._matcher}}}"

    @property
    def _matcher(self) -> str:
        others = [place.rpartition(":")[0] for place in self.service.services]
        hosts = f"([^|]+[.])?{_any_of((self.service.host,))}{''.join(f'|{_any_of((each,))}' for each in others)}"
        return f'cluster_name=~"outbound[|][0-9]+[|][^|]*[|]({hosts});?"'

    def version(self, labels: Mapping[str, str]) -> str | None:
        """The subset of the cluster; what goes to the service as a whole is of no version."""
        cluster = self.service.subset(ClusterName.parse(labels.get("cluster_name", "").removesuffix(";")))
        return cluster.subset or None if cluster else None

    def requests(self, labels: Mapping[str, str]) -> Outcome:
        """What the series counts."""
        return "failed" if "response_code_class" in labels else "good"

    def repeats(self, labels: Mapping[str, str]) -> bool:
        """Those that failed are among those that were completed."""
        return "response_code_class" in labels


def _any_of(hosts: Iterable[str]) -> str:
    """A regular expression; in PromQL's quotes a backslash would have to be written twice."""
    return "|".join(re.sub(r"[^\w-]", lambda found: f"[{found[0]}]", host) for host in hosts)
