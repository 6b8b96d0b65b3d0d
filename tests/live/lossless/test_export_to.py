"""Rules become visible to others while requests go on: `exportTo` from none to the namespace alone, to others, and to
all.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from tests.live.harness import Project
from tests.live.lossless.callers import ELSEWHERE
from tests.live.lossless.conftest import RATE, soak, temporary_stack
from tests.live.lossless.lab_stack import LabStack, backend
from tests.live.lossless.load import Load, slow

POLICY = {"trafficPolicy": {"loadBalancer": {"simple": "ROUND_ROBIN"}}}


@pytest.fixture
def visible(lab: Project) -> Iterator[LabStack]:
    """The stack of the rules that others come to see. It is one way: rules that all see cannot be hidden without
    losing requests.
    """
    with temporary_stack(lab, "visible") as stack:
        # Another module's may be on its way out.
        stack.run(f"kubectl delete namespace {ELSEWHERE} --ignore-not-found")
        yield stack
        stack.run(f"kubectl delete namespace {ELSEWHERE} --wait=false")


def config(service: Mapping[str, Any], *seen_by: str) -> dict[str, Any]:
    """The service with a policy for all its versions; nothing named: no `exportTo`."""
    return {"services": {"backend": {**service, **POLICY, **({"exportTo": list(seen_by)} if seen_by else {})}}}


@soak
def test_rules_that_others_see(visible: LabStack) -> None:
    """With three versions and a policy for all of them, for callers of its own namespace and of another one.

    Whoever sees nothing of it divides requests by pods; whoever sees a part of it would lose them.
    """
    three = backend("v1", {"v2": 20, "v3": 10}, v1={}, v2={}, v3={})
    visible.up(config(three))
    with Load(visible, slow(visible), rate=RATE, elsewhere=True) as load:
        for seen_by in (["."], [".", "istio-ingress"], [".", ELSEWHERE], ["*"]):
            visible.up(config(three, *seen_by), "--skip-preview")
            assert json.loads(visible.kubectl("get virtualservice backend -o json"))["spec"]["exportTo"] == seen_by
            if seen_by == ["."]:
                # Callers elsewhere have the Service and none of its versions: a new one is not known to them, ever.
                four = backend("v1", {"v2": 20, "v4": 10}, v1={}, v2={}, v3={}, v4={})
                visible.up(config(four, *seen_by), "--skip-preview")
                visible.up(config(three, *seen_by), "--skip-preview")
        # The rules by which it is seen now come and go with versions as any do.
        visible.up(config(backend("v2", v2={}), "*"), "--skip-preview")
        visible.up(config(backend("v1", {"v2": 20}, v1={}, v2={}), "*"), "--skip-preview")
        load.stop().assert_nothing_lost()
    visible.assert_converged()
