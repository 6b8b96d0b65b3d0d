"""Routing only: weir steers the traffic of a service that somebody else made and goes on to own.

False alarms: each count is refused by chance at most once in a million runs (`stage.accepted`, exact binomial regions).
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest

from tests.live.routing.routing_stack import FORTIO, RoutingStack, accepted, fortio_args
from tests.live.routing.sent_requests import Request

NAMESPACE = "warehouse"


def objects() -> list[dict[str, Any]]:
    """A namespace, a Service and two Deployments, as their owner wrote them."""

    def deployment(version: str) -> dict[str, Any]:
        labels = {"app": "stock", "version": version}
        probe = {"tcpSocket": {"port": 8080}, "periodSeconds": 1}
        container = {
            "name": "stock",
            "image": FORTIO,
            "imagePullPolicy": "IfNotPresent",
            "args": fortio_args(version),
            "readinessProbe": probe,
        }
        pod = {"metadata": {"labels": labels}, "spec": {"containers": [container], "terminationGracePeriodSeconds": 1}}
        spec = {"selector": {"matchLabels": labels}, "template": pod}
        return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": named(f"stock-{version}"), "spec": spec}

    def named(name: str) -> dict[str, Any]:
        return {"name": name, "namespace": NAMESPACE, "labels": {"owner": "warehouse-team"}}

    service = {"selector": {"app": "stock"}, "ports": [{"name": "http", "port": 80, "targetPort": 8080}]}
    return [
        {
            "apiVersion": "v1",
            "kind": "Namespace",
            "metadata": {"name": NAMESPACE, "labels": {"owner": "warehouse-team"}},
        },
        {"apiVersion": "v1", "kind": "Service", "metadata": named("stock"), "spec": service},
        deployment("v1"),
        deployment("v2"),
    ]


@pytest.fixture
def foreign(stage: RoutingStack) -> Iterator[RoutingStack]:
    """The objects above, running, and a stack for them that is not up yet; in the end both are gone."""
    stage.apply(*objects())
    stage.run(f"kubectl rollout status -n {NAMESPACE} deploy --timeout=60s")
    stage.run("pulumi stack init foreign --no-select")
    yield stage
    stage.run("pulumi destroy --yes --stack foreign && pulumi stack rm --yes foreign")
    stage.run(f"kubectl delete namespace {NAMESPACE} --wait=false")


def state(stage: RoutingStack) -> list[Any]:
    """What the owner would see: each object's identity, labels, annotations and spec, without what a controller
    reports of it.
    """
    listed = stage.run(f"kubectl get -n {NAMESPACE} service,deployment -o json")
    found = (
        [json.loads(stage.run(f"kubectl get namespace {NAMESPACE} -o json")), *json.loads(listed)["items"]]
        if listed
        else []
    )
    kept = ("name", "uid", "generation", "labels", "annotations", "ownerReferences", "finalizers")
    return [({key: one["metadata"].get(key) for key in kept}, one["spec"]) for one in found]


def test_25_a_service_of_somebody_else_is_steered_and_left_as_it_was(foreign: RoutingStack) -> None:
    """Callers follow the split that weir sets; through update and destroy the owner's namespace, Service and
    Deployments stay untouched.
    """
    before = state(foreign)
    assert len(before) == 4
    asked = Request(count=500, host=f"stock.{NAMESPACE}")
    for share in (20, 100):
        steered = {"versions": {"v1": {}, "v2": {}}, "stable": "v1", "canary": {"v2": share}}
        foreign.up("foreign", {"namespace": NAMESPACE, "createNamespace": False, "services": {"stock": steered}})
        foreign.settle()
        found = Counter(answer.version for answer in foreign.ask(asked, parallel=20))
        assert found["v2"] in accepted(500, share / 100, unlike=0.5)
        assert found["v1"] + found["v2"] == 500
        assert state(foreign) == before

    foreign.run("pulumi destroy --yes --stack foreign")
    foreign.settle()
    assert foreign.run(f"kubectl get -n {NAMESPACE} virtualservice,destinationrule -o name") == ""
    assert state(foreign) == before
    # Without weir the versions are one: each pod of the Service is as good as the other, asked one after the other.
    found = Counter(answer.version for answer in foreign.ask(asked))
    assert found["v2"] in accepted(500, 0.5, unlike=0.2)
