"""Reading the caller's Envoy routes back, from a configuration dump that Envoy 1.40 printed."""

from __future__ import annotations

import json
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from weir.cluster.kubectl import Kubectl
from weir.measurement.caller import Caller
from weir.measurement.clusters import Measured
from weir.measurement.errors import MeasurementError
from weir.measurement.proxy_config import ProxyFault, ProxyRetries, ProxyRoute, read_routes, route_named, wait_for_route
from weir.model import AbortExpectation, DelayExpectation, Expectation

from .fake_cluster import HOST, FakeCluster, route_dump
from .fake_cluster import cluster as cluster_name

SAMPLE = (Path(__file__).parent / "samples" / "config_dump_routes.json").read_text()
BACKEND = Measured(HOST, 80)
EIGHTY_TWENTY = Expectation({"v1": Fraction(4, 5), "v2": Fraction(1, 5)}, None, None)


def only_route(dump: dict[str, Any]) -> ProxyRoute:
    """The one route of a dump."""
    (route,) = read_routes(json.dumps(dump), BACKEND)
    return route


def vary(**action: Any) -> dict[str, Any]:
    """A dump whose route has another action."""
    dump = route_dump({"v1": 1})
    dump["configs"][0]["route_config"]["virtual_hosts"][0]["routes"][0]["route"] = action
    return dump


def test_split_fault_and_retries_are_read_from_a_real_dump() -> None:
    """Everything the tutorial configures is found in the dump of a real Envoy, typed and exact."""
    (route,) = read_routes(SAMPLE, BACKEND)
    assert route == ProxyRoute(
        name="default",
        shares={"v1": Fraction(4, 5), "v2": Fraction(1, 5)},
        delay=ProxyFault(Fraction(1, 2), seconds=3.0),
        abort=ProxyFault(Fraction(1, 10), status=503),
        retries=ProxyRetries(3, 2.0, ("gateway-error", "connect-failure", "refused-stream")),
        timeout=0.0,
    )
    faults = DelayExpectation(Fraction(1, 2), 3.0), AbortExpectation(Fraction(1, 10), 503)
    assert route.agrees(Expectation({"v1": Fraction(4, 5), "v2": Fraction(1, 5)}, *faults))


def test_a_whole_dump_gives_the_same_routes() -> None:
    """Without ?resource= the routes stand one level deeper, among other parts, and are found as well."""
    parts = json.loads(SAMPLE)["configs"]
    whole = {
        "configs": [
            {"@type": "…BootstrapConfigDump", "bootstrap": {}},
            {"@type": "…RoutesConfigDump", "dynamic_route_configs": parts},
        ]
    }
    assert read_routes(json.dumps(whole), BACKEND) == read_routes(SAMPLE, BACKEND)


@pytest.mark.parametrize(("host", "port"), [("other.demo.svc.cluster.local", 80), (HOST, 8080)])
def test_a_service_without_virtual_host_has_no_routes(host: str, port: int) -> None:
    """Another host or port finds nothing, the catch-all virtual host least of all."""
    assert read_routes(SAMPLE, Measured(host, port)) == ()


def test_a_virtual_host_is_also_known_by_its_domains() -> None:
    """When Istio names the virtual host otherwise, its domains and the port in the configuration's name tell whose it
    is.
    """
    dump = route_dump({"v1": 1})
    dump["configs"][0]["route_config"]["virtual_hosts"][0]["name"] = "backend"
    assert only_route(dump).shares == {"v1": 1}


def test_a_single_cluster_has_the_whole_share_and_weight_zero_none() -> None:
    """Istio drops the weights when one destination is left, and Envoy leaves a weight of 0 out."""
    assert only_route(vary(cluster=cluster_name("v2"))).shares == {"v2": 1}
    assert only_route(vary(cluster=cluster_name(""))).shares == {"": 1}
    weighted = {"clusters": [{"name": cluster_name("v1"), "weight": 1}, {"name": cluster_name("v2")}]}
    assert only_route(vary(weighted_clusters=weighted)).shares == {"v1": 1}


def test_percentages_of_each_denominator() -> None:
    """Envoy's three denominators are told apart, and the one left out is a hundred."""
    for percentage, share in (
        ({"numerator": 10}, Fraction(1, 10)),
        ({"numerator": 10, "denominator": "TEN_THOUSAND"}, Fraction(1, 1000)),
        ({"numerator": 10, "denominator": "MILLION"}, Fraction(1, 100_000)),
        ({}, Fraction(0)),
    ):
        assert only_route(
            route_dump({"v1": 1}, {"delay": {"fixed_delay": "0.500s", "percentage": percentage}})
        ).delay == ProxyFault(share, seconds=0.5)


def test_a_route_is_found_by_its_name_in_the_virtual_service() -> None:
    """Istio names Envoy's routes after those of the VirtualService, and puts the name of a match behind a dot."""
    dump = route_dump({"v1": 1})
    routes = dump["configs"][0]["route_config"]["virtual_hosts"][0]["routes"]
    names = ["beta.users", "beta.staff", "betamax", "default"]
    routes[:] = [
        {**routes[0], "name": name, "route": {"cluster": cluster_name(f"r{i}")}} for i, name in enumerate(names)
    ]
    found = read_routes(json.dumps(dump), BACKEND)
    assert [route.name for route in found] == names
    for name, subset in (("beta", "r0"), ("betamax", "r2"), ("default", "r3")):
        route = route_named(found, name)
        assert route is not None
        assert route.shares == {subset: 1}
    assert route_named(found, "gamma") is None


def test_agreement_needs_split_delay_and_abort() -> None:
    """Each part that differs is a disagreement; a fault of 0 % is none."""
    delay = {"fixed_delay": "3s", "percentage": {"numerator": 50}}
    abort = {"http_status": 503, "percentage": {"numerator": 50}}
    assert only_route(route_dump({"v1": 80, "v2": 20})).agrees(EIGHTY_TWENTY)
    assert only_route(route_dump({"v1": 4, "v2": 1}, {"delay": {**delay, "percentage": {}}})).agrees(EIGHTY_TWENTY)
    assert not only_route(route_dump({"v1": 81, "v2": 19})).agrees(EIGHTY_TWENTY)
    assert not only_route(route_dump({"v1": 80, "v2": 20}, {"delay": delay})).agrees(EIGHTY_TWENTY)
    assert not only_route(route_dump({"v1": 80, "v2": 20}, {"abort": abort})).agrees(EIGHTY_TWENTY)


@pytest.mark.parametrize(
    "text", ["", "no healthy upstream", "[]", '{"configs": [{"route_config": {"virtual_hosts": [3]}}]}']
)
def test_what_is_no_dump_is_an_error(text: str) -> None:
    """Text of another kind is refused in words, not with a traceback."""
    with pytest.raises(MeasurementError, match="not the configuration dump"):
        read_routes(text, BACKEND)


def test_waiting_ends_when_the_proxy_agrees(cluster: FakeCluster) -> None:
    """The dump is asked for again until the new weights stand in it."""
    cluster.set(dumps=[route_dump({"v1": 100}), route_dump({"v1": 100}), route_dump({"v1": 80, "v2": 20})])
    caller = Caller.find(Kubectl.find("demo"), "frontend")
    pauses: list[float] = []
    arrival = wait_for_route(caller, BACKEND, EIGHTY_TWENTY, pause=pauses.append)
    assert arrival.agrees
    assert arrival.route is not None
    assert len(pauses) == 2


def test_waiting_is_bounded_and_returns_what_the_proxy_has(cluster: FakeCluster) -> None:
    """A proxy that never agrees ends the wait at its bound with the route it has."""
    cluster.set(dumps=[route_dump({"v1": 100})])
    caller = Caller.find(Kubectl.find("demo"), "frontend")
    ticks = iter(range(100))
    arrival = wait_for_route(caller, BACKEND, EIGHTY_TWENTY, bound=4.0, clock=lambda: next(ticks), pause=lambda _: None)
    assert (arrival.agrees, arrival.seconds) == (False, 4.0)
    assert arrival.route is not None
    assert arrival.route.shares == {"v1": 1}


def test_versions_elsewhere_have_their_names() -> None:
    """The external host by its subset, the other Service by its host and port."""
    clusters = [
        {"name": f"outbound|80|legacy|legacy.{HOST}", "weight": 3},
        {"name": "outbound|8080||shop.old.svc.cluster.local", "weight": 1},
    ]
    service = Measured(HOST, 80, {"shop.old.svc.cluster.local:8080": "other"})
    [route] = read_routes(json.dumps(vary(weighted_clusters={"clusters": clusters})), service)
    assert route.shares == {"legacy": Fraction(3, 4), "other": Fraction(1, 4)}
