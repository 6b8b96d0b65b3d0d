"""What callers' Envoys have counted between two moments, as shares, errors and latency of versions."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from tests.unit.measurement.fake_cluster import HOST, cluster
from weir.measurement.clusters import Measured
from weir.measurement.observed import Counts, Observation, looked
from weir.measurement.observed import between as between_looks

Texts = Mapping[str, tuple[str, str]]


def clusters(**endpoints: tuple[int, int]) -> str:
    """An answer of /clusters: requests and errors by version and address, written v1_a."""
    lines = [f"{cluster('v1')}::added_via_api::true", "inbound|80||::127.0.0.1:80::rq_total::999"]
    for name, (total, errors) in endpoints.items():
        version, _, address = name.partition("_")
        where = f"{cluster('' if version == 'past' else version)}::198.18.0.{ord(address)}:5678"
        lines += [f"{where}::rq_total::{total}", f"{where}::rq_error::{errors}", f"{where}::success_rate::-1"]
    return "\n".join(lines)


def histogram(version: str, **upto: int) -> str:
    """Envoy's buckets: so many answers in at most so many ms."""
    return "\n".join(
        f'envoy_cluster_upstream_rq_time_bucket{{cluster_name="{cluster(version)}",le="{bound.removeprefix("le").replace("inf", "+Inf")}"}} {count}'
        for bound, count in upto.items()
    )


def between(before: Texts, after: Texts, service: Measured, seconds: float) -> Observation:
    """What came between two answers of each caller."""
    first, last = ({pod: looked(*texts) for pod, texts in each.items()} for each in (before, after))
    return between_looks(first, last, service, seconds)


def test_shares_and_errors_are_of_the_window() -> None:
    """Only what came between the two looks counts, over all callers and endpoints; a counter
    that fell counts from 0.
    """
    before = {"one": (clusters(v1_a=(100, 5), v2_b=(50, 0)), ""), "two": (clusters(v1_a=(10, 0)), "")}
    after = {
        "one": (clusters(v1_a=(160, 8), v2_b=(10, 1)), ""),
        "two": (clusters(v1_a=(20, 0), v2_c=(10, 0), past_d=(10, 0)), ""),
        "new": (clusters(v1_a=(1000, 0)), ""),
    }
    found = between(before, after, Measured(HOST, 80), 2.0)
    assert {name: (counts.requests, counts.errors) for name, counts in found.versions.items()} == {
        "v1": (70, 3),
        "v2": (20, 1),
        "": (10, 0),
    }
    assert (found.requests, found.callers) == (100, 2)
    assert [found.share(name) for name in ("v1", "v2", "v9")] == [0.7, 0.2, 0.0]
    assert between(after, after, Measured(HOST, 80), 2.0).share("v1") is None
    assert between(before, after, Measured("other.demo.svc.cluster.local", 80), 2.0).versions == {}


def test_connections_to_ports_that_pass_through_are_no_requests() -> None:
    """Envoy counts each of them as a request, past the versions; shares are those of what versions are drawn for."""
    before = clusters(v1_a=(0, 0), v2_b=(0, 0), past_d=(0, 0))
    after = clusters(v1_a=(6, 0), v2_b=(3, 0), past_d=(9, 0)).replace("outbound|80||", "outbound|9000||")
    before = before.replace("outbound|80||", "outbound|9000||")
    sides = {"one": (before, "")}, {"one": (after, "")}
    assert between(*sides, Measured(HOST, 80, uncounted=frozenset({9000})), 1.0).share("v1") == pytest.approx(2 / 3)
    assert between(*sides, Measured(HOST, 80), 1.0).share("v1") == pytest.approx(1 / 3)


def test_latency_is_that_of_the_window() -> None:
    """Quantiles lie between the bounds of a bucket in proportion; what was counted before is no part of them."""
    before = {"one": ("", histogram("v1", le5=100, le10=100, le25=100, leinf=100))}
    after = {"one": ("", histogram("v1", le5=150, le10=200, le25=200, leinf=200))}
    counts = between(before, after, Measured(HOST, 80), 1.0).versions["v1"]
    assert counts.quantile(0.5) == pytest.approx(0.005)
    assert counts.quantile(0.75) == pytest.approx(0.0075)
    assert counts.quantile(0.99) == pytest.approx(0.0099)


def test_what_was_not_seen_has_no_latency() -> None:
    """No answers, no quantile; beyond the last bound it is that bound."""
    assert Counts().quantile(0.5) is None
    counts = between(
        {"one": ("", "")}, {"one": ("", histogram("v1", le5=1, leinf=10))}, Measured(HOST, 80), 1.0
    ).versions["v1"]
    assert counts.quantile(0.99) == pytest.approx(0.005)
