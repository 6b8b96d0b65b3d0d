"""Secrets on a real cluster, set as people set them: pods have them, nothing else tells them, and a new one reaches
pods under load.

Everything is done by the account of `weir rbac`, with no more rights than that.
"""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.live.harness import Project, discard
from tests.live.lossless.conftest import RATE
from tests.live.lossless.event_order import changes, number_of
from tests.live.lossless.lab_stack import LabStack, backend
from tests.live.lossless.load import Load

FIRST, SECOND = "hunter2-the-first", "hunter2-the-second"
KEY = "weir:services.backend.env.TOKEN"
ACCOUNT = ".weir/lab/kubeconfig-account-secrets"
COMMANDS = {
    "check": "check",
    "check as data": "check --json",
    "render": "render",
    "diff": "diff",
    "diff as data": "diff --format json",
    "status": "status backend --json",
    "history": "history",
    "history as data": "history --all --json",
    "rbac": "rbac",
    "an edit alone": "set backend v2=1 --no-apply",
}


class Told:
    """All that was said, to be searched for what must not be in it."""

    def __init__(self, stack: LabStack) -> None:
        self.stack = stack
        self.all: list[str] = []

    def run(self, command: str, code: int = 0) -> str:
        """A line of bash on the lab, with this exit code; what it prints."""
        done = self.stack.call(command)
        self.all.append(done.stdout)
        assert done.returncode == code, f"{command}: {done.stdout[-6000:]}"
        return done.stdout

    def pulumi(self, command: str) -> str:
        verb, _, rest = command.partition(" ")
        return self.run(f"pulumi {verb} --stack {self.stack.name} --non-interactive --color never {rest}")

    def weir(self, command: str) -> str:
        return self.run(f"weir {command} --stack {self.stack.name}")


@pytest.fixture(scope="module")
def stack(lab: Project) -> Iterator[LabStack]:
    """A stack with a secret, deployed by the account of `weir rbac`."""
    made = LabStack.create(lab, "secrets")
    yield made
    if os.environ.get("WEIR_KEEP_LAB") != "1":
        # As an administrator: what `weir rbac` made goes too, and a namespace that is gone is not for its account to
        # see.
        made.run("weir rbac --stack secrets | kubectl delete --wait=false -f -")
        discard(lab, "secrets", "secrets")


@pytest.fixture(scope="module")
def told(stack: LabStack) -> Told:
    """The stack is up, with v2 at 20 %."""
    told = Told(stack)
    stack.write(
        {
            "readyTimeout": "5m",
            "services": {"backend": backend("v1", {"v2": 20}, v1={}, v2={"env": {"PLAIN": "in-the-clear"}})},
        }
    )
    told.run(f"pulumi config set --stack secrets --secret --path {KEY} {FIRST}")
    told.run("weir rbac --stack secrets | kubectl apply -f -")
    use_account(stack)
    told.pulumi("up --yes --diff")
    return told


def use_account(stack: LabStack) -> None:
    """The stack is the account's from here on."""
    token = stack.run("kubectl create token weir-secrets -n istio-system --duration=1h").strip()
    content = json.loads((stack.project.directory / ".weir/lab/kubeconfig").read_text())
    content["users"][0]["user"] = {"token": token}
    path = stack.project.directory / ACCOUNT
    path.touch(mode=0o600)
    path.write_text(json.dumps(content))
    stack.run(f"pulumi config set --stack secrets weir:kubeconfig {ACCOUNT}")


def environment(stack: LabStack, version: str) -> str:
    """What the program in a version's pod sees: fortio tells its environment."""
    return stack.kubectl(
        f"exec deploy/backend-{version} -c istio-proxy -- curl -s 'http://localhost:8080/debug?env=dump'"
    )


def own_secrets(stack: LabStack) -> dict[str, Any]:
    """The Secrets of the namespace that weir made, by version."""
    items = json.loads(stack.kubectl("get secret -l app.kubernetes.io/managed-by=weir -o json"))["items"]
    found = {item["metadata"]["labels"]["version"]: item for item in items}
    assert len(found) == len(items), [item["metadata"]["name"] for item in items]
    return found


def forms(value: str) -> list[bytes]:
    """A value as text and as Kubernetes has it."""
    return [value.encode(), base64.b64encode(value.encode())]


def test_pods_have_it_and_nothing_else_does(stack: LabStack, told: Told) -> None:
    """Each version's program sees the value; it stands in an immutable Secret of the version's and in no Deployment."""
    for version in ("v1", "v2"):
        assert f"TOKEN={FIRST}" in environment(stack, version)
        made = own_secrets(stack)[version]
        assert (made["immutable"], made["data"]) == (True, {"TOKEN": base64.b64encode(FIRST.encode()).decode()})
        assert made["metadata"]["annotations"]["weir.dev/stack"] == "organization/weir/secrets"
    assert "PLAIN=in-the-clear" in environment(stack, "v2")
    objects = stack.kubectl("get deployment,replicaset,pod,virtualservice,destinationrule,service,event -o yaml")
    assert not [form for form in forms(FIRST) if form.decode() in objects]


@pytest.mark.parametrize("command", COMMANDS)
def test_commands_that_need_no_value_work(stack: LabStack, told: Told, command: str) -> None:
    """Whatever they do, they do it with a secret in the stack file; what they print is searched in the last test."""
    file = stack.project.directory / "Pulumi.secrets.yaml"
    before = file.read_text()
    told.weir(COMMANDS[command])
    file.write_text(before)


def test_shares_move_and_an_abort_aborts(stack: LabStack, told: Told) -> None:
    """`weir set` and `weir abort` with a secret in the file; pods are left as they are."""
    before = stack.kubectl("get pods -l app=backend -o name")
    for command, share in (
        ("set backend v2=50 --yes", 50),
        ("abort backend --yes", 0),
        ("set backend v2=20 --yes", 20),
    ):
        told.weir(command)
        route = json.loads(stack.kubectl("get virtualservice backend -o json"))["spec"]["http"][-1]["route"]
        assert {entry["destination"]["subset"]: entry["weight"] for entry in route} == {"v1": 100 - share, "v2": share}
    assert stack.kubectl("get pods -l app=backend -o name") == before
    told.pulumi("preview --expect-no-changes")


def test_a_new_value_reaches_the_pods_and_loses_no_request(stack: LabStack, told: Told) -> None:
    """A new Secret, then pods that have it, then the old Secret goes; the diff says that the environment changes, and
    no value.
    """
    names = {version: made["metadata"]["name"] for version, made in own_secrets(stack).items()}
    with Load(stack, rate=RATE) as load:
        told.run(f"pulumi config set --stack secrets --secret --path {KEY} {SECOND}")
        shown = told.weir("diff")
        assert "backend: v1 environment changed" in shown
        assert "backend: v2 environment changed" in shown
        assert "other objects: 2 Secret replaced" in shown
        assert "[secret]" in told.pulumi("preview --diff")
        with changes(stack, "secrets") as found:
            told.pulumi("up --yes")
        tally = load.stop()
    print(tally.figures())
    tally.assert_nothing_lost()
    now = own_secrets(stack)
    for version in ("v1", "v2"):
        seen = environment(stack, version)
        assert f"TOKEN={SECOND}" in seen
        assert FIRST not in seen
        assert now[version]["metadata"]["name"] != names[version]
        made = number_of(found, "ADDED", "Secret", now[version]["metadata"]["name"])
        ready = number_of(found, "MODIFIED", "Deployment", f"backend-{version}", now[version]["metadata"]["name"])
        assert made < ready < number_of(found, "DELETED", "Secret", names[version])
    told.pulumi("preview --expect-no-changes")


def test_history_tells_what_changed_and_no_value(told: Told) -> None:
    """Each update, that of the secret too, with what it changed for traffic: the services were there all along."""
    newest, *rest = json.loads(told.weir("history --json"))["updates"]
    assert newest["changes"] == {"backend": ["v1 environment changed", "v2 environment changed"]}
    assert len(rest) == 4
    assert rest[-1]["changes"] == {"backend": ["new service: v1 80 %, v2 20 %"]}
    assert all(
        len(update["changes"]["backend"]) == 1 and " % → " in update["changes"]["backend"][0] for update in rest[:-1]
    )
    assert all(update["known"] for update in (newest, *rest))


def test_a_value_that_is_not_applied_yet_is_counted(stack: LabStack, told: Told) -> None:
    """Of a release: without the value, by what it is encrypted to; the same one encrypted anew may be another."""
    file = stack.project.directory / "Pulumi.secrets.yaml"
    before = file.read_text()
    told.run(f"pulumi config set --stack secrets --secret --path {KEY} {SECOND}")
    said = told.weir("set backend v2=30 --yes")
    assert (
        "2 more changes in Pulumi.secrets.yaml are not applied (Deployment backend-v1, Deployment backend-v2): "
        "pulumi up"
    ) in said
    file.write_text(before)
    assert "not applied" not in told.weir("set backend v2=20 --yes")


def test_a_secret_that_a_killed_update_has_left_is_told(stack: LabStack, told: Told) -> None:
    """It has the stack's mark, and no pods use it; those that pods take, and others', are not named. The command that
    is told removes it.
    """
    made = own_secrets(stack)["v1"]
    left = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {
            "name": "backend-v1-0f0f0f0f",
            "namespace": "secrets",
            "labels": made["metadata"]["labels"],
            "annotations": {"weir.dev/stack": made["metadata"]["annotations"]["weir.dev/stack"]},
        },
    }
    stack.apply(left)
    [line] = [line for line in told.weir("status --window 0").splitlines() if "Secret " in line]
    assert "Secret secrets/backend-v1-0f0f0f0f was made by this stack, and no pods use it" in line
    stack.run("kubectl delete -n secrets secret backend-v1-0f0f0f0f")
    assert "Secret " not in told.weir("status --window 0")


def test_no_value_was_told_or_left_anywhere(stack: LabStack, told: Told) -> None:
    """Not by a command, nor in the project's files, the state, its backups and history."""
    said = "\n".join(told.all)
    assert len(told.all) > 20
    assert "[secret]" in said
    backend_of = Path(stack.environment["PULUMI_BACKEND_URL"].removeprefix("file://").partition("?")[0])
    project = stack.project.directory
    operations = [
        file for place in (backend_of, project / ".weir/operations") for file in place.rglob("*") if file.is_file()
    ]
    files = [*operations, *(file for file in project.glob("*") if file.is_file())]
    assert any("history" in file.parts and "secrets" in str(file) for file in files), files
    assert any("backups" in file.parts and "secrets" in str(file) for file in files), files
    for form in (*forms(FIRST), *forms(SECOND)):
        assert form.decode() not in said
        assert [file for file in files if form in file.read_bytes()] == []
