"""Reading Envoy's endpoint counters, from what Envoy 1.40 prints."""

from __future__ import annotations

from pathlib import Path

import pytest

from weir.measurement.clusters import ClusterName, Endpoint, Measured, attempts, measured, read_clusters
from weir.measurement.errors import DisturbedError
from weir.model import load, traffic

HOST = "backend.demo.svc.cluster.local"
SAMPLE = (Path(__file__).parent / "samples" / "clusters.txt").read_text()


def endpoint(subset: str, address: str, port: int = 80) -> Endpoint:
    """An endpoint of the service backend."""
    return Endpoint(ClusterName(port, subset, HOST), address)


def test_counters_of_the_service_are_read_and_nothing_else() -> None:
    """Of a real answer, the counters of this host remain: every port and subset, IPv6 too, no other service or
    counter.
    """
    assert read_clusters(SAMPLE, Measured(HOST, 80)) == {
        endpoint("v1", "198.18.0.11:5678"): 812,
        endpoint("v2", "198.18.0.12:5678"): 120,
        endpoint("v2", "[fd00:198:18::13]:5678"): 97,
        endpoint("", "198.18.0.11:5678"): 5,
        endpoint("", "198.18.0.12:5678"): 0,
        endpoint("v1", "198.18.0.11:9000", port=8080): 812,
    }


def test_attempts_are_the_differences_summed_per_subset() -> None:
    """Endpoints of a subset add up, a new endpoint counts from 0, another port does not count."""
    before = {endpoint("v1", "a"): 10, endpoint("v2", "b"): 5, endpoint("v2", "c", port=8080): 0}
    after = {
        endpoint("v1", "a"): 17,
        endpoint("v1", "d"): 3,
        endpoint("v2", "b"): 5,
        endpoint("v2", "c", port=8080): 9,
        endpoint("", "a"): 1,
    }
    assert attempts(before, after, 80) == {"v1": 10, "v2": 0, "": 1}


@pytest.mark.parametrize("after", [{}, {endpoint("v1", "198.18.0.11:5678"): 4}], ids=["gone", "reset"])
def test_an_endpoint_that_goes_or_starts_anew_disturbs(after: dict[Endpoint, int]) -> None:
    """A lost count is no measurement: the error names the endpoint and says to run again."""
    with pytest.raises(DisturbedError, match=r"disturbed.*v1 \(198\.18\.0\.11:5678\)\. Run again"):
        attempts({endpoint("v1", "198.18.0.11:5678"): 5}, after, 80)


def test_an_endpoint_of_another_port_does_not_disturb() -> None:
    """What happens to another port of the service is of no concern."""
    assert attempts({endpoint("v1", "x", port=8080): 5}, {endpoint("v1", "a"): 1}, 80) == {"v1": 1}


@pytest.mark.parametrize("name", ["inbound|80||", "xds-grpc", "outbound|http|v1|host", "outbound|80|host"])
def test_other_clusters_have_no_outbound_name(name: str) -> None:
    """Only Istio's four-part outbound names are taken for one."""
    assert ClusterName.parse(name) is None


def test_a_version_elsewhere_counts_as_a_subset() -> None:
    """The external host by its subset, the other Service by its name and port; what is sent to either by itself counts
    for none.
    """
    text = "\n".join(
        f"{cluster}::192.0.2.1:443::rq_total::{count}"
        for count, cluster in enumerate(
            [
                f"outbound|80|v2|{HOST}",
                f"outbound|80|legacy|legacy.{HOST}",
                f"outbound|80||legacy.{HOST}",
                "outbound|8080||shop.old.svc.cluster.local",
                "outbound|80||shop.old.svc.cluster.local",
                "outbound|8080|v1|shop.old.svc.cluster.local",
                "outbound|443||legacy.example.com",
            ],
            1,
        )
    )
    service = Measured(HOST, 80, {"shop.old.svc.cluster.local:8080": "other"})
    assert attempts({}, read_clusters(text, service), 80) == {"legacy": 2, "other": 4, "v2": 1}


def test_a_service_is_counted_as_its_config_says() -> None:
    """Its port, and its versions that are other Services."""
    versions = {
        "v1": {},
        "legacy": {"host": "legacy.example.com", "port": 443, "external": True},
        "other": {"host": "shop.old.svc.cluster.local", "port": 8080},
    }
    config = load(
        {"namespace": "demo", "services": {"backend": {"port": 8000, "versions": versions, "stable": "v1"}}}
    ).services["backend"]
    assert measured(config, traffic(config, "demo"), HOST) == Measured(
        HOST, 8000, {"shop.old.svc.cluster.local:8080": "other"}
    )
