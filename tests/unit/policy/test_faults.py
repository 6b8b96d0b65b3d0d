"""Faults: in production with an end, and nowhere past it."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from policy.faults import endless, over
from policy.known import UNKNOWN
from tests.unit.policy.cases import Case, put, route

NOW = datetime(2026, 11, 25, 14, 0, tzinfo=UTC)
DELAY = {"delay": {"percentage": 50, "fixedDelay": "3s"}}
BETA = {"name": "beta", "match": [{"headers": {"x-user": {"exact": "beta"}}}], "stable": "v2", "fault": DELAY}


def until(moment: str) -> dict[str, object]:
    return {**DELAY, "until": moment}


END = "metadata.annotations"
CASES = [
    Case("fault-has-end", "no fault", lambda: endless(route(), NOW)),
    Case("fault-has-end", "an end", lambda: endless(route(fault=until("2026-11-25T15:00:00Z")), NOW)),
    Case(
        "fault-has-end",
        "no end",
        lambda: endless(route(fault=DELAY), NOW),
        [
            "backend: the fault of route default has no end (50 % of requests delayed 3 s); say when it ends,"
            ' until: "2026-11-25T15:00:00Z" beside it, or remove it'
        ],
    ),
    Case(
        "fault-has-end",
        "an end of another route",
        lambda: endless(route(fault=until("2026-11-25T15:00:00Z"), routes=[BETA]), NOW),
        [
            "backend: the fault of route beta has no end (50 % of requests delayed 3 s); say when it ends,"
            ' until: "2026-11-25T15:00:00Z" beside it, or remove it'
        ],
    ),
    Case(
        "fault-has-end",
        "annotations that are not known yet",
        lambda: endless(put(route(fault=DELAY), END, UNKNOWN), NOW),
    ),
    Case(
        "fault-has-end",
        "an end that is not known yet",
        lambda: endless(put(route(fault=DELAY), END, {"fault-until.weir.dev/default": UNKNOWN}), NOW),
    ),
    Case(
        "fault-has-end", "a spec that is not known yet", lambda: endless(put(route(fault=DELAY), "spec", UNKNOWN), NOW)
    ),
    Case("fault-not-over", "no fault", lambda: over(route(), NOW)),
    Case("fault-not-over", "no end", lambda: over(route(fault=DELAY), NOW)),
    Case("fault-not-over", "one second to go", lambda: over(route(fault=until("2026-11-25T14:00:01Z")), NOW)),
    Case(
        "fault-not-over",
        "an end without a fault",
        lambda: over(put(route(), END, {"fault-until.weir.dev/default": "2020-01-01T00:00:00Z"}), NOW),
    ),
    Case(
        "fault-not-over",
        "an end that has come",
        lambda: over(route(fault=until("2026-11-25T15:00:00+01:00")), NOW),
        [
            "backend: the fault of route default expired 0 s ago, at 2026-11-25T15:00:00+01:00 (50 % of requests "
            "delayed 3 s); remove it, or the drill: weir drill backend --clean"
        ],
    ),
    Case(
        "fault-not-over",
        "an end long ago, of a drill of some requests",
        lambda: over(
            route(drill={**until("2026-11-25T11:00:00Z"), "match": {"headers": {"x-drill": {"exact": "on"}}}}), NOW
        ),
        [
            "backend: the fault of route default_drill expired 3 h ago, at 2026-11-25T11:00:00Z (50 % of requests "
            "delayed 3 s); remove it, or the drill: weir drill backend --clean"
        ],
    ),
    Case(
        "fault-not-over",
        "an end that is no moment",
        lambda: over(put(route(fault=DELAY), END, {"fault-until.weir.dev/default": "tomorrow"}), NOW),
        [
            "backend: the fault of route default has an end (annotation fault-until.weir.dev/default) that must be a "
            "date and a time with the"
            ' offset from UTC such as 2026-11-25T14:00:00Z, was "tomorrow"'
        ],
    ),
    Case(
        "fault-not-over",
        "an end that is no text",
        lambda: over(put(route(fault=DELAY), END, {"fault-until.weir.dev/default": 1764079200}), NOW),
        [
            "backend: the fault of route default has an end (annotation fault-until.weir.dev/default) that must be a "
            "moment such as"
            ' "2026-11-25T14:00:00Z", was 1764079200'
        ],
    ),
]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_faults(case: Case) -> None:
    """An end is demanded, read, and compared with the time, to the second."""
    case.check()
