"""More than one pod for what gets much traffic."""

from __future__ import annotations

from typing import Any

import pytest

from policy.known import UNKNOWN
from policy.replicas import too_few
from policy.requests import NARROW_HEADERS
from policy.rule import VIRTUAL_SERVICE, Resource
from tests.unit.policy.cases import Case, meshed, put


def stack(**service: Any) -> list[Resource]:
    """The resources of the tutorial's stack, with keys of its service changed."""
    objects = meshed(service).objects()
    return [
        Resource(VIRTUAL_SERVICE if each["kind"] == "VirtualService" else f"another/{each['kind']}", each)
        for each in objects
    ]


def judged(over: float = 20, least: int = 2, **service: Any) -> list[str]:
    return too_few(stack(**service), over, least, NARROW_HEADERS.default)


def unknown(kind: str, path: str, **service: Any) -> list[str]:
    """The same with what stands at a path of every resource of a kind not known yet."""
    resources = [
        Resource(kind, put(dict(each.props), path, UNKNOWN)) if each.kind == kind else each for each in stack(**service)
    ]
    return too_few(resources, 20, 2, NARROW_HEADERS.default)


def in_kind(kind: str, twice: bool = False, replicas: int | None = 1) -> list[str]:
    """The one version's pods in an object of a kind, with the version in the labels of the pods alone."""
    resources = []
    for each in stack(versions={"v1": {}}, canary={}):
        if "Deployment" in each.kind and each.props["metadata"]["name"] != "frontend":
            changed = put(put(put(dict(each.props), "kind", kind), "metadata.labels", {}), "spec.replicas", replicas)
            if replicas is None:
                del changed["spec"]["replicas"]
            resources += [Resource(f"apps/{kind}", changed)] * (2 if twice else 1)
        else:
            resources.append(each)
    return too_few(resources, 20, 2, NARROW_HEADERS.default)


TWO_AND_ONE: dict[str, Any] = {"v1": {"replicas": 2}, "v2": {}}
ROUTING_ONLY: dict[str, Any] = {"image": None, "versions": {"v1": {}, "v2": {}}, "targetPort": None}
CASES = [
    Case("replicas-for-share", "two pods each", lambda: judged(replicas=2)),
    Case("replicas-for-share", "as many as somebody else says", lambda: judged(replicas="external")),
    Case(
        "replicas-for-share",
        "two at the least by an autoscaler",
        lambda: judged(autoscaling={"minReplicas": 2, "maxReplicas": 3}),
    ),
    Case(
        "replicas-for-share",
        "one at the least by an autoscaler",
        lambda: judged(autoscaling={"maxReplicas": 3}),
        [
            "backend: v1 gets 80 % of the requests and has replicas: 1; above 20 % it needs at least 2: raise replicas, "
            "or send it less"
        ],
    ),
    Case(
        "replicas-for-share",
        "one for as much as one may get",
        lambda: judged(versions={"v1": {"replicas": 2}, "v2": {}}),
    ),
    Case(
        "replicas-for-share",
        "one for the stable version",
        lambda: judged(),
        [
            (
                "backend: v1 gets 80 % of the requests and has replicas: 1; above 20 % it needs at least 2: raise "
                "replicas, or send it less"
            )
        ],
    ),
    Case(
        "replicas-for-share",
        "one for a canary that grew",
        lambda: judged(versions={"v1": {"replicas": 2}, "v2": {}}, canary={"v2": 20.5}),
        [
            (
                "backend: v2 gets 20.5 % of the requests and has replicas: 1; above 20 % it needs at least 2: raise "
                "replicas, or send it less"
            )
        ],
    ),
    Case(
        "replicas-for-share",
        "other numbers",
        lambda: judged(over=90, least=3, replicas=2, canary={}),
        [
            (
                "backend: v1 gets 100 % of the requests and has replicas: 2; above 90 % it needs at least 3: raise "
                "replicas, or send it less"
            )
        ],
    ),
    Case(
        "replicas-for-share",
        "one for a route of many requests",
        lambda: judged(
            versions=TWO_AND_ONE,
            canary={},
            routes=[{"name": "api", "match": [{"uri": {"prefix": "/api"}}], "stable": "v2"}],
        ),
        [
            (
                "backend: v2 gets 100 % of the requests of route api and has replicas: 1; above 20 % it needs at least "
                "2: raise replicas, or send it less"
            )
        ],
    ),
    Case(
        "replicas-for-share",
        "one for a route of testers",
        lambda: judged(
            versions=TWO_AND_ONE,
            canary={},
            routes=[{"name": "beta", "match": [{"headers": {"x-user": {"exact": "beta"}}}], "stable": "v2"}],
        ),
    ),
    Case(
        "replicas-for-share",
        "one in a StatefulSet",
        lambda: in_kind("StatefulSet"),
        [
            (
                "backend: v1 gets 100 % of the requests and has replicas: 1; above 20 % it needs at least 2: raise "
                "replicas, or send it less"
            )
        ],
    ),
    Case("replicas-for-share", "one on each node", lambda: in_kind("DaemonSet", replicas=None)),
    Case("replicas-for-share", "two Deployments of one pod each", lambda: in_kind("Deployment", twice=True)),
    Case("replicas-for-share", "routing only", lambda: judged(**ROUTING_ONLY)),
    Case("replicas-for-share", "a route that is not known yet", lambda: unknown(VIRTUAL_SERVICE, "spec")),
    Case(
        "replicas-for-share", "a number that is not known yet", lambda: unknown("another/Deployment", "spec.replicas")
    ),
]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_replicas(case: Case) -> None:
    """Share and pods of each version are held together; a client has no share."""
    case.check()
