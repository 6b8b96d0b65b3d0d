"""The lab of the live tests: started once, by the first that asks for it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.live import shared
from tests.live.harness import Project

_BUILDING_SECONDS = 4200
"""Who first needs the tools waits for those that have to be built: twenty-five minutes on two cores, and a margin."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Every test in this directory needs root and the tools that the lab builds, and most share the lab."""
    live = [item for item in items if Path(__file__).parent in item.path.parents]
    first: dict[bool, pytest.Item] = {}
    for item in live:
        sharing = shared.shares_lab(item.nodeid)
        assert sharing or "lab" not in getattr(item, "fixturenames", ()), (
            f"{item.nodeid} asks for the lab that is not for it"
        )
        item.add_marker(pytest.mark.live)
        item.add_marker(pytest.mark.timeout(_BUILDING_SECONDS if first.setdefault(sharing, item) is item else 600))


@pytest.fixture(scope="session")
def lab(request: pytest.FixtureRequest) -> Project:
    """A project with a running lab, which the run removes at its end; WEIR_KEEP_LAB=1 leaves it running.

    WEIR_LIVE_PROJECT names a project whose lab is up, to be used as it is.
    """
    given = os.environ.get("WEIR_LIVE_PROJECT")
    return Project(Path(given)) if given else shared.start(request.config)
