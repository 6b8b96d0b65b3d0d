"""The stage: one stack for all tests of the directory, and what stands beside it that weir did not make."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from tests.live.harness import Project
from tests.live.routing.routing_stack import CURL, NAMESPACE, OUTSIDER, RoutingStack


@pytest.fixture(scope="package")
def stage(lab: Project) -> Iterator[RoutingStack]:
    """The stack, up, with all traffic on v1; WEIR_KEEP_LAB=1 leaves it running."""
    made = RoutingStack.create(lab)
    made.run("pulumi stack init stage --no-select", check=False)
    made.use_account("stage")
    made.apply_settings()
    outsider = {
        "metadata": {"name": "outsider", "namespace": NAMESPACE, "labels": {"sidecar.istio.io/inject": "false"}},
        "spec": {
            "terminationGracePeriodSeconds": 1,
            "containers": [
                {"name": "curl", "image": CURL, "imagePullPolicy": "IfNotPresent", "command": ["sleep", "infinity"]}
            ],
        },
    }
    logs = {
        "metadata": {"name": "access-log", "namespace": NAMESPACE},
        "spec": {"accessLogging": [{"providers": [{"name": "envoy"}]}]},
    }
    made.apply(
        {"apiVersion": "v1", "kind": "Pod", **outsider},
        {"apiVersion": "telemetry.istio.io/v1", "kind": "Telemetry", **logs},
    )
    made.run(f"kubectl wait --for=condition=Ready {OUTSIDER} --timeout=60s")
    made.settle()
    yield made
    if os.environ.get("WEIR_KEEP_LAB") != "1":
        # Not by pulumi destroy, which has a test of its own with this account, and takes a sixth of a minute.
        # What `weir rbac` made goes too, the namespace and what is in istiod's: a later test looks for anything left
        # with weir's label.
        made.run(
            "weir rbac --stack stage | kubectl delete -f - && pulumi stack rm --yes --force stage && pulumi stack "
            "select dev"
        )
