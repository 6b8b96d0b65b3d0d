"""Hosts: no wildcards."""

from __future__ import annotations

import pytest

from policy.hosts import wildcards
from policy.known import UNKNOWN
from tests.unit.policy.cases import Case, meshed, put, route


def exposed(*hosts: str) -> list[str]:
    return wildcards(route(expose={"gateways": ["istio-ingress/public"], "hosts": list(hosts)}))


def gateway(*hosts: str) -> list[str]:
    server = {"port": {"number": 80, "name": "http", "protocol": "HTTP"}, "hosts": list(hosts)}
    gateways = {"public": {"selector": {"istio": "ingress"}, "servers": [server]}}
    return wildcards(meshed({}, gateways=gateways).gateways["public"])


CASES = [
    Case("no-wildcard-host", "in the mesh alone", lambda: wildcards(route())),
    Case("no-wildcard-host", "a host", lambda: exposed("shop.example.com")),
    Case(
        "no-wildcard-host",
        "a host of a gateway, for every namespace",
        lambda: gateway("*/shop.example.com", "shop.example.org"),
    ),
    Case("no-wildcard-host", "not known yet", lambda: wildcards(put(route(), "spec.hosts", [UNKNOWN]))),
    Case("no-wildcard-host", "a spec that is not known yet", lambda: wildcards(put(route(), "spec", UNKNOWN))),
    Case(
        "no-wildcard-host",
        "all below a domain",
        lambda: exposed("shop.example.org", "*.example.com"),
        ['backend: expose.hosts has "*.example.com", a wildcard; name each host, such as shop.example.com'],
    ),
    Case(
        "no-wildcard-host",
        "all there are",
        lambda: wildcards(put(route(), "spec.hosts", ["*"])),
        ['backend: expose.hosts has "*", a wildcard; name each host, such as shop.example.com'],
    ),
    Case(
        "no-wildcard-host",
        "a gateway for all",
        lambda: gateway("shop.example.com", "demo/*", "*.example.org"),
        [
            'gateway public: servers[0].hosts has "demo/*", a wildcard; name each host, such as shop.example.com',
            (
                'gateway public: servers[0].hosts has "*.example.org", a wildcard; name each host, such as '
                "shop.example.com"
            ),
        ],
    ),
]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_hosts(case: Case) -> None:
    """A star in a host is refused, in the place of a gateway's namespace it is none."""
    case.check()
