"""`weir rollout` by a Prometheus that scrapes the callers' sidecars: it decides as by callers' Envoys, and waits where
there is nothing to decide by.

The lab's Envoy has no filter of Istio's own, so that it has no istio_requests_total: flavour envoy is tried here.
"""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest

from tests.live.harness import Project, until
from tests.live.lossless import prometheus
from tests.live.lossless.conftest import soak, temporary_stack
from tests.live.lossless.lab_stack import LabStack
from tests.live.lossless.load import Load
from tests.live.lossless.running_update import RunningUpdate
from tests.live.lossless.test_rollout import config, now, rollout, shares

STACK = "scraped"


@pytest.fixture(scope="module")
def scraped(lab: Project) -> Iterator[LabStack]:
    with temporary_stack(lab, STACK) as made:
        yield made


@pytest.fixture(scope="module")
def load(scraped: LabStack) -> Iterator[Load]:
    scraped.up(config(), "--skip-preview")
    with Load(scraped) as running:
        yield running


@pytest.fixture(scope="module")
def server(scraped: LabStack, load: Load) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """Its URL, and the process that forwards to it."""
    with prometheus.running(scraped), prometheus.reached(scraped) as there:
        yield there


def asked(url: str, **rollout: Any) -> dict[str, Any]:
    """The config of the other tests, by Prometheus."""
    found = config()
    service = found["services"]["backend"]
    service["rollout"] = {**service["rollout"], **rollout}
    return {**found, "prometheus": {"url": url, "flavour": "envoy"}}


Server = tuple[str, subprocess.Popen[str]]


def test_a_bad_version_is_taken_back(scraped: LabStack, load: Load, server: Server) -> None:
    """Within its first step; what the report has is no more than users saw."""
    scraped.up(asked(server[0]), "--skip-preview")
    since = now(scraped)
    code, state, said = rollout(scraped, "backend v3 --yes")
    assert (code, state.get("phase")) == (3, "aborted"), said
    assert (state["index"], shares(scraped)) == (0, {"v1": 100})
    seen = [each.code for each in load.failures(since)]
    assert set(seen) == {500}
    assert 0 < state["hurt"] <= len(seen)


@soak
def test_a_metric_takes_a_version_back(scraped: LabStack, load: Load, server: Server) -> None:
    """Which is as good as the stable one by its requests."""
    written = {
        "name": "requests",
        "query": 'sum(envoy_cluster_upstream_rq_completed{cluster_name=~"outbound.*[|]{version}[|]{service}.*"})',
        "max": -1,
        "for": "6s",
    }
    scraped.up(asked(server[0], metrics=[written]), "--skip-preview")
    since = now(scraped)
    code, state, said = rollout(scraped, "backend v2 --yes")
    assert (code, state.get("phase")) == (3, "aborted"), said
    assert "v2: requests is " in state["why"]
    assert state["why"].endswith("and must be at most -1 (for 6s)")
    assert shares(scraped) == {"v1": 100}
    assert load.failures(since) == []


@soak
def test_a_counter_is_compared_between_versions(scraped: LabStack, load: Load, server: Server) -> None:
    """A good version takes over, with a metric that each caller counts for both versions."""
    cluster = 'cluster_name=~"outbound.*[|]{version}[|]{service}.*"'
    written = {
        "name": "5xx",
        "query": f'envoy_cluster_upstream_rq{{{cluster},response_code_class="5xx"}}',
        "of": f"envoy_cluster_upstream_rq_completed{{{cluster}}}",
        "worse": 1.5,
    }
    scraped.up(asked(server[0], metrics=[written]), "--skip-preview")
    since = now(scraped)
    code, state, said = rollout(scraped, "backend v2 --yes")
    assert (code, state.get("phase")) == (0, "promoted"), said
    assert load.failures(since) == []
    assert shares(scraped) == {"v2": 100}
    scraped.up(asked(server[0]), "--skip-preview")


@soak
def test_prometheus_away_in_a_step(scraped: LabStack, load: Load, server: Server) -> None:
    """For longer than a rollout waits: it ends where it is, traffic stays, and the next call goes on."""
    url, forward = server
    scraped.up(asked(url), "--skip-preview")
    since = now(scraped)
    with RunningUpdate(scraped, ".venv/bin/weir rollout backend v2 --pause 20s --yes") as running:
        until(lambda: shares(scraped) == {"v1": 90, "v2": 10}, 60, "the first step is applied")
        forward.send_signal(signal.SIGSTOP)
        try:
            update = running.wait()
        finally:
            forward.send_signal(signal.SIGCONT)
    assert update.code == 1, update.said[-3000:]
    assert "Prometheus" in update.said
    assert "Traceback" not in update.said
    assert shares(scraped) == {"v1": 90, "v2": 10}
    code, state, said = rollout(scraped, "backend")
    assert (code, state.get("phase")) == (0, "promoted"), said
    assert load.failures(since) == []
    scraped.up(asked(url), "--skip-preview")


def test_without_prometheus_nothing_moves(scraped: LabStack, load: Load, server: Server) -> None:
    """Before the rollout begins it is said; this one is the last, since nobody forwards any more."""
    url, forward = server
    forward.terminate()
    forward.wait(30)
    since = now(scraped)
    code, state, said = rollout(scraped, "backend v2 --yes")
    assert (code, state) == (1, {}), said
    assert f"Prometheus at {url} does not answer" in said
    assert shares(scraped) == {"v1": 100}
    assert load.failures(since) == []
