"""What runs already, as the config that says the same: a Service, what runs its pods, and rules of Istio that somebody
else has written.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

from weir.model.adopted_destinations import Destinations
from weir.model.adopted_hosts import full_host, gateways_of, hosts_in, sent_to
from weir.model.adopted_ports import adopted_ports, http_numbers, odd_ports, without_copies
from weir.model.adopted_routes import Keys, adopted_routes, shares
from weir.model.adopted_versions import (
    HASHES,
    AdoptedVersion,
    labels_of,
    of_subsets,
    of_workloads,
    reference,
)
from weir.model.manifests.hosts import of_host
from weir.model.manifests.kubernetes import Manifest
from weir.model.validation.load import inside, load
from weir.model.values.problems import ConfigError, Path, dotted


@dataclass(frozen=True, slots=True)
class Found:
    """What there is in one namespace.

    `services` by name; `workloads`: what runs pods; `routes`, `rules`: VirtualServices and DestinationRules of somebody
    else's; `ports`: those of every Service, and of every host of a ServiceEntry, by full name.
    """

    namespace: str
    domain: str
    services: Mapping[str, Manifest]
    workloads: Sequence[Manifest]
    routes: Sequence[Manifest]
    rules: Sequence[Manifest]
    ports: Mapping[str, Sequence[int]] = field(default_factory=dict)


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
    service = found.services[name]
    host = f"{name}.{found.namespace}.svc.{found.domain}"
    # Argo Rollouts has a label in it that goes with the pods.
    selector = {key: value for key, value in (service["spec"].get("selector") or {}).items() if key not in HASHES}
    rules = [each for each in found.rules if full_host(each["spec"].get("host", ""), each, found.domain) == host]
    pods = [each for each in found.workloads if selector and selector.items() <= labels_of(each).items()]
    subsets = _subsets(rules)
    of_pods: list[str] = []
    own_versions = [*(of_subsets(subsets, pods, of_pods) if subsets else of_workloads(pods, selector, of_pods))]
    if not own_versions:
        own_versions = [AdoptedVersion("v1", selector, [])]
        of_pods.append(
            "nothing is known to run its pods: no Deployment, StatefulSet or DaemonSet has the labels of its selector"
        )
    routes = [each for each in found.routes if _concerns(each, host, found.domain)]
    lost += [
        f"host {', '.join(each['spec'].get('hosts', []))} of VirtualService {each['metadata']['name']}, in the mesh"
        for each in routes
        if host not in hosts_in(each, found.domain)
    ]
    # Of several in the mesh Istio takes the oldest.
    own = [each for each in routes if host in hosts_in(each, found.domain)]
    own.sort(key=lambda each: str(each["metadata"].get("creationTimestamp", "")))
    route, unused = own[0] if own else None, own[1:]
    lost += [f"VirtualService {each['metadata']['name']}, which has no effect beside an older one" for each in unused]
    ports = adopted_ports(service, pods)
    leads = None
    if route is not None:
        # The names of their objects: SERVICE-VERSION.
        taken = [each.removeprefix(f"{name}-") for each in found.services if each.startswith(f"{name}-")]
        numbers = http_numbers(ports)
        leads = Destinations(route, host, found.domain, own_versions, subsets, numbers, found.ports, taken)
    divided, versions = _traffic(leads, own_versions, lost)
    keys = {**ports, **_keys(name, selector, versions), **divided}
    notes = of_pods if any(each.place is None for each in versions) else []
    if leads is not None:
        lost += odd_ports(without_copies(leads.route["spec"].get("http", [])), keys, leads.is_own)
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


def _keys(name: str, selector: Mapping[str, str], versions: Sequence[AdoptedVersion]) -> Keys:
    """What is said of its pods and its versions."""
    keys: Keys = {}
    if selector and dict(selector) != {"app": name} and any(each.place is None for each in versions):
        keys["selector"] = dict(selector)
    keys["createService"] = False
    keys["versions"] = {}
    for version in versions:
        own: Keys = {}
        if version.place is not None:
            own["host"], own["port"] = version.place
        if len(version.workloads) == 1:
            own["workload"] = reference(version.workloads[0])
        if version.place is None and dict(version.labels) != {"version": version.name}:
            own["labels"] = dict(version.labels)
        if version.policy is not None:
            own["trafficPolicy"] = version.policy
        if version.headers is not None:
            own["headers"] = version.headers
        keys["versions"][version.name] = own
    return keys


def _concerns(route: Manifest, host: str, domain: str) -> bool:
    """Whether sidecars have routes of a VirtualService to the host."""
    spec = route["spec"]
    if of_host(spec):
        return False
    return host in sent_to(route, domain) | hosts_in(route, domain)


def _traffic(
    leads: Destinations | None, own: Sequence[AdoptedVersion], lost: list[str]
) -> tuple[Keys, Sequence[AdoptedVersion]]:
    """How requests are divided, at which gateways the service is reached, and its versions.

    `leads`: the destinations of its VirtualService; None where there is none. `own`: the versions of its pods.
    """
    if leads is None:
        pods = {each.name: Fraction(sum(_pods(one) for one in each.workloads)) for each in own}
        if len(own) > 1:
            lost.append("requests go by the number of pods, which is written as percentages, as it is now")
        return shares(pods), own
    spec, name = leads.route["spec"], leads.route["metadata"]["name"]
    lost += [f"{key} routes of VirtualService {name}" for key in ("tcp", "tls") if key in spec]
    made = adopted_routes(without_copies(spec.get("http", [])), leads.version_of)
    lost += [f"{line} (VirtualService {name})" for line in made.lost]
    others = [AdoptedVersion(version, {}, [], place=place) for version, place in leads.others.items()]
    versions = others if others and leads.leave_pods else [*own, *others]
    for each in versions:
        each.headers = _headers(each.name, made.headers.get(each.name, []), lost)
    keys = dict(made.default or {})
    if gateways := gateways_of(leads.route):
        outside = [each for each in spec.get("hosts", []) if full_host(each, leads.route, leads.domain) != leads.host]
        keys["expose"] = {"gateways": gateways, "hosts": outside}
    if "redirect" in keys or "directResponse" in keys:
        keys = {"stable": versions[0].name, **keys}
    return {**keys, **({"routes": made.others} if made.others else {})}, versions


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
