"""The lab that stands: found healthy, and told about."""

from __future__ import annotations

import json

from lab.paths import LabPaths
from tests.live.harness import Project


def test_up_again_finds_nothing_to_do(lab: Project) -> None:
    """A healthy lab is left as it is: the same first process, the same API server."""
    before = LabPaths(lab.directory).launch.read_text()
    assert "up already" in lab.weir("lab up").stderr
    assert LabPaths(lab.directory).launch.read_text() == before
    assert lab.weir("lab status").stdout.count("ready") >= 8


def test_status_speaks_json(lab: Project) -> None:
    """For programs: whether it runs, its processes, its memory in bytes."""
    now = json.loads(lab.weir("lab status --json").stdout)
    assert now["running"]
    assert now["missing"] == ""
    assert now["memory_bytes"] > 100_000_000
