"""The user's own queries: a bound that must be kept, and counters that are compared."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from types import SimpleNamespace
from typing import Any

import pytest

from tests.unit.recorded_prometheus import LOOKS, Answering, answering, clock, matrix, vector
from weir.measurement.prometheus import Prometheus, PrometheusError, QueryError
from weir.model.config.metrics import asked
from weir.model.config.rollout import Rollout
from weir.rollout import metrics
from weir.rollout.metrics import Metrics
from weir.rollout.state import State, Step

STATE = State(
    "backend", "v2", "v1", (Step(Decimal(5), 0.0),), "weir rollout backend v2", "ann@host",
    datetime(2026, 11, 27, 12, tzinfo=UTC),
)  # fmt: skip
QUEUE = 'max(queue_length{app="backend", version="v2", namespace="demo"})'
BOUND = {"name": "queue", "query": 'max(queue_length{app="{service}", version="{version}", namespace="{namespace}"})'}
# As recorded: of v2 each request fails, of v1 none did in these looks.
CLUSTER = 'cluster_name=~"outbound[|]80[|]{version}[|].*"'
FAILED = {
    "name": "failed",
    "query": f'envoy_cluster_upstream_rq{{{CLUSTER},response_code_class="5xx"}}',
    "of": f"envoy_cluster_upstream_rq_completed{{{CLUSTER}}}",
    "worse": 1.5,
}


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metrics, "ASK_SECONDS", 0.0)


@pytest.fixture
def now(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """This process's clock, as the test moves it."""
    moments = [1000.0]
    monkeypatch.setattr(metrics, "time", SimpleNamespace(monotonic=lambda: moments[0]))
    return moments


@pytest.fixture
def server() -> Iterator[Answering]:
    with answering({"time()": clock(0)}) as running:
        yield running


def of(server: Answering, *written: dict[str, Any], state: State = STATE, **settings: Any) -> Metrics:
    rollout = Rollout.model_validate({"metrics": list(written), **settings})
    return Metrics(Prometheus(server.url), rollout, state, "demo")


def test_only_three_places_are_filled_in() -> None:
    """PromQL's own braces stay, whatever is in them."""
    query = 'sum by (le) (a{version="{version}", path=~"/{x}|{service}{1,2}"}) / {namespace}_total{}'
    filled = asked(query, service="backend", version="v2", namespace="demo")
    assert filled == 'sum by (le) (a{version="v2", path=~"/{x}|backend{1,2}"}) / demo_total{}'


@pytest.mark.parametrize(("rule", "sound", "beyond"), [({"max": 100}, 100, 100.5), ({"min": 0.99}, 0.99, 0.5)])
def test_a_bound_is_broken_when_the_value_stays_beyond_it(
    server: Answering, now: list[float], rule: dict[str, Any], sound: float, beyond: float
) -> None:
    """One point of a noisy value is none, and each sound one begins anew."""
    found = of(server, {**BOUND, **rule, "for": "30s"})
    for seconds, value in ((0, beyond), (29, beyond), (10, sound), (10, beyond), (29, beyond)):
        now[0] += seconds
        server.answers[QUEUE] = vector(value)
        found.look()
        assert found.worse == ""
        assert bool(found.waits) == (value == beyond)
    now[0] += 1
    found.look()
    bound = "at most 100" if "max" in rule else "at least 0.99"
    assert found.worse == f"v2: queue is {beyond:g} and must be {bound} (for 30s)"


def test_a_step_waits_for_a_value_of_its_own(server: Answering) -> None:
    """Neither silence nor the last step's value is good."""
    found = of(server, {**BOUND, "max": 100})
    assert found.waits == "queue has no value yet"
    for answer, waits in ((vector(), True), (vector(float("nan")), True), (vector(1), False), (vector(), True)):
        server.answers[QUEUE] = answer
        found.look()
        assert bool(found.waits) == waits
    server.answers[QUEUE] = vector(1)
    found.look()
    assert found.waits == ""
    found.begin_step()
    assert found.waits == "queue has no value yet"


def test_a_gap_is_no_breach(server: Answering, now: list[float]) -> None:
    """What nobody saw may have been sound."""
    found = of(server, {**BOUND, "max": 100, "for": "30s"})
    for answer in (vector(101), vector(), vector(101)):
        server.answers[QUEUE] = answer
        now[0] += 29
        found.look()
    assert found.worse == ""


def test_a_breach_goes_on_in_the_next_process(server: Answering, now: list[float]) -> None:
    """`weir rollout --once` looks for a minute; what nobody saw between two of them does not count."""
    server.answers[QUEUE] = vector(101)
    state = STATE
    for seen in ("", "", "v2: queue is 101 and must be at most 100 (for 2m)"):
        found = of(server, {**BOUND, "max": 100, "for": "2m"}, state=state)
        for _ in range(11):
            found.look()
            now[0] += 5
        assert found.worse == seen
        now[0] += 3600
        state = replace(STATE, evidence={"metrics": json.loads(json.dumps(found.state()))})
    server.answers[QUEUE] = vector(1)
    found = of(server, {**BOUND, "max": 100, "for": "2m"}, state=state)
    found.look()
    assert found.state() == {}


def test_prometheus_away_is_said_and_nothing_is_good(server: Answering, monkeypatch: pytest.MonkeyPatch) -> None:
    """The rollout waits, or ends by its patience."""
    found = of(server, {**BOUND, "max": 100})
    server.answers[QUEUE] = vector(1)
    found.look()
    server.answers[QUEUE] = [503, ""]
    monkeypatch.setattr(metrics, "ASK_SECONDS", 60.0)
    found._asked = -60.0
    for _ in range(2):  # a look that is not answered is none, so that a rollout knows for how long
        with pytest.raises(PrometheusError):
            found.look()
    assert found.waits == "queue has no value yet"


def test_a_query_that_is_refused_ends_what_has_not_begun_alone(server: Answering, now: list[float]) -> None:
    """Later a step waits for it, and other metrics have their say."""
    other = {"name": "lag", "query": "lag", "max": 10, "for": "30s"}
    found = of(server, {**BOUND, "max": 100}, other)
    server.answers |= {QUEUE: vector(1, 2), "lag": vector(11)}
    with pytest.raises(QueryError, match="gives 2 values"):
        found.try_out()
    found.look()
    now[0] += 30
    found.look()
    assert found.waits == f"{QUEUE} gives 2 values where one is wanted; put sum(), max() or the like around it"
    assert found.worse == "v2: lag is 11 and must be at most 10 (for 30s)"
    server.answers[QUEUE] = vector(1)
    found.look()
    assert not found.waits.startswith(QUEUE)


def recorded(server: Answering, found: Metrics, *numbers: int) -> None:
    for number in numbers:
        server.answers |= {query: answer for query, answer in LOOKS[number].items() if query != "time()"}
        found.look()


def test_counters_of_both_versions_are_compared(server: Answering) -> None:
    """27 failures of 27 beside none of 57, as Prometheus had them, is worse."""
    found = of(server, FAILED)
    assert found.waits == "failed has counted nothing of v2 in the last 90 s"
    recorded(server, found, 0, 1, 2)
    assert found.worse == (
        "v2: failed: 27 of 27 requests (100 %), of v1 0 of 57 requests (0 %) at the same time (chance of a false alarm "
        "below 0.50 %)"
    )


def test_another_process_goes_on_with_what_was_compared(server: Answering) -> None:
    """Through JSON, as the state is kept, to the last bit."""
    first = of(server, FAILED)
    recorded(server, first, 0, 1)
    kept = json.loads(json.dumps(first.state()))
    second = of(server, FAILED, state=replace(STATE, evidence={"metrics": kept}))
    assert second.state() == first.state()
    assert kept["failed"]["failures"]["total"] == [13, 13, 28, 0]


def test_the_chance_to_be_wrong_is_divided(server: Answering) -> None:
    """Between the requests themselves and each metric that is compared; a bound has none."""
    found = of(server, FAILED, {**FAILED, "name": "again"}, {**BOUND, "max": 1}, analysis={"falseAborts": 0.03})
    assert found.comparisons == 2
    assert {each["settings"]["false_aborts"] for each in found.state().values()} == {0.01}


def test_what_is_counted_at_different_moments_is_not_compared(server: Answering) -> None:
    """Counters of the versions' own pods: a burst between two scrapes would be in one of them alone."""
    written = {"name": "orders", "query": 'bad{v="{version}"}', "of": 'all{v="{version}"}', "worse": 1.5}
    found = of(server, written)
    for at, bad in ((10, 0), (20, 1000)):
        for version in ("v1", "v2"):
            labels = {"instance": version, "v": version}
            server.answers[f'bad{{v="{version}"}}[90s]'] = matrix(at, (labels, bad if version == "v2" else 0))
            server.answers[f'all{{v="{version}"}}[90s]'] = matrix(at, (labels, 1000 + at * 100))
        found.look()
    assert found.worse == ""
    assert found.waits.startswith("orders: no target counts both versions")


class Scraping(dict[str, Any]):
    """Answers of a Prometheus that scrapes a caller each 15 s, and, once, when it has been asked so many times."""

    def __init__(self) -> None:
        super().__init__()
        self.at, self.count = 100.0, {(name, v): 0 for name in ("bad", "all") for v in ("v1", "v2")}
        self.asked, self.between, self.burst = 0, 0, False
        # All that was counted before the rollout.
        self.count |= {("all", "v1"): 10_000_000, ("bad", "v1"): 10_000}

    def scrape(self) -> None:
        self.at += 15
        for version, requests in (("v1", 1350), ("v2", 150)):
            self.count["all", version] += requests
            self.count["bad", version] += requests // 10 if self.burst else requests // 1350

    def get(self, query: str, default: Any = None) -> Any:
        if query == "time()":
            return clock(50)
        self.asked += 1
        if self.asked == self.between:
            self.scrape()
        name, version = query[:3], query.split('"')[1]
        return matrix(self.at, ({"instance": "a", "v": version}, self.count[name, version]))


@pytest.mark.parametrize("after", [1, 2, 3, 4])
def test_a_scrape_between_two_questions_is_in_the_look_or_not(server: Answering, after: int) -> None:
    """Both versions fail alike: all that the stable version has ever counted is no difference between them."""
    server.answers = scraping = Scraping()
    found = of(server, {"name": "refused", "query": 'bad{v="{version}"}', "of": 'all{v="{version}"}', "worse": 1.5})
    for _ in range(4):
        found.look()
        scraping.scrape()
    scraping.burst = True
    scraping.between = scraping.asked + after
    for _ in range(4):
        found.look()
        scraping.scrape()
    # Four scrapes without the burst, of 1 in 1350, and four with it, of a tenth.
    [state] = found.state().values()
    assert state["failures"]["total"] == [8 * 150, 4 * 15, 8 * 1350, 4 * 1 + 4 * 135]
    assert found.worse == ""


def test_without_any_there_is_nothing_to_say() -> None:
    """And nobody is asked."""
    found = Metrics()
    found.look()
    found.begin_step()
    assert (found.worse, found.waits, found.state(), found.comparisons) == ("", "", {}, 0)
