"""More than one pod for what gets much traffic."""

from __future__ import annotations

from typing import Any

import pytest

from policy.known import UNKNOWN
from policy.replicas import too_few
from policy.rule import DEPLOYMENT, VIRTUAL_SERVICE, Resource
from tests.unit.policy.cases import Case, meshed, put


def stack(**service: Any) -> list[Resource]:
    """The resources of the tutorial's stack, with keys of its service changed."""
    objects = meshed(service).objects()
    kinds = {"Deployment": DEPLOYMENT, "VirtualService": VIRTUAL_SERVICE}
    return [Resource(kinds.get(each["kind"], "another"), each) for each in objects]


def judged(over: float = 20, least: int = 2, **service: Any) -> list[str]:
    return too_few(stack(**service), over, least)


def unknown(kind: str, path: str, **service: Any) -> list[str]:
    """The same with what stands at a path of every resource of a kind not known yet."""
    resources = [Resource(kind, put(dict(each.props), path, UNKNOWN)) if each.kind == kind else each for each in stack(**service)]
    return too_few(resources, 20, 2)


ROUTING_ONLY: dict[str, Any] = {"image": None, "versions": {"v1": {}, "v2": {}}, "targetPort": None}
CASES = [
    Case("replicas-for-share", "two pods each", lambda: judged(replicas=2)),
    Case("replicas-for-share", "one for as much as one may get", lambda: judged(versions={"v1": {"replicas": 2}, "v2": {}})),
    Case(
        "replicas-for-share",
        "one for the stable version",
        lambda: judged(),
        ["backend: v1 gets 80 % of the requests and has replicas: 1; above 20 % it needs at least 2: raise replicas, or send it less"],
    ),
    Case(
        "replicas-for-share",
        "one for a canary that grew",
        lambda: judged(versions={"v1": {"replicas": 2}, "v2": {}}, canary={"v2": 20.5}),
        ["backend: v2 gets 20.5 % of the requests and has replicas: 1; above 20 % it needs at least 2: raise replicas, or send it less"],
    ),
    Case(
        "replicas-for-share",
        "other numbers",
        lambda: judged(over=90, least=3, replicas=2, canary={}),
        ["backend: v1 gets 100 % of the requests and has replicas: 2; above 90 % it needs at least 3: raise replicas, or send it less"],
    ),
    Case("replicas-for-share", "routing only", lambda: judged(**ROUTING_ONLY)),
    Case("replicas-for-share", "a route that is not known yet", lambda: unknown(VIRTUAL_SERVICE, "spec")),
    Case("replicas-for-share", "a number that is not known yet", lambda: unknown(DEPLOYMENT, "spec.replicas")),
]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_replicas(case: Case) -> None:
    """Share and pods of each version are held together; a client has no share."""
    case.check()
