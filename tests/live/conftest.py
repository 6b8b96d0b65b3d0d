"""The lab of the live tests: started once, removed at the end, also when a test failed."""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.live.harness import CHECKOUT, Project


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Every test in this directory needs the lab, or the tools that it builds."""
    live = [item for item in items if Path(__file__).parent in item.path.parents]
    for item in live:
        item.add_marker(pytest.mark.live)
        # The first to ask for the lab waits for tools that may have to be built: twenty-five minutes on two cores, and a margin.
        item.add_marker(pytest.mark.timeout(4200 if item is live[0] else 600))


@pytest.fixture(scope="session")
def lab() -> Iterator[Project]:
    """A project with a running lab; WEIR_KEEP_LAB=1 leaves it running. WEIR_LIVE_PROJECT names a project whose lab is up, to be used as it is."""
    if given := os.environ.get("WEIR_LIVE_PROJECT"):
        yield Project(Path(given))
        return
    name = f"weir-live-{hashlib.sha256(str(CHECKOUT).encode()).hexdigest()[:8]}"
    directory = Path(tempfile.gettempdir()) / name
    keep = os.environ.get("WEIR_KEEP_LAB") == "1"
    project = Project.create(directory)
    if not keep:
        # What a test run that was killed may have left.
        project.weir("lab down")
    try:
        # Not captured: hours later in a log, how long each tool took is what one wants to know.
        code = os.system(f"cd {directory} && .venv/bin/weir lab up")
        assert code == 0, "the lab does not start"
        project.run("pulumi stack select dev || pulumi stack init dev")
        yield project
    finally:
        if keep:
            print(f'\nthe lab is left running: cd {directory} && eval "$(.venv/bin/weir env)"')
        else:
            project.weir("lab down", check=False)
            shutil.rmtree(directory, ignore_errors=True)
