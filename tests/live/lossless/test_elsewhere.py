"""A legacy host is strangled under load: from all requests to none, by shares that are measured, and removed.

The lab has no route out. What stands for the external host is a Service of a namespace without sidecars, which the
proxies know as such, too: they ask it by the name in DNS that the ServiceEntry has as its endpoint.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.live.harness import Project, until
from tests.live.lossless.conftest import RATE, soak, temporary_stack
from tests.live.lossless.lab_stack import FORTIO, LabStack, backend, server
from tests.live.lossless.load import Load

OUTSIDE, MESH = "elsewhere-outside", "elsewhere-mesh"
LEGACY = f"legacy.{OUTSIDE}.svc.cluster.local"
OLD = f"old.{MESH}.svc.cluster.local"
CLIENTS = {"frontend": {"image": "curlimages/curl:latest"}}
EXTERNAL = {"host": LEGACY, "port": 80, "external": True}


def workload(name: str, namespace: str, *more: str, **spec: Any) -> list[dict[str, Any]]:
    """A fortio behind a Service at port 80, as somebody else runs it."""
    labels = {"app": name}
    container = {
        "name": name,
        "image": FORTIO,
        "imagePullPolicy": "IfNotPresent",
        "args": [*server(name)["args"], *more],
        "readinessProbe": {"tcpSocket": {"port": 8080}, "periodSeconds": 1},
        **({"volumeMounts": spec.pop("mounts")} if "mounts" in spec else {}),
    }
    pod = {"metadata": {"labels": labels}, "spec": {"containers": [container], **spec}}
    metadata = {"name": name, "namespace": namespace}
    ports = [{"name": "http", "port": 80, "targetPort": 8080}, {"name": "https", "port": 443, "targetPort": 8080}]
    deployment = {"selector": {"matchLabels": labels}, "template": pod}
    return [
        {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata, "spec": deployment},
        {"apiVersion": "v1", "kind": "Service", "metadata": metadata, "spec": {"selector": labels, "ports": ports}},
    ]


def namespace(name: str, **labels: str) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}}


@pytest.fixture(scope="module")
def scene(lab: Project) -> Iterator[LabStack]:
    """The stack, and beside it a legacy host outside the mesh and a Service inside."""
    with temporary_stack(lab, "elsewhere-strangled") as stack:
        stack.apply(namespace(OUTSIDE), namespace(MESH, **{"istio-injection": "enabled"}))
        stack.apply(*workload("legacy", OUTSIDE), *workload("old", MESH))
        for place in (OUTSIDE, MESH):
            stack.run(f"kubectl rollout status -n {place} deploy --timeout=120s")
        yield stack
        stack.run(f"kubectl delete namespace {OUTSIDE} {MESH} --wait=false")


def config(stable: str, canary: Mapping[str, float], **versions: Mapping[str, Any]) -> dict[str, Any]:
    """The service, whose versions are pods unless they say where they are."""
    service = backend(stable, canary, v2={})
    return {"services": {"backend": {**service, "versions": {**service["versions"], **versions}}}, "clients": CLIENTS}


def verified(stack: LabStack, *arguments: str) -> dict[str, Any]:
    """What `weir verify` finds; it must be what the config says."""
    done = stack.call(f".venv/bin/weir verify --json --stack {stack.name} {' '.join(arguments)}")
    assert done.returncode == 0, done.stdout[-4000:]
    [service] = json.loads(done.stdout[done.stdout.index("{") :])["services"]
    return dict(service)


def kinds(stack: LabStack) -> set[str]:
    return set(stack.kubectl("get serviceentry,destinationrule -o name").split())


@soak
def test_a_legacy_host_is_strangled_under_load(scene: LabStack) -> None:
    """From 100 to 80 to 0 percent and away, and back from nothing in one update: no request is lost, the shares are
    what the config says, and what is left are the objects of the other version alone.
    """
    scene.up(config("legacy", {"v2": 0}, legacy=EXTERNAL))
    with Load(scene, rate=RATE) as load:
        scene.up(config("legacy", {"v2": 20}, legacy=EXTERNAL), "--skip-preview")
        assert set(verified(scene)["attempts"]) >= {"legacy", "v2"}
        before = load.read()
        load.wait(500)
        assert set(load.read().versions_since(before)) == {"legacy", "v2"}
        done = scene.call(f".venv/bin/weir set backend v2=100 --yes --stack {scene.name}")
        assert done.returncode == 0, done.stdout
        verified(scene)
        scene.up(config("v2", {}), "--skip-preview")
        assert not [name for name in kinds(scene) if "legacy" in name]
        before = load.read()
        load.wait(500)
        assert set(load.read().versions_since(before)) == {"v2"}
        # Made and named in one update, and gone in another.
        scene.up(config("v2", {"legacy": 50}, legacy=EXTERNAL), "--skip-preview")
        verified(scene)
        scene.up(config("v2", {}), "--skip-preview")
        load.stop().assert_nothing_lost()
    scene.assert_converged()


@soak
def test_another_service_is_strangled_under_load(scene: LabStack) -> None:
    """The same for a Service of the mesh, of which weir makes nothing."""
    old = {"host": OLD, "port": 80}
    scene.up(config("v2", {}))
    with Load(scene, rate=RATE) as load:
        scene.up(config("v2", {"old": 20}, old=old), "--skip-preview")
        verified(scene)
        assert kinds(scene) == {"destinationrule.networking.istio.io/backend-v2"}
        scene.up(config("old", {"v2": 0}, old=old), "--skip-preview")
        verified(scene)
        scene.up(config("v2", {}), "--skip-preview")
        load.stop().assert_nothing_lost()
    scene.assert_converged()


@soak
def test_a_service_without_ready_pods_gets_no_request(scene: LabStack) -> None:
    """The update waits for one and fails, and the route stays."""
    scene.up(config("v2", {}))
    scene.run(f"kubectl scale -n {MESH} deploy/old --replicas=0")
    endpoints = f"kubectl get endpoints -n {MESH} old -o jsonpath={{.subsets}}"
    until(lambda: not scene.run(endpoints), 60, "old has no pod")
    try:
        scene.write({**config("v2", {"old": 20}, old={"host": OLD, "port": 80}), "propagation": {"timeout": "8s"}})
        update = scene.pulumi("up --yes --skip-preview")
        assert update.code != 0
        assert f"have not acknowledged backend {OLD}:80" in update.said
        assert OLD not in scene.kubectl("get virtualservice backend -o yaml")
    finally:
        scene.run(f"kubectl scale -n {MESH} deploy/old --replicas=1")
        scene.up(config("v2", {}), "--refresh")


@pytest.fixture
def secure(scene: LabStack, tmp_path: Path) -> Iterator[LabStack]:
    """The legacy host with TLS and a certificate for its name, signed by an authority of the test's own; and a caller
    whose sidecar has that authority in a file.
    """
    _certificate(tmp_path)
    scene.up(config("v2", {}))
    for kind, name, place in (("secret generic", "legacy", OUTSIDE), ("configmap", "authority", scene.namespace)):
        files = "--from-file=ca.pem" if name == "authority" else "--from-file=cert.pem --from-file=key.pem"
        scene.run(
            f"cd {tmp_path} && kubectl create {kind} {name} -n {place} {files} --dry-run=client -o yaml | kubectl "
            "apply -f -"
        )
    tls = ["-cert=/tls/cert.pem", "-key=/tls/key.pem"]
    volumes = [{"name": "tls", "secret": {"secretName": "legacy"}}]
    scene.apply(*workload("legacy", OUTSIDE, *tls, mounts=[{"name": "tls", "mountPath": "/tls"}], volumes=volumes))
    # Another name for the same pods, for which the certificate is not.
    scene.apply(
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {"name": "impostor", "namespace": OUTSIDE},
            "spec": {"selector": {"app": "legacy"}, "ports": [{"name": "https", "port": 443, "targetPort": 8080}]},
        }
    )
    trusting = {
        "sidecar.istio.io/userVolume": json.dumps([{"name": "authority", "configMap": {"name": "authority"}}]),
        "sidecar.istio.io/userVolumeMount": json.dumps([{"name": "authority", "mountPath": "/authority"}]),
    }
    labels = {"app": "trusting"}
    container = {
        "name": "trusting",
        "image": "curlimages/curl:latest",
        "imagePullPolicy": "IfNotPresent",
        "command": ["sleep", "infinity"],
    }
    pod = {
        "metadata": {"labels": labels, "annotations": trusting},
        "spec": {"containers": [container], "terminationGracePeriodSeconds": 1},
    }
    scene.apply(
        {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": {"name": "trusting", "namespace": scene.namespace},
            "spec": {"selector": {"matchLabels": labels}, "template": pod},
        }
    )
    # Why a connection failed stands in the access log alone.
    logging = {"accessLogging": [{"providers": [{"name": "envoy"}]}], "selector": {"matchLabels": labels}}
    scene.apply(
        {
            "apiVersion": "telemetry.istio.io/v1",
            "kind": "Telemetry",
            "metadata": {"name": "trusting", "namespace": scene.namespace},
            "spec": logging,
        }
    )
    scene.run(f"kubectl rollout status -n {OUTSIDE} deploy/legacy --timeout=120s")
    scene.run(f"kubectl rollout status -n {scene.namespace} deploy/trusting --timeout=120s")
    yield scene
    scene.kubectl("delete deployment trusting --wait=false")
    scene.apply(*workload("legacy", OUTSIDE))


def _certificate(directory: Path) -> None:
    """ca.pem, and cert.pem with key.pem for the legacy host, good for a day."""
    (directory / "names").write_text(f"subjectAltName=DNS:{LEGACY}\n")
    for command in (
        "req -x509 -newkey rsa:2048 -nodes -days 1 -subj /CN=authority -keyout ca.key -out ca.pem",
        "req -newkey rsa:2048 -nodes -subj /CN=legacy -keyout key.pem -out request",
        "x509 -req -in request -days 1 -CA ca.pem -CAkey ca.key -CAcreateserial -extfile names -out cert.pem",
    ):
        subprocess.run(["openssl", *command.split()], cwd=directory, check=True, capture_output=True)


def _logged(stack: LabStack, path: str) -> str:
    """What the caller's Envoy has logged of a request; empty while it has nothing."""
    lines = stack.kubectl("logs deploy/trusting -c istio-proxy").splitlines()
    return next((line for line in lines if f"GET /{path} " in line), "")


@soak
def test_tls_is_for_the_name_of_the_host(secure: LabStack) -> None:
    """With the authority's file requests arrive, with the host's name; a certificate for another name is refused by
    the proxy, and so is one of an authority that nobody has named.
    """
    tls = {"mode": "SIMPLE", "caCertificates": "/authority/ca.pem"}
    legacy = {"host": LEGACY, "port": 443, "external": True, "trafficPolicy": {"tls": tls}}
    secure.up(config("v2", {"legacy": 20}, legacy=legacy))
    verified(secure, "--client trusting")
    ask = f"kubectl exec -n {secure.namespace} deploy/trusting -c trusting -- curl -s"
    secure.up(config("v2", {"legacy": 100}, legacy=legacy), "--skip-preview")
    assert f"Host: {LEGACY}" in secure.run(f"{ask} http://backend/debug")
    unknown = {"host": LEGACY, "port": 443, "external": True}
    impostor = {**legacy, "host": f"impostor.{OUTSIDE}.svc.cluster.local"}
    for name, refused, why in (
        ("unknown", unknown, "local issuer"),
        ("impostor", impostor, "SAN matcher"),
    ):
        secure.up(config("v2", {name: 100}, **{name: refused}), "--skip-preview")
        assert secure.run(f"{ask} -o /dev/null -w '%{{http_code}}' http://backend/{name}") == "503"
        # Envoy writes its log now and then.
        until(lambda name=name: _logged(secure, name) != "", 30, "the request is logged")  # type: ignore[misc]
        line = _logged(secure, name)
        assert "CERTIFICATE_VERIFY_FAILED" in line
        assert why in line.replace("_", " "), line
    secure.up(config("v2", {}), "--skip-preview")
