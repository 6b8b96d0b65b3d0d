"""Prometheus, asked: what it answers is what a real one has answered (tests/unit/recorded_prometheus.py)."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest

from tests.unit.recorded_prometheus import LOOKS, RECORDED, Answering, answering, clock, matrix
from weir.cluster.errors import ClusterError
from weir.measurement import prometheus as module
from weir.measurement.prometheus import Prometheus, PrometheusError, QueryError

UP = 'up{job="istio"}'


@pytest.fixture
def server() -> Iterator[Answering]:
    with answering(RECORDED["others"]) as running:
        yield running


def test_a_query_has_one_value(server: Answering) -> None:
    """Three targets were up; what does not exist has no value, and neither has 0/0."""
    asked = Prometheus(server.url)
    assert asked.value("sum(up)") == 3.0
    assert asked.value("sum(absent_metric)") is None
    assert asked.value("0/0") is None


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("up", "up gives 3 values where one is wanted; put sum(), max() or the like around it"),
        ("up[1m]", "up[1m] is a matrix, and no value"),
        ('"text"', '"text" is a string, and no value'),
        ("sum(up", 'refuses sum(up: invalid parameter "query": 1:7: parse error: unclosed left parenthesis'),
    ],
)
def test_a_query_that_never_has_one_is_refused(server: Answering, query: str, said: str) -> None:
    """In Prometheus' own words where it has some. Nobody waits for another answer."""
    with pytest.raises(QueryError) as refused:
        Prometheus(server.url).value(query)
    assert said in str(refused.value)
    assert not isinstance(refused.value, ClusterError)


def test_what_fails_now_may_not_fail_later(server: Answering) -> None:
    """The data of a moment can keep a query from being answered: a rollout waits."""
    [query] = [query for query in RECORDED["others"] if query.startswith("label_replace")]
    with pytest.raises(PrometheusError, match=r"answers with 422 to .*found duplicate series for the match group"):
        Prometheus(server.url).value(query)
    assert issubclass(PrometheusError, ClusterError)


def test_samples_have_the_moment_of_their_scrape() -> None:
    """The newest of each series, by the clock of Prometheus."""
    [selector] = [query for query in LOOKS[1] if query.startswith("istio_requests_total")]
    with answering(LOOKS[1]) as server:
        asked = Prometheus(server.url)
        found = asked.samples(selector.removesuffix("[90s]"))
        now = asked.now()
    assert now == float(LOOKS[1]["time()"][1]["data"]["result"][1])
    [good] = [
        sample
        for sample in found
        if sample.labels["destination_version"] == "v1"
        and sample.labels["response_code"] == "200"
        and sample.labels["instance"].endswith("29914")
    ]
    assert good.value == 9900
    assert 0 < now - good.at < 10


def test_what_is_no_number_is_no_sample() -> None:
    """A counter has whole numbers."""
    with answering({f"{UP}[90s]": matrix(5, ({"a": "1"}, float("nan")), ({"a": "2"}, 7))}) as server:
        assert [sample.value for sample in Prometheus(server.url).samples(UP)] == [7]


def test_headers_go_along_below_a_path() -> None:
    """As Mimir and Thanos behind a proxy want it."""
    with answering({"time()": clock(1.5)}, "/tenant/api/v1/query") as server:
        assert Prometheus(f"{server.url}/tenant/", {"Authorization": "Bearer abc"}).now() == 1.5
        assert server.asked[0]["authorization"] == "Bearer abc"


def test_headers_go_nowhere_else(server: Answering) -> None:
    """A redirect is not followed: what is secret would go to another address."""
    server.answers["time()"] = [302, "http://127.0.0.1:1/api/v1/query"]
    with pytest.raises(PrometheusError, match="answers with 302"):
        Prometheus(server.url, {"Authorization": "Bearer abc"}).now()


@pytest.mark.parametrize(
    ("status", "body", "said"),
    [
        (401, "", r"lets nobody in without leave \(401\); see headers of weir:prometheus"),
        (404, "page not found", "answers with 404 to time.*; see url of weir:prometheus"),
        (503, "", "answers with 503"),
        (200, "<html>", "what comes is no answer of Prometheus' HTTP API; see url of weir:prometheus"),
        (200, "[]", "what comes is no answer of Prometheus' HTTP API"),
    ],
)
def test_who_is_no_prometheus_is_said(status: int, body: str, said: str) -> None:
    """With the key of the config that may be wrong."""
    with answering({"time()": [status, body]}) as server, pytest.raises(PrometheusError, match=said):
        Prometheus(server.url).now()


def test_an_answer_is_bounded(server: Answering, monkeypatch: pytest.MonkeyPatch) -> None:
    """In bytes, and in seconds."""
    monkeypatch.setattr(module, "_MOST_BYTES", 100)
    with pytest.raises(PrometheusError, match="answers with more than"):
        Prometheus(server.url).value("up")
    monkeypatch.setattr(module, "_SECONDS", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        with pytest.raises(PrometheusError, match=f"Prometheus at {url} does not answer: timed out"):
            Prometheus(url).now()


def test_nobody_there_is_said() -> None:
    """In the system's words."""
    with socket.create_server(("127.0.0.1", 0)) as closed:
        url = f"http://127.0.0.1:{closed.getsockname()[1]}"
    with pytest.raises(PrometheusError, match=f"Prometheus at {url} does not answer: .*Connection refused"):
        Prometheus(url).now()
