"""What `make up` runs: lab, stack, measured traffic, and what to try next; and an interrupted start that leaves nothing."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from lab.paths import LabPaths
from tests.live.harness import CHECKOUT, COMMAND_SECONDS, Project, until
from tests.live.shared import project_of
from tests.live.test_lab import left_of


def test_quickstart_shows_measured_traffic_and_what_to_try_next(lab: Project) -> None:
    """It ends with the measured split and three commands; again it finds nothing to change; the stack file stays as it was."""
    file = lab.directory / "Pulumi.dev.yaml"
    written = (CHECKOUT / "Pulumi.dev.yaml").read_text()
    file.write_text(written)
    for unchanged in (False, True):
        done = lab.weir("quickstart")
        assert "traffic is what the config says" in done.stdout
        assert "kubectl exec deploy/frontend -- curl -s http://backend" in done.stdout
        assert ("20 unchanged" in done.stdout) == unchanged
    assert file.read_text() == written


@pytest.fixture
def third(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Project]:
    """A project of its own, without a lab."""
    project = project_of(request.config, tmp_path / "third")
    yield project
    if project.weir("lab down", check=False).returncode == 0:
        shutil.rmtree(project.directory)


def test_ctrl_c_during_the_start_leaves_no_mess(lab: Project, third: Project) -> None:
    """Interrupted in the middle of a start, the command ends with 130 and nothing of the node is left."""
    before = left_of(third)
    paths = LabPaths(third.directory)
    process = subprocess.Popen([".venv/bin/weir", "lab", "up"], cwd=third.directory, stderr=subprocess.PIPE, text=True)
    try:
        until(
            lambda: paths.node_state.exists() and json.loads(paths.node_state.read_text())["etcd"]["state"] == "ready", 60, "etcd is ready"
        )
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=COMMAND_SECONDS)
    finally:
        process.kill()
    assert process.returncode == 130
    assert "interrupted" in said
    assert "Traceback" not in said
    assert left_of(third) == before
