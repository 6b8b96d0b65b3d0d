"""A cluster as seen through kubectl: a real executable that answers from a file and writes down how it was called."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

HOST = "backend.demo.svc.cluster.local"

_SCRIPT = """#!{python} -IS
import json, re, sys
from pathlib import Path

here = Path(__file__).parent
world = json.loads((here / "world.json").read_text())
args = sys.argv[1:]
with (here / "calls.jsonl").open("a") as calls:
    calls.write(json.dumps(args) + "\\n")
while args[0].startswith("-"):
    args = args[2:]
if "fails" in world:
    print(world["fails"][1], file=sys.stderr)
    sys.exit(world["fails"][0])
if args[0] == "get":
    # Besides pods nothing stands there.
    print(json.dumps({{"items": world["pods"] if args[1].startswith("pod") else []}}))
    sys.exit(0)
command = args[args.index("--") + 1:]
if command[0] in world["broken"]:
    status, said = world["broken"][command[0]]
    print(said, file=sys.stderr)
    sys.exit(status)
if command[:3] == ["pilot-agent", "request", "GET"]:
    if command[3] == "clusters":
        for cluster, count in world["counters"].items():
            print(f"{{cluster}}::added_via_api::true")
            print(f"{{cluster}}::198.18.0.11:5678::rq_total::{{count}}")
    else:
        print(json.dumps(world["dumps"][0]))
        world["dumps"] = world["dumps"][1:] or world["dumps"]
else:
    count = int(re.fullmatch(r".*#\\[1-(\\d+)\\]", command[-1])[1])
    for i in range(count):
        line, cluster = world["outcomes"][i % len(world["outcomes"])]
        print(line)
        if cluster in world["counters"]:
            world["counters"][cluster] += 1
    for cluster in world["vanish"]:
        del world["counters"][cluster]
(here / "world.json").write_text(json.dumps(world))
"""


def cluster(subset: str, port: int = 80) -> str:
    """The name of a cluster of the service backend."""
    return f"outbound|{port}|{subset}|{HOST}"


def pod(
    name: str = "frontend-1", *, sidecar: str = "container", ready: bool = True, phase: str = "Running", **metadata: Any
) -> dict[str, Any]:
    """A pod as `kubectl get -o json` prints it; `sidecar` is container, native or none."""
    containers = [{"name": "istio-proxy"}] if sidecar == "container" else []
    containers.append({"name": "frontend"})
    states = [
        {"name": part["name"], "ready": ready, "state": {"waiting": {"reason": "ErrImagePull"}}} for part in containers
    ]
    starters = [{"name": "istio-init"}] + (
        [{"name": "istio-proxy", "restartPolicy": "Always"}] if sidecar == "native" else []
    )
    return {
        "metadata": {"name": name, **metadata},
        "spec": {"containers": containers, "initContainers": starters},
        "status": {"phase": phase, "containerStatuses": states},
    }


def route_dump(weights: Mapping[str, int], fault: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """A configuration dump with one route for the service backend."""
    route: dict[str, Any] = {
        "name": "default",
        "match": {"prefix": "/"},
        "route": {
            "weighted_clusters": {
                "clusters": [{"name": cluster(subset), "weight": weight} for subset, weight in weights.items()]
            },
            "timeout": "0s",
        },
    }
    if fault is not None:
        route["typed_per_filter_config"] = {"envoy.filters.http.fault": fault}
    config = {"name": "80", "virtual_hosts": [{"name": f"{HOST}:80", "domains": [HOST, "backend"], "routes": [route]}]}
    return {
        "configs": [
            {"@type": "type.googleapis.com/envoy.admin.v3.RoutesConfigDump.DynamicRouteConfig", "route_config": config}
        ]
    }


class FakeCluster:
    """The executable `kubectl` in a directory of its own, and the world it shows."""

    def __init__(self, directory: Path) -> None:
        """Write the executable; the world is one ready client, and a backend that follows 80/20."""
        self.directory = directory
        self.kubectl = directory / "kubectl"
        self.kubectl.write_text(_SCRIPT.format(python=sys.executable))
        self.kubectl.chmod(0o755)
        self.set(
            pods=[pod()],
            broken={},
            counters={cluster("v1"): 7, cluster("v2"): 0},
            dumps=[route_dump({"v1": 80, "v2": 20})],
            outcomes=[["200 0.004 0 ", cluster("v1")]] * 4 + [["200 0.005 0 ", cluster("v2")]],
            vanish=[],
        )

    def set(self, **world: Any) -> None:
        """Change parts of the world."""
        path = self.directory / "world.json"
        known = json.loads(path.read_text()) if path.exists() else {}
        path.write_text(json.dumps({**known, **world}))

    def calls(self) -> list[list[str]]:
        """The arguments of every call so far."""
        path = self.directory / "calls.jsonl"
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []

    def sent(self) -> Sequence[list[str]]:
        """The calls that sent requests."""
        return [call for call in self.calls() if "curl" in call]
