"""The lab that all live tests of a run share. It goes with the run, also with one that is interrupted.

Under pytest-xdist a worker starts it and the main process removes it: a worker of an interrupted run is killed within
seconds.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pytest

from lab.progress import Progress
from lab.tools.toolset import Toolset, find_tools
from tests.live.harness import CHECKOUT, Project, until
from weir.processes import until_killed

KEPT = os.environ.get("WEIR_KEEP_LAB") == "1"
DIRECTORY = Path(tempfile.gettempdir()) / f"weir-live-{hashlib.sha256(str(CHECKOUT).encode()).hexdigest()[:8]}"
_SECONDS = 120
# test_rejected needs no more than tools either, but has both cores busy for minutes: beside it pods of the lab get no
# time, and the traffic of others is measured there. A nice value does not help, since it holds among processes of one
# session (sched(7), autogroup).
_TOOLS_ALONE = frozenset(f"tests/live/test_{name}.py" for name in ("engine", "interrupted", "second_lab"))


def shares_lab(nodeid: str) -> bool:
    """Whether a test is one of those that share the lab: the live ones, but for those that need no more than its
    tools.
    """
    file = nodeid.partition("::")[0]
    return file.startswith("tests/live/") and file not in _TOOLS_ALONE


def is_worker(config: pytest.Config) -> bool:
    """Whether this is a process that pytest-xdist has started."""
    return hasattr(config, "workerinput")


def project_of(config: pytest.Config, directory: Path) -> Project:
    """A project in this directory. If it has a lab at the end of the run, that is removed."""
    with _projects(os.getppid() if is_worker(config) else os.getpid()).open("a") as listed:
        listed.write(f"{directory}\n")
    return Project.create(directory)


def _projects(run: int) -> Path:
    """Where the projects of a run stand, one a line; a run is known by its main process."""
    return DIRECTORY.with_name(f"{DIRECTORY.name}.{run}")


def start(config: pytest.Config) -> Project:
    """The project with the lab that all tests share, running."""
    project = project_of(config, DIRECTORY)
    if not KEPT:
        # What a test run that was killed may have left.
        project.weir("lab down")
    # Shown at once, on standard error, which a worker shares with the main process: building the tools takes long.
    capture = config.pluginmanager.getplugin("capturemanager")
    assert capture is not None
    with capture.global_and_fixture_disabled(), building():
        # It is interrupted where the worker is killed, and then leaves nothing half started.
        command = [*until_killed("INT"), ".venv/bin/weir", "lab", "up"]
        with subprocess.Popen(
            command, cwd=DIRECTORY, stdin=subprocess.DEVNULL, stdout=sys.__stderr__, stderr=sys.__stderr__
        ) as up:
            code = up.wait()
    assert code == 0, "the lab does not start"
    project.run("pulumi stack select dev || pulumi stack init dev")
    return project


def remove() -> str:
    """Remove the labs that are left of this process's run, each once a start that was interrupted has ended. What is
    to be said of it.
    """
    listed = _projects(os.getpid())
    if not listed.exists():
        return ""
    kept = ""
    for directory in map(Path, dict.fromkeys(listed.read_text().splitlines())):
        if KEPT and directory == DIRECTORY:
            kept = f'the lab is left running: cd {directory} && eval "$(.venv/bin/weir env)"'
        elif (directory / ".weir").exists():
            down = partial(Project(directory).weir, "lab down", check=False)
            until(lambda down=down: down().returncode == 0, _SECONDS, f"the lab of {directory} is removed")  # type: ignore[misc]
            shutil.rmtree(directory, ignore_errors=True)
    listed.unlink()
    return kept


def tools() -> Toolset:
    """The lab's tools, for a test that needs no lab; built first where they are missing."""
    with building():
        return find_tools(Progress())


@contextmanager
def building() -> Iterator[None]:
    """One at a time of the workers that may find tools not built yet: each would have compilers of its own for them."""
    with DIRECTORY.with_name(f"{DIRECTORY.name}.lock").open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
