"""Mirrored requests, counted where they arrive, and their answers, which nobody sees.

False alarms: each count is refused by chance at most once in a million runs (`stage.accepted`, exact binomial regions).
"""

from __future__ import annotations

from collections import Counter

from tests.live.routing.routing_stack import RoutingStack, accepted
from tests.live.routing.sent_requests import Request


def arrived(stage: RoutingStack, path: str, at_least: int) -> Counter[str]:
    """How many requests to a path each version got."""
    return Counter(arrival.version for arrival in stage.arrivals(path, at_least))


def test_13_every_request_is_mirrored(stage: RoutingStack) -> None:
    """v2 gets a copy of each of 200 requests, and each is answered by v1."""
    stage.apply_settings(mirrors=[{"version": "v2", "percentage": 100}])
    answers = stage.ask(Request("/mirrored", 200), parallel=10)
    assert Counter((answer.status, answer.version) for answer in answers) == {(200, "v1"): 200}
    assert arrived(stage, "/mirrored", at_least=400) == {"v1": 200, "v2": 200}


def test_14_a_quarter_of_the_requests_is_mirrored(stage: RoutingStack) -> None:
    """v2 gets copies of 400 requests within the exact bound of 25 %, and each request is answered by v1."""
    stage.apply_settings(mirrors=[{"version": "v2", "percentage": 25}])
    answers = stage.ask(Request("/quarter", 400), parallel=10)
    assert Counter((answer.status, answer.version) for answer in answers) == {(200, "v1"): 400}
    found = arrived(stage, "/quarter", at_least=401)
    assert found["v2"] in accepted(400, 0.25, unlike=0.5)
    assert found == {"v1": 400, "v2": found["v2"]}


def test_the_answer_of_a_mirror_is_not_waited_for(stage: RoutingStack) -> None:
    """Two mirrors that take a second each get every request, and the caller has its answer long before theirs."""
    stage.apply_settings(mirrors=[{"version": "v2", "percentage": 100}, {"version": "v3", "percentage": 100}])
    [second], [third] = stage.pods("v2"), stage.pods("v3")
    with stage.answering(second, "delay=1s"), stage.answering(third, "delay=1s"):
        answers = stage.ask(Request("/twice", 20), parallel=20)
    assert {(answer.status, answer.version) for answer in answers} == {(200, "v1")}
    assert max(answer.seconds for answer in answers) < 1
    assert arrived(stage, "/twice", at_least=60) == {"v1": 20, "v2": 20, "v3": 20}
