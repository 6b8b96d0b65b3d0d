"""`weir rollback` on a cluster, under load: services get back what they had, pods included, and no request is lost.

The truth is what runs: the Deployment's containers, the route, and the callers' own count of failures.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from typing import Any

import pytest
from ruamel.yaml import YAML

from tests.live.harness import Project
from tests.live.lossless.conftest import soak, temporary_stack
from tests.live.lossless.lab_stack import FORTIO, SAME_FORTIO, LabStack, backend
from tests.live.lossless.load import Load

STACK = "rollback"
TOKEN = "weir:services.backend.env.TOKEN"


def config(image: str = FORTIO, share: float = 20, **env: str) -> dict[str, Any]:
    """Two versions, of which the second gets a share."""
    service = {**backend("v1", {"v2": share}, v1={}, v2={}), "image": image, "env": env}
    return {"readyTimeout": "4m", "services": {"backend": service}}


@pytest.fixture(scope="module")
def stack(lab: Project) -> Iterator[LabStack]:
    with temporary_stack(lab, STACK) as made:
        made.up(config(COLOUR="blue"), "--skip-preview")
        yield made


@pytest.fixture(scope="module")
def load(stack: LabStack) -> Iterator[Load]:
    """Through all tests: none of them loses a request."""
    with Load(stack) as running:
        yield running
        running.stop().assert_nothing_lost()


@pytest.fixture(autouse=True)
def standing(stack: LabStack, load: Load) -> None:
    """Blue, with v2 at 20 %."""
    stack.up(config(COLOUR="blue"), "--skip-preview")


def weir(stack: LabStack, arguments: str, code: int = 0) -> str:
    """What a command on the stack prints, both streams."""
    done = stack.call(f".venv/bin/weir {arguments} --stack {STACK}")
    assert done.returncode == code, done.stdout
    return done.stdout


def newest(stack: LabStack) -> int:
    """The number of the last update."""
    found = json.loads(stack.run(f".venv/bin/weir history --all --limit 1 --json --stack {STACK}"))
    number: int = found["updates"][0]["update"]
    return number


def container(stack: LabStack) -> dict[str, Any]:
    """What pods of v1 run, once the Deployment's rollout is done."""
    stack.kubectl("rollout status deployment backend-v1 --timeout=180s")
    found: dict[str, Any] = json.loads(stack.kubectl("get deployment backend-v1 -o json"))["spec"]["template"]["spec"][
        "containers"
    ][0]
    return found


def written(stack: LabStack) -> dict[str, Any]:
    """The service in the stack file."""
    content = YAML(typ="safe").load(stack.project.directory / f"Pulumi.{STACK}.yaml")
    found: dict[str, Any] = content["config"]["weir:services"]["backend"]
    return found


def test_image_environment_and_split_come_back(stack: LabStack, load: Load) -> None:
    """Those of the update before; the history says what it was, and a rollback of it goes further back."""
    before = newest(stack)
    stack.up(config(SAME_FORTIO, 50, COLOUR="green"), "--skip-preview")
    said = weir(stack, f"rollback backend --to {before} --yes --reason 'too green'")
    assert f"back to update {before}" in said
    assert "backend: v1 50 % → 80 % (v2 50 % → 20 %)" in said
    assert "v1 environment changed" in said
    found = container(stack)
    assert (found["image"], found["env"]) == (FORTIO, [{"name": "COLOUR", "value": "blue"}])
    assert (written(stack)["image"], written(stack)["canary"]) == (FORTIO, {"v2": 20})
    stack.assert_converged()
    said = weir(stack, "history --limit 1")
    assert f"weir rollback backend --to {before}" in said
    assert "“too green”" in said


@soak
def test_what_failed_is_gone_back_from(stack: LabStack, load: Load) -> None:
    """An update whose pods never become ready: without --to it is the last one that succeeded, whole."""
    broken = config("nowhere.invalid/x:1", COLOUR="red") | {"readyTimeout": "8s"}
    stack.write(broken)
    assert stack.pulumi("up --yes --skip-preview").code != 0
    weir(stack, "rollback backend --yes")
    assert container(stack)["image"] == FORTIO
    # What is of no service stays.
    stack.up(config(COLOUR="blue"), "--skip-preview")
    stack.assert_converged()


@soak
def test_a_split_alone_comes_back_as_a_release(stack: LabStack, load: Load) -> None:
    """One route is all that changes, and no pod is waited for."""
    weir(stack, "set backend v2=70 --yes")
    said = weir(stack, "rollback backend --yes")
    assert "backend: v1 30 % → 80 % (v2 70 % → 20 %)" in said
    assert "acknowledged it" in said
    [update] = json.loads(stack.run(f"pulumi stack history --json --stack {STACK} --page-size 1"))
    assert "pulumi.flag.target" in update["environment"]
    stack.assert_converged()


@soak
def test_a_secret_stays_and_what_may_have_been_one_is_encrypted(stack: LabStack, load: Load) -> None:
    """By Pulumi, for this stack: pods get the value of then, and no file has it in the clear."""
    stack.run(f"pulumi config set --secret --path {TOKEN} hunter1 --stack {STACK}")
    stack.run(f"pulumi up --yes --skip-preview --stack {STACK}")
    before = newest(stack)
    changed = copy.deepcopy(written(stack))
    stack.run(f"pulumi config set --secret --path {TOKEN} hunter2 --stack {STACK}")
    stack.run(f"pulumi config set --path weir:services.backend.env.COLOUR green --stack {STACK}")
    stack.run(f"pulumi up --yes --skip-preview --stack {STACK}")
    token = written(stack)["env"]["TOKEN"]
    assert token != changed["env"]["TOKEN"]
    said = weir(stack, f"rollback backend --to {before} --yes")
    assert "secrets stay what they are now: backend: TOKEN" in said
    assert "become secrets, since nobody can tell whether they were: backend: COLOUR" in said
    assert written(stack)["env"]["TOKEN"] == token
    assert written(stack)["env"]["COLOUR"].keys() == {"secure"}
    assert "hunter" not in said
    [name] = [each["valueFrom"]["secretKeyRef"]["name"] for each in container(stack)["env"] if each["name"] == "COLOUR"]
    assert stack.kubectl(f"get secret {name} -o jsonpath='{{.data.COLOUR}}' | base64 -d") == "blue"
    assert stack.kubectl(f"get secret {name} -o jsonpath='{{.data.TOKEN}}' | base64 -d") == "hunter2"
    stack.assert_converged()
