"""Retries: they fit into the timeout, and are few."""

from __future__ import annotations

from typing import Any

import pytest

from policy.known import UNKNOWN
from policy.retries import unsound
from tests.unit.policy.cases import Case, put, route


def judged(attempts: int, per_try: str | None, timeout: str | None, most: int = 10, **service: Any) -> list[str]:
    retries = {"attempts": attempts, "perTryTimeout": per_try}
    return unsound(route(retries=retries, timeout=timeout, **service), most)


BETA = {"name": "beta", "match": [{"uri": {"prefix": "/beta"}}], "timeout": "7s"}
CASES = [
    Case("retries-within-timeout", "exactly", lambda: judged(3, "2s", "8s")),
    Case("retries-within-timeout", "no timeout of the route", lambda: judged(3, "2s", None)),
    Case("retries-within-timeout", "no timeout of a try", lambda: judged(3, None, "1s")),
    Case("retries-within-timeout", "no retries", lambda: judged(0, None, "1s")),
    Case("retries-within-timeout", "nothing said", lambda: unsound(route(retries=None), 10)),
    Case("retries-within-timeout", "as many as allowed", lambda: judged(10, None, None)),
    Case("retries-within-timeout", "not known yet", lambda: unsound(put(route(), "spec.http", UNKNOWN), 0)),
    Case(
        "retries-within-timeout",
        "a millisecond too long",
        lambda: judged(3, "2s", "7999ms"),
        [
            "backend: route default: 4 tries (retries.attempts 3, and the first) of perTryTimeout 2s take 8 s, and "
            "timeout is 7999ms; raise timeout, or lower attempts or perTryTimeout"
        ],
    ),
    Case(
        "retries-within-timeout",
        "too long for the timeout of another route",
        lambda: judged(3, "2s", "8s", routes=[BETA]),
        [
            "backend: route beta: 4 tries (retries.attempts 3, and the first) of perTryTimeout 2s take 8 s, and "
            "timeout is 7s; raise timeout, or lower attempts or perTryTimeout"
        ],
    ),
    Case(
        "retries-within-timeout",
        "too many",
        lambda: judged(4, None, None, most=3),
        ["backend: route default: retries.attempts is 4, at most 3 are allowed; lower it"],
    ),
]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_retries(case: Case) -> None:
    """(attempts + 1) × perTryTimeout is held against the timeout of each route, what it takes from its service
    included.
    """
    case.check()
