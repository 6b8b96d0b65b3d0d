"""The script that kills a live rollout at a moment, run for real: it lets every other call through, and kills before,
in the middle of, or after the one it is for.
"""

from __future__ import annotations

import json
import signal
import subprocess
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from tests.live.lossless.killed_rollout import MOMENTS, script
from weir.rollout.state import Phase, State, Step, as_json

WRITES = ["-n", "shop", "create", "-f", "-", "-o", "json"]
UPDATE = ["up", "--yes", "--message", "weir rollout backend v2 (promoted)"]


def written(phase: Phase, index: int) -> str:
    """The object that weir has kubectl write (weir/rollout/record.py)."""
    steps = (Step(Decimal(10), 5), Step(Decimal(50), 5))
    state = State("backend", "v2", "v1", steps, "weir rollout", "ann", datetime.now(UTC), phase=phase, index=index)
    return json.dumps({"kind": "ConfigMap", "data": {"state": json.dumps(as_json(state), indent=1)}})


class Tool:
    """The script for a moment, before a tool that writes down what it is given."""

    def __init__(self, name: str, directory: Path) -> None:
        self._calls, real = directory / "calls", directory / "real"
        real.write_text(f'#!/bin/sh\nprintf \'%s %s\\n\' "$*" "$(cat)" >> {self._calls}\n')
        self._script = directory / "tool"
        self._script.write_text(script(MOMENTS[name], str(real), directory))
        for file in (real, self._script):
            file.chmod(0o755)
        self._directory = directory

    def call(self, arguments: list[str], given: str = "") -> int:
        """Call it as a rollout does, which waits for it; the exit code of the rollout."""
        waits = 'echo $$ > "$0/group"; "$@"'
        process = subprocess.Popen(
            ["sh", "-c", waits, str(self._directory), str(self._script), *arguments],
            stdin=subprocess.PIPE, text=True, start_new_session=True,
        )  # fmt: skip
        process.communicate(given, timeout=20)
        return process.returncode

    @property
    def calls(self) -> list[str]:
        return self._calls.read_text().splitlines() if self._calls.exists() else []


@pytest.fixture
def tool(request: pytest.FixtureRequest, tmp_path: Path) -> Tool:
    return Tool(request.param, tmp_path)


@pytest.mark.parametrize("tool", ["before the second step is written down"], indirect=True)
def test_before_a_state_is_written(tool: Tool) -> None:
    """Reads, other states and other phases pass, with all that they are given; nothing of the one it is for is done."""
    assert tool.call(["-n", "shop", "get", "pods"]) == 0
    before = [written("begun", 0), written("step", 0)]
    assert [tool.call(WRITES, each) for each in before] == [0, 0]
    assert tool.call(WRITES, written("step", 1)) == -signal.SIGKILL
    assert tool.calls == ["-n shop get pods ", *(f"{' '.join(WRITES)} {each}" for each in before)]


@pytest.mark.parametrize("tool", ["the begin is written down"], indirect=True)
def test_after_a_state_is_written(tool: Tool) -> None:
    """It is done, and nothing after it."""
    state = written("begun", 0)
    assert tool.call(WRITES, state) == -signal.SIGKILL
    assert tool.calls == [f"{' '.join(WRITES)} {state}"]


@pytest.mark.parametrize("tool", ["in the first step"], indirect=True)
def test_at_the_second_of_such_calls(tool: Tool) -> None:
    """The first one passes, the second is done."""
    assert tool.call(WRITES, written("step", 0)) == 0
    assert tool.call(WRITES, written("step", 0)) == -signal.SIGKILL
    assert len(tool.calls) == 2


@pytest.mark.parametrize("tool", ["during the promotion's update"], indirect=True)
def test_in_the_middle_of_an_update(tool: Tool) -> None:
    """The update has begun; another one passes."""
    assert tool.call(["up", "--message", "weir rollout backend v2 (step 1 of 2: 10 %)"]) == 0
    assert tool.call(UPDATE) == -signal.SIGKILL
    assert [each.rpartition("(")[2] for each in tool.calls] == ["step 1 of 2: 10 %) ", "promoted) "]


def test_each_moment_has_splits_that_are_whole() -> None:
    """At least ten moments, and at none may a request have no version."""
    assert len(MOMENTS) >= 10
    assert all(sum(split.values()) == 100 for moment in MOMENTS.values() for split in moment.safe)
