"""How a service's traffic is divided between versions, counted at the caller.

False alarms: each count is refused by chance at most once in a million runs (`stage.accepted`, exact binomial regions).
"""

from __future__ import annotations

from collections import Counter

from tests.live.lossless.conftest import soak
from tests.live.routing.routing_stack import HOST, OUTSIDER, RoutingStack, accepted
from tests.live.routing.sent_requests import Request
from weir.measurement.clusters import Measured
from weir.measurement.proxy_config import ADMIN_PATH, read_routes, route_named


def counted(stage: RoutingStack, count: int, path: str = "/") -> Counter[str]:
    """How many of so many requests each version answered; any answer but a good one of a version fails."""
    answers = stage.ask(Request(path, count), parallel=20)
    assert {answer.status for answer in answers} == {200}
    return Counter(answer.version for answer in answers)


def test_5_three_versions_share_as_configured(stage: RoutingStack) -> None:
    """At 50/30/20 each version's count of 1,000 is within its exact bound, and all requests are answered by one of
    them.
    """
    stage.apply_settings(canary={"v2": 30, "v3": 20})
    found = counted(stage, 1000)
    assert found["v1"] in accepted(1000, 0.5, unlike=0.65)
    assert found["v2"] in accepted(1000, 0.3, unlike=0.45)
    assert found["v3"] in accepted(1000, 0.2, unlike=0.35)
    assert found.total() == 1000
    assert set(found) == {"v1", "v2", "v3"}


def test_6_a_canary_of_half_a_percent_gets_half_a_percent(stage: RoutingStack) -> None:
    """Of 4,000 requests some and not too many reach v2, which a canary of 0 or of 2 % would fail; Envoy's own share is
    exact.
    """
    stage.apply_settings(canary={"v2": 0.5})
    route = route_named(read_routes(stage.envoy(ADMIN_PATH), Measured(HOST, 80)), "default")
    assert route is not None
    assert {name: float(share) for name, share in route.shares.items()} == {"v1": 0.995, "v2": 0.005}
    found = counted(stage, 4000)
    assert found["v2"] in accepted(4000, 0.005, unlike=0)
    assert found["v2"] in accepted(4000, 0.005, unlike=0.02)
    assert found["v1"] + found["v2"] == 4000


def test_a_route_divides_by_itself(stage: RoutingStack) -> None:
    """A route with a canary of its own splits, the default route beside it does not, and neither takes over the
    other's canary.
    """
    half = {"name": "half", "match": [{"uri": {"prefix": "/half"}}], "canary": {"v3": 50}}
    whole = {"name": "whole", "match": [{"uri": {"prefix": "/whole"}}]}
    stage.apply_settings(canary={"v2": 100}, routes=[half, whole])
    assert counted(stage, 300, "/half")["v3"] in accepted(300, 0.5, unlike=0.75)
    assert set(counted(stage, 100, "/half")) == {"v1", "v3"}
    assert counted(stage, 100, "/whole") == {"v1": 100}
    assert counted(stage, 100) == {"v2": 100}


@soak
def test_24_a_caller_without_sidecar_bypasses_the_rules(stage: RoutingStack) -> None:
    """With v2 at 0 % and every request aborted, the mesh's caller gets only 503, and a pod without sidecar is answered
    by all versions.

    Each request has a connection of its own, which the Service gives to any of five pods, three of them of v1: that
    one of the others is not among 150 happens once in 10^14 runs.
    """
    stage.apply_settings(canary={"v2": 0}, fault={"abort": {"percentage": 100, "httpStatus": 503}})
    asked = Request(count=150, headers={"connection": "close"})
    inside, outside = stage.ask(asked), stage.ask(asked, caller=OUTSIDER)
    assert {answer.status for answer in inside} == {503}
    assert {answer.status for answer in outside} == {200}
    assert {answer.version for answer in outside} == {"v1", "v2", "v3"}
