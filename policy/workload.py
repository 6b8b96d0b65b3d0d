"""A Deployment in weir's terms: of which version or client it is, and what runs in its pods."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from policy.known import Props, listed, mapping


def identity(props: Props) -> tuple[str, str]:
    """Service and version by the labels; the version of a client is empty."""
    metadata = mapping(props.get("metadata"))
    labels = mapping(metadata.get("labels"))
    return str(labels.get("app", metadata.get("name", "Deployment"))), str(labels.get("version", ""))


def who(props: Props) -> str:
    """`backend v2`, or `client frontend`."""
    service, version = identity(props)
    return f"{service} {version}" if version else f"client {service}"


def pod(props: Props) -> Mapping[str, Any]:
    """The spec of its pods; empty where it is not known."""
    return mapping(mapping(mapping(props.get("spec")).get("template")).get("spec"))


def containers(props: Props) -> Iterator[Mapping[str, Any]]:
    """Every container that the Deployment itself names. Istio's webhook adds its own to the pods, which stand in no Deployment."""
    for kind in ("initContainers", "containers"):
        yield from (mapping(container) for container in listed(pod(props).get(kind)))
