"""Final answers by version, from what Envoy itself prints."""

from __future__ import annotations

from weir.measurement.answers import BOUNDS, Answers, Reading, between, parsed, statistics
from weir.measurement.clusters import Measured

SERVICE = Measured("backend.demo.svc.cluster.local", 80, {"other.demo.svc.cluster.local:80": "v4"})
# As Envoy 1.36 printed it for 200 requests over three clusters with two retries each: v1 answers 500 to 30 % of the
# attempts, v2 has no endpoint, and nobody listens at v3's. Its caller saw 97 times 200, 4 times 500 and 99 times 503.
STATISTICS = """\
cluster.outbound|80|v1|backend.demo.svc.cluster.local.external.upstream_rq_5xx: 4
cluster.outbound|80|v1|backend.demo.svc.cluster.local.external.upstream_rq_completed: 101
cluster.outbound|80|v1|backend.demo.svc.cluster.local.retry.upstream_rq_500: 38
cluster.outbound|80|v1|backend.demo.svc.cluster.local.retry.upstream_rq_5xx: 38
cluster.outbound|80|v1|backend.demo.svc.cluster.local.retry.upstream_rq_completed: 38
cluster.outbound|80|v1|backend.demo.svc.cluster.local.upstream_rq_200: 97
cluster.outbound|80|v1|backend.demo.svc.cluster.local.upstream_rq_5xx: 4
cluster.outbound|80|v1|backend.demo.svc.cluster.local.upstream_rq_completed: 101
cluster.outbound|80|v1|backend.demo.svc.cluster.local.upstream_rq_total: 139
cluster.outbound|80|v2|backend.demo.svc.cluster.local.upstream_rq_5xx: 55
cluster.outbound|80|v2|backend.demo.svc.cluster.local.upstream_rq_completed: 55
cluster.outbound|80|v3|backend.demo.svc.cluster.local;.upstream_rq_5xx: 44
cluster.outbound|80|v3|backend.demo.svc.cluster.local;.upstream_rq_completed: 44
cluster.outbound|80|v3|orders.demo.svc.cluster.local.upstream_rq_completed: 7
cluster.outbound|80||other.demo.svc.cluster.local.upstream_rq_completed: 5
cluster.outbound|80|v1|backend.demo.svc.cluster.local.external.upstream_rq_time:
  totals=0,0:50, 1,0.1:7
  intervals=0,0:14
  summary=P0(0,0) P25(0,0)
cluster.outbound|80|v1|backend.demo.svc.cluster.local.upstream_rq_time:
  totals=0,0:50, 1,0.1:7, 2,0.1:3, 9,0.1:3, 10,1:3, 11,1:2, 12,1:3, 45,1:1, 100,10:1, 1.2e+03,1e+02:1
  intervals=0,0:14, 1,0.1:1
  summary=P0(0,0) P25(0,0)
"""


def test_each_request_counts_once_by_its_final_answer() -> None:
    """What a caller saw is what is counted, of versions that nothing reaches too."""
    found = statistics(parsed(STATISTICS), SERVICE)
    assert {name: (each.requests, each.failures) for name, each in found.items()} == {
        "v1": (101, 4), "v2": (55, 55), "v3": (44, 44), "v4": (5, 0),
    }  # fmt: skip
    assert found["v1"].retried == 38


def test_answers_are_slower_than_a_bound_from_its_edge_on() -> None:
    """Envoy's buckets have two digits, and the bounds are edges of theirs."""
    slower = statistics(parsed(STATISTICS), SERVICE)["v1"].slower()
    assert slower[0.001] == 24
    assert slower[0.01] == 11
    assert slower[0.012] == 6
    assert slower[0.047] == 2
    assert slower[1.2] == 1
    assert slower[1.5] == 0
    assert tuple(sorted(BOUNDS)) == BOUNDS


def test_a_counter_that_fell_leaves_its_caller_out() -> None:
    """Another proxy counts from zero, and what it has counted may be of another time."""
    before = {"a": Reading(statistics(parsed(STATISTICS), SERVICE)), "b": Reading({"v1": Answers(10, 1)})}
    more = STATISTICS.replace("upstream_rq_completed: 101", "upstream_rq_completed: 111")
    after = {
        "a": Reading(statistics(parsed(more), SERVICE)),
        "b": Reading({"v1": Answers(9, 1)}),
        "c": Reading({"v1": Answers(5)}),
    }
    found = between(before, after)
    assert (found["v1"].requests, found["v1"].failures, found["v1"].timed) == (10, 0, 0)


def test_a_first_request_after_none_is_counted() -> None:
    """Envoy names a statistic once it has been used; a version's first requests came since."""
    found = between({"a": Reading({}, attempts=True)}, {"a": Reading({"v1": Answers(3, 1)})})
    assert (found["v1"].requests, found["v1"].failures) == (3, 1)


# As Envoy 1.40 printed it; what happened to the requests of each cluster stands in the test.
GIVEN_UP = """\
cluster.outbound|80|aborted|backend.demo.svc.cluster.local.upstream_rq_active: 0
cluster.outbound|80|aborted|backend.demo.svc.cluster.local.upstream_rq_completed: 3
cluster.outbound|80|aborted|backend.demo.svc.cluster.local.upstream_rq_total: 3
cluster.outbound|80|inflight|backend.demo.svc.cluster.local.upstream_rq_active: 3
cluster.outbound|80|inflight|backend.demo.svc.cluster.local.upstream_rq_total: 3
cluster.outbound|80|pending|backend.demo.svc.cluster.local.upstream_rq_cancelled: 5
cluster.outbound|80|pertry|backend.demo.svc.cluster.local.upstream_rq_active: 0
cluster.outbound|80|pertry|backend.demo.svc.cluster.local.upstream_rq_completed: 3
cluster.outbound|80|pertry|backend.demo.svc.cluster.local.upstream_rq_retry: 3
cluster.outbound|80|pertry|backend.demo.svc.cluster.local.upstream_rq_total: 6
cluster.outbound|80|refused|backend.demo.svc.cluster.local.upstream_rq_5xx: 5
cluster.outbound|80|refused|backend.demo.svc.cluster.local.upstream_rq_completed: 5
cluster.outbound|80|refused|backend.demo.svc.cluster.local.upstream_rq_pending_failure_eject: 5
cluster.outbound|80|retried|backend.demo.svc.cluster.local.retry.upstream_rq_5xx: 6
cluster.outbound|80|retried|backend.demo.svc.cluster.local.retry.upstream_rq_completed: 6
cluster.outbound|80|retried|backend.demo.svc.cluster.local.upstream_rq_5xx: 5
cluster.outbound|80|retried|backend.demo.svc.cluster.local.upstream_rq_active: 0
cluster.outbound|80|retried|backend.demo.svc.cluster.local.upstream_rq_completed: 5
cluster.outbound|80|retried|backend.demo.svc.cluster.local.upstream_rq_retry: 6
cluster.outbound|80|retried|backend.demo.svc.cluster.local.upstream_rq_total: 11
cluster.outbound|80|hung|backend.demo.svc.cluster.local.upstream_rq_active: 0
cluster.outbound|80|hung|backend.demo.svc.cluster.local.upstream_rq_completed: 5
cluster.outbound|80|hung|backend.demo.svc.cluster.local.upstream_rq_total: 10
cluster.outbound|80|streams|backend.demo.svc.cluster.local.upstream_rq_active: 3
cluster.outbound|80|streams|backend.demo.svc.cluster.local.upstream_rq_completed: 3
cluster.outbound|80|streams|backend.demo.svc.cluster.local.upstream_rq_total: 3
cluster.outbound|80|timeout|backend.demo.svc.cluster.local.upstream_rq_5xx: 5
cluster.outbound|80|timeout|backend.demo.svc.cluster.local.upstream_rq_active: 0
cluster.outbound|80|timeout|backend.demo.svc.cluster.local.upstream_rq_completed: 5
cluster.outbound|80|timeout|backend.demo.svc.cluster.local.upstream_rq_total: 5
"""


def test_requests_that_got_no_answer_are_told_apart() -> None:
    """Those that were begun and are neither answered nor under way have been given up by their callers."""
    found = statistics(parsed(GIVEN_UP), SERVICE)
    assert {name: (each.requests, each.failures, each.unanswered, each.active) for name, each in found.items()} == {
        # Five answered, and five that never were: their caller waited half a second.
        "hung": (5, 0, 5, 0),
        # Five that hung on a connection that was never made.
        "pending": (0, 0, 5, 0),
        # Three under way.
        "inflight": (0, 0, 3, 3),
        # Answers that have begun and not ended, and some whose caller went away in the middle.
        "streams": (3, 0, 0, 3),
        "aborted": (3, 0, 0, 0),
        # Answers of Envoy itself: the route's timeout (504), and nobody who listens (503).
        "timeout": (5, 5, 0, 0),
        "refused": (5, 5, 0, 0),
        # Tried again: 500, and timeouts of a try.
        "retried": (5, 5, 0, 0),
        "pertry": (3, 0, 0, 0),
    }


def test_a_few_statistics_are_none() -> None:
    """Istio's documentation has proxies keep upstream_rq_retry alone: attempts are counted then."""
    lines = "cluster.outbound|80|v1|backend.demo.svc.cluster.local;.upstream_rq_retry: 3\n"
    assert statistics(parsed(lines), SERVICE) == {}
