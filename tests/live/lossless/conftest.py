"""What the lossless tests share: stacks of their own, removed at the end."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import pytest

from tests.live.harness import Project, discard
from tests.live.lossless.load import FULL, SHORT, Load
from tests.live.lossless.scene import Scene

SOAKING = os.environ.get("WEIR_SOAK") == "1"
"""Whether the tests run that take minutes each, which `make test` has no time for: `make soak-tests`."""

RATE = FULL if SOAKING else SHORT
"""How many requests the load of a test sends."""

soak = pytest.mark.skipif(not SOAKING, reason="takes minutes: make soak-tests")


@contextmanager
def scene_of(lab: Project, name: str) -> Iterator[Scene]:
    """A stack of this name, discarded at the end; WEIR_KEEP_LAB=1 leaves it standing."""
    made = Scene.create(lab, name)
    yield made
    if os.environ.get("WEIR_KEEP_LAB") != "1":
        discard(lab, name, name)


@contextmanager
def loaded(scene: Scene, standing: Mapping[str, Any], options: str = "") -> Iterator[Load]:
    """Requests from before the first test until after the last, none of which may fail."""
    scene.up(standing, options)
    with Load(scene, rate=RATE) as running:
        yield running
        running.stop().assert_nothing_lost()


@contextmanager
def left_as(scene: Scene, standing: Mapping[str, Any], request: pytest.FixtureRequest) -> Iterator[None]:
    """Each test leaves the services of `standing` behind, so that any of them can be left out; one that failed is
    cleaned up after.
    """
    failed = request.session.testsfailed
    yield
    if request.session.testsfailed > failed:
        scene.pulumi("cancel --yes")
        scene.up(standing, "--refresh")
    assert (scene.stands or {}).get("services") == standing["services"], (
        "the test leaves something else behind than it found"
    )


@pytest.fixture
def life(lab: Project) -> Iterator[Scene]:
    """The stack of the life."""
    with scene_of(lab, "life") as scene:
        yield scene


@pytest.fixture(scope="module")
def pitfalls(lab: Project) -> Iterator[Scene]:
    """The stack of the pitfalls; each test begins by saying what stands."""
    with scene_of(lab, "pitfalls") as scene:
        yield scene


@pytest.fixture(scope="module")
def hazards(lab: Project) -> Iterator[Scene]:
    """The stack of the changes that once lost requests."""
    scene = Scene.create(lab, "hazards")
    yield scene
    if os.environ.get("WEIR_KEEP_LAB") != "1":
        scene.remove()
        # The last test has let go of it.
        assert scene.succeeds("kubectl get namespace hazards"), (
            "destroying a stack deletes no namespace that is somebody else's"
        )
        scene.run("kubectl delete namespace hazards --wait=false")


@pytest.fixture(scope="module")
def failures(lab: Project) -> Iterator[Scene]:
    """The stack of the failures."""
    with scene_of(lab, "failures") as scene:
        yield scene
