"""Strategies for whole stack configs, as YAML gives them: `configs` draws what the model accepts, with every key it
knows.

A config is built so that it is valid: nothing is drawn and thrown away. It stays small, because every mapping has a
few of its keys; over some hundred examples all of them come (`test_properties` sees to that).
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

from hypothesis import strategies as st

from tests.unit.model.strategies_gateways import exposed_hosts, gateways
from tests.unit.model.strategies_policies import container, traffic_policy
from tests.unit.model.strategies_ports import with_several_ports
from tests.unit.model.strategies_rollouts import prometheus, rollouts
from tests.unit.model.strategies_traffic import (
    cors_policy,
    direct_response,
    drills,
    faults,
    headers,
    headers_with_host,
    matches,
    mirrors,
    path_rewrite,
    redirects,
    retries,
    rewrite,
)
from tests.unit.model.strategies_values import (
    WHOLE,
    Values,
    counts,
    flags,
    free_ports,
    free_text,
    images,
    keyed,
    labels,
    lengths,
    mapping,
    percentage,
    ports,
    several,
    some_of,
    ten_thousandths,
)
from weir.model.config.drills import SUFFIX

_MAX_NAME = 63

_odds = st.integers(0, 3)
_kinds = st.sampled_from(["forward", "forward", "forward", "redirect", "directResponse"])
_owners = st.sampled_from(["the service's", "the service's", "each its own", "nobody's"])
_nothing: Values = st.sampled_from([{}, None])
_versions = st.lists(st.sampled_from(["v1", "v2", "v3", "0", "a-b"]) | labels, min_size=1, max_size=3, unique=True)
_timing = {"timeout": lengths | st.just("none"), "retries": retries}
_any_traffic = {"headers": headers | headers_with_host, "corsPolicy": cors_policy}
_answer = mapping({}, _any_traffic)
_forwarding = mapping({}, {**_any_traffic, **_timing, "fault": faults})
_timed_answer = mapping({}, {**_any_traffic, **_timing})


def _traffic(draw: st.DrawFn, versions: tuple[str, ...], stable: str, default: bool, by_prefix: bool) -> dict[str, Any]:
    """What is said of a route. `stable` is its service's; the default route names it, any other may."""
    kind = draw(_kinds)
    own = {"stable": stable} if default else {}
    if kind != "forward":
        answer = draw(redirects(by_prefix) if kind == "redirect" else direct_response)
        return {**own, **draw(_timed_answer if default else _answer), kind: answer}
    if not default and draw(_odds) == 3:
        own = {"stable": draw(st.sampled_from(versions))}
    written = {**own, **draw(_forwarding)}
    canary = draw(splits(tuple(version for version in versions if version != own.get("stable", stable))))
    if canary or draw(_odds) == 3:
        written["canary"] = canary
    if draw(_odds) == 3:
        written["mirrors"] = draw(mirrors(versions))
    if draw(_odds) == 3:
        written["rewrite"] = draw(path_rewrite if _sets_host(written) else rewrite)
    return written


def _sets_host(written: Mapping[str, Any]) -> bool:
    request = written.get("headers", {}).get("request", {})
    return any(
        name.lower() in ("host", ":authority") for changes in ("set", "add") for name in request.get(changes, {})
    )


@cache
def splits(others: tuple[str, ...]) -> Values:
    """Shares of some of the versions that add up to 100 at most."""

    @st.composite
    def drawn(draw: st.DrawFn) -> dict[str, Any]:
        left, canary = WHOLE, {}
        for version in draw(some_of(others)):
            share = min(left, draw(ten_thousandths))
            canary[version], left = percentage(share), left - share
        return canary

    return drawn()


_route_names = several(labels)


@cache
def _conditions(entrances: tuple[str, ...], by_prefix: bool, least: int) -> Values:
    return several(matches(entrances, by_prefix), least)


def _routes(
    draw: st.DrawFn, versions: tuple[str, ...], stable: str, entrances: tuple[str, ...]
) -> list[dict[str, Any]]:
    routes: list[dict[str, Any]] = []
    for index, name in enumerate(draw(_route_names)):
        by_prefix = draw(st.booleans())
        route = {"name": name if name not in ("default", *(other["name"] for other in routes)) else f"route-{index}"}
        conditions = draw(_conditions(entrances, by_prefix, int(draw(_odds) < 3)))
        route |= {"match": conditions} if conditions or draw(_odds) == 3 else {}
        routes.append(route | _traffic(draw, versions, stable, False, by_prefix))
    return routes


_described = {name: values for name, values in container.items() if name != "image"}
_autoscaling = mapping(
    {"maxReplicas": st.integers(3, 9)},
    {
        "minReplicas": st.integers(1, 3),
        "metrics": st.just(
            [{"type": "Resource", "resource": {"name": "cpu", "target": {"type": "AverageValue", "averageValue": "1"}}}]
        ),
        "behavior": st.just({"scaleDown": {"stabilizationWindowSeconds": 60}}),
    },
)
_numbers = {"replicas": counts | st.just("external"), "autoscaling": _autoscaling}
_pods_parts: Values = st.sampled_from(
    [
        {},
        {"metadata": {"annotations": {"a": "b"}, "labels": {"team": "x"}}},
        {"spec": {"minReadySeconds": 5, "template": {"metadata": {"annotations": {"proxy.istio.io/config": "{}"}}}}},
        {"spec": {"template": {"spec": {"volumes": [{"name": "tmp", "emptyDir": {"sizeLimit": "1Gi"}}]}}}},
        {"spec": {"template": {"spec": {"containers": [{"name": "beside", "image": "beside:1"}]}}}},
        {"spec": {"template": {"spec": {"terminationGracePeriodSeconds": 60, "nodeSelector": {"a": "b"}}}}},
    ]
)
_parts = mapping(
    {},
    {
        "deployment": _pods_parts,
        "service": st.sampled_from([{"spec": {"type": "LoadBalancer"}}, {"spec": {"sessionAffinity": "ClientIP"}}]),
        "serviceAccount": st.sampled_from(
            [{"metadata": {"annotations": {"a": "b"}}}, {"imagePullSecrets": [{"name": "a"}]}]
        ),
        "podDisruptionBudget": st.sampled_from([{"spec": {"maxUnavailable": "50%"}}]),
    },
)
_version = mapping(
    {},
    {
        **_described,
        **_numbers,
        "headers": headers | headers_with_host,
        "kubernetes": mapping({}, {"deployment": _pods_parts}),
    },
    most=2,
)
_hosts_elsewhere = st.sampled_from(
    ["legacy.example.com", "a.b", "shop.old.svc.cluster.local", "x" * 63 + ".example.com"]
)
_service_elsewhere = mapping(
    {"host": _hosts_elsewhere, "port": st.just(443) | ports}, {"headers": headers | headers_with_host}
)
_external = mapping(
    {"host": _hosts_elsewhere, "port": st.just(443) | ports, "external": st.sampled_from([True, "true"])},
    {
        "headers": headers | headers_with_host,
        "trafficPolicy": traffic_policy.map(
            lambda policy: (
                {key: value for key, value in policy.items() if key != "portLevelSettings"}
                or {"tls": {"mode": "SIMPLE"}}
            )
        ),
    },
)
_service = mapping(
    {},
    {
        **_described,
        "port": st.just(80) | free_ports,
        "targetPort": ports,
        "protocol": st.sampled_from(["http", "http2", "grpc"]),
        **_numbers,
        "createService": flags,
        "kubernetes": _parts,
        "exportTo": st.just(["*"]) | some_of([".", "other", "a", "x" * 63], 1),
    },
    most=4,
)


def _service_of(draw: st.DrawFn, name: str, namespace: str, known_gateways: tuple[str, ...]) -> dict[str, Any]:
    names = tuple(dict.fromkeys(_cut(version, _MAX_NAME - len(name) - 1) for version in draw(_versions)))
    written: dict[str, Any] = draw(_service)
    versions = {version: draw(_version) for version in names}
    for holder in (written, *versions.values()):
        if "autoscaling" in holder:
            holder.pop("replicas", None)
        if draw(_odds) == 3:
            holder["trafficPolicy"] = draw(traffic_policy)
    pods = draw(_owners)
    if pods == "the service's":
        written["image"] = draw(images)
    for version in versions.values():
        if pods == "each its own" or (pods == "the service's" and draw(_odds) == 3):
            version["image"] = draw(images)
    if pods == "nobody's" and draw(_odds) < 3:
        written = {name: value for name, value in written.items() if name not in (*_described, *_numbers, "kubernetes")}
        versions = {
            version: {
                name: value for name, value in settings.items() if name not in (*_described, *_numbers, "kubernetes")
            }
            for version, settings in versions.items()
        }
    if written.get("createService") in (False, "false"):
        written["kubernetes"] = {
            key: part for key, part in written.get("kubernetes", {}).items() if not key.startswith("service")
        }
    if draw(_odds) == 3:
        # Pods of somebody else's beside those of the others.
        name_of, keys = draw(st.sampled_from(sorted(versions.items(), key=str)))
        own = {"image", *_described, *_numbers, "kubernetes"}
        versions[name_of] = {key: value for key, value in keys.items() if key not in own}
        versions[name_of]["workload"] = draw(st.sampled_from(["deployment/shop", "rollouts.argoproj.io/shop.x"]))
    if draw(_odds) == 3:
        written["selector"] = {"app.kubernetes.io/name": name}
    if draw(_odds) == 3:
        versions = {version: {**settings, "labels": {"color": version}} for version, settings in versions.items()}
    versions = _some_elsewhere(draw, versions)
    written["versions"] = {version: settings or draw(_nothing) for version, settings in versions.items()}
    if "." in written.get("exportTo", ()):
        written["exportTo"] = [entry for entry in written["exportTo"] if entry != namespace]
    exposed = draw(_odds)
    if exposed == 3:
        entrances = draw(_entrances(known_gateways))
        written["expose"] = {"gateways": entrances, "hosts": draw(exposed_hosts)}
    elif exposed == 2 and len(name) <= _MAX_NAME // 3 and draw(_odds) == 3:
        # At a gateway of its own: of two that are every host there, Istio would know one.
        written["expose"] = {"gateways": [f"edge/{name}"], "hosts": ["*"]}
    stable = draw(st.sampled_from(names))
    written |= _traffic(draw, names, stable, True, True)
    if draw(st.booleans()) and "redirect" not in written and "directResponse" not in written:
        # As a person leaves a version that is prepared and gets nothing yet.
        written["canary"] = {
            **dict.fromkeys((name for name in names if name != stable), 0),
            **written.get("canary", {}),
        }
    routes = _routes(draw, names, stable, tuple(written.get("expose", {}).get("gateways", ())))
    if written.get("expose", {}).get("hosts") == ["*"]:
        # The service's name stands before that of each route there.
        routes = [
            route if len(route["name"]) <= _MAX_NAME // 2 else {**route, "name": f"long-{index}"}
            for index, route in enumerate(routes)
        ]
    answers = all("redirect" in route or "directResponse" in route for route in (written, *routes))
    if "fault" not in written and not answers and draw(_odds) == 3:
        written["drill"] = draw(drills)
        for route in routes:
            route["name"] = _cut(route["name"], _MAX_NAME - len(SUFFIX))
    if draw(_odds) == 3:
        written["rollout"] = draw(rollouts)
    if "expose" in written and draw(_odds) == 3:
        # What matches on a gateway has to be bound there.
        asking = [
            route["name"]
            for route in routes
            if any(
                gateway in written["expose"]["gateways"]
                for match in route.get("match", [])
                for gateway in match.get("gateways", [])
            )
        ]
        entering = [route["name"] for route in routes if not _for_the_mesh(route, written["expose"]["gateways"])]
        more = draw(some_of(("default", *entering), 1))
        written["expose"]["routes"] = list(dict.fromkeys((*asking, *more)))
    written |= {"routes": routes} if routes else {}
    return with_several_ports(draw, written) if draw(_odds) == 3 else written


def _some_elsewhere(draw: st.DrawFn, versions: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """The versions, of which some are hosts in the place of pods, each another one."""
    found, taken = {}, set()
    for version, settings in versions.items():
        found[version] = settings
        if draw(_odds) == 3:
            place = draw(_external | _service_elsewhere)
            if (place["host"], place["port"]) not in taken:
                found[version] = place
                taken.add((place["host"], place["port"]))
    return found


_asked = st.sampled_from(
    [{"headers": {"x-entry": {"exact": "a"}}}, {"queryParams": {"entry": {}}}, {"uri": {"prefix": "/"}}]
)
_asked_path = st.sampled_from([{"uri": {"prefix": "/shop"}}, {"uri": {"regex": "/[a-z]+"}}, {"uri": {"exact": "/a"}}])


def _hosts(draw: st.DrawFn, services: Mapping[str, Any], known_gateways: tuple[str, ...]) -> dict[str, Any]:
    """Hosts of which the services' own exposure knows nothing, with entries for some of the services."""
    found = {}
    for host in draw(some_of(("shop.example.net", "*.example.net", "*"), 1)):
        entries: list[dict[str, Any]] = []
        for service in draw(some_of(tuple(services), 1)):
            settings = services[service]
            entry = {"service": service, "name": f"e{len(entries)}"}
            # What puts another path in the place of the one it matches, or matches one, is not joined with one more.
            plain = not settings.get("routes") and not settings.keys() & {"rewrite", "redirect"}
            if draw(st.booleans()):
                entry["match"] = [draw(_asked_path if plain and draw(st.booleans()) else _asked)]
            if plain and "directResponse" not in settings and draw(_odds) == 3:
                entry["rewrite"] = draw(path_rewrite if _sets_host(settings) else rewrite)
            if not settings.get("routes") and len(service) < _MAX_NAME - len("_default_drill") and draw(_odds) == 3:
                del entry["name"]
            entries.append(entry)
        at = ["edge/shared"] if host == "*" else draw(some_of(("edge/shared", *known_gateways), 1))
        found[host] = {"gateways": at, "routes": entries}
    return found


def _for_the_mesh(route: Mapping[str, Any], gateways: list[str]) -> bool:
    """Whether no request through these gateways can take it."""
    return bool(route.get("match")) and all(
        match.get("sourceLabels")
        or match.get("sourceNamespace")
        or (match.get("gateways") and not set(match["gateways"]) & set(gateways))
        for match in route["match"]
    )


def _short(service: Mapping[str, Any]) -> bool:
    """Whether its routes' names leave room for that of an entry."""
    return all(len(route["name"]) < _MAX_NAME - len("e0_") - len(SUFFIX) for route in service.get("routes", []))


@cache
def _entrances(known_gateways: tuple[str, ...]) -> Values:
    return some_of(["other/public", "x/y", *known_gateways], 1)


def _cut(name: str, limit: int) -> str:
    return name[:limit].strip("-")


_names = st.sampled_from(["backend", "web", "a", "a-b", "s" * 50, "x" * 61]) | labels.map(
    lambda name: _cut(f"s{name}", 61)
)
_namespaces = st.sampled_from(["demo", "n" * 39, "0", "default", "kube-system"]) | labels
_command = several(free_text)
_client = mapping({"image": images}, {"replicas": counts, "command": _command})
_top = mapping(
    {},
    {
        "createNamespace": flags,
        "ephemeral": st.sampled_from([False, "false"]),
        # Judges with a cluster of their own take the hosts of no other domain.
        "clusterDomain": st.just("cluster.local"),
        "revision": labels,
        "kubeContext": st.sampled_from(["prod", "a b", "ä"]),
        "kubeconfig": st.sampled_from([".kube/config", "/x"]),
        "propagation": mapping({}, {"timeout": lengths, "grace": lengths, "istiodNamespace": labels}),
        "notify": several(
            mapping(
                {"url": st.sampled_from(["https://a", "http://10.0.0.1:8080/x?y=z", "https://[::1]/"])},
                {"events": several(st.sampled_from(["begin", "step", "hold", "abort", "promotion"]))},
            )
        ),
        "policyPack": st.sampled_from(["policy", "/srv/policy"]),
        "adopt": flags,
        "force": flags,
        "readyTimeout": st.sampled_from(["1s", "5m", "1h30m", "1000ms"]),
    },
)
_ephemeral_top = mapping(
    {"ephemeral": st.sampled_from([True, "true"])}, {"createNamespace": st.sampled_from([True, "true"])}
)


@st.composite
def configs(draw: st.DrawFn, namespace: str = "", least: int = 0, most: int = 3) -> dict[str, Any]:
    """A valid config of a stack in the namespace, or in any, with so many services."""
    top: dict[str, Any] = draw(_top | _ephemeral_top)
    top["namespace"] = namespace or _cut(draw(_namespaces), 39 if top.get("ephemeral") in (True, "true") else _MAX_NAME)
    if top["namespace"] in ("default", "istio-system") or top["namespace"].startswith("kube-"):
        top |= {"createNamespace": False, "ephemeral": False}
    if draw(st.booleans()):
        top["gateways"] = draw(keyed(labels, gateways))
    taken = {"default"}
    services = {}
    for name in draw(st.lists(_names, min_size=least, max_size=most, unique=True)):
        service = _service_of(draw, name, top["namespace"], tuple(top.get("gateways", ())))
        objects = {name, *(f"{name}-{version}" for version in service["versions"])}
        if not objects & taken:
            services[name] = service
            taken |= objects
    if services:
        top["services"] = services
        short = {name: service for name, service in services.items() if _short(service)}
        if short and draw(_odds) == 3:
            top["hosts"] = _hosts(draw, short, tuple(top.get("gateways", ())))
    if draw(_odds) == 3 or any(service.get("rollout", {}).get("metrics") for service in services.values()):
        top["prometheus"] = draw(prometheus)
    if draw(_odds) == 3:
        top["clients"] = {name: client for name, client in draw(keyed(labels, _client)).items() if name not in taken}
    return top
