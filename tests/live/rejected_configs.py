"""Whole configs judged by real proxies: many at once, each in a namespace of its own, and of a batch that is rejected
the ones to blame.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from tests.live.analyze import placed
from tests.live.proxies import GATEWAY_LABELS, Proxies, Rejection
from weir.model import StackConfig, mesh
from weir.model.manifests.kubernetes import Manifest

Configs = Mapping[str, Mapping[str, Any]]
_ISTIO = ("VirtualService", "DestinationRule", "ServiceEntry", "Gateway")
_LOCALITIES = ("us-west/zone1/a", "us-west/zone2/a", "us-east/zone1/b")
_FIRST_FREE_PORT = 20000


def objects(configs: Configs) -> list[Manifest]:
    """Istio's objects of the configs, by the name of their namespace, as all proxies see them, and their Services and
    pods.
    """
    made: list[Manifest] = []
    ports: dict[int, str] = {}
    for name, raw in configs.items():
        config = placed(raw, name)
        made += _services(config, name)
        for manifest in mesh(config, name).objects():
            if manifest["kind"] not in _ISTIO:
                continue
            # What only some namespaces see is what a proxy there would get.
            manifest["spec"].pop("exportTo", None)
            if manifest["kind"] == "Gateway":
                # All gateways of the batch are one proxy's: at a port that another proxy's has, istiod would leave this
                # one out.
                pods = json.dumps([name, manifest["spec"]["selector"]])
                manifest["spec"]["selector"] = GATEWAY_LABELS
                moved = {server["port"]["number"]: 0 for server in manifest["spec"]["servers"]}
                for number in moved:
                    moved[number] = number if ports.get(number, pods) == pods else next(_free(ports))
                    ports[moved[number]] = pods
                for server in manifest["spec"]["servers"]:
                    server["port"]["number"] = moved[server["port"]["number"]]
            made.append(manifest)
    return made


def _free(ports: Mapping[int, str]) -> Iterator[int]:
    return (port for port in range(_FIRST_FREE_PORT, 65536) if port not in ports)


def _services(config: StackConfig, namespace: str) -> list[Manifest]:
    """A Service and its pods are a ServiceEntry here: istiod makes the same clusters of it."""
    return [
        {
            "apiVersion": "networking.istio.io/v1",
            "kind": "ServiceEntry",
            "metadata": {"name": name, "namespace": namespace},
            "spec": {
                "hosts": [f"{name}.{namespace}.svc.cluster.local"],
                "location": "MESH_INTERNAL",
                "resolution": "STATIC",
                "ports": [
                    {"number": port.port, "name": port.name, "protocol": port.protocol.upper()}
                    for port in service.all_ports
                ],
                "endpoints": [
                    {
                        "address": f"192.0.2.{number + 1}",
                        "labels": {"app": name, "version": version},
                        "locality": locality,
                    }
                    for number, (version, locality) in enumerate(
                        (version, locality) for version in service.versions for locality in _LOCALITIES
                    )
                ],
            },
        }
        for name, service in config.services.items()
    ]


def culprits(configs: Configs, proxies: Proxies) -> dict[str, Rejection]:
    """The configs that are rejected also when they are alone, with what is first said of each."""
    made = objects(configs)
    rejections = proxies.rejections(made)
    if not rejections:
        return {}
    if len(configs) == 1:
        return dict.fromkeys(configs, rejections[0])
    names = list(configs)
    blamed = {name for rejection in rejections for name in _named(rejection.reason, made)} & set(names)
    parts = (
        [sorted(blamed), [name for name in names if name not in blamed]]
        if 0 < len(blamed) < len(names)
        else _halves(names)
    )
    found: dict[str, Rejection] = {}
    for part in parts:
        found |= culprits({name: configs[name] for name in part}, proxies)
    return found or {", ".join(names): rejections[0]}


def _named(reason: str, made: Iterable[Manifest]) -> list[str]:
    """Namespaces that Envoy speaks of: those of clusters and of a gateway's ports, or of the one virtual host it names
    by its number.
    """
    _, *hosts = reason.split("\nvirtual_hosts {")
    found = re.search(r"VirtualHosts\[(\d+)\]", reason)
    spoken = hosts[int(found[1])] if found and int(found[1]) < len(hosts) else reason
    ports = {
        str(server["port"]["number"]): gateway["metadata"]["namespace"]
        for gateway in made
        if gateway["kind"] == "Gateway"
        for server in gateway["spec"]["servers"]
    }
    named = [ports[port] for port in re.findall(r"\b0\.0\.0\.0_(\d+)", reason) if port in ports]
    return named + re.findall(r"(?:/namespaces/|\.)([\w-]+)(?:/virtual-service/|\.svc\.)", spoken)


def _halves(names: list[str]) -> list[list[str]]:
    return [names[: len(names) // 2], names[len(names) // 2 :]]
