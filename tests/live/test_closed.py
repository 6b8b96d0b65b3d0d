"""What must not be reached: the machine from the lab's network; the node from the pods of a stack's account."""

from __future__ import annotations

import json
import secrets
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from lab.node.launch import Launch
from lab.paths import LabPaths
from tests.live.harness import Project, Shell, shell_environment, stack_like_dev, until
from tests.live.lossless.conftest import soak

POD = "reaching"
# Waits for an answer no longer than a packet within a machine takes, many times over.
TRY = """
import socket, sys
kind, host, port, text = sys.argv[1:]
with socket.socket(socket.AF_INET, socket.SOCK_STREAM if kind == "tcp" else socket.SOCK_DGRAM) as there:
    there.settimeout(2)
    try:
        there.connect((host, int(port)))
        there.sendall(text.encode())
    except OSError:
        pass
"""


class Listening:
    """Two ports of the machine, of TCP and of UDP, at one of its addresses, and what has arrived there."""

    def __init__(self, address: str) -> None:
        self.tcp = socket.create_server((address, 0))
        self.udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.udp.bind((address, 0))
        self.tcp.setblocking(False)
        self.udp.setblocking(False)

    @property
    def ports(self) -> dict[str, int]:
        return {"tcp": self.tcp.getsockname()[1], "udp": self.udp.getsockname()[1]}

    def arrived(self) -> set[str]:
        """What came since the last look: by which protocol."""
        found = set()
        try:
            while True:
                self.tcp.accept()[0].close()
                found.add("tcp")
        except BlockingIOError:
            pass
        try:
            while self.udp.recv(100):
                found.add("udp")
        except BlockingIOError:
            pass
        return found

    def close(self) -> None:
        self.tcp.close()
        self.udp.close()


@pytest.fixture(scope="module")
def shell(lab: Project) -> Shell:
    """bash on the lab."""
    return Shell(lab, shell_environment(lab))


@pytest.fixture
def pod(shell: Shell) -> Iterator[str]:
    """A pod without a sidecar."""
    container = {
        "name": "c",
        "image": "curlimages/curl:latest",
        "imagePullPolicy": "IfNotPresent",
        "command": ["sleep", "infinity"],
    }
    spec = {"terminationGracePeriodSeconds": 0, "containers": [container]}
    shell.apply({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": POD, "namespace": "default"}, "spec": spec})
    shell.run(f"kubectl wait -n default --for=condition=Ready pod/{POD} --timeout=60s")
    yield POD
    shell.run(f"kubectl delete pod -n default {POD} --wait=false")


def test_no_packet_of_the_labs_network_reaches_the_machine(lab: Project, shell: Shell, pod: str) -> None:
    """Neither at the address of its end of the link nor at all addresses, of TCP or UDP, from the node or from a pod;
    the machine reaches the lab.
    """
    launch = Launch.read(LabPaths(lab.directory).launch)
    assert launch is not None
    for address in ("0.0.0.0", launch.host_address):
        there = Listening(address)
        try:
            for kind, port in there.ports.items():
                target = (kind, launch.host_address, str(port), "hello")
                subprocess.run(["python3", "-c", TRY, *target], check=True)
                until(lambda there=there, kind=kind: there.arrived() == {kind}, 5, "the machine itself gets there")  # type: ignore[misc]
                subprocess.run(
                    ["nsenter", f"--target={launch.pid}", "--net", "python3", "-c", TRY, *target], check=True
                )
                # bash has connections as files; it has said whether it has one once it returns.
                tried = f"exec timeout 2 bash -c 'echo hello > /dev/{kind}/{launch.host_address}/{port}'"
                shell.run(f"kubectl exec -n default {pod} -- {tried.removeprefix('exec ')}", check=False)
                assert there.arrived() == set()
        finally:
            there.close()
    assert shell.run("kubectl get --raw /readyz") == "ok"


# As weir has the provider kept in an update; prints whether it is, and the ports at which what it has started listens.
KEEPING = """
import json, subprocess, sys
from pathlib import Path
from weir.engine.warm.program import ProgramServer, plugin_to_keep
server = ProgramServer(Path.cwd())
kept = server.keep(plugin_to_keep(Path.cwd()))
print(json.dumps([kept, server.pid]), flush=True)
sys.stdin.read()
"""


def test_the_provider_that_is_kept_cannot_be_asked_by_anybody(lab: Project, shell: Shell) -> None:
    """The real one: its port takes no connection, while weir has it run."""
    with subprocess.Popen(
        [".venv/bin/python", "-c", KEEPING],
        cwd=lab.directory,
        env=dict(shell.environment),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as weir:
        assert weir.stdout is not None
        assert weir.stdin is not None
        kept, server = json.loads(weir.stdout.readline())
        assert kept
        children = subprocess.run(
            ["pgrep", "--parent", str(server)], capture_output=True, text=True, check=True
        ).stdout.split()
        shown = subprocess.run(["ss", "-Hltnp"], capture_output=True, text=True, check=True).stdout.splitlines()
        ports = [
            int(line.split()[3].rpartition(":")[2]) for line in shown if any(f"pid={pid}," in line for pid in children)
        ]
        assert len(ports) == 1
        with socket.socket() as connection:
            connection.settimeout(2)
            with pytest.raises(TimeoutError):
                connection.connect(("127.0.0.1", ports[0]))
        weir.stdin.close()


@contextmanager
def account(lab: Project, stack: str, options: str = "") -> Iterator[str]:
    """The account of `weir rbac` for a stack: the path of its kubeconfig."""
    lab.run(f".venv/bin/weir rbac --stack {stack} {options} | kubectl apply -f -")
    token = lab.run(f"kubectl create token weir-{stack} -n istio-system --duration=1h").stdout.strip()
    content = json.loads((lab.directory / ".weir/lab/kubeconfig").read_text())
    content["users"][0]["user"] = {"token": token}
    path = lab.directory / f".weir/kubeconfig-{stack}"
    path.touch(mode=0o600)
    path.write_text(json.dumps(content))
    try:
        yield f".weir/kubeconfig-{stack}"
    finally:
        lab.run(f".venv/bin/weir rbac --stack {stack} | kubectl delete --ignore-not-found --wait=false -f -")
        path.unlink()


def allowed(deployment: dict[str, Any]) -> None:
    """As weir writes it."""


def host_path(deployment: dict[str, Any]) -> None:
    pod_of(deployment)["volumes"] = [{"name": "node", "hostPath": {"path": "/"}}]


def token(deployment: dict[str, Any]) -> None:
    sources = [{"serviceAccountToken": {"path": "token"}}]
    pod_of(deployment)["volumes"] = [{"name": "token", "projected": {"sources": sources}}]


def privileged(deployment: dict[str, Any]) -> None:
    container_of(deployment)["securityContext"] |= {"privileged": True, "allowPrivilegeEscalation": True}


def power(deployment: dict[str, Any]) -> None:
    container_of(deployment)["securityContext"]["capabilities"] = {"drop": ["ALL"], "add": ["NET_RAW"]}


def root(deployment: dict[str, Any]) -> None:
    container_of(deployment)["securityContext"] |= {"runAsUser": 0, "runAsNonRoot": False}


def proxys_user(deployment: dict[str, Any]) -> None:
    container_of(deployment)["securityContext"] |= {"runAsUser": 1337}


def host_port(deployment: dict[str, Any]) -> None:
    container_of(deployment)["ports"] = [{"containerPort": 80, "hostPort": 80}]


def host_network(deployment: dict[str, Any]) -> None:
    pod_of(deployment)["hostNetwork"] = True


def host_processes(deployment: dict[str, Any]) -> None:
    pod_of(deployment)["hostPID"] = True


def another_account(deployment: dict[str, Any]) -> None:
    pod_of(deployment)["serviceAccountName"] = "default"


def another_app(deployment: dict[str, Any]) -> None:
    pod_of(deployment)["serviceAccountName"] = "somebody"
    for labels in (deployment["spec"]["selector"]["matchLabels"], deployment["spec"]["template"]["metadata"]["labels"]):
        labels["app"] = "somebody"


def with_token(deployment: dict[str, Any]) -> None:
    pod_of(deployment)["automountServiceAccountToken"] = True


def secret(deployment: dict[str, Any]) -> None:
    container_of(deployment)["envFrom"] = [{"secretRef": {"name": "somebodys"}}]


def secret_volume(deployment: dict[str, Any]) -> None:
    pod_of(deployment)["volumes"] = [{"name": "secret", "secret": {"secretName": "somebodys"}}]


def init_container(deployment: dict[str, Any]) -> None:
    pod_of(deployment)["initContainers"] = [
        {"name": "first", "image": "curlimages/curl:latest", "securityContext": {"privileged": True}}
    ]


def volume_of_the_sidecar(deployment: dict[str, Any]) -> None:
    deployment["spec"]["template"]["metadata"]["annotations"] = {
        "sidecar.istio.io/userVolume": '{"n":{"hostPath":{"path":"/"}}}'
    }


def own_istio_init(deployment: dict[str, Any]) -> None:
    own = {
        key: value for key, value in container_of(deployment).items() if key not in ("lifecycle", "readinessProbe")
    } | {"name": "istio-init"}
    pod_of(deployment)["initContainers"] = [own]


BEYOND = [
    host_path,
    token,
    privileged,
    power,
    root,
    proxys_user,
    host_port,
    host_network,
    host_processes,
    another_account,
    another_app,
    with_token,
    secret,
    secret_volume,
    init_container,
    volume_of_the_sidecar,
    own_istio_init,
]


def pod_of(deployment: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = deployment["spec"]["template"]["spec"]
    return found


def container_of(deployment: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = pod_of(deployment)["containers"][0]
    return found


@soak
def test_the_account_brings_its_stack_up_and_down_and_no_pod_beyond_it(lab: Project, shell: Shell) -> None:
    """With the printed roles and policy weir's own stack comes, changes and goes, its namespace with it; the API
    server refuses all other pods.
    """
    name = "account"
    with stack_like_dev(lab, name) as file, account(lab, name) as kubeconfig:
        text = file.read_text()
        file.write_text(
            "\n".join(
                f"  weir:kubeconfig: {kubeconfig}" if "weir:kubeconfig" in line else line for line in text.splitlines()
            )
        )
        assert kubeconfig in file.read_text()
        lab.run(f"pulumi up --yes --skip-preview --stack {name}")
        lab.run(f".venv/bin/weir set backend v2=40 --yes --stack {name}")
        # Without the right to run curl in a client's pod there are no figures, and a drill all the same.
        drilled = lab.run(f".venv/bin/weir drill backend --delay 200ms --for 15s --yes --stack {name}")
        assert drilled.stderr.count("latency and errors are not shown") == 1
        assert "backend is as before the drill" in drilled.stderr
        [made] = [
            each
            for each in json.loads(shell.run(f"kubectl get deployments -n {name} -o json"))["items"]
            if each["metadata"]["name"] == "backend-v1"
        ]
        for change in [allowed, *BEYOND]:
            deployment = json.loads(json.dumps(made))
            deployment["metadata"] = {"name": f"try-{secrets.token_hex(4)}", "namespace": name}
            change(deployment)
            command = f"KUBECONFIG={kubeconfig} kubectl create --dry-run=server -o name -f - 2>&1"
            said = shell.run(command, stdin=json.dumps(deployment), check=False)
            assert (f"ValidatingAdmissionPolicy 'weir-{name}'" in said) == (change is not allowed), (
                f"{change.__name__}: {said}"
            )
            assert ("deployment.apps/" in said) == (change is allowed), f"{change.__name__}: {said}"
        lab.run(f"pulumi destroy --yes --skip-preview --stack {name}")
        assert not shell.run(f"kubectl get namespace {name} --ignore-not-found")
