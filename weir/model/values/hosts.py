"""Hosts, gateways, visibility and labels in the config, and what Istio's validation demands of them."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import AfterValidator, PlainValidator

from weir.model.values.names import MAX_LABEL, label
from weir.model.values.problems import shown
from weir.model.values.schema import described

MESH = "mesh"
"""Istio's name for all sidecars, where a VirtualService lists its gateways."""

ANY = "*"
"""The host that stands for whatever host was asked for."""

CLUSTER_DOMAIN = "cluster.local"
"""The cluster's DNS domain where nothing else is said, here and in Kubernetes."""

MAX_DOMAIN = 255

MAX_HOST = 253
"""Characters of a name in DNS, as written."""

_OLD_GATEWAY = re.compile(r"(?P<name>[-a-z0-9]+)\.(?P<namespace>[-a-z0-9]+)(?:\.svc(?:\..+)?)?")
"""How guides of Istio 1.0 name a gateway, and what istiod still makes of it (resolveGatewayName in
pilot/pkg/model/config.go).
"""

_DOMAIN_LABEL = re.compile(r"[a-zA-Z0-9](?:[-a-zA-Z0-9]*[a-zA-Z0-9])?")
_CLUSTER_LABEL = re.compile(r"[a-z0-9](?:[-a-z0-9]*[a-z0-9])?")
_LABEL_NAME = re.compile(r"[A-Za-z0-9](?:[-A-Za-z0-9_.]*[A-Za-z0-9])?")
_LABEL_PREFIX = re.compile(r"[a-z0-9](?:[-a-z0-9]*[a-z0-9])?(?:\.[a-z0-9](?:[-a-z0-9]*[a-z0-9])?)*")


def domain(value: Any) -> str:
    """A full domain name, its first label perhaps `*`, or an IPv4 address; `*` alone is every host. Short names would
    mean another host in every namespace.
    """
    if value == ANY:
        return ANY
    if not isinstance(value, str) or not value:
        raise ValueError(f"must be a host such as shop.example.com, was {shown(value)}")
    first, _, rest = value.partition(".")
    labels = [*([] if first == "*" else [first]), *(rest.split(".") if rest else [])]
    if not rest:
        raise ValueError(f"must be a full name such as shop.example.com or *.example.com, was {shown(value)}")
    if len(value) > MAX_DOMAIN or not all(len(part) <= MAX_LABEL and _DOMAIN_LABEL.fullmatch(part) for part in labels):
        raise ValueError(f"must be a host such as shop.example.com or *.example.com, was {shown(value)}")
    if labels[-1].isdigit() and not _is_address(value):
        raise ValueError(
            f"must not end in a number, as no domain does, was {shown(value)}; write a name, or a whole IPv4 address"
        )
    return value


def full_host(value: Any) -> str:
    """The full DNS name of one host, in lower case as istiod compares it. Istio reads a name of one label in the
    namespace of each rule.
    """
    parts = value.split(".") if isinstance(value, str) else []
    if len(parts) < 2:
        raise ValueError(
            f"must be a full DNS name such as legacy.example.com or shop.other.svc.cluster.local, was {shown(value)}"
        )
    if len(value) > MAX_HOST or not all(len(part) <= MAX_LABEL and _CLUSTER_LABEL.fullmatch(part) for part in parts):
        raise ValueError(
            f"must be a full DNS name in lower case such as legacy.example.com, without *, was {shown(value)}"
        )
    if parts[-1].isdigit():
        raise ValueError(f"must be a name, and no address, was {shown(value)}; give the address a name in DNS")
    if parts[-1] == "svc":
        raise ValueError(
            f"must be a full name, was {shown(value)}; add the cluster's domain, as in {value}.{CLUSTER_DOMAIN}"
        )
    return str(value)


def cluster_domain(value: Any) -> str:
    """The DNS domain of a cluster, in lower case as Kubernetes has it; it may be one label alone."""
    parts = value.split(".") if isinstance(value, str) else []
    if (
        not parts
        or len(value) > MAX_DOMAIN
        or not all(len(part) <= MAX_LABEL and _CLUSTER_LABEL.fullmatch(part) for part in parts)
    ):
        raise ValueError(f"must be the cluster's DNS domain, such as cluster.local, was {shown(value)}")
    return str(value)


def covers(pattern: str, host: str) -> bool:
    """Whether a host of the config, perhaps with `*`, is or covers the other."""
    return pattern in (ANY, host) or (pattern.startswith("*.") and host.endswith(pattern[1:]))


def _is_address(value: str) -> bool:
    try:
        ipaddress.IPv4Address(value)
    except ValueError:
        return False
    return True


def server_host(value: Any) -> str:
    """A host of a gateway's server: a domain, or `*`, perhaps behind the namespace whose routes may use it (`shop/`,
    `./`, `*/`).
    """
    namespace, slash, host = value.partition("/") if isinstance(value, str) else ("", "", value)
    if slash and namespace not in ("*", "."):
        label(namespace)
    if not slash:
        host = value
    domain(host)
    return str(value)


def gateway_reference(value: Any) -> str:
    """A Gateway: `namespace/name`, or the name of one of this stack."""
    old = _OLD_GATEWAY.fullmatch(value) if isinstance(value, str) else None
    if old is not None:
        raise ValueError(f"must be written namespace/name, was {shown(value)}; write {old['namespace']}/{old['name']}")
    parts = value.split("/") if isinstance(value, str) else []
    if not 1 <= len(parts) <= 2 or not all(parts):
        raise ValueError(
            f"must be a gateway such as istio-ingress/public, or the name of one of weir:gateways, was {shown(value)}"
        )
    for part in parts:
        label(part)
    if value == MESH:
        raise ValueError("mesh is always part of it: routes serve every sidecar; name gateways alone")
    return str(value)


def match_gateway(value: Any) -> str:
    """A gateway to match on: one that the service is exposed at, or `mesh` for the sidecars."""
    return MESH if value == MESH else gateway_reference(value)


def export_to(value: Any) -> tuple[str, ...]:
    """The namespaces that see a rule: names, `.` for its own, or `*` alone for all."""
    if not isinstance(value, list) or not value:
        raise ValueError(f'must be a list of namespaces, "." for this one, or "*" for all, was {shown(value)}')
    for entry in value:
        if entry not in (".", "*"):
            try:
                label(entry)
            except ValueError as error:
                raise ValueError(f'names a namespace, "." for this one, or "*" for all; a namespace {error}') from None
    if len(set(value)) < len(value):
        raise ValueError(f"must name each namespace once, was {', '.join(value)}")
    if "*" in value and len(value) > 1:
        raise ValueError('"*" is all namespaces; remove it, or the others')
    return tuple(value)


def label_key(value: Any) -> str:
    """The key of a Kubernetes label, with or without a prefix."""
    prefix, slash, name = value.rpartition("/") if isinstance(value, str) else ("", "", "")
    if (
        (slash and (len(prefix) > 253 or not _LABEL_PREFIX.fullmatch(prefix)))
        or len(name) > MAX_LABEL
        or not _LABEL_NAME.fullmatch(name)
    ):
        raise ValueError(
            "not a valid label key; use letters, digits, '-', '_' and '.', perhaps behind a domain and a slash"
        )
    return str(value)


def label_value(value: Any) -> str:
    """The value of a Kubernetes label."""
    if not isinstance(value, str) or len(value) > MAX_LABEL or (value and not _LABEL_NAME.fullmatch(value)):
        raise ValueError(
            f"must be the value of a label (letters, digits, '-', '_' and '.', at most {MAX_LABEL}), was {shown(value)}"
        )
    return value


def label_selector(labels: Mapping[str, str]) -> str:
    """Labels as kubectl takes them and messages have them: app=shop,version=v1; "none" where there is none."""
    return ",".join(f"{key}={value}" for key, value in sorted(labels.items())) or "none"


def some_labels(value: Mapping[str, str]) -> Mapping[str, str]:
    """Labels by which pods are found: all pods have none."""
    if not value:
        raise ValueError("must have a label, such as {app.kubernetes.io/name: shop}; or leave it out")
    return value


FullHost = Annotated[str, PlainValidator(full_host), described("full DNS name")]
ClusterDomain = Annotated[str, PlainValidator(cluster_domain), described("DNS domain")]
Domain = Annotated[str, PlainValidator(domain), described("host")]
ExportTo = Annotated[
    tuple[str, ...],
    PlainValidator(export_to),
    described("list of namespaces", type="array", items={"type": "string"}, minItems=1),
]
GatewayReference = Annotated[str, PlainValidator(gateway_reference), described("gateway")]
LabelKey = Annotated[str, PlainValidator(label_key), described("key of a label")]
LabelValue = Annotated[
    str, PlainValidator(label_value), described("value of a label", type="string", maxLength=MAX_LABEL)
]
Labels = Annotated[Mapping[LabelKey, LabelValue], AfterValidator(some_labels)]
MatchGateway = Annotated[str, PlainValidator(match_gateway), described("gateway, or mesh")]
ServerHost = Annotated[str, PlainValidator(server_host), described("host, or *")]
