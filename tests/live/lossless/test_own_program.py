"""Components in a program of one's own, without a stack config: the promises hold there too."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.live.harness import Project
from tests.live.lossless.conftest import RATE
from tests.live.lossless.load import Load
from tests.live.lossless.scene import FORTIO, Scene

SOURCE = Path(__file__).parents[1] / "programs" / "own"
SIGMAS = 6.0
"""A share this far from what is written comes by chance once in 500 million times; 1,000 requests see 10 % in place of 20 %."""


@pytest.fixture
def own(lab: Project) -> Iterator[Scene]:
    """The stack of the program."""
    with Scene.beside(lab, SOURCE, "own") as scene:
        yield scene


def apply(scene: Scene, versions: Sequence[str], stable: str, **canary: float) -> None:
    """One `pulumi up` of the program with these versions of backend."""
    written = json.dumps({"versions": versions, "stable": stable, "canary": canary})
    scene.run(f"pulumi config set --stack own image {FORTIO} && pulumi config set --stack own backend '{written}'")
    scene.up()


def assert_split(load: Load, shares: dict[str, float]) -> None:
    """What each version gets of at least 1,000 requests from now on is what is written, but for chance."""
    before = load.read()
    load.wait(1000)
    counts = load.read().versions_since(before)
    total = sum(counts.values())
    assert set(counts) == {version for version, share in shares.items() if share}
    for version, share in shares.items():
        assert abs(counts.get(version, 0) - total * share) <= SIGMAS * math.sqrt(total * share * (1 - share)) + 1, counts


def test_a_program_of_ones_own_loses_nothing(own: Scene) -> None:
    """A version comes, gets its share, takes over, and the old one goes, under load; then there is nothing to do."""
    apply(own, ["v1"], "v1")
    with Load(own, rate=RATE) as load:
        apply(own, ["v1", "v2"], "v1", v2=20)
        assert outputs(own) == {"host": "backend.own.svc.cluster.local", "weights": {"v1": 80, "v2": 20}}
        assert_split(load, {"v1": 0.8, "v2": 0.2})
        apply(own, ["v1", "v2"], "v2", v1=50)
        assert_split(load, {"v1": 0.5, "v2": 0.5})
        apply(own, ["v2"], "v2")
        assert_split(load, {"v2": 1.0})
        answer = own.run(load.caller.exec("caller", "/usr/bin/fortio curl http://orders.own.svc.cluster.local/") + " 2>&1")
        # Envoy writes the names of headers in lower case.
        assert "version: v2" in answer.lower(), answer
        tally = load.stop()
    tally.assert_nothing_lost()
    own.assert_converged()
    [pod] = json.loads(own.kubectl("get pods -l app=orders,version=v2 -o json"))["items"]
    [before] = [each for each in pod["status"]["initContainerStatuses"] if each["name"] == "before"]
    assert before["state"]["terminated"]["exitCode"] == 0


def outputs(scene: Scene) -> Any:
    return json.loads(scene.run("pulumi stack output --stack own --json"))
