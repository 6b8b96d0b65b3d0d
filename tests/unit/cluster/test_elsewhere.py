"""Versions elsewhere, as istiod shows them: when a proxy knows an external host, or another Service, and when it has
drained it; and which objects are read for that.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest

from components.acknowledgement import route_wants
from weir.cluster.errors import ClusterError
from weir.cluster.kubectl import Kubectl
from weir.cluster.live import Live
from weir.cluster.want import Want, declared, resolved, serving, told
from weir.model import load, mesh

HOST = "backend.demo.svc.cluster.local"
EXTERNAL = f"outbound|80|legacy|legacy.{HOST}"
OTHER = "outbound|8080||shop.old.svc.cluster.local"
KEY = "shop.old.svc.cluster.local:8080"


def dump(*clusters: tuple[str, str], **weights: int) -> dict[str, Any]:
    """What istiod makes for a proxy: clusters with their types, and the route of the service; each host of the
    registry has a virtual host of its own, too.
    """
    names = {"legacy": EXTERNAL, "other": OTHER, "v2": f"outbound|80|v2|{HOST}"}
    route = {
        "name": "default",
        "route": {
            "weightedClusters": {
                "clusters": [{"name": names[version], "weight": weight} for version, weight in weights.items()]
            }
        },
    }
    hosts = [
        {"name": f"{HOST}:80", "domains": [HOST], "routes": [route]},
        {
            "name": f"legacy.{HOST}:80",
            "domains": [f"legacy.{HOST}"],
            "routes": [{"name": "default", "route": {"cluster": f"outbound|80||legacy.{HOST}"}}],
        },
        {
            "name": "shop.old.svc.cluster.local:8080",
            "domains": ["shop.old.svc.cluster.local"],
            "routes": [{"name": "default", "route": {"cluster": OTHER}}],
        },
    ]
    made = [{"cluster": {"name": name, "type": kind}} for name, kind in clusters]
    return {
        "configs": [
            {"@type": "…ClustersConfigDump", "dynamicActiveClusters": made},
            {"@type": "…RoutesConfigDump", "dynamicRouteConfigs": [{"routeConfig": {"virtualHosts": hosts}}]},
        ]
    }


def test_a_proxy_knows_what_it_has_a_cluster_of() -> None:
    """The subset of the external host, not the host alone; of another Service the whole, at its port."""
    external, other = Want(HOST, known=frozenset({"legacy"})), Want(HOST, known=frozenset({KEY}))
    assert declared(dump((EXTERNAL, "STRICT_DNS")), external)
    assert not declared(dump((f"outbound|80||legacy.{HOST}", "STRICT_DNS")), external)
    assert not declared(dump(("outbound|80|legacy|legacy.other.demo.svc.cluster.local", "STRICT_DNS")), external)
    assert declared(dump((OTHER, "EDS")), other)
    assert not declared(dump((OTHER.replace("8080", "80"), "EDS")), other)


def test_what_each_proxy_resolves_has_no_endpoints_to_wait_for() -> None:
    """istiod knows endpoints of Services alone."""
    made = dump((EXTERNAL, "STRICT_DNS"), (OTHER, "EDS"))
    assert resolved(made, HOST) == {"legacy"}
    assert serving([{"clusterName": OTHER, "endpoints": [{"lbEndpoints": [{}]}]}], HOST) == {KEY}
    assert serving([{"clusterName": OTHER, "endpoints": [{"lbEndpoints": [{"healthStatus": "UNHEALTHY"}]}]}], HOST) == (
        set()
    )


def test_it_is_drained_once_the_route_of_the_service_does_not_name_it() -> None:
    """That the host itself can still be asked is no route of the service."""
    gone = Want(HOST, gone=frozenset({"legacy"}))
    assert not declared(dump(legacy=1, v2=1), gone)
    assert declared(dump(v2=1), gone)


@pytest.mark.parametrize("version", ["legacy", "other"])
def test_shares_of_a_change_are_told_by_its_clusters(version: str) -> None:
    """As those of versions of pods are."""
    places: dict[str, Any] = {
        "legacy": {"host": f"legacy.{HOST}", "subset": "legacy"},
        "other": {"host": "shop.old.svc.cluster.local", "port": {"number": 8080.0}},
    }

    def spec(share: int) -> dict[str, Any]:
        there = {"destination": places[version], "weight": 100 - share}
        return {
            "hosts": [HOST],
            "http": [
                {
                    "name": "default",
                    "route": [there, {"destination": {"host": HOST, "subset": "v2"}, "weight": share}],
                }
            ],
        }

    routes = route_wants(spec(20), spec(50))
    assert told(dump(**{version: 1, "v2": 1}), Want(HOST, routes=routes)) is True
    assert told(dump(**{version: 4, "v2": 1}), Want(HOST, routes=routes)) is False
    assert told(dump(v2=1), Want(HOST, routes=route_wants(spec(50), spec(100)))) is True


@dataclass(frozen=True)
class Listing(Kubectl):
    """A cluster with these objects, which says what was asked of it, and lists no ServiceEntries to this account."""

    items: list[dict[str, Any]] = field(default_factory=list, compare=False)
    asked: list[str] = field(default_factory=list, compare=False)
    may: bool = False

    def get(self, args: Sequence[str], *, timeout: float = 20.0, missing: Any = None) -> Any:
        """Those of the kinds that are asked for."""
        self.asked.append(args[0])
        entries = args[0].startswith("serviceentries")
        if entries and not self.may:
            raise ClusterError("serviceentries.networking.istio.io is forbidden")
        return {"items": [each for each in self.items if (each["kind"] == "ServiceEntry") == entries]}


def listing(version: dict[str, Any], *, may: bool = False) -> Listing:
    service = {"image": "app:1", "versions": {"legacy": version, "v2": {}}, "stable": "v2", "exportTo": ["."]}
    objects = mesh(load({"namespace": "demo", "services": {"backend": service}}), "demo").objects()
    return Listing("kubectl", "demo", items=list(objects), may=may)


def test_entries_are_read_where_there_are_any() -> None:
    """A stack without one asks as before, by one question, and an account without the right hears of nothing."""
    for version in ({}, {"host": "shop.old.svc.cluster.local", "port": 80}):
        cluster = listing(version)
        assert Live(cluster).find("VirtualService", "backend") is not None
        assert len(cluster.asked) == 1
    cluster = listing({"host": "legacy.example.com", "port": 443, "external": True}, may=True)
    there = Live(cluster)
    assert ("ServiceEntry", "backend-legacy") in there.objects
    assert there.subsets(HOST) == {"legacy", "v2"}
    found = there.traffic("backend", HOST)
    assert found is not None
    assert str(found.elsewhere["legacy"]) == "legacy.example.com:443"


def test_one_that_has_no_rule_yet_is_found_by_its_name() -> None:
    """An update that was killed has made it, and nothing that names it."""
    cluster = listing({"host": "legacy.example.com", "port": 443, "external": True}, may=True)
    cluster.items[:] = [each for each in cluster.items if each["kind"] != "DestinationRule"]
    there = Live(cluster)
    assert ("ServiceEntry", "backend-legacy") not in there.objects
    assert there.find("ServiceEntry", "backend-legacy") is not None
    assert there.find("ServiceEntry", "backend-other") is None
