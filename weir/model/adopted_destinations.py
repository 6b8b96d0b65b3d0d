"""Which version a destination of somebody else's VirtualService is: one of the service's own pods, or another host.

Another Service, or a host of a ServiceEntry, is a version as it is: its objects stay their owner's.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import count
from typing import Any

from weir.model.adopted_hosts import full_host, gateways_of
from weir.model.adopted_routes import UnsaidError, destinations
from weir.model.adopted_versions import AdoptedVersion, version_name
from weir.model.manifests.kubernetes import Manifest
from weir.model.values import hosts
from weir.model.values.names import MAX_LABEL


@dataclass
class Destinations:
    """Those of one VirtualService of a service.

    `host`: the full name of the service, `domain`: the cluster's.
    `own`: the versions of its pods, `subsets`: the names of those that are subsets.
    `listeners`: the numbers of its ports for HTTP; `ports`: those of each host that is known, by full name.
    `taken`: names that no other version may have.
    `others`: host and port of each version that is another host and was named so far, by its name.
    """

    route: Manifest
    host: str
    domain: str
    own: Sequence[AdoptedVersion]
    subsets: Collection[str]
    listeners: Sequence[int]
    ports: Mapping[str, Sequence[int]]
    taken: Collection[str]
    others: dict[str, tuple[str, int]] = field(default_factory=dict)

    def is_own(self, destination: Mapping[str, Any]) -> bool:
        """Whether it is the service, or a subset of it."""
        return self._full(destination) == self.host

    @property
    def leave_pods(self) -> bool:
        """Whether all routes lead to other hosts, so that no version of pods is needed."""
        named = destinations(self.route["spec"].get("http", []))
        return bool(named) and not self.subsets and not any(map(self.is_own, named))

    def version_of(self, destination: Mapping[str, Any]) -> str:
        """The name of the version. Raises UnsaidError."""
        subset, host = destination.get("subset"), self._full(destination)
        if host == self.host and subset in self.subsets:
            return version_name(str(subset))
        if host == self.host and subset is None and len(self.own) == 1:
            return self.own[0].name
        if host == self.host:
            raise UnsaidError(
                f"{destination['host']}{f', subset {subset}' if subset else ''}, which is no version of it"
            )
        if subset is not None:
            raise UnsaidError(f"{host}, subset {subset}: a version that is another Service is all of it")
        try:
            place = hosts.full_host(host), self._port(host, destination)
        except ValueError as error:
            raise UnsaidError(f"{host}: the host of a version {error}") from None
        known = next((name for name, at in self.others.items() if at == place), None)
        if known is None:
            avoided = {*self.taken, *self.others, *(() if self.leave_pods else (each.name for each in self.own))}
            known = next(name for name in self._names(host) if name not in avoided)
            self.others[known] = place
        return known

    def _full(self, destination: Mapping[str, Any]) -> str:
        return full_host(destination.get("host", ""), self.route, self.domain)

    def _port(self, host: str, destination: Mapping[str, Any]) -> int:
        """The port that it has; without one istiod takes the only port of the host, else that of the listener
        (GetDestinationCluster in pilot/pkg/networking/core/route).
        """
        if "port" in destination:
            return int(destination["port"]["number"])
        known = self.ports.get(host, ())
        if len(known) == 1:
            return known[0]
        if len(self.listeners) == 1 and self.listeners[0] in known and not gateways_of(self.route):
            return self.listeners[0]
        why = "which has several ports" if known else "whose ports are not known"
        raise UnsaidError(f"{host}, {why}: name one there (destination.port.number), and run this again")

    def _names(self, host: str) -> Iterator[str]:
        """Names for a version, the best first: what the host's name has more than the service's, else that name."""
        service, first = self.host.partition(".")[0], host.partition(".")[0]
        room = MAX_LABEL - len(service) - 1  # its objects would be SERVICE-VERSION
        for name in (first.removeprefix(f"{service}-"), first):
            yield version_name(name)[:room].rstrip("-")
        for end in (f"-{number}" for number in count(2)):
            yield version_name(first)[: room - len(end)].rstrip("-") + end
