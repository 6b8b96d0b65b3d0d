"""Finding the caller and reaching it, through a real kubectl executable that is a fake."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from weir.cluster.errors import ClusterError
from weir.cluster.kubectl import Kubectl
from weir.measurement.caller import Caller
from weir.measurement.errors import MeasurementError

from .fake_cluster import FakeCluster, pod


def find() -> Caller:
    """The caller frontend of the cluster that kubectl on PATH shows."""
    return Caller.find(Kubectl.find("demo"), "frontend")


def test_every_call_names_the_cluster_and_the_namespace(cluster: FakeCluster, tmp_path: Path) -> None:
    """kubeconfig, context and namespace are given with each call, and the pods are asked for by label."""
    kubeconfig = tmp_path / "config"
    kubeconfig.touch()
    Caller.find(Kubectl.find("demo", kubeconfig=str(kubeconfig), context="lab"), "frontend")
    (call,) = cluster.calls()
    assert call[:9] == ["--kubeconfig", str(kubeconfig), "--context", "lab", "-n", "demo", "get", "pods", "-l"]
    assert call[9] == "app=frontend"


def test_the_users_own_cluster_is_left_to_kubectl(cluster: FakeCluster) -> None:
    """Without kubeconfig and context in the config kubectl gets neither flag."""
    find()
    assert cluster.calls()[0][:3] == ["-n", "demo", "get"]


def test_a_named_kubectl_comes_before_that_on_path(
    cluster: FakeCluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """WEIR_TOOL_KUBECTL is used even when PATH has another."""
    other = FakeCluster(tmp_path)
    monkeypatch.setenv("WEIR_TOOL_KUBECTL", str(other.kubectl))
    find()
    assert len(other.calls()) == 1
    assert not cluster.calls()


def test_no_kubectl_says_how_to_get_one(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Neither on PATH nor where the variable points: the message names the remedy."""
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("WEIR_TOOL_KUBECTL", raising=False)
    with pytest.raises(ClusterError, match="no kubectl on PATH; for the lab: eval"):
        find()
    monkeypatch.setenv("WEIR_TOOL_KUBECTL", "/nowhere/kubectl")
    with pytest.raises(ClusterError, match="WEIR_TOOL_KUBECTL names /nowhere/kubectl"):
        find()


def test_a_kubeconfig_that_is_not_there_is_named(cluster: FakeCluster) -> None:
    """The missing file is told before kubectl is run."""
    with pytest.raises(ClusterError, match=r"kubeconfig /nowhere does not exist; .*weir lab up"):
        Kubectl.find("demo", kubeconfig="/nowhere")
    assert not cluster.calls()


@pytest.mark.parametrize(
    ("said", "told"),
    [
        (
            'E1123 09:27:58.295379 memcache.go:265] "Unhandled Error" err="dial tcp 127.0.0.1:8080: connect: '
            'connection refused"\n'
            "The connection to the server localhost:8080 was refused - did you specify the right host or port?",
            (
                r"cluster of the current context does not answer \(The connection to the server localhost:8080 was "
                r"refused .*weir lab status"
            ),
        ),
        ("error: context was not found for specified context: foo", "the current context is not in the kubeconfig"),
        ("Please enter Username: error: EOF", "denies access"),
        (
            'Error from server (Forbidden): pods is forbidden: User "x" cannot list resource "pods"',
            r"denies access \(Error from server \(Forbidden\)",
        ),
        (
            "error: the server doesn't have a resource type",
            "kubectl get pods -l app=frontend failed: error: the server doesn't",
        ),
    ],
)
def test_failures_of_the_cluster_say_what_to_do(cluster: FakeCluster, said: str, told: str) -> None:
    """What kubectl prints when the cluster is not there becomes one sentence with a remedy, without klog lines."""
    cluster.set(fails=[1, said])
    with pytest.raises(ClusterError, match=told) as caught:
        find()
    assert "memcache" not in str(caught.value)


def test_a_cluster_that_hangs_is_given_up(tmp_path: Path) -> None:
    """A kubectl that never ends is ended at the time-out."""
    slow = tmp_path / "kubectl"
    slow.write_text("#!/bin/sh\nexec sleep 60\n")
    slow.chmod(0o755)
    with pytest.raises(ClusterError, match=r"did not end within 0\.2 s"):
        Kubectl(str(slow), "demo").call(["get", "pods"], timeout=0.2)


def test_a_kubectl_of_another_machine_is_told(tmp_path: Path) -> None:
    """A file that cannot be executed is reported as such."""
    broken = tmp_path / "kubectl"
    broken.write_bytes(b"\x00")
    broken.chmod(0o755)
    with pytest.raises(ClusterError, match="cannot be run"):
        Kubectl(str(broken), "demo").call(["get", "pods"], timeout=5)


@pytest.mark.parametrize(
    ("pods", "told"),
    [
        ([], "no pod with the label app=frontend in namespace demo; .*pulumi up"),
        ([pod(ready=False)], r"is ready \(frontend-1: istio-proxy ErrImagePull, frontend ErrImagePull\)"),
        ([pod(phase="Pending")], r"is ready \(frontend-1: phase Pending\)"),
        ([pod(deletionTimestamp="2026-11-23T09:00:00Z")], r"is ready \(frontend-1: is being deleted\)"),
        ([pod(sidecar="none")], "no istio-proxy container: without a sidecar its requests bypass every route"),
    ],
)
def test_pods_that_cannot_be_used_say_why(cluster: FakeCluster, pods: list[dict[str, Any]], told: str) -> None:
    """No pod, no ready pod and no sidecar are three messages."""
    cluster.set(pods=pods)
    with pytest.raises(MeasurementError, match=told):
        find()


@pytest.mark.parametrize("sidecar", ["container", "native"])
def test_both_kinds_of_sidecar_count(cluster: FakeCluster, sidecar: str) -> None:
    """A sidecar is a container, or an init container that restarts for ever."""
    cluster.set(pods=[pod(sidecar=sidecar)])
    caller = find()
    assert (caller.pod, caller.container) == ("frontend-1", "frontend")


def test_the_first_ready_pod_is_taken_and_its_default_container(cluster: FakeCluster) -> None:
    """Pods that go or wait are passed over, and the pod's annotation names the container to run in."""
    chosen = pod("frontend-3", annotations={"kubectl.kubernetes.io/default-container": "web"})
    chosen["spec"]["containers"].append({"name": "web"})
    chosen["status"]["containerStatuses"].append({"name": "web", "ready": True})
    cluster.set(
        pods=[pod("frontend-4"), chosen, pod("frontend-2", ready=False), pod("frontend-1", deletionTimestamp="now")]
    )
    caller = find()
    assert (caller.pod, caller.container) == ("frontend-3", "web")


def test_envoy_is_asked_through_pilot_agent(cluster: FakeCluster) -> None:
    """The admin interface is reached in the sidecar, by Istio's own agent."""
    assert "rq_total::7" in find().envoy("clusters")
    assert cluster.calls()[-1] == [
        "-n",
        "demo",
        "exec",
        "frontend-1",
        "-c",
        "istio-proxy",
        "--",
        "pilot-agent",
        "request",
        "GET",
        "clusters",
    ]


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ('Error from server (NotFound): pods "frontend-1" not found', "pod frontend-1 is gone"),
        (
            'error: exec failed: "pilot-agent": executable file not found in $PATH',
            "container istio-proxy of pod frontend-1 has no pilot-agent",
        ),
        (
            "boom\ncommand terminated with exit code 1",
            "the sidecar of pod frontend-1 does not answer GET clusters: boom",
        ),
    ],
)
def test_a_sidecar_that_gives_no_answer_says_why(cluster: FakeCluster, said: str, told: str) -> None:
    """The pod's end, a foreign image and a failing agent are told apart."""
    caller = find()
    cluster.set(broken={"pilot-agent": [1, said]})
    with pytest.raises(MeasurementError, match=told):
        caller.envoy("clusters")


def test_a_gateways_pod_is_a_caller_without_a_program_of_its_own(cluster: FakeCluster) -> None:
    """Requests from outside begin there. Nothing can be sent from it by name, and that is said."""
    gateway = pod("gateway-1")
    gateway["spec"]["containers"] = [{"name": "istio-proxy"}]
    cluster.set(pods=[pod(), gateway])
    assert [(each.pod, each.container) for each in Caller.all(Kubectl.find("demo"))] == [
        ("frontend-1", "frontend"), ("gateway-1", "istio-proxy"),
    ]  # fmt: skip
    cluster.set(pods=[gateway])
    with pytest.raises(MeasurementError, match="has no container of its own beside istio-proxy"):
        find()
