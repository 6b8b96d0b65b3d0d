"""Numbers of pods that somebody else owns: no update writes them back, and none of their changes is drift."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.live.harness import Project, until
from tests.live.lossless.conftest import soak, temporary_stack
from tests.live.lossless.lab_stack import LabStack, backend


@pytest.fixture(scope="module")
def scaled(lab: Project) -> Iterator[LabStack]:
    """A stack whose number of pods changes hands."""
    with temporary_stack(lab, "scaled") as stack:
        yield stack


def config(**keys: Any) -> dict[str, Any]:
    return {"services": {"backend": {**backend("v1", v1={}), **keys}}}


def pods(stack: LabStack) -> int:
    """How many pods the Deployment of v1 is to have."""
    return int(stack.kubectl("get deployment backend-v1 -o jsonpath={.spec.replicas}"))


def scale(stack: LabStack, number: int) -> None:
    """As an autoscaler does it: through the subresource, under a name of its own."""
    stack.kubectl(f"scale deployment backend-v1 --replicas={number}")
    stack.kubectl("rollout status deployment backend-v1 --timeout=60s")


@soak
def test_a_number_of_pods_changes_hands(scaled: LabStack) -> None:
    """From weir to an autoscaler, to somebody else, and back to weir: it is never what nobody asked for."""
    scaled.up(config(replicas=2))
    auto = {"minReplicas": 2, "maxReplicas": 5}
    scaled.up(config(autoscaling=auto))
    assert pods(scaled) == 2
    found = json.loads(scaled.kubectl("get horizontalpodautoscaler backend-v1 -o json"))["spec"]
    assert {key: found[key] for key in auto} == auto
    scale(scaled, 3)
    scaled.assert_converged()
    scaled.up(config(autoscaling=auto, env={"LOG": "info"}))
    assert pods(scaled) == 3
    assert "differs from the config" not in scaled.run(f"weir status --window 0 --stack {scaled.name}")
    scaled.up(config(replicas="external", env={"LOG": "info"}))
    assert pods(scaled) == 3
    assert not scaled.kubectl("get horizontalpodautoscaler -o name")
    scaled.up(config(replicas="external"), "--refresh")
    assert pods(scaled) == 3
    scaled.up(config(replicas=1))
    assert pods(scaled) == 1
    scaled.assert_converged()


@soak
def test_a_new_version_begins_with_the_least_of_its_autoscaler(scaled: LabStack) -> None:
    """Before it gets requests."""
    keys = config(versions={"v1": {}, "v2": {"autoscaling": {"minReplicas": 2, "maxReplicas": 3}}}, canary={"v2": 10})
    keys["services"]["backend"]["args"] = backend("v1", v1={})["versions"]["v1"]["args"]
    scaled.up(keys)
    ready = scaled.kubectl("get deployment backend-v2 -o jsonpath={.status.readyReplicas}")
    assert ready == "2"
    until(
        lambda: "2" in scaled.kubectl("get hpa backend-v2 -o jsonpath={.status.currentReplicas}"), 60, "it is counted"
    )
