"""Istio's traffic policies: bad pods ejected, a pool that overflows, users who keep their pod, and which level reaches
which cluster.
"""

from __future__ import annotations

import json
import re
from collections import defaultdict

from tests.live.harness import until
from tests.live.routing.routing_stack import FRONTEND, HOST, RoutingStack
from tests.live.routing.sent_requests import Request

OUTLIERS = {"consecutive5xxErrors": 3, "interval": "1s", "baseEjectionTime": "10s", "maxEjectionPercent": 50}
UNANSWERED = {"attempts": 0}
"""No retries: they would hide what a single try comes to."""


def ejected(stage: RoutingStack) -> int:
    """How many endpoints of v1 the caller's Envoy leaves out for their failures."""
    lines = stage.envoy("clusters").splitlines()
    return sum(line.startswith(f"outbound|80|v1|{HOST}::") and "/failed_outlier_check" in line for line in lines)


def test_15_a_failing_pod_is_ejected_and_taken_back(stage: RoutingStack) -> None:
    """One of three pods answers 500 until it is ejected; then no request fails; once it is well it is asked again."""
    stage.apply_settings(retries=UNANSWERED, trafficPolicy={"outlierDetection": OUTLIERS})
    until(lambda: "outlier_detection" in stage.cluster("v1"), 10, "the policy is at the caller")
    bad = stage.pods("v1")[0]
    with stage.answering(bad, "status=500"):
        assert {answer.status for answer in stage.ask(Request(count=60))} == {200, 500}
        # Long before the ejection ends.
        assert {answer.status for answer in stage.ask(Request(count=60))} == {200}
        assert ejected(stage) == 1
    until(lambda: ejected(stage) == 0, 30, "the pod is taken back")
    pods = {answer.pod for answer in stage.ask(Request("/debug", 120))}
    assert pods == set(stage.pods("v1"))


def test_16_a_full_pool_answers_503_with_the_flag_uo(stage: RoutingStack) -> None:
    """One connection and one waiting request are few for 20 at a time: what overflows is answered 503, marked, counted
    and logged as such.
    """
    pool = {"tcp": {"maxConnections": 1}, "http": {"http1MaxPendingRequests": 1}}
    stage.apply_settings(retries=UNANSWERED, versions={"v1": {"trafficPolicy": {"connectionPool": pool}}})
    until(lambda: limit(stage.cluster("v1")) == 1, 10, "the policy is at the caller")
    before = overflows(stage)
    answers = stage.ask(Request("/full?delay=300ms", 40), parallel=20)
    refused = [answer for answer in answers if answer.status == 503]
    assert {answer.status for answer in answers} == {200, 503}
    assert len(refused) >= 15
    assert {answer.headers.get("x-envoy-overloaded") for answer in refused} == {"true"}
    assert overflows(stage) - before == len(refused)
    assert len(stage.arrivals("/full", at_least=40 - len(refused))) == 40 - len(refused)
    log = f"kubectl logs {FRONTEND} -c istio-proxy --since-time={stage.applied_at}"
    until(
        lambda: len(re.findall(r'"GET /full\S* \S+" 503 UO ', stage.run(log))) == len(refused),
        10,
        "the flag in Envoy's access log",
    )


def overflows(stage: RoutingStack) -> int:
    """How often a request found the pool of v1 full, by the caller's Envoy, which makes a cluster's counters with its
    first request.
    """
    counter = rf"outbound\|80\|v1\|{HOST};?\.upstream_rq_pending_overflow: (\d+)"
    return sum(int(count) for count in re.findall(counter, stage.envoy("stats?filter=pending_overflow")))


def limit(cluster: dict[str, object], name: str = "max_connections") -> object:
    """A limit of a cluster's circuit breakers, None where Istio's own, which is none in effect, stands."""
    breakers = json.loads(json.dumps(cluster))["circuit_breakers"]["thresholds"][0]
    return None if breakers.get(name) == 2**32 - 1 else breakers.get(name)


def test_17_a_user_stays_on_one_pod(stage: RoutingStack) -> None:
    """With a hash of a header each of 30 users is answered by one pod, 8 times of 8, and all users together by more
    than one.

    Drawn anew for each request among three pods, a single user would stay by chance once in 2,187 times.
    """
    stage.apply_settings(trafficPolicy={"loadBalancer": {"consistentHash": {"httpHeaderName": "x-user"}}})
    until(lambda: stage.cluster("v1").get("lb_policy") in ("RING_HASH", "MAGLEV"), 10, "the policy is at the caller")
    answers = stage.ask(*[Request("/debug", 8, headers={"x-user": f"user-{number}"}) for number in range(30)])
    pods: dict[int, set[str]] = defaultdict(set)
    for answer in answers:
        pods[answer.request].add(answer.pod)
    assert [len(pods[number]) for number in range(30)] == [1] * 30
    everybody = set().union(*pods.values())
    assert 1 < len(everybody) <= 3
    assert everybody <= set(stage.pods("v1"))


def test_26_each_level_of_a_policy_reaches_its_cluster(stage: RoutingStack) -> None:
    """The host's policy is on the clusters of versions without one, a version's own on its cluster, a port's on that
    of the port.
    """
    stage.apply_settings(
        trafficPolicy={"connectionPool": {"tcp": {"connectTimeout": "3s", "maxConnections": 33}}},
        versions={
            "v2": {"trafficPolicy": {"connectionPool": {"tcp": {"connectTimeout": "4s", "maxConnections": 44}}}},
            "v3": {
                "trafficPolicy": {
                    "portLevelSettings": [{"port": {"number": 80}, "connectionPool": {"tcp": {"maxConnections": 55}}}]
                }
            },
        },
    )
    until(lambda: limit(stage.cluster("v1")) == 33, 10, "the policy is at the caller")
    clusters = {version: stage.cluster(version) for version in ("v1", "v2", "v3")}
    assert {version: limit(cluster) for version, cluster in clusters.items()} == {"v1": 33, "v2": 44, "v3": 55}
    assert (clusters["v1"]["connect_timeout"], clusters["v2"]["connect_timeout"]) == ("3s", "4s")
    assert {answer.status for answer in stage.ask(Request(count=20))} == {200}

    stage.apply_settings()
    until(lambda: limit(stage.cluster("v1")) is None, 10, "the policy is gone")
    assert [limit(stage.cluster(version)) for version in ("v1", "v2", "v3")] == [None, None, None]
