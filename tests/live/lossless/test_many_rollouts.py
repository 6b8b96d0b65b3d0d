"""Fifty services rolled out as one by one process: no step comes later than two seconds after its time, as a caller's own
Envoy has it.

The services are routes of their own over the same pods, which somebody else runs (`workload`): what is measured are the
updates, the looks and the states of fifty, not what a hundred Deployments do to a node.
"""

from __future__ import annotations

import json
import re
import shlex
import time
from collections.abc import Iterator
from contextlib import contextmanager
from copy import deepcopy
from datetime import datetime
from typing import IO, Any

import pytest

from tests.live.harness import Project
from tests.live.lossless.callers import Caller, namespace
from tests.live.lossless.conftest import soak, temporary_stack
from tests.live.lossless.lab_stack import FORTIO, LabStack, server
from tests.live.lossless.load import SHORT, Load
from tests.live.lossless.running_update import RunningUpdate

NAMES = [f"shop-{number:02}" for number in range(1, 51)]
SHARES = (10, 30)
PAUSE_SECONDS = 20
LATE_SECONDS = 2.0
# Each look of the caller at its own Envoy: the time, and how often each weight is there.
_WATCH = (
    "while :; do echo $(date +%s.%N) $(curl -s localhost:15000/config_dump?resource=dynamic_route_configs | "
    r"""tr -d ' \n' | grep -o '"weight":[0-9]*' | sort | uniq -c); sleep 0.2; done"""
)


def config() -> dict[str, Any]:
    """What stands before the rollout."""
    versions = {version: {"workload": f"deployment/shared-{version}"} for version in ("v1", "v2")}
    analysis = {"patience": "1ms", "undecided": "promote"}
    service = {
        "port": 80,
        "targetPort": 8080,
        "selector": {"app": "shared"},
        "versions": versions,
        "stable": "v1",
        "canary": {"v2": 0},
        "retries": {"attempts": 0},
        # Most of them have no requests: their steps end with their pauses.
        "rollout": {"steps": list(SHARES), "pause": f"{PAUSE_SECONDS}s", "analysis": analysis},
    }
    return {"createNamespace": False, "services": {name: deepcopy(service) for name in NAMES}}


def scene(place: str) -> list[dict[str, Any]]:
    """The Services and the pods."""
    made: list[dict[str, Any]] = [
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {"name": name, "namespace": place},
            "spec": {"selector": {"app": "shared"}, "ports": [{"name": "http", "port": 80, "targetPort": 8080}]},
        }
        for name in NAMES
    ]
    for version in ("v1", "v2"):
        labels = {"app": "shared", "version": version}
        container = {
            "name": "shared",
            "image": FORTIO,
            "imagePullPolicy": "IfNotPresent",
            "args": server(version)["args"],
            "readinessProbe": {"tcpSocket": {"port": 8080}, "periodSeconds": 1},
        }
        template = {"metadata": {"labels": labels}, "spec": {"containers": [container]}}
        metadata = {"name": f"shared-{version}", "namespace": place}
        spec = {"selector": {"matchLabels": labels}, "template": template}
        made.append({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata, "spec": spec})
    return made


@pytest.fixture
def many(lab: Project) -> Iterator[LabStack]:
    with temporary_stack(lab, "many") as stack:
        stack.apply(namespace(stack.namespace))
        stack.apply(*scene(stack.namespace))
        stack.kubectl("rollout status deployment --timeout=120s")
        stack.up(config(), "--skip-preview")
        yield stack


@contextmanager
def weights(stack: LabStack, caller: Caller) -> Iterator[IO[str]]:
    """What a caller's Envoy has, look by look, in a file."""
    path = stack.project.directory / "many.weights.log"
    with path.open("w") as output:
        watching = stack.start(caller.exec("istio-proxy", f"sh -c {shlex.quote(_WATCH)}"), stdout=output)
    try:
        with path.open() as file:
            yield file
    finally:
        watching.kill()
        watching.wait()


def looks(text: str) -> list[tuple[float, dict[int, int]]]:
    """When, and of how many services a route has each weight."""
    found = []
    for line in text.splitlines():
        moment, _, rest = line.partition(" ")
        counts = {int(weight): int(count) for count, weight in re.findall(r'(\d+) "weight":(\d+)', rest)}
        found.append((float(moment), counts))
    return found


def kept(stack: LabStack) -> dict[str, Any]:
    """The state of the first service, which has the same times as all."""
    found = stack.kubectl(f"get configmap weir-rollout-{NAMES[0]} --ignore-not-found -o json")
    return dict(json.loads(json.loads(found)["data"]["state"])) if found else {"phase": "begun"}


@soak
def test_fifty_services_as_one(many: LabStack) -> None:
    """From one share to the next all of them within two seconds after the pause, and so the promotion; a step begins no
    sooner than the caller has it; no request of the one service that has some is lost.
    """
    since: dict[int, float] = {}
    with Load(many, rate=SHORT, service=NAMES[0]) as load, weights(many, load.caller) as seen:
        command = f".venv/bin/weir rollout {' '.join(f'{name}=v2' for name in NAMES)} --yes"
        with RunningUpdate(many, command) as running:
            while running.process.poll() is None:
                state = kept(many)
                if state["phase"] == "step":
                    since[state["index"]] = datetime.fromisoformat(state["since"]).timestamp()
                time.sleep(1)
            update = running.wait()
        assert update.code == 0, update.said[-3000:]
        history = looks(seen.read().rpartition("\n")[0])
        load.stop().assert_nothing_lost()
    has = [next(at for at, counts in history if counts.get(share) == len(NAMES)) for share in SHARES]
    promoted = next(at for at, counts in history if at > has[-1] and SHARES[-1] not in counts)
    late = [at - since[index] - PAUSE_SECONDS for index, at in enumerate((*has[1:], promoted))]
    print(f"steps of {len(NAMES)} services, seconds after their time: {[round(each, 2) for each in late]}")
    # A step's time begins once callers have it, and a look takes a tenth of a second, and comes every 0.2.
    assert all(since[index] >= at - 0.4 for index, at in enumerate(has)), (since, has)
    # Nor does one come sooner than its pause is over.
    assert -0.1 <= min(late) <= max(late) <= LATE_SECONDS, late
