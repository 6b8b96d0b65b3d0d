"""Services that run already are taken over as they are, and lose no request while they are: sets of manifests of six
kinds of deployments, applied by kubectl, then adopted, a second version released beside the first, the first one
retired, and the stack destroyed.
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.live.harness import CHECKOUT, Project, discard
from tests.live.lossless.callers import namespace
from tests.live.lossless.conftest import RATE, soak
from tests.live.lossless.lab_stack import FORTIO, LabStack
from tests.live.lossless.load import Load, Stream

SETS = Path(__file__).parent / "adopted"
INGRESS = "adopted-ingress"
GATEWAY = CHECKOUT / "docs" / "guide" / "ingress-gateway.yaml"
SIGMAS = 6.0
"""A share this far from what is written comes by chance once in 500 million times."""


@dataclass(frozen=True)
class Adoption:
    """A set, and what becomes of it.

    `services`: those that are adopted, the first of which gets a second version.
    `port`: of that one; `old`: its version, and `gone`: what runs its pods.
    `version`: the second one, as the config has it; where somebody else runs that, too, it is there already.
    `streams`: paths asked for through the gateway, by host.
    `asks`: what fortio asks of its other ports, from a caller's pod.
    `before`: its versions as they are adopted.
    """

    name: str
    services: tuple[str, ...]
    old: str
    gone: tuple[str, ...]
    port: int = 80
    new: str = "v2"
    version: Mapping[str, Any] = field(default_factory=dict)
    service: Mapping[str, Any] = field(default_factory=dict)
    streams: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    asks: tuple[str, ...] = ()
    before: dict[str, Any] = field(default_factory=dict)

    def manifest(self) -> str:
        """What is applied before weir comes."""
        return (SETS / f"{self.name}.yaml").read_text().replace("FORTIO", FORTIO).replace("INGRESS", INGRESS)


ARGS = ["server", "-http-port=8080", "-server-idle-timeout=1h"]
ARGS += [f"-{name}-port=disabled" for name in ("grpc", "tcp", "udp", "redirect")]
OURS = {"image": FORTIO, "args": ARGS}


def pods(**spec: Any) -> dict[str, Any]:
    return {"deployment": {"spec": {"template": {"spec": spec}}}}


A = Adoption(
    "a",
    ("frontend", "cart"),
    old="v1",
    gone=("deployment/frontend",),
    version={
        **OURS,
        "replicas": 2,
        "kubernetes": {
            "deployment": {
                "spec": {
                    "template": {
                        "metadata": {"annotations": {"example.com/team": "web"}},
                        "spec": {"serviceAccountName": "frontend"},
                    }
                }
            }
        },
    },
    streams={"shop.example.com": ("/", "/cart")},
)
B = Adoption(
    "b",
    ("payments",),
    old="blue",
    gone=("deployment/payments-blue",),
    port=8000,
    new="green",
    version={
        "image": FORTIO,
        "command": ["/usr/bin/fortio", *ARGS, "-data-dir=/tmp/data"],
        "labels": {"color": "green"},
        "kubernetes": pods(
            volumes=[{"name": "tmp", "emptyDir": {}}],
            containers=[{"name": "payments", "volumeMounts": [{"name": "tmp", "mountPath": "/tmp"}]}],
        ),
    },
)
CERTIFICATE = ["-cert=/etc/certificate/tls.crt", "-key=/etc/certificate/tls.key"]
C = Adoption(
    "c",
    ("catalog",),
    old="v1-0-0",
    gone=("deployment/catalog", "horizontalpodautoscaler/catalog"),
    version={
        "image": FORTIO,
        "args": [*(each for each in ARGS if "grpc" not in each), "-grpc-port=8079", "-static-dir=/etc/catalog"],
        "labels": {"app.kubernetes.io/version": "2.0.0"},
        "autoscaling": {"minReplicas": 2, "maxReplicas": 4},
        "kubernetes": pods(
            imagePullSecrets=[{"name": "registry"}],
            volumes=[
                {"name": "files", "configMap": {"name": "catalog"}},
                {"name": "certificate", "secret": {"secretName": "certificate"}},
            ],
            containers=[
                {"name": "catalog", "volumeMounts": [{"name": "files", "mountPath": "/etc/catalog"}]},
                {
                    "name": "tls",
                    "image": FORTIO,
                    "imagePullPolicy": "IfNotPresent",
                    "args": [*ARGS, *CERTIFICATE, "-http-port=8443"],
                    "volumeMounts": [{"name": "certificate", "mountPath": "/etc/certificate", "readOnly": True}],
                },
            ],
        ),
    },
    asks=("curl -quiet -k https://catalog/", "grpcping -n 5 catalog:9000"),
)
SECRET = {"valueFrom": {"secretKeyRef": {"name": "credentials", "key": "password"}}}
D = Adoption(
    "d",
    ("orders", "home", "users", "stock", "search"),
    old="1",
    gone=("deployment/orders", "horizontalpodautoscaler/orders"),
    port=8080,
    version={**OURS, "env": {"PASSWORD": SECRET}, "envFrom": [{"configMapRef": {"name": "settings"}}], "replicas": 2},
    streams={"five.example.com": ("/", "/users/", "/orders/", "/stock/", "/search/")},
)
E = Adoption(
    "e",
    ("hub",),
    old="4",
    gone=("deployment/hub",),
    port=8081,
    version={
        **OURS,
        "labels": {"release": "5"},
        "kubernetes": pods(serviceAccountName="hub", automountServiceAccountToken=True),
    },
    streams={"tools.example.com": ("/jupyter",)},
)
F = Adoption("f", ("shop",), old="stable", gone=("deployment/shop-stable",), new="canary")


def certificate(stack: LabStack, directory: Path) -> None:
    """A Secret with a certificate that nobody has to trust."""
    request = "req -x509 -newkey rsa:2048 -nodes -days 1 -subj /CN=catalog -keyout key.pem -out cert.pem"
    subprocess.run(["openssl", *request.split()], cwd=directory, check=True, capture_output=True)
    files = f"--cert={directory}/cert.pem --key={directory}/key.pem"
    stack.run(f"kubectl create secret tls certificate -n {stack.namespace} {files}")


def answered(stack: LabStack, adoption: Adoption, load: Load) -> None:
    """The ports beside that of the load answer."""
    for ask in adoption.asks:
        stack.run(load.caller.exec("caller", f"/usr/bin/fortio {ask}"))


@pytest.fixture(scope="module")
def gateway(lab: Project) -> Iterator[str]:
    """The address of the guide's gateway, under a name of this module's."""
    manifest = GATEWAY.read_text().replace("istio-ingress", INGRESS).replace("istio: ingress", f"istio: {INGRESS}")
    shell = LabStack.create(lab, INGRESS)
    shell.run("kubectl apply -f -", stdin=manifest)
    shell.run(f"kubectl rollout status -n {INGRESS} deployment --timeout=2m")
    yield shell.run(f"kubectl get service {INGRESS} -n {INGRESS} -o jsonpath={{.spec.clusterIP}}")
    discard(lab, INGRESS, INGRESS)


@contextmanager
def running(lab: Project, adoption: Adoption, directory: Path) -> Iterator[LabStack]:
    """What runs before weir comes, with a stack that has nothing yet."""
    stack = LabStack.create(lab, f"set-{adoption.name}")
    try:
        stack.apply(namespace(stack.namespace))
        if adoption.asks:
            certificate(stack, directory)
        stack.run(f"kubectl apply -n {stack.namespace} -f -", stdin=adoption.manifest())
        for kind in ("deployment", "statefulset"):
            stack.run(f"kubectl rollout status -n {stack.namespace} {kind} --timeout=3m")
        stack.write({"createNamespace": False})
        yield stack
    finally:
        discard(lab, stack.name, stack.namespace)
        stack.run(f"kubectl delete namespace {stack.namespace} --ignore-not-found --wait=false")


def adopt(stack: LabStack, adoption: Adoption) -> tuple[dict[str, Any], str]:
    """The config that `weir adopt` prints, without the prefix, and what it says beside it; all of it is taken over."""
    done = stack.call(f"weir adopt {' '.join(adoption.services)} --stack {stack.name} 2>said; cat said >&2; rm said")
    printed = yaml.safe_load(stack.run(f"weir adopt {' '.join(adoption.services)} --stack {stack.name} 2>/dev/null"))
    said = done.stdout
    assert "cannot be taken over" not in said, said
    return {key.removeprefix("weir:"): value for key, value in printed["config"].items()}, said


def moved(stack: LabStack, adoption: Adoption, load: Load, share: float) -> None:
    """The second version gets this share of the requests in the mesh."""
    service = adoption.services[0]
    stack.run(f"weir set {service} {adoption.new}={share:g} --yes --stack {stack.name}")
    before = load.read()
    load.wait(1000)
    counts = load.read().versions_since(before)
    total, expected = sum(counts.values()), share / 100
    deviation = SIGMAS * (expected * (1 - expected) / total) ** 0.5
    assert abs(counts.get(adoption.new, 0) / total - expected) <= deviation, counts


def taken_over(lab: Project, adoption: Adoption, directory: Path, gateway: str = "") -> None:
    """The whole life under weir, and not one request lost."""
    with running(lab, adoption, directory) as stack:
        streams = [
            Stream(f"{host}{path}", f"http://{host}{path}", 20, 2, gateway)
            for host, paths in adoption.streams.items()
            for path in paths
        ]
        with Load(stack, *streams, rate=RATE, service=adoption.services[0], port=adoption.port) as load:
            config, said = adopt(stack, adoption)
            whole = {**config, "adopt": True}
            stack.write(whole)
            told = stack.run(f"weir diff --stack {stack.name}")
            for service in adoption.services:
                assert f"{service}: taken over as it runs: traffic does not change" in told, told
            for host in config.get("hosts", {}):
                assert f"host {host}: taken over as it runs: traffic does not change" in told, told
            stack.up()
            stack.write(config)
            stack.assert_converged()
            if removal := re.search(r"kubectl delete -n \S+ .*", said):
                stack.run(removal[0])
            answered(stack, adoption, load)
            release(stack, adoption, load, config)
            answered(stack, adoption, load)
            if adoption.version:
                given_back(stack, adoption, config)
            stack.pulumi("destroy --yes")
            load.wait(500)
            load.stop().assert_nothing_lost()


def release(stack: LabStack, adoption: Adoption, load: Load, config: dict[str, Any]) -> None:
    """A second version beside the first, by steps; then the first one goes, with its pods."""
    service = config["services"][adoption.services[0]]
    adoption.before.update(service["versions"])
    if adoption.version:
        service["versions"][adoption.new] = dict(adoption.version)
        service |= adoption.service
        stack.up(config)
    for share in (20, 100):
        moved(stack, adoption, load, share)
    del service["versions"][adoption.old]
    service |= {"stable": adoption.new, "canary": {}}
    assert f"{adoption.old} is drained: no proxy routes to it" in stack.up(config).said
    stack.run(f"kubectl delete -n {stack.namespace} {' '.join(adoption.gone)}")
    load.wait(500)


def given_back(stack: LabStack, adoption: Adoption, config: dict[str, Any]) -> None:
    """Its owner makes its pods again, and gets the requests, before the stack goes with the pods that it has made; and
    has a host at gateways again, under a name that none of weir's has.
    """
    manifests = list(yaml.safe_load_all(adoption.manifest()))
    for each in manifests:
        if each["kind"] == "VirtualService" and "gateways" in each["spec"]:
            each["metadata"]["name"] += "-again"
            stack.run(f"kubectl apply -n {stack.namespace} -f -", stdin=yaml.safe_dump(each))
    mine = [each for each in manifests if f"{each['kind'].lower()}/{each['metadata']['name']}" in adoption.gone]
    stack.run(f"kubectl apply -n {stack.namespace} -f -", stdin=yaml.safe_dump_all(mine))
    # Before that, weir gives them no requests.
    stack.run(f"kubectl rollout status -n {stack.namespace} {adoption.gone[0]} --timeout=2m")
    service = config["services"][adoption.services[0]]
    service["versions"][adoption.old] = adoption.before[adoption.old]
    service |= {"stable": adoption.old, "canary": {}}
    stack.up(config)


@soak
def test_two_versions_of_another_tool(lab: Project, tmp_path: Path) -> None:
    """f) Deployments, and a StatefulSet, that somebody else owns: routing alone."""
    taken_over(lab, F, tmp_path)


@soak
@pytest.mark.parametrize("adoption", [A, B, C, D, E], ids=lambda adoption: adoption.name)
def test_services_that_run(lab: Project, gateway: str, adoption: Adoption, tmp_path: Path) -> None:
    """a) Two services behind one gateway. b) Blue and green. c) Ports of three protocols, and an autoscaler. d) Five
    services behind one host. e) A path of a host that others share.
    """
    taken_over(lab, adoption, tmp_path, gateway)
