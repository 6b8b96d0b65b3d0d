"""Faults that the caller's own Envoy makes: for a share of the requests, with an HTTP or a gRPC status, for some
requests only.

False alarms: each count is refused by chance at most once in a million runs (`stage.accepted`, exact binomial
regions).
"""

from __future__ import annotations

from collections import Counter

from tests.live.routing.routing_stack import RoutingStack, accepted
from tests.live.routing.sent_requests import Request


def test_7_a_tenth_of_the_requests_is_aborted(stage: RoutingStack) -> None:
    """The share of 503 is within the exact bound of 800 requests; an aborted one reaches no
    version, every other does.
    """
    stage.apply_settings(fault={"abort": {"percentage": 10, "httpStatus": 503}})
    found = Counter((answer.status, answer.version) for answer in stage.ask(Request("/aborted", 800), parallel=20))
    assert found[503, ""] in accepted(800, 0.1, unlike=0.25)
    assert found[503, ""] + found[200, "v1"] == 800
    assert len(stage.arrivals("/aborted", at_least=found[200, "v1"])) == found[200, "v1"]


def test_8_an_abort_with_a_grpc_status(stage: RoutingStack) -> None:
    """A gRPC request is answered as gRPC has it: HTTP 200 with grpc-status 14 (UNAVAILABLE), and no version is asked.

    So is a plain request, and has no grpc-status to tell: whoever calls without gRPC sees no error. httpStatus is for
    those.
    """
    stage.apply_settings(fault={"abort": {"percentage": 100, "grpcStatus": "UNAVAILABLE"}})
    grpc = Request(count=20, method="POST", headers={"content-type": "application/grpc", "te": "trailers"})
    answers = stage.ask(grpc, Request(count=20))
    assert {(answer.status, answer.headers.get("grpc-status")) for answer in answers if answer.request == 0} == {
        (200, "14")
    }
    assert {(answer.status, answer.body, answer.version) for answer in answers if answer.request == 1} == {
        (200, "fault filter abort", "")
    }


def test_9_a_fault_for_some_requests_leaves_the_others_alone(stage: RoutingStack) -> None:
    """Every request with the header is aborted, and none of the others."""
    chaos = {
        "name": "chaos",
        "match": [{"headers": {"x-chaos": {"exact": "on"}}}],
        "fault": {"abort": {"percentage": 100, "httpStatus": 418}},
    }
    stage.apply_settings(routes=[chaos])
    answers = stage.ask(
        Request(count=100, headers={"x-chaos": "on"}),
        Request(count=100),
        Request(count=100, headers={"x-chaos": "off"}),
    )
    found = Counter((answer.request, answer.status, answer.version) for answer in answers)
    assert found == {(0, 418, ""): 100, (1, 200, "v1"): 100, (2, 200, "v1"): 100}


def test_a_delay_for_a_user_leaves_the_others_alone(stage: RoutingStack) -> None:
    """Every request of the user waits for the time set, and is then answered; nobody else's does."""
    slow = {
        "name": "slow",
        "match": [{"headers": {"x-user": {"exact": "tester"}}}],
        "fault": {"delay": {"percentage": 100, "fixedDelay": "1.5s"}},
    }
    stage.apply_settings(routes=[slow])
    answers = stage.ask(Request(count=40, headers={"x-user": "tester"}), Request(count=40), parallel=80)
    assert {(answer.status, answer.version) for answer in answers} == {(200, "v1")}
    assert min(answer.seconds for answer in answers if answer.request == 0) >= 1.5
    assert max(answer.seconds for answer in answers if answer.request == 1) < 1.5
