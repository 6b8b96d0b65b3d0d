"""Where the numbers of a rollout come from, by the config."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from tests.unit.recorded_prometheus import LOOKS, Answering, answering, clock, vector
from weir import yaml_writer
from weir.analysis import Comparison, Counts
from weir.cli.context import Context
from weir.cli.rollout_source import FromPrometheus, client, once_seconds, settings_since_begin, sources, tried
from weir.cli.rollout_steps import Answered
from weir.errors import UsageError
from weir.measurement import scraped
from weir.measurement.prometheus import PrometheusError, QueryError
from weir.model.config.rollout import Rollout
from weir.rollout.member import at_begin
from weir.rollout.metrics import Metrics
from weir.rollout.protocols import Source
from weir.rollout.state import State, Step

STATE = State(
    "backend", "v2", "v1", (Step(Decimal(5), 0.0),), "weir rollout backend v2", "ann@host",
    datetime(2026, 11, 27, 12, tzinfo=UTC),
)  # fmt: skip
# As Pulumi 3.259 does with this path.
PULUMI = f"""#!{sys.executable} -IS
import sys
assert sys.argv[1:5] == ["config", "get", "--path", 'weir:prometheus.headers["Authorization"]'], sys.argv
print("Bearer x")
"""


@pytest.fixture
def server() -> Iterator[Answering]:
    with answering({**LOOKS[0], "time()": clock(0)}) as running:
        yield running


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scraped, "ASK_SECONDS", 0.0)


def context(directory: Path, *, versions: object = None, **stack: object) -> Context:
    """A stack with a service of two versions and these keys."""
    rollout = stack.pop("rollout", {})
    service = {"image": "app:1", "versions": versions or {"v1": {}, "v2": {}}, "stable": "v1", "rollout": rollout}
    if versions:
        del service["image"]
    config = {"namespace": "demo", "services": {"backend": service}, **stack}
    (directory / "Pulumi.yaml").write_text("name: weir\n")
    file = directory / "Pulumi.dev.yaml"
    file.write_text(yaml_writer.dump([{"config": {f"weir:{key}": value for key, value in config.items()}}]))
    return Context("dev", file=file)


def of(made: Context, state: State = STATE, tell: Callable[[str], None] = print) -> tuple[Source, Metrics]:
    """What counts, and the metrics of the one service."""
    source, metrics = sources(made, [state], tell)
    return source, metrics.get("backend", Metrics())


def test_without_prometheus_callers_envoys_count(tmp_path: Path) -> None:
    """As before; there are no metrics then."""
    source, metrics = of(context(tmp_path))
    assert isinstance(source, Answered)
    assert metrics.comparisons == 0
    assert once_seconds(context(tmp_path)) is None


def test_another_analysis_counts_from_the_next_rollout_on(tmp_path: Path) -> None:
    """And is told of; how long a step may stay undecided is another matter."""
    told: list[str] = []
    begun = replace(STATE, settings=at_begin(Rollout.model_validate({"analysis": {"worse": 1.25}})))
    of(context(tmp_path, rollout={"analysis": {"worse": 1.25, "patience": "2h"}}), begun, told.append)
    assert told == []
    made = context(tmp_path, rollout={"analysis": {"worse": 2}})
    of(made, begun, told.append)
    assert told == [
        "backend: analysis or metrics of the config are others than when the rollout of v2 began; it goes by those of "
        "its begin until it is over"
    ]
    assert settings_since_begin(made, begun).analysis.worse == Decimal("1.25")


@pytest.mark.parametrize(
    ("flavour", "counted"),
    [("istio", ((1010, 10, 900), (130, 10, 110))), ("envoy", ((28, 0, 28), (13, 13, 0)))],
)
def test_with_prometheus_it_counts(
    tmp_path: Path, server: Answering, flavour: str, counted: tuple[tuple[int, int, int], ...]
) -> None:
    """Requests, failures and answers with a time of both versions, as tests/unit/recorded_prometheus.py has them."""
    source, _ = of(context(tmp_path, prometheus={"url": server.url, "flavour": flavour}))
    # The recorded host v4 is no version here, so the queries are others: they find the same.
    server.answers = {_without_v4(query): answer for query, answer in server.answers.items()}
    assert source.look() == {"backend": (Counts(0, 0, {}, 0), Counts(0, 0, {}, 0))}
    server.answers |= {_without_v4(query): answer for query, answer in LOOKS[1].items() if query != "time()"}
    found = source.look()["backend"]
    assert tuple((each.requests, each.failures, each.timed) for each in found) == counted
    assert {*found[0].slower} == {*found[1].slower}


def _without_v4(query: str) -> str:
    return query.replace("|other[.]demo[.]svc[.]cluster[.]local", "")


def test_failures_of_no_version_keep_a_step_from_ending(tmp_path: Path, server: Answering) -> None:
    """They may be the new version's; another step begins without them."""
    source, metrics = of(context(tmp_path, prometheus={"url": server.url}))
    server.answers = {_without_v4(query): answer for query, answer in server.answers.items()}
    source.look()
    assert metrics.waits == ""
    server.answers |= {_without_v4(query): answer for query, answer in LOOKS[1].items() if query != "time()"}
    source.look()
    assert metrics.waits.startswith("2 failed requests of backend reached no pod in this step")
    source.anew()
    assert metrics.waits == ""


def test_why_nothing_counts_is_told_once(tmp_path: Path, server: Answering) -> None:
    """And a step does not end meanwhile."""
    told: list[str] = []
    source, metrics = of(context(tmp_path, prometheus={"url": server.url}), tell=told.append)
    empty = [200, {"status": "success", "data": {"resultType": "matrix", "result": []}}]
    server.answers = {_without_v4(query): empty for query in LOOKS[0]} | {"time()": clock(0)}
    assert [source.look(), source.look()] == [{}, {}]
    assert [text.partition("{")[0] for text in told] == [
        "Prometheus has no sample of the last 90 s of istio_requests_total"
    ]
    assert metrics.waits == told[0]


def test_versions_by_what_tells_them_apart(tmp_path: Path) -> None:
    """The value of the label version, and the name of what runs the pods."""
    versions = {
        "v1": {"labels": {"version": "2.0"}, "workload": "deployment/shop-old"},
        "v2": {"labels": {"color": "green"}, "workload": "rollouts.argoproj.io/shop"},
    }
    made = context(tmp_path, versions=versions, prometheus={"url": "http://a"})
    source, _ = of(made)
    assert isinstance(source, FromPrometheus)
    metrics = source._scraped["backend"]._metrics
    ours = {"destination_service": "backend.demo.svc.cluster.local"}
    assert metrics.version({**ours, "destination_version": "2.0", "destination_workload": "unknown"}) == "v1"
    assert metrics.version({**ours, "destination_version": "unknown", "destination_workload": "shop-old"}) == "v1"
    assert metrics.version({**ours, "destination_version": "3.0", "destination_workload": "shop"}) == "v2"
    assert metrics.version({**ours, "destination_version": "unknown", "destination_workload": "unknown"}) == ""
    assert metrics.version({**ours, "destination_service": "a.demo.svc.cluster.local"}) is None


def test_versions_that_istio_cannot_tell_apart_are_refused(tmp_path: Path) -> None:
    """With the flavour that can."""
    made = context(tmp_path, versions={"v1": {}, "v2": {"labels": {"color": "green"}}}, prometheus={"url": "http://a"})
    with pytest.raises(UsageError, match="v2 of backend has neither; say flavour: envoy in weir:prometheus"):
        of(made)


def test_a_secret_header_is_read_from_pulumi(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The stack file has it encrypted."""
    (tmp_path / "pulumi").write_text(PULUMI)
    (tmp_path / "pulumi").chmod(0o755)
    monkeypatch.setenv("WEIR_TOOL_PULUMI", str(tmp_path / "pulumi"))
    with answering({"time()": clock(7)}) as server:
        made = context(
            tmp_path, prometheus={"url": server.url, "headers": {"Authorization": {"secure": "v1:4dFpX:ciphertext"}}}
        )
        asked = client(made)
        assert asked is not None
        assert asked.now() == 7
        assert server.asked[0]["authorization"] == "Bearer x"


def test_what_prometheus_refuses_is_found_before_anything_moves(tmp_path: Path, server: Answering) -> None:
    """A typo in a query, and an address that is none."""
    written = {"metrics": [{"name": "queue", "query": "max(queue", "max": 1}]}
    server.answers = {_without_v4(query): answer for query, answer in server.answers.items()}
    made = context(tmp_path, prometheus={"url": server.url}, rollout=written)
    server.answers["max(queue"] = [400, {"status": "error", "errorType": "bad_data", "error": "parse error"}]
    with pytest.raises(QueryError, match=r"refuses max\(queue: parse error"):
        tried(made, [STATE])
    server.answers["max(queue"] = vector(5)
    tried(made, [STATE])
    with pytest.raises(PrometheusError, match="does not answer"):
        tried(context(tmp_path, prometheus={"url": "http://127.0.0.1:1"}), [STATE])


def test_times_of_another_source_are_not_mixed(tmp_path: Path) -> None:
    """A rollout that was begun with callers' Envoys has other bounds."""
    comparison = Comparison()
    times = Counts(10, 0, {0.012: 1}, 10)
    comparison.look(stable=times, canary=times)
    begun = replace(STATE, evidence=json.loads(json.dumps(comparison.state())))
    of(context(tmp_path), begun)
    with pytest.raises(UsageError, match="weir:prometheus has come or gone meanwhile"):
        of(context(tmp_path, prometheus={"url": "http://a"}), begun)
