"""A run of tests that is interrupted leaves no lab behind: neither the one that they share, nor one that a test has
for itself.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from lab.paths import LabPaths
from tests.live.harness import CHECKOUT, Project, until
from tests.live.lossless.conftest import soak
from tests.live.shared import DIRECTORY
from tests.live.test_second_lab import left_of

RUN = [
    "-m",
    "pytest",
    "-n",
    "2",
    "tests/live/test_lab.py",
    "tests/live/test_second_lab.py",
    "-k",
    "up_again or repaired",
]


@soak
@pytest.mark.parametrize("whom", ["the main process", "a terminal's processes"])
def test_an_interrupted_run_leaves_no_lab(tmp_path: Path, whom: str) -> None:
    """While a test starts a lab of its own beside the shared one, Ctrl-C ends both."""
    said = tmp_path / "said"
    with said.open("w") as output:
        run = subprocess.Popen(
            [sys.executable, *RUN],
            cwd=CHECKOUT,
            env={**os.environ, "TMPDIR": str(tmp_path)},
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    projects: list[Project] = []

    def both() -> bool:
        assert run.poll() is None, said.read_text()
        found = [
            found
            for place in (DIRECTORY.name, "pytest-of-*/pytest-0/popen-gw*/*0/second")
            for found in tmp_path.glob(f"{place}/.weir/lab/node.json")
        ]
        projects[:] = [Project(node.parents[2]) for node in found]
        return len(projects) == 2

    try:
        until(both, 300, "a test starts a lab of its own beside the shared one")
        assert all(left_of(project)["processes"] for project in projects)
    finally:
        if whom == "the main process":
            run.send_signal(signal.SIGINT)
        else:
            os.killpg(run.pid, signal.SIGINT)
        code = run.wait(timeout=300)
    assert code == pytest.ExitCode.INTERRUPTED, said.read_text()
    assert re.search(r"=+ .* in [0-9.]+s.* =+\n\Z", said.read_text()), said.read_text()
    for project in projects:
        left = left_of(project)
        assert not any(left[kind] for kind in ("links", "cgroups", "processes")), left
        assert not LabPaths(project.directory).lab.exists()
