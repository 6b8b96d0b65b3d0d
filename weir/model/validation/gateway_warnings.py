"""Warnings of what meets at the edge of the mesh: hosts that two services claim, and gateways that take each other's
requests.

Istio finds the same with `istioctl analyze`, once it is in the cluster.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from itertools import combinations

from weir.model.config.gateways import Gateway, Server
from weir.model.config.stack import Service, StackConfig
from weir.model.values.hosts import covers
from weir.model.values.problems import Path

Found = tuple[Path, str, str]
"""Where, what it means here, and the warning's name."""

_Claim = tuple[int, int, str]


def edge_warnings(config: StackConfig) -> Iterator[Found]:
    """Every such warning; the later of two is the one that is told."""
    yield from _claims(config)
    servers = [
        (name, gateway, index) for name, gateway in config.gateways.items() for index in range(len(gateway.servers))
    ]
    for first, second in combinations(servers, 2):
        if _same_pods(first[1], second[1]):
            yield from _collisions(first, second, config.namespace)
            if first[0] != second[0]:
                yield from _shared_certificates(first, second)


def _claims(config: StackConfig) -> Iterator[Found]:
    services = list(config.services.items())
    # Envoy asks for hosts in lower case, however they are written.
    exposed = [tuple(map(str.lower, service.expose.hosts)) if service.expose else () for _, service in services]
    wide = {mine for hosts in exposed for mine in hosts if mine.startswith("*.")}
    # Looked up and not compared each with each: a stack may have a thousand services. A claim is service, place in it,
    # host.
    same: defaultdict[str, list[_Claim]] = defaultdict(list)
    inside: defaultdict[str, list[_Claim]] = defaultdict(list)
    for number, (name, _) in enumerate(services):
        for place, claimed in enumerate((config.host(name), *exposed[number])):
            same[claimed].append((number, place, claimed))
            for pattern in wide & _around(claimed):
                inside[pattern].append((number, place, claimed))
    for number, (name, service) in enumerate(services):
        met: dict[tuple[int, int], _Claim] = {}
        for index, mine in enumerate(exposed[number]):
            near = [*same[mine], *inside[mine], *(claim for pattern in wide & _around(mine) for claim in same[pattern])]
            for claim in sorted(near):
                other, place, claimed = claim
                # What a service is called in the mesh is claimed by all the others; of two that expose a host, the
                # later one is told.
                if (
                    other != number
                    and (place == 0 or other < number)
                    and _meet(mine, service, claimed, services[other][1], config.namespace)
                ):
                    met.setdefault((other, index), claim)
        for (other, index), (_, place, claimed) in sorted(met.items()):
            how = (
                f"also exposed by service {services[other][0]} (as {claimed})"
                if place
                else f"also {claimed}, which is service {services[other][0]}"
            )
            message = f"is {how}: which of the two gets a request is not defined; expose one of them elsewhere"
            yield (("services", name, "expose", "hosts", index), message, "host-of-two")


def _around(host: str) -> set[str]:
    """Every wide host that covers this one."""
    return {f"*{host[dot:]}" for dot, character in enumerate(host) if character == "." and host[:dot] != "*"}


def _meet(mine: str, service: Service, theirs: str, other: Service, namespace: str) -> bool:
    """Whether Istio holds the two for a conflict: where both rules are seen, the same host; where one is seen by some,
    also a wider one.
    """
    scopes = [_scope(each, namespace) for each in (service, other)]
    if scopes[0] and scopes[1]:
        return mine == theirs and not scopes[0].isdisjoint(scopes[1])
    return mine == theirs or (bool(scopes[0] or scopes[1]) and (covers(mine, theirs) or covers(theirs, mine)))


def _scope(service: Service, namespace: str) -> set[str]:
    """The namespaces that see the service's rules; empty for all."""
    return {namespace if entry == "." else entry for entry in service.export_to or () if entry != "*"}


def _same_pods(first: Gateway, second: Gateway) -> bool:
    """Whether the pods of the one are among those of the other."""
    one, other = first.selector.items(), second.selector.items()
    return one <= other or other <= one


_Placed = tuple[str, Gateway, int]


def _collisions(first: _Placed, second: _Placed, namespace: str) -> Iterator[Found]:
    one, other = first[1].servers[first[2]], second[1].servers[second[2]]
    if one.port.number == other.port.number:
        taken = {_in_full(entry, namespace) for entry in one.hosts}
        for index, entry in enumerate(other.hosts):
            if _in_full(entry, namespace) in taken:
                message = (
                    f"is served at port {one.port.number} by {_called(first)} as well, and Istio takes one of them "
                    "alone; remove one"
                )
                yield (("gateways", second[0], "servers", second[2], "hosts", index), message, "host-served-twice")


def _shared_certificates(first: _Placed, second: _Placed) -> Iterator[Found]:
    one, other = (_certificate(gateway.servers[index]) for _, gateway, index in (first, second))
    if one is not None and one == other:
        message = (
            f"has the certificate of {_called(first)}: a browser that keeps its connection gets 404 for the other's "
            "hosts; put both into one gateway"
        )
        yield (("gateways", second[0], "servers", second[2], "tls"), message, "shared-certificate")


def _certificate(server: Server) -> tuple[str | None, ...] | None:
    tls = server.tls
    named = (tls.credential_name, tls.server_certificate, tls.private_key) if tls else (None,)
    return named if any(named) else None


def _in_full(entry: str, namespace: str) -> tuple[str, str]:
    scope, _, name = entry.rpartition("/")
    return (namespace if scope == "." else scope or "*", name)


def _called(server: _Placed) -> str:
    return f"server {server[2] + 1} of gateway {server[0]}"
