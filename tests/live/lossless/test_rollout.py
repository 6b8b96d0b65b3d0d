"""`weir rollout` under load: a good version takes over, a bad one is taken back, and no request is lost but those that
the bad one fails.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import yaml

from tests.live.harness import Project, until
from tests.live.lossless.conftest import restores_services, soak, temporary_stack
from tests.live.lossless.lab_stack import LabStack, backend, server
from tests.live.lossless.load import Load

STACK = "rollouts"
# Ends at once after one in a hundred is ruled out: with three callers that takes seconds.
SETTINGS = {"steps": [10, 50], "pause": "5s", "analysis": {"tolerated": 1}}


def config(**keys: Any) -> dict[str, Any]:
    """v2 is as good as v1; v3 fails one request in twenty; v4 takes twice as long and more."""
    service = backend("v1", {"v2": 0}, v1={}, v2={}, v3={}, v4={})
    for name, wrong in (("v3", "status=500:5"), ("v4", "delay=50ms:100")):
        arguments = [
            f"{each}&{wrong}" if each.startswith("-echo-server-default-params") else each
            for each in server(name)["args"]
        ]
        service["versions"][name]["args"] = arguments
    return {"services": {"backend": {**service, "rollout": SETTINGS, **keys}}}


STANDING = config()


@pytest.fixture(scope="module")
def rollouts(lab: Project) -> Iterator[LabStack]:
    with temporary_stack(lab, STACK) as made:
        yield made


@pytest.fixture(scope="module")
def load(rollouts: LabStack) -> Iterator[Load]:
    """The load goes through all tests; what the bad version failed is asserted by its own."""
    rollouts.up(STANDING, "--skip-preview")
    with Load(rollouts) as running:
        yield running


@pytest.fixture(autouse=True)
def standing(rollouts: LabStack, load: Load, request: pytest.FixtureRequest) -> Iterator[None]:
    """Each test finds `STANDING`."""
    with restores_services(rollouts, STANDING, request):
        yield


def now(stack: LabStack) -> str:
    """In milliseconds, as the access logs of the callers have it."""
    return stack.run("date -u +%Y-%m-%dT%H:%M:%S.%3NZ").strip()


def shares(stack: LabStack) -> dict[str, int]:
    """What the cluster's route gives each version."""
    route = json.loads(stack.kubectl("get virtualservice backend -o json"))["spec"]["http"][-1]["route"]
    return {
        each["destination"]["subset"]: int(each.get("weight", 100)) for each in route if each.get("weight", 100) > 0
    }


def rollout(stack: LabStack, arguments: str) -> tuple[int, dict[str, Any], str]:
    """Exit code, report and what was said."""
    done = subprocess.run(
        ["bash", "-c", f".venv/bin/weir rollout {arguments} --json --stack {stack.name}"],
        cwd=stack.project.directory, env=stack.environment, stdin=subprocess.DEVNULL, capture_output=True, text=True,
        timeout=240, check=False,
    )  # fmt: skip
    return done.returncode, json.loads(done.stdout or "{}"), done.stderr


@contextmanager
def running(stack: LabStack, arguments: str) -> Iterator[subprocess.Popen[str]]:
    """A rollout that goes on meanwhile, once its first step is applied."""
    process = subprocess.Popen(
        ["bash", "-c", f"exec .venv/bin/weir rollout {arguments} --stack {STACK}"],
        cwd=stack.project.directory, env=stack.environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, text=True, start_new_session=True,
    )  # fmt: skip
    try:
        until(lambda: status(stack) is not None or process.poll() is not None, 60, "the first step is applied")
        yield process
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate()


def status(stack: LabStack) -> dict[str, Any] | None:
    """The rollout that is at a step, as `weir status` has it."""
    found = json.loads(stack.run(f".venv/bin/weir status backend --window 0 --json --stack {STACK}"))
    state: dict[str, Any] | None = found["services"][0]["rollout"]
    return state if state and state["phase"] == "step" else None


def pods(stack: LabStack, version: str) -> list[str]:
    return stack.kubectl(f"get deployments -l version={version} -o name").split()


def stack_file(stack: LabStack) -> dict[str, Any]:
    """What it says of the service."""
    text = (stack.project.directory / f"Pulumi.{STACK}.yaml").read_text()
    found: dict[str, Any] = yaml.safe_load(text)["config"]["weir:services"]["backend"]
    return found


def retires(stack: LabStack) -> dict[str, str] | None:
    """What `weir status` says is to be retired."""
    found = json.loads(stack.run(f".venv/bin/weir status backend --window 0 --json --stack {STACK}"))
    kept: dict[str, str] | None = found["services"][0]["retires"]
    return kept


def test_a_good_version_takes_over(rollouts: LabStack, load: Load) -> None:
    """Through all steps to the end, and the old one is retired after its time, with its pods, in the file and in the
    cluster, without a failed request.
    """
    rollouts.up(config(rollout={**SETTINGS, "keep": "5s"}), "--skip-preview")
    since = now(rollouts)
    code, state, said = rollout(rollouts, "backend v2 --yes")
    assert (code, state.get("phase"), state.get("retired")) == (0, "promoted", "v1 is retired"), said
    assert load.failures(since) == []
    assert state["hurt"] == 0
    assert state["requests"] > 300
    assert shares(rollouts) == {"v2": 100}
    assert stack_file(rollouts)["stable"] == "v2"
    assert pods(rollouts, "v1") == []
    assert "v1" not in {**stack_file(rollouts)["versions"], **stack_file(rollouts).get("canary", {})}
    rollouts.assert_converged()
    rollouts.up(STANDING, "--skip-preview")


@pytest.mark.parametrize(("version", "why"), [("v3", "requests"), ("v4", "of its answers took longer than")])
def test_a_bad_version_is_taken_back(rollouts: LabStack, load: Load, version: str, why: str) -> None:
    """Within its first step: its share is 0 again, and the report has what users saw."""
    since = now(rollouts)
    code, state, said = rollout(rollouts, f"backend {version} --yes")
    assert (code, state.get("phase")) == (3, "aborted"), said
    assert (state["index"], shares(rollouts)) == (0, {"v1": 100})
    assert why in state["why"]
    seen = [each.code for each in load.failures(since)]
    assert set(seen) == ({500} if version == "v3" else set())
    # What was under way at the last look is not in it.
    assert state["hurt"] <= len(seen) <= state["hurt"] + 60
    rollouts.up(STANDING, "--skip-preview")


def test_it_owns_the_split_until_it_is_over(rollouts: LabStack, load: Load) -> None:
    """Another release is refused by name, an update from a file without its step leaves it, and an abort ends it."""
    since = now(rollouts)
    with running(rollouts, "backend v2 --steps 10 --pause 5m --yes") as process:
        assert shares(rollouts) == {"v1": 90, "v2": 10}
        refused = rollouts.call(f".venv/bin/weir set backend v2=30 --yes --stack {STACK} 2>&1")
        assert refused.returncode == 2, refused.stdout
        assert "a rollout of backend is under way and owns its split: v2 at 10 %" in refused.stdout
        update = rollouts.up(config(timeout="9s"), "--skip-preview")
        assert "backend: a rollout of v2 is under way and owns the split: it stays at v2 10 %" in update.said
        assert shares(rollouts) == {"v1": 90, "v2": 10}
        assert json.loads(rollouts.kubectl("get virtualservice backend -o json"))["spec"]["http"][-1]["timeout"] == "9s"
        without = config()
        del without["services"]["backend"]["versions"]["v2"]
        without["services"]["backend"]["canary"] = {}
        said = rollouts.refused(without)
        assert "a rollout of v2 is under way, and the config no longer has v2" in said
        rollouts.write(config(timeout="9s"))
        ended = rollouts.run(f".venv/bin/weir abort backend --yes --stack {STACK} 2>&1")
        assert "the rollout is over: v2 of backend is taken back" in ended
        said, _ = process.communicate(timeout=60)
        assert process.returncode == 3, said
        assert "weir abort backend" in said
    assert shares(rollouts) == {"v1": 100}
    assert load.failures(since) == []
    rollouts.up(STANDING, "--skip-preview")


@soak
def test_another_process_goes_on_after_a_kill(rollouts: LabStack, load: Load) -> None:
    """Traffic stays as it is, nobody begins another rollout, and the next call ends what was begun."""
    since = now(rollouts)
    with running(rollouts, "backend v2 --pause 10s --yes") as process:
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
    assert shares(rollouts) == {"v1": 90, "v2": 10}
    code, _, said = rollout(rollouts, "backend v3 --yes")
    assert code == 2, said
    assert "a rollout of backend to v2 is under way" in said
    code, state, said = rollout(rollouts, "backend")
    assert (code, state.get("phase")) == (0, "promoted"), said
    assert shares(rollouts) == {"v2": 100}
    assert load.failures(since) == []
    rollouts.up(STANDING, "--skip-preview")
