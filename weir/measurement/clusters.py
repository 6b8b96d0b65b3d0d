"""Who answered: how many requests the caller's own Envoy sent to each version, from its endpoint counters.

Istio gives every subset a cluster of its own in the caller's Envoy, and Envoy counts requests per endpoint (`rq_total`
in the text of its admin path /clusters) whatever statistics are switched on and whatever the service answers. The
difference between two readings is the number of attempts per version. Its limits: other requests of the same pod to
the same service are counted as well, and a retry is one more attempt. Format:
https://www.envoyproxy.io/docs/envoy/latest/operations/admin#get--clusters

A version elsewhere has another host. What is counted of it is put down as of a subset of the service.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace

from weir.measurement.errors import DisturbedError
from weir.model import Service, ServiceTraffic
from weir.model.manifests.istio import belongs


@dataclass(frozen=True, slots=True, order=True)
class ClusterName:
    """An outbound cluster of Istio: `outbound|80|v2|backend.demo.svc.cluster.local`; `subset` is "" for the service as
    a whole.
    """

    port: int
    subset: str
    host: str

    @classmethod
    def parse(cls, text: str) -> ClusterName | None:
        """The name's parts, or None for any other cluster (inbound, PassthroughCluster, agent, …)."""
        parts = text.split("|")
        if len(parts) != 4 or parts[0] != "outbound" or not parts[1].isdigit():
            return None
        return cls(int(parts[1]), parts[2], parts[3])


@dataclass(frozen=True, slots=True)
class Measured:
    """A service whose requests are counted: its full name, its port, and by `HOST:PORT` the versions that are other
    Services.

    `uncounted`: its ports that pass through, at which Envoy counts connections as requests, and no version is drawn.
    """

    host: str
    port: int
    services: Mapping[str, str] = field(default_factory=dict)
    uncounted: frozenset[int] = frozenset()

    def subset(self, cluster: ClusterName | None) -> ClusterName | None:
        """The cluster as a subset of the service, or as the service as a whole; None for any other."""
        if cluster is None or cluster.host == self.host:
            return None if cluster is None or cluster.port in self.uncounted else cluster
        if cluster.subset:
            return replace(cluster, host=self.host) if belongs(cluster.host, self.host) else None
        version = self.services.get(f"{cluster.host}:{cluster.port}")
        return None if version is None else ClusterName(self.port, version, self.host)


def measured(service: Service, traffic: ServiceTraffic, host: str) -> Measured:
    """The service of this full name, as it is counted."""
    places = {str(place): version for version, place in traffic.elsewhere.items() if not place.external}
    uncounted = frozenset(port.port for port in service.all_ports if not port.is_http)
    return Measured(host, service.main_port.port, places, uncounted)


@dataclass(frozen=True, slots=True)
class Endpoint:
    """An endpoint of a cluster; `address` as Envoy writes it: 10.0.0.7:5678, [fd00::7]:5678."""

    cluster: ClusterName
    address: str


Counted = tuple[Endpoint, str, int]
"""A counter of an endpoint, its name and its value."""

# An IPv6 endpoint contains the separator; a cluster name and a counter do not.
_COUNTER = re.compile(r"^\s*([^:\n]*)::(.*)::(rq_total|rq_error)::([0-9]+)\s*$", re.MULTILINE)

Reading = Mapping[Endpoint, int]
"""The counter rq_total of every endpoint of one service."""


def read_clusters(text: str, service: Measured) -> Reading:
    """The counters of the endpoints of a service, on every port, of every subset and of the service as a whole.

    `text` is Envoy's answer to GET /clusters: lines `cluster::endpoint::counter::value` among many of other forms,
    which are passed over.
    """
    return {endpoint: count for endpoint, name, count in counters(counted(text), service) if name == "rq_total"}


def counted(text: str) -> list[Counted]:
    """The attempts and failed attempts of every endpoint of Istio's in Envoy's answer to GET /clusters: once for all
    services, since it has a hundred lines for each of them.
    """
    found = []
    for name, address, counter, value in _COUNTER.findall(text):
        if cluster := ClusterName.parse(name):
            found.append((Endpoint(cluster, address), counter, int(value)))
    return found


def counters(lines: Iterable[Counted], service: Measured) -> Iterator[Counted]:
    """Those of the service, with the cluster as a subset of it."""
    for endpoint, name, count in lines:
        if cluster := service.subset(endpoint.cluster):
            yield Endpoint(cluster, endpoint.address), name, count


def attempts(before: Reading, after: Reading, port: int) -> dict[str, int]:
    """Requests per subset between two readings, for the service port `port`; every subset of the later reading is a
    key.

    The key "" counts those that went to the service as a whole, past its versions. An endpoint that came in between
    counts from 0. Raises DisturbedError when an endpoint is gone or a counter fell: its cluster was rebuilt, and what
    it had counted is lost.
    """
    lost = [
        endpoint
        for endpoint, count in before.items()
        if endpoint.cluster.port == port and after.get(endpoint, -1) < count
    ]
    if lost:
        names = ", ".join(
            sorted({f"{endpoint.cluster.subset or 'the service'} ({endpoint.address})" for endpoint in lost})
        )
        raise DisturbedError(
            f"the measurement was disturbed: endpoints of {lost[0].cluster.host} went or were replaced while requests "
            f"were sent: {names}. Run again once the update has ended"
        )
    counts: Counter[str] = Counter()
    for endpoint, count in after.items():
        if endpoint.cluster.port == port:
            counts[endpoint.cluster.subset] += count - before.get(endpoint, 0)
    return dict(sorted(counts.items()))
