"""What the lossless tests share: stacks of their own, removed at the end."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import pytest

from tests.live.harness import Project, discard
from tests.live.lossless.lab_stack import LabStack
from tests.live.lossless.load import FULL, SHORT, Load

SOAKING = os.environ.get("WEIR_SOAK") == "1"
"""Whether the tests run that take minutes each, which `make test` has no time for: `make soak-tests`."""

RATE = FULL if SOAKING else SHORT
"""How many requests the load of a test sends."""

soak = pytest.mark.skipif(not SOAKING, reason="takes long: make soak-tests")


@contextmanager
def temporary_stack(lab: Project, name: str) -> Iterator[LabStack]:
    """A stack of this name, discarded at the end; WEIR_KEEP_LAB=1 leaves it standing."""
    made = LabStack.create(lab, name)
    yield made
    if os.environ.get("WEIR_KEEP_LAB") != "1":
        discard(lab, name, name)


@contextmanager
def under_load(stack: LabStack, standing: Mapping[str, Any], options: str = "") -> Iterator[Load]:
    """Requests from before the first test until after the last, none of which may fail."""
    stack.up(standing, options)
    with Load(stack, rate=RATE) as running:
        yield running
        running.stop().assert_nothing_lost()


@contextmanager
def restores_services(stack: LabStack, standing: Mapping[str, Any], request: pytest.FixtureRequest) -> Iterator[None]:
    """Each test leaves the services of `standing` behind, so that any of them can be left out; one that failed is
    cleaned up after.
    """
    failed = request.session.testsfailed
    yield
    if request.session.testsfailed > failed:
        stack.pulumi("cancel --yes")
        stack.up(standing, "--refresh")
    assert (stack.stands or {}).get("services") == standing["services"], (
        "the test leaves something else behind than it found"
    )


@pytest.fixture
def life(lab: Project) -> Iterator[LabStack]:
    """The stack of the life."""
    with temporary_stack(lab, "life") as stack:
        yield stack


@pytest.fixture(scope="module")
def pitfalls(lab: Project) -> Iterator[LabStack]:
    """The stack of the pitfalls; each test begins by saying what stands."""
    with temporary_stack(lab, "pitfalls") as stack:
        yield stack


@pytest.fixture(scope="module")
def hazards(lab: Project) -> Iterator[LabStack]:
    """The stack of the changes that once lost requests."""
    stack = LabStack.create(lab, "hazards")
    yield stack
    if os.environ.get("WEIR_KEEP_LAB") != "1":
        stack.remove()
        # Since the last test it is somebody else's.
        assert stack.succeeds("kubectl get namespace hazards"), (
            "destroying a stack deletes no namespace that is somebody else's"
        )
        stack.run("kubectl delete namespace hazards --wait=false")


@pytest.fixture(scope="module")
def failures(lab: Project) -> Iterator[LabStack]:
    """The stack of the failures."""
    with temporary_stack(lab, "failures") as stack:
        yield stack
