"""What `weir status` shows: a table that fits 80 columns, what is out of the ordinary below it, and the same for
programs.
"""

from __future__ import annotations

import io
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction

import pytest
from rich.console import Console

from weir.cli.host_status import HostStatus, host_lines
from weir.cli.host_status import as_json as host_as_json
from weir.cli.service_status import ServiceStatus, VersionStatus, worth_saying
from weir.cli.statusview import as_json, view
from weir.measurement.observed import Counts, Observation
from weir.model import Duration, Fault, load, traffic
from weir.model.routing.diff import TrafficChange
from weir.model.routing.host_diff import host_changes
from weir.model.routing.hosts import HostTraffic, host_traffic
from weir.model.values.instants import Instant
from weir.rollout.state import State, Step

SEEN = Observation(
    2.04,
    3,
    {
        "v1": Counts(7900, 0, Counter({1.0: 3950, 5.0: 7900, float("inf"): 7900})),
        "v2": Counts(2000, 50, Counter({1000.0: 1000, 2500.0: 2000, float("inf"): 2000})),
        "": Counts(100, 0),
    },
)
VERSIONS = (
    VersionStatus("v1", Fraction(80), Fraction(100), 3, 3),
    VersionStatus("v2", Fraction(20), None, 0, 1, "ImagePullBackOff"),
)
SPLIT = TrafficChange(
    "split",
    "backend",
    "default",
    before={"v1": Fraction(80), "v2": Fraction(20)},
    after={"v1": Fraction(100)},
    about=("v2",),
)


def fault(until: datetime | None) -> Fault:
    """Half of the requests are delayed 3 s."""
    service = {
        "image": "app:1",
        "versions": {"v1": {}},
        "stable": "v1",
        "fault": {"delay": {"percentage": 50, "fixedDelay": "3s"}},
    }
    if until:
        service["fault"]["until"] = Instant.at(until).text  # type: ignore[index]
    found = (
        traffic(load({"namespace": "demo", "services": {"backend": service}}).services["backend"], "demo")
        .routes[-1]
        .fault
    )
    assert found is not None
    assert found.delay is not None
    assert found.delay.fixed_delay == Duration.parse("3s")
    return found


def shown(status: ServiceStatus, *, bars: bool = False, columns: int = 80) -> list[str]:
    """The lines on a terminal."""
    out = io.StringIO()
    Console(file=out, width=columns, no_color=True).print(view([status], ["observed by 20 of 25 sidecars"], bars=bars))
    return [line.rstrip() for line in out.getvalue().splitlines()]


@pytest.mark.parametrize("columns", [80, 120])
def test_a_service_fits_the_terminal(columns: int) -> None:
    """Everything known of a version stands in its row, whole, and nothing is wider than the terminal."""
    lines = shown(ServiceStatus("backend", VERSIONS, {}, (), SEEN), columns=columns)
    assert max(map(len, lines)) <= columns
    assert [line.split() for line in lines[:4]] == [
        ["backend"],
        ["version", "config", "live", "observed", "errors", "p50", "p99", "pods", "ready"],
        ["v1", "80", "%", "100", "%", "79.0", "%", "0.0", "%", "1", "ms", "5", "ms", "3", "of", "3"],
        ["v2", "20", "%", "–", "20.0", "%", "2.5", "%", "1.00", "s", "2.47", "s", "0", "of", "1"],
    ]
    assert "10,000 requests seen by 3 sidecars in 2.0 s" in lines
    assert "100 of them went to the service as a whole, not to a version" in lines
    assert lines[-1] == "observed by 20 of 25 sidecars"


def test_bars_fit_too() -> None:
    """What --watch draws on 80 columns is not cut."""
    lines = shown(ServiceStatus("backend", VERSIONS, {}, (), SEEN), bars=True)
    assert "━" in lines[2]
    assert "3 of 3" in lines[2]
    assert "…" not in "\n".join(lines)


def test_faults_say_how_long_they_last() -> None:
    """One with an end says how much is left, one that is over says what to do, one without an end says that."""
    now = datetime.now(UTC)
    faults = {
        "a": fault(now + timedelta(minutes=10, seconds=30)),
        "b": fault(now - timedelta(minutes=5, seconds=1)),
        "c": fault(None),
    }
    lines = " ".join(shown(ServiceStatus("backend", VERSIONS, faults, ())))
    assert "(10 min left)" in lines
    assert "it expired 5 min ago and was not removed: weir drill --clean" in lines
    assert "fault in force, c: 50 % of requests delayed 3 s; no end" in lines


def test_what_differs_is_said() -> None:
    """Each difference is a line, with what to type; a service that is not in the cluster says so."""
    lines = shown(ServiceStatus("backend", VERSIONS, {}, (SPLIT,)))
    assert "  v2 20 % → 0 % (v1 80 % → 100 %)" in lines
    assert "v2 did not become ready: ImagePullBackOff" in lines
    assert "not in the cluster yet: pulumi up" in shown(ServiceStatus("backend", VERSIONS, {}, None))


def test_programs_get_the_same() -> None:
    """Numbers as they are, null for what is not known."""
    document = as_json(ServiceStatus("backend", VERSIONS, {"default": fault(None)}, (), SEEN))
    assert document["versions"][1] == {
        "name": "v2",
        "configuredPercent": 20.0,
        "livePercent": None,
        "observedPercent": 20.0,
        "requests": 2000,
        "errorPercent": 2.5,
        "p50Seconds": 1.0,
        "p99Seconds": pytest.approx(2.47),
        "readyPods": 0,
        "desiredPods": 1,
        "failure": "ImagePullBackOff",
        "elsewhere": None,
    }
    assert document["observed"] == {"seconds": 2.04, "requests": 10000, "callers": 3, "pastVersions": 100}
    assert document["faults"] == [{"route": "default", "fault": "50 % of requests delayed 3 s", "until": None}]
    unseen = as_json(ServiceStatus("backend", VERSIONS, {}, None))
    assert (unseen["observed"], unseen["inCluster"], unseen["versions"][0]["observedPercent"]) == (None, False, None)


def test_programs_get_what_differs_as_data() -> None:
    """Each difference is there in words and as values, in the same order; nothing where the service is not in the
    cluster.
    """
    document = as_json(ServiceStatus("backend", VERSIONS, {}, (SPLIT,)))
    text = "v2 20 % → 0 % (v1 80 % → 100 %)"
    split = {
        "kind": "split",
        "route": "default",
        "version": None,
        "before": {"v1": 80, "v2": 20},
        "after": {"v1": 100},
        "text": text,
    }
    assert (document["drift"], document["differences"]) == ([text], [split])
    unseen = as_json(ServiceStatus("backend", VERSIONS, {}, None))
    assert (unseen["drift"], unseen["differences"]) == ([], [])


def test_a_host_has_a_line() -> None:
    """Its gateways and entries, and below it what differs; as data the same."""
    service = {"image": "app:1", "versions": {"v1": {}}, "stable": "v1"}
    shop = {"gateways": ["edge/public"], "routes": [{"service": "web"}]}
    config = load({"namespace": "demo", "services": {"web": service}, "hosts": {"shop.example.com": shop}})
    wanted = host_traffic("shop.example.com", config, "demo")
    old = HostTraffic(wanted.host, ("edge/old",), wanted.entries)
    statuses = [HostStatus(wanted, tuple(host_changes(old, wanted))), HostStatus(wanted, None)]
    first = "host shop.example.com at edge/public: web, every request to web:80"
    assert [str(line) for line in host_lines(statuses)] == [
        first,
        "  differs from the config (what is → what will be): exposed at gateways: edge/old → edge/public",
        first,
        "not in the cluster yet: pulumi up",
    ]
    document = host_as_json(statuses[0])
    assert (document["name"], document["gateways"], document["inCluster"]) == (
        "shop.example.com",
        ["edge/public"],
        True,
    )
    assert document["entries"] == [{"name": "web", "match": [], "service": "web:80"}]
    assert document["drift"] == ["exposed at gateways: edge/old → edge/public"]
    assert host_as_json(statuses[1])["inCluster"] is False


def test_a_version_that_is_to_be_retired_is_shown() -> None:
    """When, and how to have it done then. The rollout itself is over."""
    at = datetime.now(UTC) + timedelta(minutes=42, seconds=30)
    state = State(
        "backend", "v2", "v1", (Step(Decimal(5), 0.0),), "weir rollout backend v2", "ann@host",
        datetime(2026, 11, 27, 12, tzinfo=UTC), phase="promoted", retire=at,
    )  # fmt: skip
    status = ServiceStatus("backend", VERSIONS, {}, (), None, state)
    said = " ".join(shown(status))
    assert "v1 is retired in 42 min; weir rollout backend goes on with it" in " ".join(said.split())
    found = as_json(status)
    assert (found["rollout"], found["retires"]) == (None, {"version": "v1", "at": at.strftime("%Y-%m-%dT%H:%M:%SZ")})
    under_way = as_json(replace(status, rollout=replace(state, phase="step", retire=None)))
    assert (under_way["rollout"]["phase"], under_way["retires"]) == ("step", None)


def test_a_version_that_was_taken_back_is_shown_with_the_reason() -> None:
    """As long as it is there without requests: not once it has some again, or is gone, and no rollout that went well."""
    state = State(
        "backend", "v2", "v1", (Step(Decimal(5), 0.0),), "weir rollout backend v2", "ann@host",
        datetime(2026, 11, 27, 12, tzinfo=UTC), phase="aborted", why="v2: 9 of 10 requests failed",
    )  # fmt: skip
    back = (VERSIONS[0], replace(VERSIONS[1], configured=Fraction(0)))
    assert worth_saying(state, back) is state
    assert worth_saying(state, VERSIONS) is None
    assert worth_saying(state, VERSIONS[:1]) is None
    assert worth_saying(replace(state, phase="promoted"), back) is None
    assert worth_saying(replace(state, phase="step"), VERSIONS) is not None
    status = ServiceStatus("backend", back, {}, (), None, state)
    said = " ".join(" ".join(shown(status)).split())
    assert "rollout: v2 was taken back at 5 %: v2: 9 of 10 requests failed; 0 of its 0 requests failed" in said
    assert "goes on with it" not in said
    assert as_json(status)["rollout"] is None
