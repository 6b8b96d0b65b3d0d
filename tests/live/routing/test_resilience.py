"""What the caller's Envoy does about a backend that is slow or fails: timeouts and retries, with the tries counted at
the backend.

False alarms: each count is refused by chance at most once in a million runs (`stage.accepted`, exact binomial
regions).
"""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

from tests.live.routing.routing_stack import HOST, RoutingStack, accepted
from tests.live.routing.sent_requests import Request
from weir.measurement.proxy_config import ADMIN_PATH


def test_10_a_timeout_cuts_a_slow_answer(stage: RoutingStack) -> None:
    """An answer that takes 2.5 s ends as 504 in about the second set, one that takes 0.1 s comes, as all do without
    it, on a route or everywhere.
    """
    slow, quick = Request("/slow?delay=2.5s", 20), Request("/quick?delay=100ms", 20)
    endless = {"name": "chat", "match": [{"uri": {"prefix": "/ws/"}}], "timeout": "none"}
    stage.apply_settings(timeout="1s", retries={"attempts": 0}, routes=[endless])
    answers = stage.ask(slow, quick, Request("/ws/slow?delay=2.5s", 20), parallel=60)
    assert Counter((answer.request, answer.status) for answer in answers) == {(0, 504): 20, (1, 200): 20, (2, 200): 20}
    assert all(1 <= answer.seconds < 2 for answer in answers if answer.request == 0)
    assert all(answer.seconds >= 2.5 for answer in answers if answer.request == 2)
    stage.apply_settings(retries={"attempts": 0})
    assert {answer.status for answer in stage.ask(slow, quick, parallel=40)} == {200}


def test_11_retries_make_up_for_a_backend_that_fails_half_of_the_time(stage: RoutingStack) -> None:
    """With 6 retries 1 request of 128 fails and not 1 of 2; at the backend each failed try but the last is followed by
    one more.
    """
    count, retries = 300, 6
    stage.apply_settings(retries={"attempts": retries, "retryOn": ["5xx"], "perTryTimeout": "2s"})
    answers = Counter(answer.status for answer in stage.ask(Request("/half?status=503:50", count), parallel=20))
    assert answers[503] in accepted(count, 1 / 2 ** (retries + 1), unlike=0.5)
    assert answers[200] + answers[503] == count
    arrived = stage.arrivals("/half", at_least=count)
    tries = Counter((int(one.headers["x-envoy-attempt-count"]), one.status) for one in arrived)
    assert tries[1, 503] in accepted(count, 0.5, unlike=0.75)
    assert tries[1, 200] + tries[1, 503] == count
    for number in range(1, retries + 1):
        assert tries[number + 1, 200] + tries[number + 1, 503] == tries[number, 503]
    assert tries[retries + 1, 503] == answers[503]
    assert sum(tries.values()) == len(arrived)


def test_a_try_that_takes_too_long_is_made_again(stage: RoutingStack) -> None:
    """Where half of the tries hang for 4 s, tries of 0.3 s bring an answer to all but 1 request of 128, and to none as
    late as that.
    """
    count, retries = 150, 6
    stage.apply_settings(retries={"attempts": retries, "retryOn": ["5xx"], "perTryTimeout": "0.3s"})
    answers = stage.ask(Request("/hangs?delay=4s:50", count), parallel=50)
    failed = sum(answer.status == 504 for answer in answers)
    assert failed in accepted(count, 1 / 2 ** (retries + 1), unlike=0.5)
    assert sum(answer.status == 200 for answer in answers) == count - failed
    assert max(answer.seconds for answer in answers) < 4


def test_12_what_retry_on_leaves_out_is_not_retried(stage: RoutingStack) -> None:
    """With gateway-error, which is 502, 503 and 504, a 503 is tried three times, and a 500 and a 429 once; no retries
    means none.
    """
    failures = [Request(f"/fails-{status}?status={status}", 40) for status in (503, 500, 429)]
    stage.apply_settings(retries={"attempts": 2, "retryOn": ["gateway-error"]})
    assert Counter(answer.status for answer in stage.ask(*failures)) == {503: 40, 500: 40, 429: 40}
    assert len(stage.arrivals("/fails-503", at_least=120)) == 120
    assert len(stage.arrivals("/fails-500", at_least=40)) == 40
    assert len(stage.arrivals("/fails-429", at_least=40)) == 40
    stage.apply_settings(retries={"attempts": 0})
    stage.ask(Request("/once?status=503", 40))
    assert len(stage.arrivals("/once", at_least=40)) == 40


def test_each_setting_of_retries_reaches_the_callers_envoy(stage: RoutingStack) -> None:
    """What no answer shows: the wait before a retry, whether it may go to the same pod, and whether to other
    localities.
    """
    settings = {"attempts": 4, "retryOn": ["reset", "503"], "backoff": "0.2s"}
    stage.apply_settings(retries={**settings, "retryIgnorePreviousHosts": False, "retryRemoteLocalities": True})
    policy = retry_policy(stage)
    assert (policy["num_retries"], policy["retry_back_off"]) == (4, {"base_interval": "0.200s"})
    assert set(policy["retry_on"].split(",")) == {"reset", "retriable-status-codes"}
    assert policy["retriable_status_codes"] == [503]
    assert "retry_host_predicate" not in policy
    assert policy["retry_priority"]["name"] == "envoy.retry_priorities.previous_priorities"


def retry_policy(stage: RoutingStack) -> dict[str, Any]:
    """The retries of the service's one route, as the caller's Envoy has them."""
    dump = json.loads(stage.envoy(ADMIN_PATH))
    hosts = [
        host
        for entry in dump["configs"]
        for host in entry["route_config"].get("virtual_hosts", [])
        if host["name"] == f"{HOST}:80"
    ]
    [route] = [route for host in hosts for route in host["routes"]]
    return dict(route["route"]["retry_policy"])
