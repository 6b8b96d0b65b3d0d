"""What runs already, as the config that says the same: a Service, what runs its pods, and rules of Istio that somebody
else has written.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from weir.model.adopted_hosts import full_host, gateways_of, sent_to
from weir.model.adopted_ports import adopted_ports, odd_ports, without_copies
from weir.model.adopted_routes import Keys, adopted_routes, shares
from weir.model.adopted_versions import (
    AdoptedVersion,
    labels_of,
    of_subsets,
    of_workloads,
    reference,
    version_name,
)
from weir.model.manifests.hosts import of_host
from weir.model.manifests.kubernetes import Manifest
from weir.model.validation.load import inside, load
from weir.model.values.problems import ConfigError, Path, dotted


@dataclass(frozen=True, slots=True)
class Found:
    """What there is in one namespace.

    `services` by name; `workloads`: what runs pods; `routes`, `rules`: VirtualServices and DestinationRules of somebody
    else's.
    """

    namespace: str
    domain: str
    services: Mapping[str, Manifest]
    workloads: Sequence[Manifest]
    routes: Sequence[Manifest]
    rules: Sequence[Manifest]


@dataclass(frozen=True, slots=True)
class Adopted:
    """`config`: the keys of the service.

    `lost`: what of the traffic cannot be taken over, a line each.
    `notes`: what else is to be known of it, a line each.
    `replaced`: objects of somebody else's that say the same, KIND NAME.
    """

    config: Keys
    lost: tuple[str, ...]
    notes: tuple[str, ...]
    replaced: tuple[tuple[str, str], ...]


def adopted(found: Found, name: str) -> Adopted:
    """The config that says what is found of a service, but for hosts at gateways alone, which services may share."""
    lost: list[str] = []
    notes: list[str] = []
    service = found.services[name]
    host = f"{name}.{found.namespace}.svc.{found.domain}"
    selector = dict(service["spec"].get("selector") or {})
    rules = [each for each in found.rules if full_host(each["spec"].get("host", ""), each, found.domain) == host]
    pods = [each for each in found.workloads if selector and selector.items() <= labels_of(each).items()]
    subsets = _subsets(rules)
    versions = list(of_subsets(subsets, pods, notes) if subsets else of_workloads(pods, selector, notes))
    if not versions:
        versions = [AdoptedVersion("v1", selector, [])]
        notes.append(
            "nothing is known to run its pods: no Deployment, StatefulSet or DaemonSet has the labels of its selector"
        )
    routes = [each for each in found.routes if _concerns(each, host, found.domain)]
    lost += [
        f"host {', '.join(each['spec'].get('hosts', []))} of VirtualService {each['metadata']['name']}, in the mesh"
        for each in routes
        if not _has(each, host, found.domain)
    ]
    # Of several in the mesh Istio takes the oldest.
    own = [each for each in routes if _has(each, host, found.domain)]
    own.sort(key=lambda each: str(each["metadata"].get("creationTimestamp", "")))
    route, unused = own[0] if own else None, own[1:]
    lost += [f"VirtualService {each['metadata']['name']}, which has no effect beside an older one" for each in unused]
    divided = _traffic(route, versions, subsets, host, found, lost)
    keys = _keys(name, service, selector, versions) | divided
    if route is not None:
        lost += odd_ports(without_copies(route["spec"].get("http", [])), keys)
    policy = next((rule["spec"]["trafficPolicy"] for rule in rules if "trafficPolicy" in rule["spec"]), None)
    if policy is not None:
        keys["trafficPolicy"] = policy
    if exports := _exports([*own[:1], *rules], lost):
        keys["exportTo"] = exports
    keys = _taken(name, keys, lost)
    return Adopted(
        keys, tuple(lost), tuple(notes), tuple((each["kind"], each["metadata"]["name"]) for each in (*own, *rules))
    )


def _subsets(rules: Sequence[Manifest]) -> dict[str, Mapping[str, Any]]:
    found: dict[str, Mapping[str, Any]] = {}
    for rule in rules:
        for subset in rule["spec"].get("subsets", []):
            found.setdefault(subset["name"], subset)
    return found


def _keys(name: str, service: Manifest, selector: Mapping[str, str], versions: Sequence[AdoptedVersion]) -> Keys:
    """What is said of its ports, its pods and its versions."""
    keys: Keys = {}
    if selector and dict(selector) != {"app": name}:
        keys["selector"] = dict(selector)
    keys["createService"] = False
    keys["versions"] = {}
    for version in versions:
        own: Keys = {}
        if len(version.workloads) == 1:
            own["workload"] = reference(version.workloads[0])
        if dict(version.labels) != {"version": version.name}:
            own["labels"] = dict(version.labels)
        if version.policy is not None:
            own["trafficPolicy"] = version.policy
        if version.headers is not None:
            own["headers"] = version.headers
        keys["versions"][version.name] = own
    return {**adopted_ports(service, [each for version in versions for each in version.workloads]), **keys}


def _concerns(route: Manifest, host: str, domain: str) -> bool:
    """Whether sidecars have routes of a VirtualService to the host."""
    spec = route["spec"]
    if of_host(spec):
        return False
    return host in sent_to(route, domain) or _has(route, host, domain)


def _has(route: Manifest, host: str, domain: str) -> bool:
    return any(full_host(each, route, domain) == host for each in route["spec"].get("hosts", []))


def _traffic(
    route: Manifest | None,
    versions: Sequence[AdoptedVersion],
    subsets: Mapping[str, Any],
    host: str,
    found: Found,
    lost: list[str],
) -> Keys:
    """How its requests are divided, and at which gateways it is reached."""
    keys: Keys = {}
    others: list[Keys] = []
    headers: dict[str, list[Any]] = {}
    if route is not None:
        spec, own = route["spec"], route["metadata"]["name"]
        lost += [f"{key} routes of VirtualService {own}" for key in ("tcp", "tls") if key in spec]

        def version_of(destination: Mapping[str, Any]) -> str | None:
            if full_host(destination.get("host", ""), route, found.domain) != host:
                return None
            subset = destination.get("subset")
            if subset is not None:
                return version_name(subset) if subset in subsets else None
            return versions[0].name if len(versions) == 1 else None

        made = adopted_routes(without_copies(spec.get("http", [])), version_of)
        lost += [f"{line} (VirtualService {own})" for line in made.lost]
        others, headers, keys = made.others, made.headers, dict(made.default or {})
        if gateways := gateways_of(route):
            outside = [each for each in spec.get("hosts", []) if full_host(each, route, found.domain) != host]
            keys["expose"] = {"gateways": gateways, "hosts": outside}
    for each in versions:
        each.headers = _headers(each.name, headers.get(each.name, []), lost)
    if "redirect" in keys or "directResponse" in keys:
        keys = {"stable": versions[0].name, **keys}
    elif "stable" not in keys:
        pods = {each.name: Fraction(sum(_pods(one) for one in each.workloads)) for each in versions}
        keys = {**shares(pods), **keys}
        if len(versions) > 1 and route is None:
            lost.append("requests go by the number of pods, which is written as percentages, as it is now")
    return {**keys, **({"routes": others} if others else {})}


def _headers(version: str, said: Sequence[Any], lost: list[str]) -> Any:
    """What all destinations that are the version say of headers."""
    if any(each != said[0] for each in said):
        lost.append(f"headers of requests to {version}, which differ from route to route")
        return None
    return said[0] if said else None


def _pods(workload: Manifest) -> int:
    return int(workload["spec"].get("replicas", 1))


def _exports(objects: Sequence[Manifest], lost: list[str]) -> list[str]:
    """Who sees the rules, where all say the same."""
    said = {tuple(each["spec"].get("exportTo", [])) for each in objects}
    if len(said) > 1:
        lost.append("exportTo, which differs between its rules")
    return list(next(iter(said))) if len(said) == 1 else []


def _taken(name: str, keys: Keys, lost: list[str]) -> Keys:
    """The keys without those that weir refuses, each with the reason."""
    while True:
        try:
            load({"namespace": "namespace", "createNamespace": False, "services": {name: keys}})
        except ConfigError as error:
            for problem in error.problems:
                inside = problem.path[2:]
                if not _leave_out(keys, inside):
                    raise
                lost.append(f"{dotted(inside).removeprefix('weir:')}: {problem.message}")
        else:
            return keys


def _leave_out(tree: Any, path: Path) -> bool:
    """Take out what stands at the path, or what it would stand in where it is missing."""
    for depth in range(len(path), 0, -1):
        parent: Any = tree
        for step in path[: depth - 1]:
            parent = inside(parent, step)
        if inside(parent, path[depth - 1]) is not None:
            del parent[path[depth - 1]]
            return True
    return False
