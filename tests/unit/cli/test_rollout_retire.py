"""A version that a promotion has replaced is retired: what Pulumi says of that is a recorded preview, and pulumi and
kubectl stand in for themselves, as for `weir rollback`.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import chain
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from tests.unit.cli.test_rollback import PULUMI, calls
from tests.unit.engine.test_earlier import HISTORIES
from tests.unit.rollout.fake_mesh import KUBECTL as RECORDS
from tests.unit.rollout.fake_mesh import STATE
from weir.cli.context import Context
from weir.cli.rollout import command
from weir.cli.rollout_retire import given_up, retire_when_due, to_retire
from weir.engine.errors import EngineError, RefusedError
from weir.rollout import record
from weir.rollout.state import State

PROMOTED = """\
config:
  weir:namespace: demo
  weir:services:
    backend:
      image: app:1
      port: 80
      versions:
        v1: {} # of last week
        v2: {}
      stable: v2
      canary: {v1: 0}
"""
RETIRED = PROMOTED.replace("        v1: {} # of last week\n", "").replace("{v1: 0}", "{}")
# What is no ConfigMap is in a file of its own.
KUBECTL = RECORDS.replace(
    "place = ", 'if "configmap" not in " ".join(sys.argv) and "-f" not in sys.argv:\n'
    '    print(Path(__file__).with_name("objects.json").read_text())\n    sys.exit()\nplace = ', 1,
)  # fmt: skip


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """v2 of backend is promoted, and nothing else is to be applied."""
    (tmp_path / "Pulumi.yaml").write_text("name: weir\nruntime: python\n")
    (tmp_path / "Pulumi.dev.yaml").write_text(PROMOTED)
    (tmp_path / "code").write_text("0")
    routed(tmp_path, v2=100)
    previewed(tmp_path, "version-retired")
    for name, text in (("pulumi", PULUMI), ("kubectl", KUBECTL)):
        (tmp_path / name).write_text(text)
        (tmp_path / name).chmod(0o755)
        monkeypatch.setenv(f"WEIR_TOOL_{name.upper()}", str(tmp_path / name))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def routed(project: Path, **weights: int) -> None:
    """The cluster's route gives the versions this."""
    host = "backend.demo.svc.cluster.local"
    route = [{"destination": {"host": host, "subset": name}, "weight": weight} for name, weight in weights.items()]
    spec = {"hosts": [host], "http": [{"name": "default", "route": route}]}
    found = {"kind": "VirtualService", "metadata": {"name": "backend", "namespace": "demo"}, "spec": spec}
    (project / "objects.json").write_text(json.dumps({"items": [found]}))


def previewed(project: Path, *names: str, more: Sequence[Any] = ()) -> None:
    """Pulumi says that these recorded updates, and more steps, are what changes."""
    found = [
        json.loads(gzip.decompress((HISTORIES.with_name("previews") / f"{name}.json.gz").read_bytes()))
        for name in names
    ]
    steps = [*chain.from_iterable(each["steps"] for each in found), *more]
    (project / "preview.json").write_text(json.dumps({**found[0], "steps": steps}))


def retired(**keys: Any) -> State:
    """What becomes of v1, which is due."""
    context, due = Context("dev"), datetime.now(UTC) - timedelta(seconds=1)
    state = replace(STATE, phase="promoted", index=1, retire=due, **keys)
    record.write(context.kubectl, [state], record.read_all(context.kubectl, ["backend"]))
    (found,) = retire_when_due(context, to_retire(context, ["backend"]), "PR 12")
    kept = record.read(context.kubectl, "backend")
    assert kept is not None
    assert kept.state == found
    return found


def file(project: Path) -> str:
    return (project / "Pulumi.dev.yaml").read_text()


def test_it_goes_from_the_file_and_the_cluster(project: Path) -> None:
    """By a whole update from the very text that was previewed; the history says what and why."""
    state = retired()
    assert (state.retire, state.retired) == (None, "v1 is retired")
    assert file(project) == RETIRED
    [preview], [up] = calls(project, "preview"), calls(project, "up")
    assert preview[1] == up[1] == RETIRED
    assert not [each for each in up[0] if each.startswith("--target")]
    assert up[0][up[0].index("--message") + 1].splitlines()[:2] == [
        "weir rollout backend v2 (v1 retired)",
        "reason: PR 12",
    ]


@pytest.mark.parametrize("weights", [{"v1": 100}, {"v2": 99, "v1": 1}])
def test_what_gets_requests_again_stays(project: Path, weights: dict[str, int]) -> None:
    """Be it as the stable version or a part of them; that is said, and settled."""
    routed(project, **weights)
    state = retired()
    assert (state.retire, state.retired) == (None, "v1 is not retired: it gets requests again")
    assert file(project) == PROMOTED
    assert calls(project, "up") == calls(project, "preview") == []


def test_a_file_without_the_promotion_retires_nothing_yet(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """As in an image of last week: the update would take the promotion back."""
    before = PROMOTED.replace("stable: v2", "stable: v1").replace("{v1: 0}", "{v2: 50}")
    (project / "Pulumi.dev.yaml").write_text(before)
    state = retired()
    assert state.retire is not None
    assert state.retired == ""
    assert file(project) == before
    assert calls(project, "up") == calls(project, "preview") == []
    assert (
        "v1 is not retired yet: Pulumi.dev.yaml gives it requests, and the cluster does not" in capsys.readouterr().err
    )


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ("new-image", "backend: v2 image"),
        ("canary-moves", "backend: v2 "),
        ("service-removed", "service removed"),
        ("client-added", "other objects: 1 Deployment created"),
    ],
)
def test_an_update_that_would_bring_more_is_left_to_pulumi_up(project: Path, more: str, said: str) -> None:
    """The file says what is wanted, nothing is applied, and what more there is stands in the reason."""
    previewed(project, "version-retired", more)
    state = retired()
    assert state.retire is None
    assert state.retired.startswith("v1 is not retired: an update would bring more than that (")
    assert said in state.retired
    assert state.retired.endswith("It is out of Pulumi.dev.yaml; pulumi up retires it with the rest")
    assert file(project) == RETIRED
    assert calls(project, "up") == []


def step(op: str, kind: str, name: str, before: Any = None, after: Any = None) -> dict[str, Any]:
    """A step of a preview, as Pulumi writes it."""
    token = f"kubernetes:{'networking.istio.io/v1' if kind == 'VirtualService' else 'policy/v1'}:{kind}"
    states = {"oldState": before, "newState": after}
    return {
        "op": op,
        "urn": f"urn:pulumi:dev::weir::weir:mesh:MeshService${token}::{name}",
        **{key: {"type": token, "inputs": inputs} for key, inputs in states.items() if inputs},
    }


def route(hosts: Sequence[str], weights: dict[str, int], **keys: Any) -> dict[str, Any]:
    host = "backend.demo.svc.cluster.local"
    shares = [{"destination": {"host": host, "subset": name}, "weight": weight} for name, weight in weights.items()]
    gateways = {} if hosts == [host] else {"gateways": ["istio-ingress/public"]}
    spec = {"hosts": hosts, **gateways, "http": [{"name": "default", "route": shares, **keys}]}
    return {"metadata": {"name": "backend", "namespace": "demo"}, "spec": spec}


OWN = ["backend.demo.svc.cluster.local"]
BUDGET = {"metadata": {"name": "backend-v1", "namespace": "demo"}, "spec": {"minAvailable": 1}}


@pytest.mark.parametrize(
    ("more", "said"),
    [
        # What the promotion has left of it in the route.
        (step("update", "VirtualService", "backend", route(OWN, {"v2": 100, "v1": 0}), route(OWN, {"v2": 100})), ""),
        (step("delete", "PodDisruptionBudget", "backend-v1", BUDGET), ""),
        (step("delete", "PodDisruptionBudget", "backend-v3", BUDGET), "other objects: 1 PodDisruptionBudget deleted"),
        (step("update", "PodDisruptionBudget", "backend-v1", BUDGET, BUDGET),
         "other objects: 1 PodDisruptionBudget updated"),
        (step("update", "VirtualService", "backend", route(OWN, {"v2": 100, "v1": 0}),
              route(OWN, {"v2": 100}, timeout="9s")), "backend: new timeout: 9 s"),
        (step("update", "VirtualService", "backend", route(OWN, {"v2": 100, "v3": 0}), route(OWN, {"v2": 100})),
         "backend: v3 is no longer prepared"),
        (step("update", "VirtualService", "backend", route(OWN, {"v2": 100, "v1": 0}), route(OWN, {"v2": 90, "v1": 10})),
         "backend: v1 0 % → 10 % (v2 100 % → 90 %)"),
    ],
)  # fmt: skip
def test_what_is_of_the_version_is_told_from_what_is_not(project: Path, more: dict[str, Any], said: str) -> None:
    """By the names of objects, and what of the route changes."""
    previewed(project, "version-retired", more=[more])
    why = f"not retired: an update would bring more than that ({said}). It is out of Pulumi.dev.yaml; pulumi up retires"
    assert retired().retired == (f"v1 is {why} it with the rest" if said else "v1 is retired")
    assert len(calls(project, "up")) == (not said)


def test_a_route_that_names_it_keeps_it(project: Path) -> None:
    """The config would be unsound, and is left as it is."""
    before = (
        PROMOTED + "      routes:\n        - {name: old, match: [{uri: {prefix: /old}}], stable: v2, canary: {v1: 0}}\n"
    )
    (project / "Pulumi.dev.yaml").write_text(before)
    state = retired()
    assert state.retired.startswith("v1 is not retired: ")
    assert "weir:services.backend.routes[0].canary.v1" in state.retired
    assert file(project) == before


def test_text_that_others_share_keeps_it(project: Path) -> None:
    """What cannot be taken out alone is to be taken out by hand."""
    before = PROMOTED.replace("v1: {} # of last week", "v1: &all {replicas: 2}").replace("v2: {}", "v2: *all")
    (project / "Pulumi.dev.yaml").write_text(before)
    state = retired()
    assert state.retired.startswith("v1 is not retired: ")
    assert "take weir:services.backend.versions.v1 out by hand" in state.retired
    assert file(project) == before


@pytest.mark.parametrize("version", ["{workload: deployment/shop}", "{host: legacy.demo.svc.cluster.local, port: 80}"])
def test_what_is_not_weirs_stays(project: Path, version: str) -> None:
    """There is nothing to delete but the entry, and its rules."""
    (project / "Pulumi.dev.yaml").write_text(PROMOTED.replace("{} # of last week", version))
    assert retired().retired == "v1 is retired; what runs it is not weir's, and stays"
    assert file(project) == RETIRED


@pytest.mark.parametrize("changes", ["version-retired", "nothing"])
def test_after_a_kill_another_process_goes_on(project: Path, changes: str) -> None:
    """The file no longer has the version; the cluster may have some of it, or nothing."""
    (project / "Pulumi.dev.yaml").write_text(RETIRED)
    previewed(project, changes)
    assert retired().retired == "v1 is retired"
    assert len(calls(project, "up")) == (changes == "version-retired")


@pytest.mark.parametrize(("code", "error"), [("255", EngineError)])
def test_an_update_that_fails_is_tried_again(project: Path, code: str, error: type[EngineError]) -> None:
    """It is due as before."""
    (project / "code").write_text(code)
    with pytest.raises(error) as failed:
        retired()
    assert not isinstance(failed.value, RefusedError)
    kept = record.read(Context("dev").kubectl, "backend")
    assert kept is not None
    assert kept.state.retire is not None
    (project / "code").write_text("0")
    context = Context("dev")
    (state,) = retire_when_due(context, to_retire(context, ["backend"]), "")
    assert state.retired == "v1 is retired"


@pytest.mark.parametrize("arguments", ["backend", "--once", "backend --once"])
def test_a_call_without_a_version_retires_what_is_due(project: Path, arguments: str) -> None:
    """A terminal's, and a schedule's; the next one has nothing to do."""
    state = replace(STATE, phase="promoted", retire=datetime.now(UTC) - timedelta(seconds=1))
    record.write(Context("dev").kubectl, [state], {})
    done = CliRunner().invoke(command, [*arguments.split(), "--json", "--stack", "dev"])
    assert done.exit_code == 0, done.exception
    assert json.loads(done.stdout)["retired"] == "v1 is retired"
    assert file(project) == RETIRED
    again = CliRunner().invoke(command, [*arguments.split(), "--stack", "dev"])
    said = "nothing is due" if "once" in arguments else "no rollout of backend is under way"
    assert said in again.output + str(again.exception)
    assert len(calls(project, "up")) == 1


def test_services_that_went_as_one_are_waited_for_together(project: Path) -> None:
    """Those first that are due first; of one that keeps its version nothing."""
    text = PROMOTED.partition("    backend:\n")
    names = ("backend", "cart", "web")
    (project / "Pulumi.dev.yaml").write_text(text[0] + "".join(f"    {name}:\n{text[2]}" for name in names))
    at = datetime.now(UTC)
    dues = {"backend": at + timedelta(hours=2), "cart": at + timedelta(hours=1), "web": None}
    states = [replace(STATE, service=name, phase="promoted", together=names, retire=dues[name]) for name in names]
    record.write(Context("dev").kubectl, states, {})
    assert [each.state.service for each in to_retire(Context("dev"), ["backend"])] == ["cart", "backend"]
    assert to_retire(Context("dev"), ["web"]) == []


def test_what_another_rollout_gives_up_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    """By name, and of nothing else."""
    due = replace(STATE, phase="promoted", retire=datetime.now(UTC))
    given_up([record.Kept(due, "1"), record.Kept(replace(due, service="cart", retire=None), "1")])
    assert capsys.readouterr().err == "backend: v1 is not retired any more, since another rollout begins\n"
