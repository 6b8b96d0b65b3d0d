"""Hosts at gateways that somebody else's VirtualServices have, as keys of `weir:hosts`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from weir.model.adopted_routes import Keys, label
from weir.model.manifests.hosts import of_host
from weir.model.manifests.kubernetes import Manifest
from weir.model.routing.resolve import full_gateway
from weir.model.values.hosts import MESH

_SAID = {"name", "match", "rewrite", "route"}
"""What an entry of a host can say; all else is its service's to say."""


@dataclass
class AdoptedHosts:
    """`config`: keys by host.

    `lost`: what cannot be taken over, a line each.
    `replaced`: VirtualServices that say the same, KIND NAME.
    """

    config: dict[str, Keys] = field(default_factory=dict)
    lost: list[str] = field(default_factory=list)
    replaced: list[tuple[str, str]] = field(default_factory=list)


def adopted_hosts(routes: Sequence[Manifest], services: Mapping[str, str], domain: str) -> AdoptedHosts:
    """The hosts of all VirtualServices that are bound to gateways alone and send requests to one of these services, or
    have one as a host.

    `services`: those that are adopted, by full name.
    """
    found = AdoptedHosts()
    for route in routes:
        if of_host(route["spec"]) and (sent_to(route, domain) | hosts_in(route, domain)) & services.keys():
            _take(found, route, services, domain)
    return found


def full_host(host: str, manifest: Manifest, domain: str) -> str:
    """The full name that a host means in a rule (ResolveShortnameToFQDN in pkg/config/host of Istio's source)."""
    return host if "." in host or host == "*" else f"{host}.{manifest['metadata']['namespace']}.svc.{domain}"


def gateways_of(route: Manifest) -> list[str]:
    """The gateways that a VirtualService is bound to, in full, without the mesh."""
    namespace = route["metadata"]["namespace"]
    return [full_gateway(each, namespace) for each in route["spec"].get("gateways", []) if each != MESH]


def sent_to(route: Manifest, domain: str) -> set[str]:
    """The full names of the hosts to which a VirtualService sends requests."""
    sent = [each for http in route["spec"].get("http", []) for each in http.get("route", [])]
    return {full_host(each["destination"].get("host", ""), route, domain) for each in sent}


def hosts_in(route: Manifest, domain: str) -> set[str]:
    """The full names of the hosts that a VirtualService has."""
    return {full_host(each, route, domain) for each in route["spec"].get("hosts", [])}


def _take(found: AdoptedHosts, route: Manifest, services: Mapping[str, str], domain: str) -> None:
    """Take over the hosts of one VirtualService."""
    name = route["metadata"]["name"]
    entries: list[Keys] = []
    for index, http in enumerate(route["spec"].get("http", [])):
        told = f"route {http.get('name', index + 1)} of VirtualService {name}"
        entry = _entry(http, told, route, services, domain, found.lost)
        if entry is not None:
            taken = [each.get("name", each["service"]) for each in entries]
            if entry.get("name", entry["service"]) in taken:
                entry = {"name": f"{entry['service']}-{index + 1}", **entry}
            entries.append(entry)
    found.lost += [f"{key} routes of VirtualService {name}" for key in ("tcp", "tls") if key in route["spec"]]
    if not entries:
        return
    for host in (full_host(each, route, domain) for each in route["spec"].get("hosts", [])):
        if host in found.config:
            found.lost.append(f"host {host} of VirtualService {name}: another one has it too")
            continue
        found.config[host] = {"gateways": gateways_of(route), "routes": [dict(each) for each in entries]}
    found.replaced.append((route["kind"], name))


def _entry(
    http: Mapping[str, Any],
    told: str,
    route: Manifest,
    services: Mapping[str, str],
    domain: str,
    lost: list[str],
) -> Keys | None:
    sent = {full_host(each["destination"].get("host", ""), route, domain) for each in http.get("route", [])}
    if len(sent) != 1:
        split = "; if they are versions of one, give it the host of that and the gateway mesh too, and run this again"
        lost.append(
            f"{told}: it sends requests to {len(sent) or 'no'} services, where an entry has one{split if sent else ''}"
        )
        return None
    [to] = sent
    if to not in services:
        lost.append(f"{told}: it sends requests to {to}; adopt that in the same command")
        return None
    more = sorted(http.keys() - _SAID)
    if more or any("headers" in each or "subset" in each["destination"] for each in http["route"]):
        what = [*more, *(["its split"] if any("subset" in each["destination"] for each in http["route"]) else [])]
        lost.append(f"{told}: {', '.join(what) or 'headers'}; at gateways a service has what it has in the mesh")
    own = label(str(http["name"])) if "name" in http else services[to]
    return {
        **({} if own == services[to] else {"name": own}),
        **({"match": [dict(each) for each in http["match"]]} if http.get("match") else {}),
        "service": services[to],
        **({"rewrite": http["rewrite"]} if "rewrite" in http else {}),
    }
