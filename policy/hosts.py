"""Hosts are named one by one: a wildcard takes the requests of services that nobody thought of."""

from __future__ import annotations

from policy.known import Props, listed, mapping
from policy.routes import service
from policy.rule import EVERY_STACK, GATEWAY, VIRTUAL_SERVICE, Rule
from weir.model.manifests.hosts import of_host


def wildcards(props: Props) -> list[str]:
    """A message for each host with `*`, of a VirtualService or of a Gateway's servers. Before the slash of a Gateway's
    host stands a namespace.
    """
    name, spec = service(props), mapping(props.get("spec"))
    where = "weir:hosts" if of_host(spec) else "expose.hosts"
    found = [f"{name}: {where} has {_quoted(host)}" for host in listed(spec.get("hosts")) if _is_wildcard(host)]
    for index, server in enumerate(listed(spec.get("servers"))):
        hosts = listed(mapping(server).get("hosts"))
        found += [f"gateway {name}: servers[{index}].hosts has {_quoted(host)}" for host in hosts if _is_wildcard(host)]
    return [f"{message}; name each host, such as shop.example.com" for message in found]


def _is_wildcard(host: object) -> bool:
    return isinstance(host, str) and "*" in host.rpartition("/")[2]


def _quoted(host: object) -> str:
    return f'"{host}", a wildcard'


NAMED = Rule(
    name="no-wildcard-host",
    description="Services and gateways name their hosts, without wildcards.",
    kinds=(VIRTUAL_SERVICE, GATEWAY),
    stacks=EVERY_STACK,
    judge=lambda props, _settings, _stack: wildcards(props),
)
