"""Routes that cannot be read do not pass for routes without fault."""

from __future__ import annotations

import pytest

from policy.known import UNKNOWN
from policy.routes import unreadable
from tests.unit.policy.cases import Case, put, route


def refused(reason: str) -> list[str]:
    return [
        f"backend: is nothing that weir writes, so that no rule can judge its routes ({reason}); write it as a service of weir:services"
    ]


CASES = [
    Case("readable-routes", "weir's own", lambda: unreadable(route())),
    Case("readable-routes", "a spec that is not known yet", lambda: unreadable(put(route(), "spec", UNKNOWN))),
    Case("readable-routes", "a host that is not known yet", lambda: unreadable(put(route(), "spec.hosts", [UNKNOWN]))),
    Case(
        "readable-routes", "TCP", lambda: unreadable(put(route(), "spec", {"hosts": ["backend"], "tcp": []})), refused("there is no http")
    ),
    Case("readable-routes", "no spec", lambda: unreadable({"metadata": {"name": "backend"}}), refused("there is no spec")),
    Case(
        "readable-routes",
        "a fault without a percentage",
        lambda: unreadable(put(route(), "spec.http.0.fault", {"delay": {"fixedDelay": "3s"}})),
        refused("delay.percentage: Field required"),
    ),
    Case(
        "readable-routes",
        "a timeout that is none",
        lambda: unreadable(put(route(), "spec.http.0.timeout", "soon")),
        refused('must be a number with a unit (ms, s, m or h) such as 3s or 500ms, was "soon"'),
    ),
    Case(
        "readable-routes",
        "a list where there is none",
        lambda: unreadable(put(route(), "spec.http", "all")),
        refused("the spec has another shape"),
    ),
]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_routes(case: Case) -> None:
    """Whatever weir would not have written is refused with the reason, and no other rule fails on it."""
    case.check()
