"""Real proxies asked what they make of Istio's objects, without a cluster: an istiod that reads them from a directory,
and two Envoys.

Each question has an istiod and Envoys of its own, which know nothing but what is asked: a sidecar, and a gateway with
the label `istio: judge`. They run in a network of their own, with an API server with nothing in it, without which this
istiod does not start. The gateway, which listens at whatever ports the objects say, has another, where nothing else
takes one.
"""

from __future__ import annotations

import json
import re
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path
from socket import AF_UNIX, socket
from typing import Any

from tests.live.bootstrap import NAMESPACE, bootstrap
from tests.live.networks import ADDRESS, network, network_beside
from weir.processes import until_killed

GATEWAY_LABELS = {"istio": "judge"}
_SECONDS = 180.0
_REASON = 400
# The stock Envoy lacks the filters that Istio adds to its own build; nobody signs certificates here.
_ISTIOD = {"PILOT_ENABLE_METADATA_EXCHANGE": "false", "PILOT_ENABLE_ALPN_FILTER": "false", "ENABLE_CA_SERVER": "false"}
_TOKEN = "judge"
_API = "https://127.0.0.1:6443"
_LAST_PORT = 65535
_OUTGOING = 15004
"""What the gateway calls istiod from: one of the ports at which no gateway listens, since the proxy of a pod does for
itself.
"""

_REJECTED = re.compile(
    r"^\[[^\n]*config for type\.googleapis\.com/envoy[.\w]*\.(\w+) rejected: (.*(?:\n(?!\[).*)*)", re.MULTILINE
)
_INVALID = re.compile(r"Failed to parse \S+: (.*)")


@dataclass(frozen=True)
class Rejection:
    """What somebody has against a configuration. `who`: istiod, whose validation refuses objects, or the name of an
    Envoy.
    """

    who: str
    kind: str
    reason: str

    def __str__(self) -> str:
        # Before the reason stands the whole configuration.
        return f"{self.who} rejects a {self.kind}: {self.reason[-_REASON:]}"


class Proxies:
    """istiod and Envoys, started anew for each question."""

    def __init__(self, tools: Mapping[str, Path], enter: Sequence[str], kubeconfig: Path) -> None:
        self._tools, self._enter, self._kubeconfig = tools, enter, kubeconfig

    @classmethod
    @contextmanager
    def ready(cls, tools: Mapping[str, Path]) -> Iterator[Proxies]:
        """Everything that one question has in common with the next."""
        with ExitStack() as stack:
            directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="judge-")))
            enter = stack.enter_context(network())
            yield cls(tools, enter, stack.enter_context(_api_server(directory, tools, enter)))

    def rejections(self, objects: Sequence[Mapping[str, Any]]) -> list[Rejection]:
        """What is rejected first of these objects; nothing once each proxy has acknowledged, and holds, everything
        that concerns it.
        """
        with ExitStack() as stack:
            directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="judge-")))
            istiod = stack.enter_context(
                _Istiod.started(directory, self._tools["pilot-discovery"], self._enter, self._kubeconfig)
            )
            beside = stack.enter_context(network_beside(self._enter, source_port=_OUTGOING))
            envoys = [
                stack.enter_context(_Envoy.started(directory, self._tools["envoy"], enter, name, labels))
                for name, enter, labels in (
                    ("sidecar", self._enter, {"app": "judge"}),
                    ("router", beside, GATEWAY_LABELS),
                )
            ]
            # Not before they are connected: a proxy that starts with a certificate that never comes would not ask for
            # listeners.
            _wait_for(
                lambda: all(envoy.connected() for envoy in envoys),
                lambda: f"the proxies do not reach istiod: {istiod.last_words()}",
            )
            objects = [*objects, _last(objects)]
            istiod.publish(objects)
            found: list[Rejection] = []

            def judged() -> bool:
                found.extend(istiod.rejections())
                found.extend(each for envoy in envoys for each in envoy.rejections())
                return bool(found) or all(envoy.holds(objects) for envoy in envoys)

            _wait_for(
                judged,
                lambda: "\n".join(
                    [istiod.last_words(), "no word of:", *(text for envoy in envoys for text in envoy.missing(objects))]
                ),
            )
            return found


@contextmanager
def _api_server(directory: Path, tools: Mapping[str, Path], enter: Sequence[str]) -> Iterator[Path]:
    """An API server with nothing in it: its kubeconfig."""
    (directory / "tokens.csv").write_text(f"{_TOKEN},judge,judge,system:masters\n")
    key, kubeconfig = directory / "sa.key", directory / "kubeconfig"
    subprocess.run(["openssl", "genrsa", "-out", key, "2048"], check=True, capture_output=True)
    cluster = {"name": "judge", "cluster": {"server": _API, "insecure-skip-tls-verify": True}}
    user, context = (
        {"name": "judge", "user": {"token": _TOKEN}},
        {"name": "judge", "context": {"cluster": "judge", "user": "judge"}},
    )
    written = {"clusters": [cluster], "users": [user], "contexts": [context], "current-context": "judge"}
    kubeconfig.write_text(json.dumps({"apiVersion": "v1", "kind": "Config", **written}))
    options = {
        "etcd-servers": "http://127.0.0.1:2379",
        "cert-dir": directory / "certs",
        "bind-address": "127.0.0.1",
        "advertise-address": ADDRESS,
        "service-cluster-ip-range": "198.19.0.0/24",
        "endpoint-reconciler-type": "none",
        "authorization-mode": "AlwaysAllow",
        "token-auth-file": directory / "tokens.csv",
        "service-account-issuer": "https://judge",
        "service-account-key-file": key,
        "service-account-signing-key-file": key,
    }
    etcd = [*enter, tools["etcd"], "--data-dir", directory / "etcd", "--unsafe-no-fsync"]
    server = [*enter, tools["kube-apiserver"], *(f"--{name}={value}" for name, value in options.items())]
    question: list[Any] = [*enter, tools["kubectl"], "--kubeconfig", kubeconfig, "get", "--raw", "/readyz"]
    with _process(etcd, directory, "etcd.log"), _process(server, directory, "kube-apiserver.log"):
        _wait_for(
            lambda: subprocess.run(question, capture_output=True, check=False).returncode == 0,
            "the API server does not start",
        )
        yield kubeconfig


@contextmanager
def _process(
    command: Sequence[Any], directory: Path, log: str, environment: Mapping[str, str] | None = None
) -> Iterator[Path]:
    """A process while the block runs, and the file it writes its log to."""
    path = directory / log
    with path.open("wb") as output:
        process = subprocess.Popen(
            [*until_killed(), *command],
            cwd=directory,
            stdout=output,
            stderr=output,
            stdin=subprocess.DEVNULL,
            env=environment,
        )
    try:
        yield path
    finally:
        process.kill()
        process.wait()


class _Istiod:
    def __init__(self, objects: Path, log: Path) -> None:
        self._objects, self._log = objects, log

    @classmethod
    @contextmanager
    def started(cls, directory: Path, binary: Path, enter: Sequence[str], kubeconfig: Path) -> Iterator[_Istiod]:
        objects, mesh = directory / "objects", directory / "mesh.yaml"
        objects.mkdir()
        sources = [{"address": f"fs://{objects}"}, {"address": "k8s://"}]
        mesh.write_text(json.dumps({"defaultProviders": {"metrics": []}, "configSources": sources}))
        command = [*enter, binary, "discovery", "--registries", "", "--meshConfig", mesh, "--kubeconfig", kubeconfig]
        with _process(
            command, directory, "istiod.log", {"PATH": "/usr/bin:/bin", "PODNAMESPACE": "istio-system", **_ISTIOD}
        ) as log:
            yield cls(objects, log)

    def publish(self, objects: Sequence[Mapping[str, Any]]) -> None:
        """In one file, put there at once: istiod sees all or nothing."""
        new = self._objects / "objects.new"
        new.write_text("\n".join(json.dumps(each) for each in objects))
        new.rename(self._objects / "objects.yaml")

    def last_words(self) -> str:
        return self._log.read_text()[-1000:]

    def rejections(self) -> list[Rejection]:
        return [Rejection("istiod", "object", text) for text in _INVALID.findall(self._log.read_text())]


class _Envoy:
    def __init__(self, name: str, admin: Path, log: Path) -> None:
        self._name, self._admin, self._log = name, admin, log

    @classmethod
    @contextmanager
    def started(
        cls, directory: Path, binary: Path, enter: Sequence[str], name: str, labels: Mapping[str, str]
    ) -> Iterator[_Envoy]:
        admin, start = directory / f"{name}.sock", directory / f"{name}.json"
        start.write_text(json.dumps(bootstrap(name, labels, admin)))
        options = ["--concurrency", "1", "--log-level", "warning", "--disable-hot-restart"]
        with _process([*enter, binary, "--config-path", start, *options], directory, f"{name}.log") as log:
            yield cls(name, admin, log)

    def connected(self) -> bool:
        """Whether istiod has answered it."""
        try:
            return any(
                entry["value"]
                for entry in json.loads(self._ask("/stats?format=json&filter=^listener_manager.lds.update_success$"))[
                    "stats"
                ]
            )
        except OSError:
            return False

    def rejections(self) -> list[Rejection]:
        return [
            Rejection(self._name, kind, reason.strip()) for kind, reason in _REJECTED.findall(self._log.read_text())
        ]

    def holds(self, objects: Sequence[Mapping[str, Any]]) -> bool:
        return not self.missing(objects)

    def missing(self, objects: Sequence[Mapping[str, Any]]) -> list[str]:
        """What it does not have yet: route configurations that its listeners name, and what the objects ask of it."""
        dump = self._ask("/config_dump")
        named = set(re.findall(r'"route_config_name": "([^"]+)"', dump))
        loaded = _route_configs(json.loads(dump))
        return [f"{self._name}: routes {name}" for name in sorted(named - loaded)] + [
            f"{self._name}: {each['kind']} {each['metadata']['name']} in {each['metadata']['namespace']}"
            for each in objects
            if (mark := _mark(each, self._name)) is not None and mark not in dump
        ]

    def _ask(self, path: str) -> str:
        connection = HTTPConnection("envoy", timeout=_SECONDS)
        connection.sock = socket(AF_UNIX)
        connection.sock.connect(str(self._admin))
        connection.request("GET", path)
        return connection.getresponse().read().decode()


def _route_configs(dump: Mapping[str, Any]) -> set[str]:
    routes = [part for part in dump["configs"] if part["@type"].endswith(".RoutesConfigDump")]
    return {each["route_config"]["name"] for part in routes for each in part.get("dynamic_route_configs", [])}


def _last(objects: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """A Gateway at a port of its own, published as the last of all: once the router listens there, it has judged those
    before it.
    """
    taken = {
        server["port"]["number"] for each in objects if each["kind"] == "Gateway" for server in each["spec"]["servers"]
    }
    port = next(number for number in range(_LAST_PORT, 0, -1) if number not in taken)
    spec = {
        "selector": GATEWAY_LABELS,
        "servers": [{"port": {"number": port, "name": "http", "protocol": "HTTP"}, "hosts": ["*"]}],
    }
    metadata = {"name": "last", "namespace": NAMESPACE}
    return {"apiVersion": "networking.istio.io/v1", "kind": "Gateway", "metadata": metadata, "spec": spec}


def _mark(manifest: Mapping[str, Any], envoy: str) -> str | None:
    """What stands in an Envoy's configuration once it has taken an object; None for one that does not concern it, or
    leaves no mark.
    """
    spec, metadata = manifest["spec"], manifest["metadata"]
    match manifest["kind"]:
        case "Gateway" if envoy == "router" and metadata["namespace"] == NAMESPACE:
            return f'"0.0.0.0_{spec["servers"][0]["port"]["number"]}"'
        case _ if envoy != "sidecar":
            return None
        case "VirtualService" if "mesh" in spec.get("gateways", ["mesh"]):
            return f'/namespaces/{metadata["namespace"]}/virtual-service/{metadata["name"]}"'
        case "DestinationRule":
            return next((f'|{subset["name"]}|{spec["host"]}"' for subset in spec.get("subsets", [])), None)
        case _:
            return None


def _wait_for(condition: Any, what: Any) -> None:
    deadline = time.monotonic() + _SECONDS
    while not condition():
        assert time.monotonic() < deadline, what() if callable(what) else what
        time.sleep(0.05)
