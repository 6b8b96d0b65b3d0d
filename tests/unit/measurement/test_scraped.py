"""The requests of both versions as Prometheus has scraped them, by what a real one has answered
(tests/unit/recorded_prometheus.py).
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.unit.recorded_prometheus import LOOKS, Answering, answering, clock
from weir.measurement import scraped
from weir.measurement.answers import Answers
from weir.measurement.clusters import Measured
from weir.measurement.growth import Growth
from weir.measurement.mesh_metrics import BOUNDS, EnvoyMetrics, IstioMetrics, MeshMetrics
from weir.measurement.prometheus import Prometheus, PrometheusError, Sample
from weir.measurement.scraped import Scraped

HOST = "backend.demo.svc.cluster.local"
OTHER = "other.demo.svc.cluster.local"
ISTIO = IstioMetrics(HOST, {"v1": "v1", "v2": "v2"}, {"backend-v1": "v1", "backend-v2": "v2"}, {OTHER: "v4"})
ENVOY = EnvoyMetrics(Measured(HOST, 80, {f"{OTHER}:80": "v4"}))


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scraped, "ASK_SECONDS", 0.0)


@pytest.fixture
def server() -> Iterator[Answering]:
    """It begins before the first look, so that this one's scrapes count."""
    with answering({**LOOKS[0], "time()": clock(0)}) as running:
        yield running


def looks(server: Answering, metrics: MeshMetrics) -> tuple[Scraped, list[dict[str, Answers] | None]]:
    """All three moments."""
    found = Scraped(Prometheus(server.url), metrics)
    seen = []
    for look in LOOKS:
        server.answers |= {query: answer for query, answer in look.items() if query != "time()"}
        seen.append(found.look())
    return found, seen


def shares(answers: dict[str, Answers] | None) -> dict[str, tuple[int, int]]:
    assert answers is not None
    return {name: (each.requests, each.failures) for name, each in answers.items()}


def test_istios_metrics_by_final_answer(server: Answering) -> None:
    """Of v2 there were 110 answers of 200, 3 whose connection failed and that only the workload tells (UF), one that
    nobody answered (0), 6 with gRPC's UNAVAILABLE and 10 with NOT_FOUND; 4 whose caller went away are none. Two were
    of no version (UH). The other reporter, and another service, do not count.
    """
    found, [first, second, third] = looks(server, ISTIO)
    assert first == {}
    assert shares(second) == {"v1": (1010, 10), "v2": (130, 10), "v4": (40, 0)}
    # The second caller has been restarted: its look is dropped.
    assert shares(third) == {"v1": (910, 10), "v2": (120, 10), "v4": (40, 0)}
    assert found.unknown == 4
    found.anew()
    assert found.unknown == 0


def test_istios_times_by_bound(server: Answering) -> None:
    """As the buckets have them: of 110 answers of v2 50 took up to 5 ms, 50 more up to 10, 5 up to 100, 5 up to 1000."""
    _, [_, second, _] = looks(server, ISTIO)
    assert second is not None
    v1, v2 = second["v1"], second["v2"]
    assert (v1.timed, v2.timed) == (900, 110)
    slower = v2.slower(BOUNDS)
    assert [slower[bound] for bound in (0.0005, 0.001, 0.005, 0.01, 0.05, 0.1, 0.25)] == [110, 110, 60, 10, 10, 5, 0]
    assert [v1.slower(BOUNDS)[bound] for bound in (0.0005, 0.001, 0.005, 0.01)] == [810, 810, 450, 0]


def test_envoys_clusters_say_what_the_caller_saw(server: Answering) -> None:
    """28 times 200 and 32 times 503, then 29 and 31: also of versions that nothing reaches."""
    _, [first, second, third] = looks(server, ENVOY)
    assert first == {}
    assert shares(second) == {"v1": (28, 0), "v2": (13, 13), "v3": (19, 19)}
    assert shares(third) == {"v1": (29, 0), "v2": (14, 14), "v3": (17, 17)}


def test_envoys_times(server: Answering) -> None:
    """Each answer of a pod once, all of them within Envoy's bounds."""
    _, [_, second, _] = looks(server, ENVOY)
    assert second is not None
    assert second["v1"].timed == 28
    assert set(second["v1"].seconds) <= {0.0, *BOUNDS}


@pytest.mark.parametrize("name", [f"outbound|80|v1|{HOST}", f"outbound|80|v1|{HOST};"])
def test_a_cluster_by_its_name(name: str) -> None:
    """Some versions of Istio leave the semicolon that ends it."""
    assert ENVOY.version({"cluster_name": name}) == "v1"


@pytest.mark.parametrize(
    "name", ["", "xds-grpc", f"outbound|80||{HOST}", "outbound|80|v1|orders.demo.svc.cluster.local"]
)
def test_other_clusters_are_of_no_version(name: str) -> None:
    """The service as a whole, and others."""
    assert ENVOY.version({"cluster_name": name}) is None


def test_what_was_scraped_before_the_step_does_not_count(server: Answering) -> None:
    """The first scrape after it is where counting begins, by the clock of Prometheus."""
    found = Scraped(Prometheus(server.url), ISTIO)
    server.answers["time()"] = LOOKS[0]["time()"]
    for look, counted in (
        (LOOKS[0], {}),
        (LOOKS[1], {}),
        (LOOKS[2], {"v1": (910, 10), "v2": (120, 10), "v4": (40, 0)}),
    ):
        server.answers |= {query: answer for query, answer in look.items() if query != "time()"}
        assert shares(found.look()) == counted


def test_nothing_new_counts_nothing(server: Answering) -> None:
    """Between two scrapes there is nothing to count, and nothing is missing."""
    found, _ = looks(server, ISTIO)
    assert found.look() == {}
    assert found.why == ""


def test_no_data_is_undecided_and_says_so(server: Answering) -> None:
    """Never as if nothing had failed."""
    found = Scraped(Prometheus(server.url), ISTIO)
    for query in LOOKS[0]:
        server.answers[query] = [200, {"status": "success", "data": {"resultType": "matrix", "result": []}}]
    server.answers["time()"] = clock(0)
    assert found.look() is None
    assert found.why.startswith("Prometheus has no sample of the last 90 s of istio_requests_total{")
    server.answers |= {query: answer for query, answer in LOOKS[0].items() if query != "time()"}
    assert found.look() == {}
    assert found.why == ""


def test_questions_are_few(server: Answering, monkeypatch: pytest.MonkeyPatch) -> None:
    """Looks in between are answered without one."""
    monkeypatch.setattr(scraped, "ASK_SECONDS", 60.0)
    found = Scraped(Prometheus(server.url), ISTIO)
    assert [found.look(), found.look(), found.look()] == [{}, {}, {}]
    assert [each["query"].split("{")[0] for each in server.asked] == [
        "time()", "istio_requests_total", "istio_request_duration_milliseconds_bucket",
    ]  # fmt: skip


def test_silence_passes_for_no_answer(server: Answering, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each look asks again, so that a rollout knows for how long nobody has answered."""
    found, _ = looks(server, ISTIO)
    monkeypatch.setattr(scraped, "ASK_SECONDS", 60.0)
    found._asked = -60.0
    server.answers = {}
    for _ in range(2):
        with pytest.raises(PrometheusError):
            found.look()


def sample(at: float, value: float, **labels: str) -> Sample:
    return Sample({"job": "a", "instance": "1", **labels}, at, value)


def grown(growth: Growth, *samples: Sample) -> list[int]:
    return [sum(each.values()) for each in growth.after(samples)]


def test_growth_of_each_target_by_itself() -> None:
    """A counter that comes begins at 0; one that falls, or goes, drops the look of its target alone."""
    growth = Growth()
    other = {"instance": "2"}
    assert grown(growth, sample(1, 5, code="200"), sample(1, 50, code="200", **other)) == []
    assert grown(growth, sample(2, 7, code="200"), sample(2, 3, code="500"), sample(1, 50, code="200", **other)) == [5]
    assert grown(growth, sample(3, 1, code="200"), sample(3, 4, code="500"), sample(3, 60, code="200", **other)) == [10]
    assert grown(growth, sample(4, 9, code="200"), sample(3, 4, code="500")) == []
    assert grown(growth, sample(5, 10, code="200")) == [1]
