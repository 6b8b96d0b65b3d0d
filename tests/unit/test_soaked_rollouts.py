"""The arithmetic of live rollouts with faults: what a trial's requests say, what the soak reports of many, and that the
faults are what they are called.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from tests.live.lossless.faults import BASE_CODE, FAULTS, FINE, GOOD, SHARED, Kind, answers, failing
from tests.live.lossless.request_log import Request, parsed
from tests.live.lossless.soaked_rollouts import allowed, drawn, figures, held
from tests.live.lossless.trials import STANDING, Trial, judged
from weir.model import load

BY_NAME = {kind.name: kind for kind in FAULTS}
FAILS, GONE = BY_NAME["one in twenty fails"], BY_NAME["the pods go away"]


def test_lines_of_envoys_log() -> None:
    """That of Istio's documentation (Envoy Access Logs), one of a failed connection, one that no route fits, and what
    else a sidecar says.
    """
    teapot = (
        '[2020-11-25T21:26:18.409Z] "GET /status/418 HTTP/1.1" 418 - via_upstream - "-" 0 135 4 4 "-" "curl/7.73.0-DEV"'
        ' "84961386-6d84-929d-98bd-c5aee93b5c88" "httpbin:8000" "10.44.1.27:80" '
        "outbound|8000||httpbin.foo.svc.cluster.local 10.44.1.23:37652 10.0.45.184:8000 10.44.1.23:46520 - default"
    )
    assert parsed(teapot) == Request(1606339578.409, "httpbin", "", 418, "-", 0.004)
    refused = (
        '[2026-11-27T12:00:00.500Z] "GET / HTTP/1.1" 503 UF,URX upstream_reset_before_response_started'
        "{remote_connection_failure|delayed_connect_error:_Connection_refused} - "
        '"delayed_connect_error: Connection refused" 0 152 2017 - "-" "fortio.org/fortio-1.66.5" "id" '
        '"backend.demo.svc.cluster.local" "10.0.0.7:8080" outbound|80|v2|backend.demo.svc.cluster.local - '
        "10.96.0.9:80 10.0.0.5:40000 - -"
    )
    assert parsed(refused) == Request(1795780800.5, "backend", "v2", 503, "UF,URX", 2.017)
    unknown = (
        '[2026-11-27T12:00:00.500Z] "GET / HTTP/1.1" 404 NR route_not_found - "-" 0 0 0 - "-" "fortio" "id" "shop" "-" '
        "- - 10.96.0.9:80 10.0.0.5:40000 - -"
    )
    assert parsed(unknown) == Request(1795780800.5, "", "", 404, "NR", 0)
    assert parsed("2026-11-27T12:00:00.500Z\tinfo\tReadiness succeeded in 1.2s") is None


def test_what_pods_are_told() -> None:
    """In fortio's words: percent by code and by delay, which add up."""
    assert failing(5).startswith("status=500:5&delay=18.2ms:10,22.3ms:20,")
    assert answers({503: 40}, {20: 90, 2000: 10}) == "status=500:0.1,503:40&delay=20ms:90,2000ms:10"
    for kind in FAULTS:
        for stage in kind.stages:
            told = dict(each.split("=", 1) for each in (stage.answers or GOOD).split("&"))
            sums = {name: sum(float(each.split(":")[1]) for each in told[name].split(",")) for name in told}
            assert sums["delay"] == 100, kind.name
            assert sums["status"] <= 100, kind.name


def test_each_kind_is_a_fault_of_its_own() -> None:
    """Ten kinds whose pods behave otherwise than those of a good version, and none that begins before another stage."""
    assert len({kind.name for kind in FAULTS}) == len({kind.stages for kind in FAULTS}) == 10
    for kind in FAULTS:
        assert all(stage.answers != GOOD for stage in kind.stages), kind.name
        assert [stage.after for stage in kind.stages] == sorted(stage.after for stage in kind.stages), kind.name
    assert not FINE.worse
    assert not SHARED.worse


def test_the_service_is_sound() -> None:
    """Two versions that are told the same, of two pods each."""
    service = load({"namespace": "detection", **STANDING}).services["backend"]
    told = {name: [each.replace(name, "") for each in version.args or ()] for name, version in service.versions.items()}
    assert told["v1"] == told["v2"]
    assert any(each.endswith(GOOD) for each in told["v1"])
    assert {version.replicas for version in service.versions.values()} == {2}


def request(at: float, version: str, code: int = 200, seconds: float = 0.1) -> Request:
    return Request(at, "backend", version, code, "-", seconds)


SEEN = [
    request(9, "v1"),
    request(10, "v2"),
    request(11, "v1", BASE_CODE),
    request(12, "v2", BASE_CODE),
    request(14, "v2", seconds=0.3),
    request(15, "v2", BASE_CODE, 0.4),
    request(16.5, "v1", seconds=0.2),
]


@pytest.mark.parametrize(
    ("began", "seconds"), [(8.0, 5.0), (13.0, 2.0)], ids=["before the first request", "after the first request"]
)
def test_a_trial_by_its_requests(began: float, seconds: float) -> None:
    """The time is that from the fault's begin, and no sooner than the version's first request, to its last one."""
    found = judged(FAILS, "v2", SEEN, aborted=True, began=began, decided=14.5)
    # On average 0.225 s beside 0.133 s.
    assert found == Trial(FAILS.name, True, seconds, 0.5, 4, 2, 1.69)
    assert found.in_time(FAILS)


def test_a_trial_that_passes_has_no_time() -> None:
    found = judged(FAILS, "v2", SEEN, aborted=False, began=8, decided=None)
    assert (found.seconds, found.acknowledged, found.in_time(FAILS)) == (None, None, False)


def test_a_failure_that_nobody_injected_is_stray() -> None:
    """Another code of the version, any of the stable one but its own, and one of no version; no answer is a failure."""
    more = [request(13, "v2", 503), request(13, "v1", 503), request(13, "", 404), request(13, "", 0)]
    assert len(judged(FAILS, "v2", [*SEEN, *more], aborted=True, began=0, decided=14).stray) == 3
    assert len(judged(GONE, "v2", [*SEEN, *more], aborted=True, began=0, decided=14).stray) == 2


@pytest.mark.parametrize(
    ("seconds", "acknowledged", "whether"),
    [(22.0, 2.0, True), (22.1, 2.0, False), (21.0, 2.1, False)],
)
def test_in_time(seconds: float, acknowledged: float, whether: bool) -> None:
    """20 s for the decision, 2 s until callers send nothing any more."""
    assert Trial(FAILS.name, True, seconds, acknowledged, 9, 3, 1).in_time(FAILS) is whether


def trial(kind: Kind, seconds: float | None = None, **more: Any) -> Trial:
    return Trial(kind.name, seconds is not None, seconds, None if seconds is None else 1.0, 100, 4, 1.0, **more)


def test_the_report() -> None:
    """Three of four faults are detected, one of two good versions is not let alone."""
    found = [trial(FAILS, 4), trial(FAILS, 30), trial(FAILS), trial(GONE, 2), trial(FINE, 3), trial(SHARED)]
    report = figures(found)
    assert (report["faults"], report["detected"], report["missed"]) == (4, 3, 1)
    assert (report["good"], report["falseAborts"]) == (2, 1)
    assert (report["precision"], report["recall"]) == (0.75, 0.75)
    assert report["secondsToAbort"] == {"median": 4, "p90": 30, "most": 30}
    assert report["kinds"][0] == {
        "kind": "one in twenty fails",
        "rollouts": 3,
        "aborted": 2,
        "requests": 300,
        "within": 20,
        "inTime": 1,
        "missed": 1,
        "secondsToAbort": {"median": 17, "p90": 30, "most": 30},
        "hurt": {"median": 4, "p90": 4, "most": 4},
    }
    assert [each["kind"] for each in report["kinds"]] == [FAILS.name, GONE.name, FINE.name, SHARED.name]


@pytest.mark.parametrize(
    ("found", "broken", "whether"),
    [
        ([*[trial(FAILS, 4)] * 9, trial(FAILS)], "", True),
        ([*[trial(FAILS, 4)] * 9, trial(FAILS, 30), trial(FAILS, 30)], "", False),
        ([*[trial(FINE)] * 99, trial(FINE, 3)], "", True),
        ([*[trial(FINE)] * 90, *[trial(FINE, 3)] * 10], "", False),
        ([trial(FINE, stray=("v1 503 UC",))], "", False),
        ([trial(FINE)], "the load has ended", False),
        ([], "", True),
    ],
    ids=["one in ten missed", "two of eleven late", "a hundredth", "a tenth", "a lost request", "broken", "none"],
)
def test_whether_it_held(found: list[Trial], broken: str, whether: bool) -> None:
    assert held(figures(found, broken)) is whether


def test_false_aborts_that_chance_allows() -> None:
    """The 99th percentiles of binomial distributions with a share of 1 %, from a table."""
    assert {good: allowed(good) for good in (0, 1, 20, 200)} == {0: 0, 1: 0, 20: 2, 200: 6}


def test_what_is_drawn() -> None:
    """200 of each: every kind of fault 20 times, good versions of both kinds; the seed says in which order."""
    kinds = drawn(200, 7)
    counts = Counter(kind.name for kind in kinds)
    assert {counts[kind.name] for kind in FAULTS} == {20}
    assert (counts[FINE.name], counts[SHARED.name]) == (150, 50)
    assert kinds == drawn(200, 7) != drawn(200, 8)
