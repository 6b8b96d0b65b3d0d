"""`weir abort` aborts: whatever state pods, the stack file, the last update and the VirtualService are in.

The truth is the VirtualService in the cluster, and what callers' proxies acknowledged (the command ends with 0 only
then).
"""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from tests.live.harness import Project, discard
from tests.live.lossless.conftest import soak
from tests.live.lossless.lab_stack import LabStack

CASES = Path(__file__).with_name("cases")
SECONDS = 3.0
"""An abort's bound, on a machine with nothing else to do."""


def config(canary: float = 20, **more: Any) -> dict[str, Any]:
    """Three versions; v3 is on a route of its own."""
    service = {
        "image": "hashicorp/http-echo:1.0.0",
        "port": 80,
        "targetPort": 5678,
        "versions": {name: {"args": [f"-text={name}"]} for name in ("v1", "v2", "v3")},
        "stable": "v1",
        "canary": {"v2": canary},
        "routes": [{"name": "beta", "match": [{"headers": {"x-user": {"exact": "beta"}}}], "stable": "v3"}],
    }
    return {
        "readyTimeout": "4m",
        "services": {"backend": service},
        "clients": {"frontend": {"image": "curlimages/curl:latest"}},
        **more,
    }


@pytest.fixture(scope="module")
def scene(lab: Project) -> Iterator[LabStack]:
    made = LabStack.create(lab, "abort")
    yield made
    made.call("pulumi cancel --yes --stack abort")
    discard(lab, "abort", "abort")


@pytest.fixture(autouse=True)
def standing(scene: LabStack) -> None:
    """v2 at 20 %, all well."""
    scene.up(config(), "--skip-preview --refresh")


def aborted(scene: LabStack) -> tuple[subprocess.CompletedProcess[str], float, float]:
    """What `weir abort` left, the seconds it took, and those it may take."""
    # Where others use the machine too, an abort gets its share of it.
    busy = os.getloadavg()[0] / (os.cpu_count() or 1)
    start = time.monotonic()
    done = scene.call(f"weir abort backend --yes --stack {scene.name}")
    return done, time.monotonic() - start, SECONDS * max(1.0, busy)


def weights(scene: LabStack) -> dict[str, int]:
    """Of the default route, in the cluster."""
    spec = json.loads(scene.kubectl("get virtualservice backend -o json"))["spec"]
    return {entry["destination"]["subset"]: entry["weight"] for entry in spec["http"][-1]["route"]}


def written(scene: LabStack) -> dict[str, Any]:
    """The canaries of the stack file."""
    content = YAML(typ="safe").load(scene.project.directory / "Pulumi.abort.yaml")
    found: dict[str, Any] = content["config"]["weir:services"]["backend"]["canary"]
    return found


def stuck(version: str) -> Callable[[LabStack], None]:
    """An update has given the version an image that nobody has; its pods of before still serve."""

    def make(scene: LabStack) -> None:
        wanted = config()
        wanted["services"]["backend"]["versions"][version]["image"] = "nowhere.invalid/x:1"
        wanted["readyTimeout"] = "8s"
        scene.write(wanted)
        assert scene.pulumi("up --yes --skip-preview").code != 0

    return make


def gone(scene: LabStack) -> None:
    """Somebody has deleted the pods of a version that a route uses."""
    scene.kubectl("delete deployment backend-v3 --wait=true")


def half_way(scene: LabStack) -> None:
    """An update with a new version, a canary and a route of it failed at its pods."""
    wanted = config()
    wanted["readyTimeout"] = "8s"
    service = wanted["services"]["backend"]
    service["versions"]["v4"] = {"image": "nowhere.invalid/x:1"}
    service["canary"] = {"v2": 20, "v4": 5}
    service["routes"].append({"name": "new", "match": [{"headers": {"x-user": {"exact": "new"}}}], "stable": "v4"})
    scene.write(wanted)
    assert scene.pulumi("up --yes --skip-preview").code != 0


def pending(scene: LabStack) -> None:
    """Somebody has added a gateway, a service and a client to the file, and not deployed them."""
    wanted = config()
    wanted["services"]["other"] = wanted["services"]["backend"] | {"routes": []}
    servers = [{"hosts": ["shop.example.com"], "port": {"name": "http", "number": 80, "protocol": "HTTP"}}]
    wanted["gateways"] = {"edge": {"selector": {"istio": "edge"}, "servers": servers}}
    wanted["services"]["backend"]["expose"] = {"gateways": ["edge"], "hosts": ["shop.example.com"]}
    scene.write(wanted)


def said_already(scene: LabStack) -> None:
    """The stack file says 0 %, and nobody has deployed that."""
    scene.write(config(0))


def by_hand(scene: LabStack) -> None:
    """Somebody has moved the shares with kubectl, and added a timeout."""
    patch = [{"op": "replace", "path": f"/spec/http/1/route/{index}/weight", "value": 50} for index in (0, 1)]
    patch.append({"op": "add", "path": "/spec/http/0/timeout", "value": "5s"})
    scene.kubectl(f"patch virtualservice backend --type=json -p '{json.dumps(patch)}'")


@pytest.mark.parametrize(
    "state", [stuck("v2"), stuck("v1"), gone, half_way, pending, said_already, by_hand],
    ids=["canary stuck", "stable stuck", "pods gone", "half way", "pending", "said already", "by hand"],
)  # fmt: skip
def test_an_abort_aborts(scene: LabStack, state: Callable[[LabStack], None]) -> None:
    """In all of them: exit code 0, at once, and no canary gets anything, in the cluster as in the file."""
    state(scene)
    done, took, longest = aborted(scene)
    assert done.returncode == 0, done.stdout
    assert took < longest, f"{took:.1f} s\n{done.stdout}"
    assert {version: weight for version, weight in weights(scene).items() if version != "v1" and weight} == {}, (
        done.stdout
    )
    assert not any(written(scene).values()), done.stdout
    assert "applied in" in done.stdout
    assert ("was edited by hand; the edit is undone" in done.stdout) is (state is by_hand)
    assert ("not applied" in done.stdout) is (state in (half_way, pending, gone)), done.stdout


@pytest.fixture
def reported(lab: Project) -> Iterator[LabStack]:
    """A stack as those of the reports, which have the namespace fuzz."""
    made = LabStack.create(lab, "fuzz")
    # That of the test before goes in the background, and takes what is put into it with it.
    made.run("kubectl wait --for=delete namespace/fuzz --timeout=120s")
    yield made
    made.call("pulumi cancel --yes --stack fuzz")
    discard(lab, "fuzz", "fuzz")


@pytest.mark.parametrize(
    "case",
    [
        pytest.param(case, marks=[soak] if "stable" in case.stem else [], id=case.stem)
        for case in sorted(CASES.glob("abort-*.yaml"))
    ],
)
def test_an_abort_that_was_reported_to_fail(reported: LabStack, case: Path) -> None:
    """The configs of the reports, as they came: over pods that are well, one version gets an image that nobody has,
    and its rollout is stuck.
    """
    file, text, image = (
        reported.project.directory / "Pulumi.fuzz.yaml",
        case.read_text(),
        "          image: nowhere.invalid/x:1\n",
    )
    assert text.count(image) == 1
    file.write_text(text.replace(image, ""))
    reported.up(options="--skip-preview")
    assert weights(reported)["v2"] in (20, 50)
    # As long as an image that cannot be had is waited for tells nothing.
    assert text.count("readyTimeout: 40s") == 1
    file.write_text(text.replace("readyTimeout: 40s", "readyTimeout: 8s"))
    assert reported.pulumi("up --yes --skip-preview").code != 0
    done, took, longest = aborted(reported)
    assert done.returncode == 0, done.stdout
    assert took < longest, f"{took:.1f} s\n{done.stdout}"
    assert weights(reported).get("v2", 0) == 0, done.stdout
    assert YAML(typ="safe").load(file)["config"]["weir:services"]["backend"]["canary"] in ({}, {"v2": 0}), done.stdout
    assert "applied in" in done.stdout


def test_set_refuses_what_was_edited_by_hand_and_ends_with_the_command_that_works(scene: LabStack) -> None:
    """The edit may be what keeps the service up; the last line puts it back."""
    by_hand(scene)
    before = (scene.project.directory / "Pulumi.abort.yaml").read_text()
    done = scene.call("weir set backend v2=30 --yes --stack abort")
    assert done.returncode == 1, done.stdout
    assert "nothing was applied: traffic is unchanged" in done.stdout
    assert weights(scene) == {"v1": 50, "v2": 50}
    assert (scene.project.directory / "Pulumi.abort.yaml").read_text() == before
    command = done.stdout.strip().splitlines()[-1].partition(": ")[2]
    assert scene.call(f"{command} --yes --non-interactive --skip-preview").returncode == 0, command
    assert weights(scene) == {"v1": 80, "v2": 20}
    assert scene.call("weir set backend v2=30 --yes --stack abort").returncode == 0


def test_a_version_that_is_not_there_is_refused(scene: LabStack) -> None:
    """A canary that the cluster has not comes by pulumi up; nothing is written and nothing applied."""
    wanted = config()
    wanted["services"]["backend"]["versions"]["v4"] = {"args": ["-text=v4"]}
    scene.write(wanted)
    before = (scene.project.directory / "Pulumi.abort.yaml").read_text()
    done = scene.call("weir set backend v4=10 --yes --stack abort")
    assert done.returncode == 1, done.stdout
    assert (
        "v4 of backend is not in the cluster yet, and nothing was applied; bring it there first, without requests: "
        "pulumi up"
    ) in done.stdout
    assert weights(scene) == {"v1": 80, "v2": 20}
    assert (scene.project.directory / "Pulumi.abort.yaml").read_text() == before


def test_a_stack_that_was_never_initialised_is_named(scene: LabStack) -> None:
    """Nothing was done, and what to type: in every command that needs the stack."""
    scene.write_stack("never", {"namespace": "never", **config()})
    for command in (
        "set backend v2=5 --yes",
        "promote backend v2 --yes",
        "abort backend --yes",
        "diff",
        "history",
        "drill --delay 1s --yes backend",
    ):
        done = scene.call(f"weir {command} --stack never")
        assert done.returncode == 1, (command, done.stdout)
        assert (
            "stack never does not exist in this backend, and nothing was done; to create it: pulumi stack init never"
            in done.stdout
        ), command
    assert "pulumi stack init never" in scene.call("weir status --window 0 --stack never").stdout
