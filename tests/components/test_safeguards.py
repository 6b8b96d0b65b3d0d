"""The hooks ask the cluster without holding up, or being held up by, what else the program waits for."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pulumi
import pytest

from components.args import ClusterArgs
from components.failure_reasons import FailureReasons
from components.safeguards import Safeguards
from weir.cluster.kubectl import Kubectl
from weir.cluster.live import Live
from weir.cluster.proxies import Acknowledged
from weir.cluster.want import Want
from weir.model import load, mesh


def test_a_question_is_asked_though_every_thread_waits_for_the_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each resource under way holds a thread of the event loop until its hooks have answered: with a thousand of them
    none would be left.
    """
    # There is no engine to register the hooks with; the question alone is of interest.
    for name in ("ResourceHook", "ErrorHook"):
        monkeypatch.setattr(pulumi, name, lambda *_: None)
    guard = Safeguards(ClusterArgs())
    engine = threading.Event()

    async def asked() -> str:
        loop = asyncio.get_running_loop()
        loop.set_default_executor(ThreadPoolExecutor(2))
        registering = [loop.run_in_executor(None, engine.wait) for _ in range(5)]
        try:
            return await asyncio.wait_for(guard.cluster.ask(lambda: "answered", "not answered"), timeout=10)
        finally:
            engine.set()
            await asyncio.gather(*registering)

    assert asyncio.run(asked()) == "answered"


def test_a_field_of_somebody_else_is_not_called_a_fault_of_the_version(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who holds it is named, and how to take it over; the pods are not at fault and are not asked."""
    for name in ("ResourceHook", "ErrorHook"):
        monkeypatch.setattr(pulumi, name, lambda *_: None)
    said: list[str] = []
    monkeypatch.setattr(pulumi.log, "error", said.append)
    guard = Safeguards(ClusterArgs())
    metadata = {"name": "backend-v2", "namespace": "demo", "labels": {"app": "backend", "version": "v2"}}
    error = (
        'Apply failed with 1 conflict: conflict with "kubectl-set" using apps/v1: '
        '.spec.template.spec.containers[name="backend"].image'
    )
    args = pulumi.ErrorHookArgs(
        "urn", "id", "backend-v2", "kubernetes:apps/v1:Deployment", {"metadata": metadata}, errors=[error]
    )
    assert asyncio.run(FailureReasons(guard.cluster).tell(args)) is False
    assert said[0].startswith(
        "version v2 of backend was not changed: field manager kubectl-set owns a field that this update sets."
    )
    assert "PULUMI_K8S_ENABLE_PATCH_FORCE=true pulumi up" in said[0]


def test_a_wait_knows_how_old_the_service_is_and_is_heard_of(monkeypatch: pytest.MonkeyPatch) -> None:
    """After an outage of istiod that decides whether proxies are waited for; the lines about it reach Pulumi, whose
    log only the event loop may use.
    """
    for name in ("ResourceHook", "ErrorHook"):
        monkeypatch.setattr(pulumi, name, lambda *_: None)
    guard = Safeguards(ClusterArgs())
    said: list[tuple[str, bool, bool]] = []
    loop_thread = threading.get_ident()

    def info(text: str, *, ephemeral: bool) -> None:
        said.append((text, ephemeral, threading.get_ident() == loop_thread))

    def waited(
        _: object,
        want: Want,
        timeout: float,
        *,
        age: Callable[[float], float],
        since: object,
        tell: Callable[[str], None],
    ) -> Acknowledged:
        tell(f"{want}: {age(100.0):g} of {timeout:g} s")
        return Acknowledged(1, 0.0)

    class Standing(Live):
        def age(self, service: str, now: float) -> float:
            return {"backend": now - 93.0}[service]

    def kubectl(namespace: str) -> Kubectl:
        return Kubectl("kubectl", namespace)

    standing = {"demo": Standing(kubectl("demo"))}
    monkeypatch.setattr(guard.cluster, "kubectl", kubectl)
    monkeypatch.setattr(guard.cluster, "state", standing.__getitem__)
    monkeypatch.setattr("components.propagation.wait_for", waited)
    monkeypatch.setattr(pulumi.log, "info", info)
    monkeypatch.setattr(pulumi.log, "debug", lambda _: None)

    async def wait() -> None:
        await guard.propagation.wait(Want("backend.demo.svc.cluster.local", known=frozenset({"v2"})), None)
        await asyncio.sleep(0)

    asyncio.run(wait())
    assert said == [("acknowledged backend v2: 7 of 30 s", True, True)]


def test_a_version_that_is_another_service_has_no_pods_to_wait_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither in a preview nor in an update is the cluster asked about them: proxies are, which know its endpoints."""
    for name in ("ResourceHook", "ErrorHook"):
        monkeypatch.setattr(pulumi, name, lambda *_: None)
    guard = Safeguards(ClusterArgs())
    monkeypatch.setattr(guard.cluster, "ask", lambda *_: pytest.fail("the cluster is asked"))
    versions = {"old": {"host": "shop.old.svc.cluster.local", "port": 80}, "v2": {"image": "app:1"}}
    config = load({"namespace": "demo", "services": {"backend": {"versions": versions, "stable": "old"}}})
    guard.readiness.declare("backend", mesh(config, "demo").services["backend"])
    fresh = frozenset({"shop.old.svc.cluster.local:80"})
    asyncio.run(guard.readiness.refuse_without_pods("backend", "demo", fresh))
    asyncio.run(guard.readiness.await_workloads("backend", "demo", fresh))
