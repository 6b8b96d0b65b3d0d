"""Whatever dies or stands still in the middle of a rollout: requests go on by a split that was meant, none is lost, the
state can be read, the next call goes on, and no service ever has two rollouts.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from typing import Any

import pytest

from tests.live.harness import Project, until
from tests.live.lossless.conftest import restores_services, soak, temporary_stack
from tests.live.lossless.killed_rollout import MOMENTS, kill_at
from tests.live.lossless.lab_stack import LabStack
from tests.live.lossless.load import Load
from tests.live.lossless.running_update import RunningUpdate
from tests.live.lossless.test_failures import node_process
from tests.live.lossless.test_rollout import config, now, shares

pytestmark = soak

# A rollout that waits for what never comes is held before the test's time is over.
STANDING = config(rollout={"steps": [10, 50], "pause": "5s", "analysis": {"tolerated": 1, "patience": "1m"}})
SPLITS = ({"v1": 100}, {"v1": 90, "v2": 10}, {"v1": 50, "v2": 50}, {"v2": 100})
AWAY_SECONDS = 20


@pytest.fixture(scope="module")
def killed(lab: Project) -> Iterator[LabStack]:
    with temporary_stack(lab, "rollout-killed") as made:
        yield made


@pytest.fixture(scope="module")
def load(killed: LabStack) -> Iterator[Load]:
    """The load goes through all tests."""
    killed.up(STANDING, "--skip-preview")
    with Load(killed) as running:
        yield running


@pytest.fixture(autouse=True)
def standing(killed: LabStack, load: Load, request: pytest.FixtureRequest) -> Iterator[None]:
    """Each test finds `STANDING`, and no rollout."""
    failed = request.session.testsfailed
    with restores_services(killed, STANDING, request):
        yield
        if request.session.testsfailed > failed:
            killed.call(f".venv/bin/weir abort backend --yes --stack {killed.name}")


def weir_rollout(stack: LabStack, arguments: str) -> subprocess.Popen[str]:
    return stack.start(f".venv/bin/weir rollout {arguments} --stack {stack.name}")


def ended(process: subprocess.Popen[str]) -> tuple[int, str]:
    """Exit code, and what was said."""
    said, _ = process.communicate(timeout=240)
    return process.returncode, said


def under_way(stack: LabStack) -> dict[str, Any] | None:
    """The state of the rollout that is not over, as the cluster has it."""
    found = stack.kubectl("get configmap weir-rollout-backend --ignore-not-found -o json")
    state: dict[str, Any] = json.loads(json.loads(found)["data"]["state"]) if found else {"phase": "aborted"}
    return None if state["phase"] in ("aborted", "promoted") else state


def at_step(stack: LabStack, index: int) -> bool:
    state = under_way(stack)
    return state is not None and (state["phase"], state["index"]) == ("step", index)


def readable(stack: LabStack) -> dict[str, Any] | None:
    """What `weir status` says of the rollout."""
    found = json.loads(stack.run(f".venv/bin/weir status backend --window 0 --json --stack {stack.name}"))
    state: dict[str, Any] | None = found["services"][0]["rollout"]
    return state


def goes_on(stack: LabStack) -> None:
    """The next call ends what was begun."""
    code, said = ended(weir_rollout(stack, "backend"))
    assert code == 0, said[-3000:]
    assert shares(stack) == {"v2": 100}
    assert under_way(stack) is None


@pytest.mark.parametrize("name", MOMENTS)
def test_killed(killed: LabStack, load: Load, name: str) -> None:
    """kill -9 of the rollout and all that it has started: the split is that of before or after the step, and another
    call has the good version promoted, or the bad one taken back.
    """
    moment, since = MOMENTS[name], now(killed)
    kill_at(killed, moment, f"backend {moment.version} --yes")
    assert shares(killed) in moment.safe
    state = under_way(killed)
    assert moment.kept == (None if state is None else (state["phase"], state["index"]))
    if moment.kept is not None:
        seen = readable(killed)
        assert seen is not None
        assert (seen["phase"], seen["index"]) == moment.kept
    code, said = ended(weir_rollout(killed, "backend" if moment.kept else f"backend {moment.version} --yes"))
    bad = moment.version == "v3"
    assert (code, shares(killed)) == ((3, {"v1": 100}) if bad else (0, {"v2": 100})), said[-3000:]
    assert under_way(killed) is None, said[-3000:]
    assert {each.code for each in load.failures(since)} <= ({500} if bad else set())
    killed.up(STANDING, "--skip-preview")


def test_never_two_of_one_service(killed: LabStack, load: Load) -> None:
    """Of two processes that begin at once one does; another one that comes later goes away, and so does one of two that
    find the same killed rollout.
    """
    since = now(killed)
    both = [weir_rollout(killed, "backend v2 --pause 5m --yes") for _ in range(2)]
    until(lambda: any(each.poll() is not None for each in both) and at_step(killed, 0), 60, "one of two has given way")
    [first] = [each for each in both if each.poll() is None]
    [second] = [each for each in both if each.poll() is not None]
    code, said = ended(second)
    assert code in (1, 2), said
    assert "another process goes on with the rollout of backend" in said
    assert shares(killed) == {"v1": 90, "v2": 10}
    code, said = ended(weir_rollout(killed, "backend"))
    assert code == 2, said
    assert "another process goes on with the rollout of backend" in said
    os.killpg(first.pid, signal.SIGKILL)
    first.communicate()
    takers = [weir_rollout(killed, "backend") for _ in range(2)]
    until(lambda: any(each.poll() is not None for each in takers), 60, "one of two has given way")
    [late] = [each for each in takers if each.poll() is not None]
    code, said = ended(late)
    assert code in (1, 2), said
    assert "another process goes on with the rollout" in said
    aborted = killed.call(f".venv/bin/weir abort backend --yes --stack {killed.name}")
    assert aborted.returncode == 0, aborted.stdout
    [other] = [each for each in takers if each is not late]
    assert ended(other)[0] == 3
    assert shares(killed) == {"v1": 100}
    assert load.failures(since) == []
    killed.up(STANDING, "--skip-preview")


def test_api_server_stands_still(killed: LabStack, load: Load) -> None:
    """For twenty seconds in a step: traffic stays, and the rollout goes on by itself."""
    since, server = now(killed), node_process(killed, "kube-apiserver")
    with RunningUpdate(killed, ".venv/bin/weir rollout backend v2 --pause 10s --yes") as running:
        until(lambda: at_step(killed, 0), 60, "the first step is applied")
        os.kill(server, signal.SIGSTOP)
        try:
            # Nothing can be asked meanwhile: the time is what is waited for.
            time.sleep(AWAY_SECONDS)
            assert running.process.poll() is None, running.said
        finally:
            os.kill(server, signal.SIGCONT)
        update = running.wait()
    assert update.code == 0, update.said[-3000:]
    assert shares(killed) == {"v2": 100}
    assert load.failures(since) == []
    killed.up(STANDING, "--skip-preview")


def test_istiod_away(killed: LabStack, load: Load) -> None:
    """Gone in a step and back half a minute later: the rollout waits or ends where it is, and the next call goes on."""
    since = now(killed)
    with RunningUpdate(killed, ".venv/bin/weir rollout backend v2 --yes") as running:
        until(lambda: at_step(killed, 0), 60, "the first step is applied")
        killed.run(
            "kubectl -n istio-system scale deployment istiod --replicas=0 && kubectl -n istio-system wait "
            "--for=delete pod -l app=istiod"
        )
        gone = time.monotonic()
        until(lambda: time.monotonic() - gone >= 30 or running.process.poll() is not None, 60, "half a minute")
        assert shares(killed) in SPLITS
        killed.run(
            "kubectl -n istio-system scale deployment istiod --replicas=1 && kubectl -n istio-system rollout status "
            "deployment istiod"
        )
        update = running.wait()
    print(f"istiod away: exit code {update.code} after {update.seconds:.1f} s")
    assert "Traceback" not in update.said
    assert shares(killed) in SPLITS
    if under_way(killed) is not None:
        assert readable(killed) is not None
        goes_on(killed)
    assert shares(killed) == {"v2": 100}
    assert load.failures(since) == []
    killed.up(STANDING, "--skip-preview")
