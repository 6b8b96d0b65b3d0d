"""What stands in the cluster decides on the order of an update, on what is refused, and on who writes an object."""

from __future__ import annotations

import json
from copy import deepcopy
from pathlib import Path
from typing import Any

import pulumi
import pytest

from tests.components.test_program import DEPLOYMENT, ROUTE, RULE, Recorded, depends, run
from tests.unit.model.test_config import SOUND
from weir.model import load, mesh

NAMESPACE = "kubernetes:core/v1:Namespace"
SERVICE = "kubernetes:core/v1:Service"
URN = "urn:pulumi:dev::weir::"
OWNER = {"weir.dev/stack": "organization/weir/dev"}


def service(**keys: Any) -> dict[str, Any]:
    return {**SOUND, "services": {"backend": {**SOUND["services"]["backend"], **keys}}}


NO_ROLLOUT = "*weir-rollout-*) ;;\n"
"""Of a shell's `case`: no rollout is under way."""


class FakeKubectl:
    """A kubectl that answers with what stands there, `missing` left out; `annotations` are on all of it."""

    def __init__(self, directory: Path, config: dict[str, Any], missing: str = "", **annotations: str) -> None:
        items = [
            deepcopy(manifest) for manifest in mesh(load(config), "demo").objects() if manifest["kind"] != "Namespace"
        ]
        items = [item for item in items if f"{item['kind']} {item['metadata']['name']}" != missing]
        for item in items:
            item["metadata"]["annotations"] = {**item["metadata"].get("annotations", {}), **OWNER, **annotations}
            item.setdefault("status", {})
        (directory / "there.json").write_text(json.dumps({"items": items}))
        script = directory / "kubectl"
        script.write_text(f'#!/bin/sh\ncase "$*" in\n{NO_ROLLOUT}*) cat {directory}/there.json;;\nesac\n')
        script.chmod(0o755)
        self.kubectl = str(script)


def annotated(recorded: Recorded, kind: str, name: str) -> dict[str, str]:
    return dict(recorded.resources[(kind, name)]["metadata"]["annotations"])


def test_a_route_that_moves_shares_waits_for_no_pods(tmp_path: Path) -> None:
    """Pods that cannot become ready must not keep traffic where it is; what they are changed to comes after."""
    cluster = FakeKubectl(tmp_path, service())
    recorded = run(service(canary={"v2": 0}, image="app:2"), kubectl=cluster.kubectl)
    assert "Deployment::" not in depends(recorded, ROUTE, "backend")
    assert "Deployment::" not in depends(recorded, RULE, "backend-v1")
    assert "DestinationRule::backend-v1" in depends(recorded, ROUTE, "backend")
    for version in ("v1", "v2"):
        assert "VirtualService::backend" in depends(recorded, DEPLOYMENT, f"backend-{version}")


def test_the_port_of_a_service_keeps_the_name_it_has(tmp_path: Path) -> None:
    """Under another name it has no endpoints until Kubernetes has written them anew; what it speaks changes all the
    same.
    """
    cluster = FakeKubectl(tmp_path, service())
    there = json.loads((tmp_path / "there.json").read_text())
    [standing] = [item for item in there["items"] if item["kind"] == "Service"]
    standing["spec"]["ports"] = [{"name": "grpc", "port": 80, "targetPort": 5678, "protocol": "TCP"}]
    (tmp_path / "there.json").write_text(json.dumps(there))
    [port] = run(service(protocol="http2"), kubectl=cluster.kubectl).resources[(SERVICE, "backend")]["spec"]["ports"]
    assert (port["name"], port["appProtocol"], port["targetPort"]) == ("grpc", "http2", "http")


def test_a_route_at_gateways_is_there_before_its_service_has_more_ports(tmp_path: Path) -> None:
    """As long as there is one port, destinations name none; pods, subsets and route then wait for no Service."""
    edge = {"expose": {"gateways": ["edge/public"], "hosts": ["shop.example.com"]}}
    cluster = FakeKubectl(tmp_path, service(**edge))
    single = run(service(**edge), kubectl=cluster.kubectl)
    assert "Service::backend" in depends(single, ROUTE, "backend")
    web, raw = ({"name": "http", "port": 80, "targetPort": 5678}, {"name": "raw", "port": 9000, "protocol": "tcp"})
    config = service(**edge, ports=[web, raw], canary={"v2": 20, "v3": 1}, versions={"v1": {}, "v2": {}, "v3": {}})
    for key in ("port", "targetPort"):
        config["services"]["backend"].pop(key, None)
    recorded = run(config, kubectl=cluster.kubectl)
    order = list(recorded.requests)
    assert order.index((ROUTE, "backend")) < order.index((SERVICE, "backend"))
    assert order.index((DEPLOYMENT, "backend-v3")) < order.index((ROUTE, "backend"))
    for kind, name in ((ROUTE, "backend"), (DEPLOYMENT, "backend-v3")):
        assert "v1:Service::backend" not in depends(recorded, kind, name)
        assert "ServiceAccount::backend" in depends(recorded, kind, name)


def test_a_version_that_newly_gets_requests_is_waited_for(tmp_path: Path) -> None:
    """It alone."""
    cluster = FakeKubectl(tmp_path, service())
    recorded = run(
        service(versions={"v1": {}, "v2": {}, "v3": {}}, canary={"v2": 20, "v3": 5}), kubectl=cluster.kubectl
    )
    assert "Deployment::backend-v3" in depends(recorded, ROUTE, "backend")
    assert "Deployment::backend-v1" not in depends(recorded, ROUTE, "backend")
    assert "Deployment::backend-v3" in depends(recorded, RULE, "backend-v3")
    assert "VirtualService" not in depends(recorded, DEPLOYMENT, "backend-v3")


def test_rules_that_are_seen_otherwise_begin_with_a_whole_one(tmp_path: Path) -> None:
    """Then the others, then the route: Istio merges only rules that are seen alike, and the newest of those that are
    not is taken.
    """
    cluster = FakeKubectl(tmp_path, service())
    recorded = run(service(exportTo=["."]), kubectl=cluster.kubectl)
    whole = recorded.resources[(RULE, "backend")]
    assert [subset["name"] for subset in whole["spec"]["subsets"]] == ["v1", "v2"]
    standing = {
        manifest["metadata"]["name"]
        for manifest in mesh(load(service()), "demo").objects()
        if manifest["kind"] == "DestinationRule"
    }
    for name in ("backend", "backend-v1", "backend-v2"):
        assert recorded.resources[(RULE, name)]["metadata"]["name"] not in standing
        assert f"DestinationRule::{name}" in depends(recorded, ROUTE, "backend")
    for version in ("v1", "v2"):
        assert "DestinationRule::backend " in depends(recorded, RULE, f"backend-{version}") + " "


def test_a_whole_rule_that_stands_changes_last(tmp_path: Path) -> None:
    """A version that goes is in it as long as the route names it."""
    cluster = FakeKubectl(tmp_path, service(exportTo=["."]))
    recorded = run(service(exportTo=["."], stable="v2", canary={}), kubectl=cluster.kubectl)
    assert "VirtualService::backend" in depends(recorded, RULE, "backend")
    assert "DestinationRule::backend " not in depends(recorded, ROUTE, "backend") + " "


def test_a_host_is_gained_before_it_is_lost(tmp_path: Path) -> None:
    """The route that loses it waits for the one that gains it, and does not depend on it: a release registers one of
    the two alone.
    """
    there = {"expose": {"gateways": ["edge/public"], "hosts": ["shop.example.com"]}}
    before, after = service(**there), service()
    before["services"]["orders"] = {"image": "app:1", "versions": {"v1": {}}, "stable": "v1"}
    after["services"]["orders"] = {**before["services"]["orders"], **there}
    recorded = run(after, kubectl=FakeKubectl(tmp_path, before).kubectl)
    order = [name for kind, name in recorded.requests if kind == ROUTE]
    assert order == ["orders", "backend"]
    assert "VirtualService::orders" not in depends(recorded, ROUTE, "backend")


def test_what_would_lose_requests_is_refused_before_anything_is_touched(tmp_path: Path) -> None:
    """In one message, and with weir:force it goes on."""
    cluster = FakeKubectl(tmp_path, service())
    recorded = Recorded()
    with pytest.raises(pulumi.RunError, match=r"backend: callers at port 80 .* \(weir:force: true goes on anyway\)"):
        run(service(port=81), recorded, cluster.kubectl)
    assert {kind for kind, _ in recorded.resources if kind.startswith("kubernetes:")} == {NAMESPACE}
    assert (ROUTE, "backend") in run({**service(port=81), "force": True}, kubectl=cluster.kubectl).resources


def test_new_objects_are_written_as_weir_and_old_ones_as_before(tmp_path: Path) -> None:
    """A field manager that the state alone knows dies with a killed update; one that holds the fields of what stands
    must stay.
    """
    manager = "pulumi.com/patchFieldManager"
    assert annotated(run(service(), kubectl="/nowhere/kubectl"), DEPLOYMENT, "backend-v1")[manager] == "weir"
    old = run(service(versions={"v1": {}, "v2": {}, "v3": {}}), kubectl=FakeKubectl(tmp_path, service()).kubectl)
    assert manager not in annotated(old, DEPLOYMENT, "backend-v1")
    assert manager not in annotated(old, ROUTE, "backend")
    assert annotated(old, DEPLOYMENT, "backend-v3")[manager] == "weir"
    new = run(service(), kubectl=FakeKubectl(tmp_path, service(), **{manager: "weir"}).kubectl)
    assert annotated(new, DEPLOYMENT, "backend-v1")[manager] == annotated(new, ROUTE, "backend")[manager] == "weir"


@pytest.mark.parametrize("written", [True, False])
def test_what_a_killed_update_left_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, written: bool) -> None:
    """With the command that removes it; what the state has, this update removes by itself."""
    said: list[str] = []
    monkeypatch.setattr(pulumi.log, "warn", lambda text, *_, **__: said.append(text))
    cluster = FakeKubectl(tmp_path, service(versions={"v1": {}, "v2": {}, "v3": {}}), "DestinationRule backend-v3")
    deployment = {"kind": "Deployment", "metadata": {"name": "backend-v3"}}
    state = {f"{URN}{DEPLOYMENT}::backend-v3": deployment} if written else {}
    run(service(), Recorded(state=state), cluster.kubectl)
    found = [text for text in said if "killed" in text]
    if written:
        assert found == []
    else:
        assert found == [
            "Deployment demo/backend-v3 was made by an update of this stack that was killed, and is in neither its "
            "config nor its state; remove it: kubectl delete -n demo deployment backend-v3"
        ]


def test_requests_that_meet_no_pods_are_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whose number is somebody else's may be scaled to 0, which no update refuses."""
    said: list[str] = []
    monkeypatch.setattr(pulumi.log, "warn", lambda text, *_, **__: said.append(text))
    external = service(versions={"v1": {}, "v2": {"replicas": "external"}})
    cluster = FakeKubectl(tmp_path, external)
    file = tmp_path / "there.json"
    there = json.loads(file.read_text())
    for each in there["items"]:
        if each["kind"] == "Deployment":
            each["spec"]["replicas"] = 0 if each["metadata"]["name"] == "backend-v2" else 1
    file.write_text(json.dumps(there))
    assert (ROUTE, "backend") in run(external, kubectl=cluster.kubectl).resources
    assert [text for text in said if "503" in text] == [
        "backend: v2 gets requests, which are answered 503: its owner has scaled deployment/backend-v2 to 0 pods; scale "
        "it up: kubectl scale -n demo deployment/backend-v2 --replicas=1, or send it nothing"
    ]


@pytest.mark.parametrize(("written", "preview"), [(True, False), (True, True), (False, False)])
def test_what_is_being_deleted_does_not_count_as_there(tmp_path: Path, written: bool, preview: bool) -> None:
    """It is waited for, and created again where the state does not have it; else the update would call it unchanged,
    and changes nothing: it is refused, by the preview too, once a refresh finds it gone.
    """
    cluster = FakeKubectl(tmp_path, service())
    file = tmp_path / "there.json"
    there = json.loads(file.read_text())
    [leaving] = [
        each for each in there["items"] if (each["kind"], each["metadata"]["name"]) == ("Deployment", "backend-v1")
    ]
    leaving["metadata"] |= {"deletionTimestamp": "2026-11-27T09:00:00Z", "uid": "1"}
    file.write_text(json.dumps(there))
    (tmp_path / "asked").write_text("")
    # Asked for by name, it is there twice, and then no more.
    script = f"""#!/bin/sh
case "$*" in
{NO_ROLLOUT}*--ignore-not-found*) echo >> {tmp_path}/asked; [ $(wc -l < {tmp_path}/asked) -gt 2 ] || echo '{json.dumps(leaving)}';;
*) cat {file};;
esac
"""
    Path(cluster.kubectl).write_text(script)
    deployment = {"kind": "Deployment", "metadata": {"name": "backend-v1"}}
    recorded = Recorded(state={f"{URN}{DEPLOYMENT}::backend-v1": deployment} if written else {})
    if written:
        with pytest.raises(
            pulumi.RunError, match=r"^Deployment demo/backend-v1 was being deleted .* pulumi up --refresh$"
        ):
            run(service(), recorded, cluster.kubectl, preview=preview)
        assert {kind for kind, _ in recorded.resources if kind.startswith("kubernetes:")} == {NAMESPACE}
    else:
        assert (DEPLOYMENT, "backend-v1") in run(service(), recorded, cluster.kubectl).resources
    assert (tmp_path / "asked").read_text().count("\n") >= 3


def test_a_namespace_is_let_go_of_and_not_deleted() -> None:
    """Somebody else's from now on: it stays in the state, marked so that nothing deletes it; one that never was this
    stack's is not there at all.
    """
    state = {
        f"{URN}weir:mesh:StackNamespace${NAMESPACE}::namespace": {"kind": "Namespace", "metadata": {"name": "demo"}},
        f"{URN}weir:mesh:MeshService${ROUTE}::backend": {
            "kind": "VirtualService",
            "metadata": {"name": "backend", "namespace": "demo"},
        },
    }
    recorded = run({**SOUND, "createNamespace": False}, Recorded(state=state))
    assert recorded.requests[(NAMESPACE, "namespace")].retainOnDelete
    assert recorded.resources[(NAMESPACE, "namespace")] == run(SOUND).resources[(NAMESPACE, "namespace")]
    assert not run(SOUND).requests[(NAMESPACE, "namespace")].retainOnDelete
    assert (NAMESPACE, "namespace") not in run({**SOUND, "createNamespace": False}).resources


def test_a_stack_does_not_move_from_one_namespace_to_another() -> None:
    """Whoever made them: everything in the old one would go."""
    state = {
        f"{URN}weir:mesh:MeshService${ROUTE}::backend": {
            "kind": "VirtualService",
            "metadata": {"name": "backend", "namespace": "old"},
        }
    }
    with pytest.raises(pulumi.RunError, match="namespace old → demo: everything in old would be deleted"):
        run({**SOUND, "createNamespace": False}, Recorded(state=state))
    run({**SOUND, "createNamespace": False, "force": True}, Recorded(state=state))
