"""What `istioctl analyze` says of configs: each in a namespace of its own, with all that is there in a cluster beside
it.

That is what weir does not make: the pods of the Deployments, Services and pods of somebody else's,
the proxies of gateways with their Service and Secrets, and the Gateways of other namespaces.
"""

from __future__ import annotations

import base64
import copy
import json
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.live.apiserver import ApiServer
from tests.live.fake_lists import supposed
from weir.model import ConfigError, Service, StackConfig, load, mesh, warnings
from weir.model.manifests.kubernetes import Manifest, namespace

FOREIGN_GATEWAYS = {("other", "public"), ("x", "y")}
"""Gateways that configs name and that no config makes."""

FORETOLD = {
    "IST0101": {"gateway-out-of-sight"},
    "IST0109": {"host-of-two"},
    "IST0128": {"unverified-server", "tls-without-sidecar"},
    "IST0129": {"unverified-server", "tls-without-sidecar"},
    "IST0130": {"hidden-route"},
    "IST0132": {"gateway-without-host"},
    "IST0133": {"large-body", "failover-without-outliers"},
    "IST0138": {"shared-certificate"},
    "IST0145": {"host-served-twice"},
}
"""Messages of the analyzers, and the warnings of weir that say the same before anything is in the cluster."""

HARMLESS = {"IST0112", "IST0137"}
"""Of a service with several ports. IST0112 wants a port in each destination, where istiod takes the one that was asked
for (GetDestinationCluster). IST0137 is told where two ports lead to one of the pods, who speak one protocol there (weir
refuses two): so a service gets another port while callers still know the old one. Both are shown by
tests/live/routing/test_ports.py.
"""

_PROXY = {"name": "istio-proxy", "image": "istio/proxyv2"}
_EXAMPLE = "example"


@dataclass(frozen=True)
class Message:
    """One message of an analyzer that is more than an information."""

    code: str
    level: str
    origin: str
    text: str


class Analyzer:
    """`istioctl analyze` of a supposed cluster."""

    def __init__(self, istioctl: Path, server: ApiServer, directory: Path) -> None:
        self._istioctl, self._server, self._directory = istioctl, server, directory
        # Of a Secret, only whether its certificate is valid now is looked at, and that of the lab's user is.
        self._certificate = base64.b64encode(server.certificate).decode()

    def unforetold(self, configs: Mapping[str, Mapping[str, Any]]) -> dict[str, list[Message]]:
        """What is said of a config that weir did not warn of, by the name of its namespace."""
        found: dict[str, list[Message]] = {}
        for name, messages in self._messages(configs).items():
            names = {warning.name for warning in warnings(placed(configs[name], name))} if name in configs else set()
            unforetold = [
                message
                for message in messages
                if message.code not in HARMLESS and names.isdisjoint(FORETOLD.get(message.code, ()))
            ]
            found |= {name: unforetold} if unforetold else {}
        return found

    def _messages(self, configs: Mapping[str, Mapping[str, Any]]) -> dict[str, list[Message]]:
        objects = [each for name, raw in configs.items() for each in self._world(name, raw)]
        # Hosts of several services, and what is every host, have gateways that no other config's service is at.
        edge = {
            ("edge", gateway.partition("/")[2])
            for raw in configs.values()
            for each in (
                *raw.get("hosts", {}).values(),
                *(one.get("expose", {}) for one in raw.get("services", {}).values()),
            )
            for gateway in each.get("gateways", [])
            if gateway.startswith("edge/")
        }
        objects += [namespace(place) for place in sorted({place for place, _ in FOREIGN_GATEWAYS | edge})]
        objects += [each for place, name in sorted(FOREIGN_GATEWAYS | edge) for each in _foreign_gateway(place, name)]
        options = ["--all-namespaces", "--output=json", "--output-threshold=Warning", "--timeout=2m"]
        with supposed(self._server, objects, self._directory) as kubeconfig:
            command: list[str | Path] = [self._istioctl, "analyze", "--kubeconfig", kubeconfig, *options]
            done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
        assert done.stdout.startswith("["), done.stdout + done.stderr
        # Behind the list may stand a sentence.
        listed, _ = json.JSONDecoder().raw_decode(done.stdout)
        said: dict[str, list[Message]] = {}
        for each in listed:
            said.setdefault(_place(each["origin"]), []).append(
                Message(each["code"], each["level"], each["origin"], each["message"])
            )
        return said

    def _world(self, name: str, raw: Mapping[str, Any]) -> Iterator[Manifest]:
        config = placed(raw, name)
        objects = list(mesh(config, name).objects())
        yield from objects
        if not config.create_namespace:
            yield namespace(name)
        for each in objects:
            if each["kind"] == "Deployment":
                yield _pod(
                    each["metadata"]["name"],
                    name,
                    each["spec"]["template"]["metadata"]["labels"],
                    each["spec"]["template"]["spec"],
                )
        for service_name, service in config.services.items():
            yield from _of_others(service_name, service, name)
        yield from _hosts(config, name)
        for gateway_name, gateway in config.gateways.items():
            yield from _gateway_proxy(
                gateway_name, name, gateway.selector, {server.port.number for server in gateway.servers}
            )
        for secret in {
            server.tls.credential_name
            for gateway in config.gateways.values()
            for server in gateway.servers
            if server.tls
        } - {None}:
            data = dict.fromkeys(("tls.crt", "tls.key", "ca.crt"), self._certificate)
            yield {
                "apiVersion": "v1",
                "kind": "Secret",
                "metadata": {"name": secret, "namespace": name},
                "type": "kubernetes.io/tls",
                "data": data,
            }


def placed(raw: Mapping[str, Any], name: str) -> StackConfig:
    """The config in this namespace; hosts and pods of gateways are its own too, since both are known in every
    namespace.
    """
    moved = copy.deepcopy({**raw, "namespace": name})
    for service in moved.get("services", {}).values():
        if "expose" in service:
            service["expose"]["hosts"] = _owned(service["expose"]["hosts"], name)
        for version in service.get("versions", {}).values():
            if version and "host" in version:
                version["host"] = f"{name}.{version['host']}"
    if "hosts" in moved:
        moved["hosts"] = {_owned([host], name)[0]: each for host, each in moved["hosts"].items()}
    for gateway in moved.get("gateways", {}).values():
        gateway["selector"][_EXAMPLE] = name
        for server in gateway["servers"]:
            server["hosts"] = _owned(server["hosts"], name)
    return load(moved)


def _owned(hosts: list[str], name: str) -> list[str]:
    return [host if host.endswith("*") else f"{host}.{name}" for host in hosts]


def reduced(raw: Mapping[str, Any], analyzer: Analyzer, code: str) -> tuple[dict[str, Any], list[Message]]:
    """The config with all left out that has no part in the message."""
    small, said = dict(raw), list[Message]()

    def still(candidate: dict[str, Any]) -> list[Message]:
        try:
            load(candidate)
        except ConfigError:
            return []
        return [each for each in analyzer.unforetold({"reduced": candidate}).get("reduced", []) if each.code == code]

    shrinking = True
    while shrinking:
        shrinking = False
        for path in list(_paths(small)):
            candidate = _without(small, path)
            if candidate is not None and (found := still(candidate)):
                small, said, shrinking = candidate, found, True
    return small, said


def _paths(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    entries = (
        list(value.items()) if isinstance(value, dict) else list(enumerate(value)) if isinstance(value, list) else []
    )
    for key, _ in entries:
        yield (*path, key)
    for key, inner in entries:
        yield from _paths(inner, (*path, key))


def _without(value: dict[str, Any], path: tuple[Any, ...]) -> dict[str, Any] | None:
    """A copy without the entry at the path; None where there is none any more."""
    copied = copy.deepcopy(value)
    holder: Any = copied
    try:
        for key in path[:-1]:
            holder = holder[key]
        del holder[path[-1]]
    except (LookupError, TypeError):
        return None
    return copied


def _place(origin: str) -> str:
    """The namespace of what a message is about: `VirtualService demo/backend`, or `Namespace demo`."""
    return origin.rpartition(" ")[2].partition("/")[0]


def _pod(name: str, place: str, labels: Mapping[str, str], spec: Mapping[str, Any] | None = None) -> Manifest:
    containers = [*(spec["containers"] if spec else []), _PROXY]
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": f"{name}-0", "namespace": place, "labels": dict(labels)},
        "spec": {**(spec or {}), "containers": containers},
    }


def _service(name: str, place: str, selector: Mapping[str, str], ports: Mapping[str, int]) -> Manifest:
    entries = [
        {"name": port_name, "port": port, "targetPort": port, "protocol": "TCP"} for port_name, port in ports.items()
    ]
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": name, "namespace": place},
        "spec": {"selector": dict(selector), "ports": entries},
    }


def _ports(service: Service) -> dict[str, int]:
    """Named as Istio wants it: by what they speak."""
    return {f"{port.protocol}-{port.port}": port.port for port in service.all_ports}


def _of_others(name: str, service: Service, place: str) -> Iterator[Manifest]:
    """What somebody else runs of a service: the Service, pods."""
    if not service.makes_service:
        yield _service(name, place, service.selected_by(name), _ports(service))
    for version in service.with_pods:
        if service.workload(version) is None:
            yield _pod(f"{name}-{version}", place, service.pod_labels(name, version))


def _hosts(config: StackConfig, place: str) -> Iterator[Manifest]:
    """The hosts of versions that somebody else has made known to the mesh."""
    ports: dict[str, set[int]] = {}
    for service in config.services.values():
        for version in service.versions.values():
            if version.elsewhere is not None and not version.elsewhere.external:
                ports.setdefault(version.elsewhere.host, set()).add(version.elsewhere.port)
    for number, (host, numbers) in enumerate(ports.items()):
        yield {
            "apiVersion": "networking.istio.io/v1",
            "kind": "ServiceEntry",
            "metadata": {"name": f"host-{number}", "namespace": place},
            "spec": {
                "hosts": [host],
                "location": "MESH_EXTERNAL",
                "resolution": "DNS",
                "ports": [{"number": port, "name": f"http-{port}", "protocol": "HTTP"} for port in sorted(numbers)],
            },
        }


def _gateway_proxy(name: str, place: str, selector: Mapping[str, str], ports: set[int]) -> Iterator[Manifest]:
    yield _pod(f"proxy-of-{name}", place, selector)
    yield _service(f"proxy-of-{name}", place, selector, {f"http-{port}": port for port in sorted(ports)})


def _foreign_gateway(place: str, name: str) -> Iterator[Manifest]:
    selector = {_EXAMPLE: f"none-{place}-{name}"}
    yield {
        "apiVersion": "networking.istio.io/v1",
        "kind": "Gateway",
        "metadata": {"name": name, "namespace": place},
        "spec": {
            "selector": selector,
            "servers": [{"port": {"number": 80, "name": "http", "protocol": "HTTP"}, "hosts": ["*"]}],
        },
    }
    yield from _gateway_proxy(name, place, selector, {80})
