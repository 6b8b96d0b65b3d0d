"""What a rollout leaves behind, the old version that is kept and the control, whoever was killed on the way. Each takes a
minute or more, so they are part of the soak.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time

import pytest
import yaml

from tests.live.harness import until
from tests.live.lossless.conftest import soak
from tests.live.lossless.lab_stack import LabStack
from tests.live.lossless.load import Load
from tests.live.lossless.test_rollout import (
    SETTINGS,
    STACK,
    STANDING,
    config,
    load,
    now,
    pods,
    retires,
    rollout,
    rollouts,
    running,
    shares,
    stack_file,
    standing,
)

__all__ = ["load", "rollouts", "standing"]

pytestmark = soak


def test_a_schedule_retires_what_a_killed_process_has_kept(rollouts: LabStack, load: Load) -> None:
    """Not before its time; other commands are free meanwhile, and what gets requests again stays."""
    kept = config(rollout={**SETTINGS, "keep": "20s"})
    rollouts.up(kept, "--skip-preview")
    since = now(rollouts)
    with running(rollouts, "backend v2 --yes") as process:
        until(lambda: retires(rollouts) is not None, 120, "v2 is promoted")
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
    code, _, said = rollout(rollouts, "--once")
    assert (code, "backend: v1 is retired in " in said) == (0, True), said
    assert pods(rollouts, "v1")
    rollouts.run(f".venv/bin/weir set backend v1=10 --yes --stack {STACK}")
    until(lambda: "retired" in rollout(rollouts, "--once")[1], 60, "v1 is due")
    found = json.loads(json.loads(rollouts.kubectl("get configmap weir-rollout-backend -o json"))["data"]["state"])
    assert (found["retire"], found["retired"]) == (None, "v1 is not retired: it gets requests again")
    assert pods(rollouts, "v1")
    assert load.failures(since) == []
    rollouts.up(STANDING, "--skip-preview")


def test_what_is_to_be_applied_besides_is_not_applied_by_a_retirement(rollouts: LabStack, load: Load) -> None:
    """The version is out of the file, and pulumi up retires it with the rest."""
    kept = config(rollout={**SETTINGS, "keep": "20s"})
    rollouts.up(kept, "--skip-preview")
    since = now(rollouts)
    with running(rollouts, "backend v2 --yes") as process:
        until(lambda: retires(rollouts) is not None, 120, "v2 is promoted")
        file = rollouts.project.directory / f"Pulumi.{STACK}.yaml"
        tree = yaml.safe_load(file.read_text())
        tree["config"]["weir:services"]["backend"]["timeout"] = "9s"
        file.write_text(yaml.safe_dump(tree))
        said, _ = process.communicate(timeout=120)
    assert process.returncode == 0, said
    assert "v1 is not retired: an update would bring more than that (backend: new timeout: 9 s)" in said
    assert "timeout" not in json.loads(rollouts.kubectl("get virtualservice backend -o json"))["spec"]["http"][-1]
    assert pods(rollouts, "v1")
    rollouts.run(f"pulumi up --yes --skip-preview --stack {STACK}")
    assert pods(rollouts, "v1") == []
    assert load.failures(since) == []
    rollouts.up(STANDING, "--skip-preview")


CONTROLLED = config(rollout={**SETTINGS, "control": True})


@pytest.mark.parametrize(("version", "end"), [("v2", "promoted"), ("v3", "aborted")])
def test_a_control_comes_and_goes(rollouts: LabStack, load: Load, version: str, end: str) -> None:
    """With as many requests as the version while it is under way, and nothing of it afterwards."""
    rollouts.up(CONTROLLED, "--skip-preview")
    since = now(rollouts)
    with running(rollouts, f"backend {version} --yes") as process:
        found = shares(rollouts)
        said, _ = process.communicate(timeout=240)
    assert process.returncode == (0 if end == "promoted" else 3), said
    assert found in ({"v1": 80, version: 10, "v1-control": 10}, {"v1": 100})  # v3 may be back by then
    assert end == "promoted" or "of v1-control" in said
    assert shares(rollouts) == {version if end == "promoted" else "v1": 100}
    assert pods(rollouts, "v1-control") == []
    assert "v1-control" not in {**stack_file(rollouts)["versions"], **stack_file(rollouts)["canary"]}
    assert {each.code for each in load.failures(since)} <= (set() if end == "promoted" else {500})
    rollouts.assert_converged()
    rollouts.up(STANDING, "--skip-preview")


def test_a_control_outlives_a_kill_and_an_update_from_elsewhere_and_no_abort(rollouts: LabStack, load: Load) -> None:
    """An abort takes back both at once; the next call of a schedule removes the control."""
    rollouts.up(CONTROLLED, "--skip-preview")
    since = now(rollouts)
    with running(rollouts, "backend v2 --steps 10 --pause 5m --yes") as process:
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
    both = {"v1": 80, "v2": 10, "v1-control": 10}
    assert shares(rollouts) == both
    rollouts.up({"services": {"backend": {**CONTROLLED["services"]["backend"], "timeout": "9s"}}}, "--skip-preview")
    assert (shares(rollouts), len(pods(rollouts, "v1-control"))) == (both, 1)
    said = rollouts.run(f".venv/bin/weir abort backend --yes --stack {STACK} 2>&1")
    assert "v1-control is removed by who runs the rollout, else by: weir rollout backend --once" in said
    assert shares(rollouts) == {"v1": 100}
    code, _, said = rollout(rollouts, "--once")
    assert (code, pods(rollouts, "v1-control")) == (0, []), said
    assert load.failures(since) == []
    rollouts.up(STANDING, "--skip-preview")


def begun(stack: LabStack) -> str:
    """When the last rollout was; empty where there has been none."""
    found = stack.kubectl("get configmap weir-rollout-backend --ignore-not-found -o json")
    return str(json.loads(json.loads(found)["data"]["state"])["began"]) if found else ""


@pytest.mark.parametrize("seconds", [1, 4, 8, 15])
def test_a_kill_while_the_control_is_made_is_gone_on_from(rollouts: LabStack, load: Load, seconds: float) -> None:
    """At whichever moment: the next call goes on to the end."""
    rollouts.up(CONTROLLED, "--skip-preview")
    since = now(rollouts)
    process = subprocess.Popen(
        ["bash", "-c", f"exec .venv/bin/weir rollout backend v2 --yes --stack {STACK}"],
        cwd=rollouts.project.directory, env=rollouts.environment, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL, start_new_session=True,
    )  # fmt: skip
    until(lambda: begun(rollouts) > since, 60, "it has begun")
    time.sleep(seconds)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    code, state, said = rollout(rollouts, "backend")
    assert (code, state.get("phase")) == (0, "promoted"), said
    assert pods(rollouts, "v1-control") == [], said
    assert load.failures(since) == []
    rollouts.up(STANDING, "--skip-preview")
