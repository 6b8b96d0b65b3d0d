"""Faults that end: drills on the routes of a service, the end on the object in the cluster, and what becomes of a
fault whose end has passed.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.unit.model.test_rules import backend, lines
from weir.model import Sender, ended, load, mesh, outputs, plain_route, read, traffic, without_ended
from weir.model.routing.diff import changes
from weir.model.routing.expiry import ago, endings
from weir.model.routing.resolve import ServiceTraffic
from weir.model.routing.words import describe

UNTIL = "2026-11-25T14:00:00Z"
END = datetime(2026, 11, 25, 14, tzinfo=UTC)
DELAY: dict[str, Any] = {"delay": {"percentage": 50, "fixedDelay": "3s"}}
DRILL: dict[str, Any] = {**DELAY, "until": UNTIL}
BETA: dict[str, Any] = {
    "name": "beta",
    "match": [{"headers": {"x-user": {"exact": "beta"}}}, {"uri": {"prefix": "/beta"}}],
    "stable": "v2",
}
SOME: dict[str, Any] = {"headers": {"x-drill": {"exact": "on"}}}
ENDING: list[dict[str, Any]] = [
    {"drill": DRILL},
    {"drill": {**DRILL, "match": SOME}, "routes": [BETA]},
    {"fault": DRILL},
]


def virtual_service(**keys: Any) -> dict[str, Any]:
    """The VirtualService of the service with these keys."""
    return mesh(load(backend(**keys)), "demo").services["backend"].virtual_service


def test_a_drill_is_a_fault_on_every_route() -> None:
    """Each route that has no fault of its own gets it, and its end stands on the object; splits stay as they are."""
    made = virtual_service(drill=DRILL, canary={"v2": 20}, routes=[BETA, {**BETA, "name": "own", "fault": DELAY}])
    spec = {"delay": {"percentage": {"value": 50}, "fixedDelay": "3s"}}
    assert [(route["name"], route.get("fault")) for route in made["spec"]["http"]] == [
        ("beta", spec),
        ("own", spec),
        ("default", spec),
    ]
    assert made["metadata"]["annotations"] == {
        "fault-until.weir.dev/beta": UNTIL,
        "fault-until.weir.dev/default": UNTIL,
    }
    assert [entry["weight"] for entry in made["spec"]["http"][-1]["route"]] == [80, 20]


def test_a_drill_of_some_requests_stands_before_each_route() -> None:
    """Requests with the header meet the fault and are divided like all others, on each route; the others meet none."""
    made = virtual_service(drill={**DRILL, "match": SOME}, canary={"v2": 20}, routes=[BETA])["spec"]["http"]
    assert [route["name"] for route in made] == ["beta_drill", "beta", "default_drill", "default"]
    assert made[0]["match"] == [
        {"headers": {"x-user": {"exact": "beta"}, "x-drill": {"exact": "on"}}},
        {"uri": {"prefix": "/beta"}, "headers": {"x-drill": {"exact": "on"}}},
    ]
    assert made[2]["match"] == [{"headers": {"x-drill": {"exact": "on"}}}]
    for drilled, plain in ((made[0], made[1]), (made[2], made[3])):
        assert drilled["route"] == plain["route"]
        assert "fault" in drilled
        assert "fault" not in plain
    config = load(backend(drill={**DRILL, "match": SOME}))
    assert plain_route(traffic(config.services["backend"], "demo"), "backend", 80, Sender("demo", {})).name == "default"


@pytest.mark.parametrize("keys", ENDING, ids=str)
def test_the_end_is_read_back(keys: dict[str, Any]) -> None:
    """The objects in the cluster say the same traffic as the config, the end of the fault included."""
    config = load(backend(**keys))
    objects = mesh(config, "demo").services["backend"]
    found = read(
        objects.virtual_service, [rule for version in objects.versions.values() if (rule := version.destination_rule)]
    )
    assert found == traffic(config.services["backend"], "demo")
    assert any(route.fault and route.fault.until and route.fault.until.moment == END for route in found.routes)


def said(before: ServiceTraffic, after: ServiceTraffic) -> list[str]:
    """What differs, in words."""
    return [describe(change) for change in changes("backend", before, after)]


def test_a_drill_is_told_in_words() -> None:
    """Its beginning and its end are a line each that says what happens, to whom, and until when."""
    plain, all_of_it, some = (
        traffic(load(backend(**keys)).services["backend"], "demo")
        for keys in ({}, {"drill": DRILL}, {"drill": {**DRILL, "match": SOME}})
    )
    assert said(plain, all_of_it) == [f"new fault: 50 % of requests delayed 3 s, until {UNTIL}"]
    assert said(all_of_it, plain) == [f"fault removed: 50 % of requests delayed 3 s, until {UNTIL}"]
    told = f"requests with x-drill: on: 50 % of requests delayed 3 s, until {UNTIL}"
    assert said(plain, some) == [f"new drill: {told}"]
    assert said(some, plain) == [f"drill ended: {told}"]


def test_a_fault_that_has_ended_is_refused_and_left_out() -> None:
    """From its end on it is an error of the config, with what to do, and the traffic is that without it; until then it
    stands.
    """
    written = backend(drill=DRILL, routes=[{**BETA, "fault": {**DELAY, "until": "2026-11-25T13:00:00+00:00"}}])
    config = load(written)
    assert [ending.drill for ending in endings(config)] == [True, False]
    before = END - timedelta(seconds=1)
    assert [str(problem) for problem in ended(config, before)] == [
        "weir:services.backend.routes[0].fault.until: expired 59 min ago; remove the fault"
    ]
    assert [str(problem) for problem in ended(config, END)] == [
        "weir:services.backend.drill.until: expired 0 s ago; remove it: weir drill backend --clean",
        "weir:services.backend.routes[0].fault.until: expired 60 min ago; remove the fault",
    ]
    assert without_ended(config, END - timedelta(hours=2)) is config
    some = traffic(without_ended(config, before).services["backend"], "demo")
    assert [route.fault is not None for route in some.routes] == [True, True]
    assert [route.fault for route in traffic(without_ended(config, END).services["backend"], "demo").routes] == [
        None,
        None,
    ]


def test_the_outputs_have_the_fault_that_all_requests_meet() -> None:
    """A drill of all requests stands among the faults with its end; one of some requests does not."""
    shown = {"delay": {"percentage": 50, "fixedDelay": "3s"}, "until": UNTIL}
    assert outputs(load(backend(drill=DRILL)), "demo")["services"]["backend"]["faults"] == shown
    assert outputs(load(backend(drill={**DRILL, "match": SOME})), "demo")["services"]["backend"]["faults"] == {}


def test_there_is_one_fault_at_a_time() -> None:
    """A drill beside a fault of the service is refused, and one that could not be told from a route's own match."""
    assert lines(backend(drill=DRILL, fault=DELAY)) == [
        "weir:services.backend.drill: has no effect on the default route, which has a fault already; remove one of them"
    ]
    clash = {**DRILL, "match": {"headers": {"x-user": {"exact": "alpha"}}}}
    assert lines(backend(drill=clash, routes=[BETA])) == [
        (
            "weir:services.backend.drill.match.headers.x-user: route beta matches on this header too; choose another "
            "one for the drill"
        )
    ]
    assert lines(backend(drill=DELAY)) == [
        "weir:services.backend.drill.until: missing: when it ends, such as 2026-11-25T14:00:00Z"
    ]


@pytest.mark.parametrize(
    ("seconds", "told"),
    [(0, "0 s"), (99, "99 s"), (100, "1 min"), (5999, "99 min"), (6000, "1 h"), (172799, "47 h"), (172800, "2 days")],
)
def test_a_length_of_time_is_rounded_as_people_do(seconds: int, told: str) -> None:
    """Seconds, minutes, hours, days, whichever says it shortly."""
    assert ago(timedelta(seconds=seconds)) == told
