"""What was killed leaves nothing behind: neither what it started, nor what that has."""

from __future__ import annotations

import json
import os
import random
import re
import select
import signal
import subprocess
import time
import uuid
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from tests.live.harness import Project, shell_environment, stack_like_dev, until
from tests.live.lossless.conftest import SOAKING, soak

STACK = "killed"
ROUNDS = 20 if SOAKING else 1
# From the moment at which it is under way: an update that changes pods lasts longer.
LONGEST = 3.0
GONE_SECONDS = 5.0
PODS = ("apps/v1:Deployment",)
"""What Pulumi says when it has come to the pods."""


@pytest.fixture(scope="module")
def stack(lab: Project) -> Iterator[Path]:
    """A stack that is up: its stack file."""
    with stack_like_dev(lab, STACK) as file:
        lab.run(f"pulumi up --yes --skip-preview --stack {STACK}")
        yield file


class Run:
    """A command, and all that it has started: known by a variable of the environment, which
    every process hands down.
    """

    def __init__(self, project: Project, environment: Mapping[str, str], command: str, output: Path) -> None:
        self._mark = f"WEIR_TEST_RUN={uuid.uuid4()}"
        name, _, value = self._mark.partition("=")
        self.process = subprocess.Popen(
            ["bash", "-c", f"exec {command}"],
            cwd=project.directory,
            env={**environment, name: value},
            stdin=subprocess.DEVNULL,
            stdout=output.open("w"),
            stderr=subprocess.STDOUT,
        )
        self._output = output

    def begun(self, *parts: str) -> bool:
        """Whether such a process is there, or it has said such a thing, or is over already."""
        return bool(self.find(*parts)) or parts[0] in self._output.read_text() or self.process.poll() is not None

    def processes(self) -> dict[int, str]:
        """What lives of it: command lines by process."""
        found = {}
        for path in Path("/proc").glob("[0-9]*"):
            try:
                # Of one that has ended, and that nobody has asked for yet, it is empty.
                if self._mark.encode() in (path / "environ").read_bytes():
                    found[int(path.name)] = (path / "cmdline").read_bytes().decode().replace("\0", " ")
            except OSError:
                continue
        return found

    def leaves_nothing(self, after: str) -> None:
        """Wait, no longer than promised, until nothing lives of it. `after`: what was done to it."""
        try:
            until(lambda: not self.processes(), GONE_SECONDS, f"nothing is left ({after})")
        except AssertionError as error:
            raise AssertionError(f"{error}: {self.processes()}") from None

    def find(self, *parts: str) -> int:
        """The first of its processes with these parts in its command line, 0 where there is none."""
        return next((pid for pid, line in self.processes().items() if all(part in line for part in parts)), 0)


def weir(number: int) -> str:
    """A change of shares, by weir."""
    return f".venv/bin/weir set backend v2={number} --yes --stack {STACK}"


def pulumi(_: int) -> str:
    """Whatever stands in the stack file, by Pulumi."""
    return f"pulumi up --yes --skip-preview --stack {STACK}"


@pytest.mark.parametrize(
    ("command", "begun", "victim"),
    [
        (weir, ("weir.engine.warm.server",), ("bin/weir", "set")),
        pytest.param(weir, ("pulumi", " up "), ("pulumi", " up "), marks=soak),
        (weir, ("weir.engine.warm.server",), ("weir.engine.warm.server",)),
        # Before that, while Python imports the SDK, nothing of weir's runs yet that could end anything.
        pytest.param(pulumi, PODS, ("pulumi", " up "), marks=soak),
        pytest.param(pulumi, PODS, ("pulumi-language-python-exec",), marks=soak),
    ],
    ids=["weir", "its engine", "its server", "an engine", "its program"],
)
def test_nothing_is_left(
    lab: Project, stack: Path, tmp_path: Path, command: object, begun: tuple[str, ...], victim: tuple[str, ...]
) -> None:
    """Killed at whatever moment, within seconds no process is left of what it had started; and the stack goes on from
    there.
    """
    assert callable(command)
    seed = random.randrange(10**6)
    chance = random.Random(seed)
    environment = shell_environment(lab)
    killed = tries = 0
    while killed < ROUNDS:
        # An update may have ended by then: another try.
        tries += 1
        assert tries <= 10 * ROUNDS
        # New pods, which an update waits for.
        stack.write_text(stack.read_text().replace('"-text=', f'"-text={chance.randrange(10)}'))
        run = Run(lab, environment, command(10 + tries), tmp_path / "output")
        until(lambda run=run: run.begun(*begun), 60, f"{begun} is under way")  # type: ignore[misc]
        seconds = chance.uniform(0, LONGEST)
        # The moment is what is drawn: there is nothing to wait for.
        time.sleep(seconds)
        if pid := run.find(*victim):
            os.kill(pid, signal.SIGKILL)
            killed += 1
        until(lambda run=run: run.process.poll() is not None, 60 if pid != run.process.pid else 5, "it ends")  # type: ignore[misc]
        run.leaves_nothing(f"seed {seed}, try {tries}, {victim} killed after {seconds:.2f} s")
        lab.run(f"pulumi cancel --yes --stack {STACK}", check=False)
    lab.run(f".venv/bin/weir set backend v2=33 --yes --stack {STACK}")


@soak
def test_nothing_is_left_of_an_engine_that_goes_on_without_its_program(
    lab: Project, stack: Path, tmp_path: Path
) -> None:
    """The program has ended, the engine still has to finish: killed now, it leaves nothing either."""
    for number in range(ROUNDS):
        stack.write_text(stack.read_text().replace('"-text=', f'"-text={number % 10}'))
        run = Run(lab, shell_environment(lab), pulumi(0), tmp_path / "output")
        until(lambda run=run: run.begun(*PODS), 60, f"{PODS} is under way")  # type: ignore[misc]
        program = os.pidfd_open(run.find("pulumi-language-python-exec"))
        assert select.select([program], [], [], 60)[0], "the program is still there"
        os.close(program)
        run.process.kill()
        assert run.process.wait() == -signal.SIGKILL, "the engine was faster"
        run.leaves_nothing(f"round {number}")
        lab.run(f"pulumi cancel --yes --stack {STACK}", check=False)
    lab.run(f".venv/bin/weir set backend v2=33 --yes --stack {STACK}")


@pytest.fixture
def behind(lab: Project, stack: Path, tmp_path: Path) -> Iterator[Path]:
    """A stack with v2 at 20 % in its file and its state, and at 40 % in the cluster: what an update leaves that is
    killed when it has written the route, and has not written that down.
    """
    stack.write_text(re.sub(r"v2: \d+", "v2: 20", stack.read_text()))
    lab.run(f"pulumi up --yes --skip-preview --refresh --stack {STACK}")
    state, file = tmp_path / "state.json", stack.read_text()
    lab.run(f"pulumi stack export --stack {STACK} --file {state}")
    lab.run(f".venv/bin/weir set backend v2=40 --yes --stack {STACK}")
    lab.run(f"pulumi stack import --stack {STACK} --file {state}")
    stack.write_text(file)
    yield stack
    lab.run(f"pulumi up --yes --skip-preview --refresh --stack {STACK}")


def share(lab: Project) -> int:
    """That of v2 in the cluster."""
    found = json.loads(lab.run(f"kubectl get virtualservice backend -n {STACK} -o json").stdout)
    return next(
        int(each["weight"]) for each in found["spec"]["http"][-1]["route"] if each["destination"]["subset"] == "v2"
    )


@pytest.mark.parametrize(
    "command",
    [f".venv/bin/weir set backend v2=20 --yes --stack {STACK}", f"pulumi up --yes --stack {STACK}"],
    ids=["weir", "pulumi"],
)
@soak
def test_what_the_state_does_not_know_is_taken_back(lab: Project, behind: Path, command: str) -> None:
    """The engine sees no difference between state and config; the route is written all the same, and that is told."""
    assert share(lab) == 40
    said = lab.run(f"{command} 2>&1").stdout
    assert share(lab) == 20
    assert f"VirtualService {STACK}/backend in the cluster is not what Pulumi's state has" in said
    again = lab.run(f"pulumi up --yes --stack {STACK} --expect-no-changes 2>&1").stdout
    assert "is not what Pulumi's state has" not in again


@soak
def test_what_the_cluster_has_lost_is_written_or_said(lab: Project, behind: Path) -> None:
    """A rule is written again, before what needs it; a version whose pods are gone gets no requests."""
    lab.run(f"kubectl delete -n {STACK} virtualservice/backend destinationrule/backend-v2")
    said = lab.run(f"pulumi up --yes --skip-preview --stack {STACK} 2>&1").stdout
    assert f"DestinationRule {STACK}/backend-v2 is in Pulumi's state, not in the cluster" in said
    assert share(lab) == 20
    behind.write_text(behind.read_text().replace("v2: 20", "v2: 0"))
    lab.run(f"pulumi up --yes --skip-preview --stack {STACK}")
    lab.run(f"kubectl delete -n {STACK} deployment/backend-v2")
    behind.write_text(behind.read_text().replace("v2: 0", "v2: 20"))
    for command in ("preview", "up --yes --skip-preview"):
        refused = lab.run(f"pulumi {command} --stack {STACK} 2>&1", check=False).stdout
        assert f"Deployment {STACK}/backend-v2 is in Pulumi's state and not in the cluster" in refused
        assert "pulumi up --refresh" in refused
    assert share(lab) == 0
    lab.run(f"pulumi up --yes --refresh --stack {STACK}")
    assert lab.run(f"kubectl get -n {STACK} deployment/backend-v2 -o name").stdout
