"""Random configs of a stack under load, one after the other: each differs from the one before in one to five changes
of the kinds that the config knows.

What is drawn never takes from a request of the load what it needs: one of the two services is at the gateway at any
time, faults and routes to elsewhere hold for headers that the load does not have, and limits are above what it sends.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from copy import deepcopy
from random import Random
from typing import Any

from tests.live.lossless.callers import ELSEWHERE
from tests.live.lossless.lab_stack import FORTIO, SAME_FORTIO, server

SHOP = "shop.example.com"
UNTIL = "2100-01-01T00:00:00Z"
NAMES = ("v1", "v2", "v3", "v4", "v5")
Config = dict[str, Any]
Change = Callable[[Random, Config], None]
KINDS: dict[str, Change] = {}
"""By name; each changes a config in place. What it would make of it may be what it was, or not sound: then it is drawn
again.
"""


def kind(change: Change) -> Change:
    KINDS[change.__name__.replace("_", " ")] = change
    return change


def start() -> Config:
    """Two versions, a neighbour at the gateway, a client."""
    backend = {
        "image": FORTIO,
        "port": 80,
        "targetPort": 8080,
        "versions": {name: server(name) for name in ("v1", "v2")},
        "stable": "v1",
    }
    orders = {
        "image": FORTIO,
        "port": 80,
        "targetPort": 8080,
        "versions": {"v1": server("v1")},
        "stable": "v1",
        "retries": {"attempts": 0},
    }
    edge = {
        "selector": {"istio": "ingress"},
        "servers": [{"port": {"number": 80, "name": "http", "protocol": "HTTP"}, "hosts": [SHOP]}],
    }
    return {
        "services": {
            "backend": {**backend, "canary": {"v2": 20}, "retries": {"attempts": 0}},
            "orders": {**orders, "expose": {"gateways": ["edge"], "hosts": [SHOP]}},
        },
        "gateways": {"edge": edge},
        "clients": {"frontend": {"image": "curlimages/curl:latest"}},
        "readyTimeout": "90s",
    }


def steps(
    seed: int, sound: Callable[[Config], bool], begin: Config | None = None
) -> Generator[tuple[tuple[str, ...], Config], Config | None, None]:
    """The kinds of each step and the config after it. Send the config that stands, where a step was refused, and it
    goes on from there.
    """
    random, config = Random(seed), deepcopy(begin or start())
    while True:
        names, after = _step(random, config, sound)
        standing = yield names, after
        config = deepcopy(after if standing is None else standing)


def _step(random: Random, before: Config, sound: Callable[[Config], bool]) -> tuple[tuple[str, ...], Config]:
    while True:
        after, names = deepcopy(before), []
        for name in random.sample(sorted(KINDS), random.choice((1, 1, 2, 3, 5))):
            changed = deepcopy(after)
            KINDS[name](random, changed)
            if changed != after and sound(changed):
                after = changed
                names.append(name)
        if names:
            return tuple(names), after


def _backend(config: Config) -> dict[str, Any]:
    settings: dict[str, Any] = config["services"]["backend"]
    return settings


def _some(random: Random, config: Config) -> dict[str, Any]:
    """The settings of one version."""
    versions = _backend(config)["versions"]
    settings: dict[str, Any] = versions[random.choice(sorted(versions))]
    return settings


def _toggle(random: Random, place: dict[str, Any], key: str, *values: Any) -> None:
    """One of the values, or none."""
    chosen = random.choice((None, *values))
    if chosen is None:
        place.pop(key, None)
    else:
        place[key] = chosen


def _port(config: Config) -> int:
    return int(_backend(config)["targetPort"])


@kind
def version_added(random: Random, config: Config) -> None:
    name = random.choice(NAMES)
    _backend(config)["versions"].setdefault(name, server(name, _port(config)))


@kind
def version_added_with_labels_of_its_own(random: Random, config: Config) -> None:
    name = random.choice(NAMES)
    own = {**server(name, _port(config)), "labels": {"version": f"{name}.0", "track": "new"}}
    _backend(config)["versions"].setdefault(name, own)


@kind
def labels_of_a_version(random: Random, config: Config) -> None:
    if random.random() < 0.1:
        _toggle(random, _some(random, config), "labels", {"version": "other"})


@kind
def version_added_with_a_share(random: Random, config: Config) -> None:
    version_added(random, config)
    canary(random, config)


@kind
def version_removed(random: Random, config: Config) -> None:
    backend = _backend(config)
    name = random.choice(sorted(backend["versions"]))
    if name != backend["stable"]:
        del backend["versions"][name]
        backend["canary"].pop(name, None)
        backend["mirrors"] = [mirror for mirror in backend.get("mirrors", []) if mirror["version"] != name]
        backend["routes"] = [route for route in backend.get("routes", []) if route.get("stable") != name]


@kind
def canary(random: Random, config: Config) -> None:
    backend = _backend(config)
    others = sorted(set(backend["versions"]) - {backend["stable"]})
    chosen = random.sample(others, random.randint(0, min(len(others), 2)))
    backend["canary"] = {name: random.choice((0, 0.5, 5, 20, 33.25, 50)) for name in chosen}


@kind
def promotion(random: Random, config: Config) -> None:
    backend = _backend(config)
    backend["stable"] = random.choice(sorted(backend["versions"]))
    backend["canary"].pop(backend["stable"], None)


@kind
def swap_of_all_versions(random: Random, config: Config) -> None:
    """A new one takes over, on another port, and all others go."""
    backend = _backend(config)
    free = sorted(set(NAMES) - set(backend["versions"]))
    if free:
        backend["targetPort"] = random.choice((8080, 8081, 8082))
        backend |= {
            "versions": {free[0]: server(free[0], backend["targetPort"])},
            "stable": free[0],
            "canary": {},
            "routes": [],
            "mirrors": [],
        }


@kind
def route_by_header(random: Random, config: Config) -> None:
    backend = _backend(config)
    name = random.choice(("beta", "qa"))
    others = [route for route in backend.get("routes", []) if route["name"] != name]
    new = {
        "name": name,
        "match": [{"headers": {"x-user": {"exact": name}}}],
        "stable": random.choice(sorted(backend["versions"])),
    }
    backend["routes"] = [*others, new] if random.random() < 0.7 else others


@kind
def fault_on_a_route(random: Random, config: Config) -> None:
    for route in _backend(config).get("routes", []):
        _toggle(
            random,
            route,
            "fault",
            {"abort": {"percentage": 50, "httpStatus": 503}},
            {"delay": {"percentage": 100, "fixedDelay": "1s"}},
        )


@kind
def rewrite_on_a_route(random: Random, config: Config) -> None:
    for route in _backend(config).get("routes", []):
        _toggle(random, route, "rewrite", {"uri": "/elsewhere"})


@kind
def redirect_for_some(random: Random, config: Config) -> None:
    others = [route for route in _backend(config).get("routes", []) if route["name"] != "away"]
    away = {
        "name": "away",
        "match": [{"uri": {"prefix": "/old/"}}],
        "redirect": {"prefixRewrite": "/new/", "redirectCode": 308},
    }
    _backend(config)["routes"] = [*others, away] if random.random() < 0.5 else others


@kind
def answer_for_some(random: Random, config: Config) -> None:
    others = [route for route in _backend(config).get("routes", []) if route["name"] != "closed"]
    closed = {
        "name": "closed",
        "match": [{"uri": {"exact": "/closed"}}],
        "directResponse": {"status": 503, "body": {"string": "closed"}},
    }
    _backend(config)["routes"] = [*others, closed] if random.random() < 0.5 else others


@kind
def mirror(random: Random, config: Config) -> None:
    backend = _backend(config)
    backend["mirrors"] = (
        [{"version": random.choice(sorted(backend["versions"])), "percentage": 10}] if random.random() < 0.5 else []
    )


@kind
def drill_for_some(random: Random, config: Config) -> None:
    drill = {
        "abort": {"percentage": 100, "httpStatus": 503},
        "until": UNTIL,
        "match": {"headers": {"x-drill": {"exact": "on"}}},
    }
    _toggle(random, _backend(config), "drill", drill)


@kind
def timeout(random: Random, config: Config) -> None:
    _toggle(random, _backend(config), "timeout", "20s", "30s")


@kind
def headers(random: Random, config: Config) -> None:
    place = random.choice((_backend(config), _some(random, config)))
    _toggle(random, place, "headers", {"request": {"set": {"x-canary": "yes"}}}, {"response": {"add": {"x-shop": "1"}}})


@kind
def cross_origin(random: Random, config: Config) -> None:
    _toggle(random, _backend(config), "corsPolicy", {"allowOrigins": [{"exact": "https://shop.example.com"}]})


@kind
def policy_for_all(random: Random, config: Config) -> None:
    _toggle(random, _backend(config), "trafficPolicy", *_POLICIES)


@kind
def policy_of_a_version(random: Random, config: Config) -> None:
    _toggle(random, _some(random, config), "trafficPolicy", *_POLICIES)


@kind
def replicas(random: Random, config: Config) -> None:
    _toggle(random, random.choice((_backend(config), _some(random, config))), "replicas", 1, 2)


@kind
def no_pods_for_what_gets_nothing(random: Random, config: Config) -> None:
    _toggle(random, _some(random, config), "replicas", 0)


@kind
def environment(random: Random, config: Config) -> None:
    place = random.choice((_backend(config), _some(random, config)))
    _toggle(random, place, "env", {"LOG": random.choice(("info", "debug"))}, {"LOG": "warn", "REGION": "eu"})


@kind
def image(random: Random, config: Config) -> None:
    _backend(config)["image"] = random.choice((FORTIO, SAME_FORTIO))


@kind
def image_of_a_version(random: Random, config: Config) -> None:
    _toggle(random, _some(random, config), "image", FORTIO, SAME_FORTIO)


@kind
def partial_objects(random: Random, config: Config) -> None:
    """Annotations, a longer grace period, a volume, a container beside the server: new pods each time."""
    place = random.choice((_backend(config), _some(random, config)))
    ends = "trap exit TERM; sleep infinity & wait"
    beside: dict[str, Any] = {"name": "beside", "image": "curlimages/curl:latest", "imagePullPolicy": "IfNotPresent"}
    beside["command"] = ["sh", "-c", ends]
    pods: tuple[Config, ...] = (
        {"metadata": {"annotations": {"example.com/drawn": str(random.randrange(100))}}},
        {"spec": {"terminationGracePeriodSeconds": random.choice((40, 60))}},
        {"spec": {"volumes": [{"name": "tmp", "emptyDir": {}}]}},
        {"spec": {"containers": [beside]}},
    )
    _toggle(random, place, "kubernetes", *({"deployment": {"spec": {"template": each}}} for each in pods))


@kind
def resources(random: Random, config: Config) -> None:
    _toggle(random, _some(random, config), "resources", {"requests": {"cpu": "5m"}}, {"limits": {"memory": "128Mi"}})


@kind
def probes(random: Random, config: Config) -> None:
    check = {"tcpSocket": {"port": "http"}, "periodSeconds": random.choice((1, 2, 5))}
    _toggle(random, _some(random, config), random.choice(("readinessProbe", "livenessProbe", "startupProbe")), check)


@kind
def security(random: Random, config: Config) -> None:
    _toggle(random, _some(random, config), "securityContext", {"runAsUser": 1000})


@kind
def port_of_the_pods(random: Random, config: Config) -> None:
    backend = _backend(config)
    port = random.choice((8080, 8081, 8082))
    for name, version in backend["versions"].items():
        version["args"] = server(name, port)["args"]
    backend["targetPort"] = port


@kind
def protocol(random: Random, config: Config) -> None:
    _toggle(random, _backend(config), "protocol", "http2")


@kind
def protocol_with_other_pods(random: Random, config: Config) -> None:
    protocol(random, config)
    environment(random, config)
    image(random, config)


@kind
def export_to(random: Random, config: Config) -> None:
    seen = [
        ["*"],
        [".", "istio-ingress"],
        [".", "istio-ingress", ELSEWHERE],
        *([] if "expose" in _backend(config) else [["."]]),
    ]
    _toggle(random, _backend(config), "exportTo", *seen)


@kind
def host_moves(random: Random, config: Config) -> None:
    """Whoever has it; who enters at the gateway finds it at one of the two as long as the gateway sees its rules."""
    one, other = random.sample(sorted(config["services"]), 2)
    if "." in config["services"][other].get("exportTo", ()) or "expose" not in config["services"][one]:
        return
    config["services"][other]["expose"] = config["services"][one].pop("expose")


@kind
def neighbour(random: Random, config: Config) -> None:
    place = config["services"]["orders"]
    _toggle(random, place, "env", {"LOG": "info"})
    _toggle(random, place, "replicas", 1, 2)


@kind
def third_service(random: Random, config: Config) -> None:
    if "expose" not in config["services"].get("news", {}):
        _toggle(
            random,
            config["services"],
            "news",
            {"image": FORTIO, "targetPort": 8080, "versions": {"v1": server("v1")}, "stable": "v1"},
        )


@kind
def gateway_server(random: Random, config: Config) -> None:
    hosts = [SHOP, *random.choice(((), ("more.example.com",)))]
    config["gateways"]["edge"]["servers"][0]["hosts"] = hosts


@kind
def client(random: Random, config: Config) -> None:
    _toggle(
        random, config, "clients", {"frontend": {"image": "curlimages/curl:latest", "replicas": random.choice((1, 2))}}
    )


@kind
def namespace_let_go_of(random: Random, config: Config) -> None:
    _toggle(random, config, "createNamespace", False)


@kind
def propagation(random: Random, config: Config) -> None:
    _toggle(random, config, "propagation", {"timeout": "60s"})


@kind
def image_taken_away(random: Random, config: Config) -> None:
    backend = _backend(config)
    if random.random() < 0.1:
        backend.pop("image", None)
        for version in backend["versions"].values():
            version.pop("image", None)


@kind
def port_of_the_service(random: Random, config: Config) -> None:
    if random.random() < 0.1:
        _backend(config)["port"] = 81


@kind
def namespace_renamed(random: Random, config: Config) -> None:
    if random.random() < 0.1:
        config["namespace"] = "somewhere-else"


@kind
def short_lived(random: Random, config: Config) -> None:
    if random.random() < 0.1:
        config["ephemeral"] = True


_POLICIES: tuple[Mapping[str, Any], ...] = (
    {"loadBalancer": {"simple": "RANDOM"}},
    {"loadBalancer": {"simple": "ROUND_ROBIN"}, "connectionPool": {"tcp": {"maxConnections": 1000}}},
    {"outlierDetection": {"consecutive5xxErrors": 5, "interval": "5s"}},
    {"tls": {"mode": "ISTIO_MUTUAL"}},
    {"tls": {"mode": "DISABLE"}},
    {"loadBalancer": {"consistentHash": {"httpHeaderName": "x-user"}}},
)
