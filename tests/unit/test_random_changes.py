"""The changes that `make soak` draws: every kind is drawn, each config is sound, and none takes from a request of the
load what it needs, as far as the objects say that become of it.
"""

from __future__ import annotations

import functools
from collections import Counter
from collections.abc import Iterator, Mapping
from copy import deepcopy
from dataclasses import dataclass
from random import Random
from typing import Any

import pytest

from tests.live.lossless.driver import REASONS, reason
from tests.live.lossless.random_changes import KINDS, SHOP, Config, sound, start, steps
from tests.live.lossless.random_changes.scene import somebody_elses
from weir.model import Manifest, load, mesh
from weir.model.manifests.hazards import hazards

NAMESPACE = "soak"
BACKEND = f"backend.{NAMESPACE}.svc.cluster.local"
EDGE = f"{NAMESPACE}/edge"
OWNER = "organization/weir/soak"
LOAD = (("mesh", BACKEND, "/"), *((EDGE, SHOP, path) for path in ("/", "/orders", "/backend")))
"""What it asks for, and where."""
SEEDS, STEPS = 4, 50
Objects = Mapping[tuple[str, str], Manifest]


def made(config: Config) -> Objects:
    """What becomes of a config."""
    objects = mesh(load({"namespace": NAMESPACE, **config}), NAMESPACE).objects()
    return {(each["kind"], each["metadata"]["name"]): each for each in objects}


def refusals(before: Config, after: Config) -> list[str]:
    """What weir says of an update from one to the other, when it refuses it."""
    if after.get("namespace", NAMESPACE) != NAMESPACE or after.get("ephemeral"):
        return ["namespace"]
    standing = deepcopy(made(before))
    for each in standing.values():
        each["metadata"].setdefault("annotations", {})["weir.dev/stack"] = OWNER
    config = load({"namespace": NAMESPACE, **after})
    wanted = mesh(config, NAMESPACE)
    return hazards(config.services, wanted.services, standing, OWNER, hosts=list(wanted.entrances()))


@dataclass(frozen=True)
class Walk:
    """What was drawn: the configs that stood, and how often what was drawn and what was refused."""

    standing: list[Config]
    drawn: Counter[str]
    refused: Counter[str]


@functools.cache
def walk() -> Walk:
    """Steps of several seeds; where weir refuses one, the config before it stands."""
    found = Walk([start()], Counter(), Counter())
    for seed in range(SEEDS):
        before, drawn = start(), steps(seed, NAMESPACE)
        names, after = next(drawn)
        for _ in range(STEPS):
            found.drawn.update(names)
            told = refusals(before, after)
            found.refused.update(map(reason, told))
            if not told:
                before = deepcopy(after)
                found.standing.append(before)
            names, after = drawn.send(deepcopy(before))
    return found


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_each_kind_changes_a_config_that_may_stand(kind: str) -> None:
    """And what it makes of it is sound."""
    random = Random(kind)
    for config in (each for _ in range(20) for each in walk().standing):
        changed = deepcopy(config)
        KINDS[kind](random, changed)
        if changed != config and sound(changed, NAMESPACE):
            return
    pytest.fail(f"{kind} changes nothing that may stand")


def test_most_steps_are_applied() -> None:
    """What weir refuses it refuses for a reason that its users can read of, and it is not most of what is drawn."""
    assert set(walk().refused) <= set(REASONS)
    assert len(walk().standing) > 0.75 * SEEDS * STEPS
    # What is drawn now and then only needs longer runs.
    assert len(walk().drawn) > 0.8 * len(KINDS)


def test_the_host_of_the_load_moves_everywhere() -> None:
    """It stands in `expose` and in `hosts`, as itself and as `*`, and at each service."""
    random, found = Random(1), set[tuple[str, str]]()
    for config in walk().standing:
        moved = deepcopy(config)
        KINDS["host moves"](random, moved)
        for name, service in moved["services"].items():
            found |= {(name, host) for host in service.get("expose", {}).get("hosts", ())}
        found |= {("hosts", host) for host in moved.get("hosts", {})}
    assert {(place, host) for place in ("hosts", "backend", "orders", "news") for host in (SHOP, "*")} <= found


def test_every_sort_of_version_gets_requests() -> None:
    """Pods of somebody else's, another Service and a host outside the mesh, on the default route."""
    shared = Counter[str]()
    for config in walk().standing:
        backend = config["services"]["backend"]
        shared.update({backend["stable"], *(name for name, share in backend["canary"].items() if share)})
    assert min(shared[name] for name in ("own", "other", "legacy")) > 0, shared


def answering(objects: Objects, gateway: str, host: str, path: str) -> tuple[Manifest, dict[str, Any]]:
    """The one VirtualService for a host where requests come in, and its first route that takes a plain one."""
    taken = [
        each
        for (kind, _), each in objects.items()
        if kind == "VirtualService"
        and gateway in each["spec"].get("gateways", ["mesh"])
        and {host, "*"} & set(each["spec"]["hosts"])
    ]
    [found] = taken
    route = next(each for each in found["spec"]["http"] if takes(each, gateway, path))
    return found, route


def takes(route: Mapping[str, Any], gateway: str, path: str) -> bool:
    """Whether a route takes a request without headers of its own to port 80."""
    return "match" not in route or any(
        gateway in match.get("gateways", [gateway])
        and match.get("port", 80) == 80
        and not match.keys() & {"headers", "queryParams", "sourceLabels", "sourceNamespace", "method"}
        and (match.get("uri", {}).get("exact", path) == path)
        and path.startswith(match.get("uri", {}).get("prefix", ""))
        for match in route["match"]
    )


def places(route: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """The destinations that get requests."""
    for entry in route["route"]:
        if entry.get("weight", 100) > 0:
            yield entry["destination"]


def serves(objects: Objects, destination: Mapping[str, Any]) -> bool:
    """Whether what a destination names has pods that listen where they are asked."""
    beside = somebody_elses(NAMESPACE)
    host, subset = destination["host"], destination.get("subset")
    if subset is None:
        services = [each["metadata"] for each in beside if each["kind"] == "Service"]
        names = {f"{each['name']}.{each['namespace']}.svc.cluster.local" for each in services}
        return host in names and destination["port"] == {"number": 80}
    rules = [each["spec"] for (kind, _), each in objects.items() if kind == "DestinationRule"]
    [found] = {
        str(sorted(each.get("labels", {}).items())): each
        for rule in rules
        if rule["host"] == host
        for each in rule.get("subsets", [])
        if each["name"] == subset
    }.values()
    if "labels" not in found:
        entry = objects["ServiceEntry", f"backend-{subset}"]["spec"]
        [endpoint] = entry["endpoints"]
        return (
            entry["hosts"] == [host]
            and endpoint["ports"]["http"] == 80
            and not found.get("trafficPolicy", {}).get("tls")
        )
    service = objects["Service", host.partition(".")[0]]["spec"]
    port = next(each["targetPort"] for each in service["ports"] if each["port"] == 80)
    deployments = [*(each for (kind, _), each in objects.items() if kind == "Deployment"), *beside]
    pods = [
        each["spec"]["template"]
        for each in deployments
        if each["kind"] == "Deployment" and each["spec"].get("replicas", 1) > 0
    ]
    return any(
        {**service["selector"], **found["labels"]}.items() <= pod["metadata"]["labels"].items()
        and listens(pod["spec"]["containers"][0], port)
        for pod in pods
    )


def listens(container: Mapping[str, Any], port: str) -> bool:
    """Whether a fortio listens where its port of this name is said to be."""
    numbers = {each["name"]: each["containerPort"] for each in container["ports"]}
    return f"-http-port={numbers[port]}" in container["args"]


def test_a_request_of_the_load_gets_what_it_needs() -> None:
    """In every config that stands one route takes it, which does nothing to it but send it to pods that serve; and at
    the gateway the rules are seen.
    """
    for config in walk().standing:
        objects = made(config)
        for gateway, host, path in LOAD:
            rule, route = answering(objects, gateway, host, path)
            assert not route.keys() & {"fault", "redirect", "directResponse"}, (config, route)
            assert route.get("timeout", "20s") in ("20s", "30s")
            assert all(serves(objects, destination) for destination in places(route)), (config, route)
            asked = {str(place["host"]).partition(".")[0] for place in places(route)} & set(config["services"])
            rules = [rule, *(objects["VirtualService", name] for name in asked)] if gateway == EDGE else []
            for each in rules:
                assert {"*", "istio-ingress"} & set(each["spec"].get("exportTo", ["*"])), (config, each)
        [server] = objects["Gateway", "edge"]["spec"]["servers"]
        assert SHOP in server["hosts"]
