"""The specs of a service's objects, of those that there are: which these are does not depend on the namespace's name,
which the hosts in them have.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from weir.model import Manifest, ServiceObjects


def entry_of(version: str) -> Callable[[ServiceObjects], dict[str, Any]]:
    """That of a version's ServiceEntry."""
    return lambda real: _spec_of(real.versions[version].service_entry)


def rule_of(version: str) -> Callable[[ServiceObjects], dict[str, Any]]:
    """That of a version's subset."""
    return lambda real: _spec_of(real.versions[version].destination_rule)


def host_rule_spec(real: ServiceObjects) -> dict[str, Any]:
    """That of the rule for all pods."""
    return _spec_of(real.host_rule)


def entrance_spec(real: ServiceObjects) -> dict[str, Any]:
    """That of the VirtualService by which a service is every host."""
    return _spec_of(real.entrance.virtual_service if real.entrance else None)


def _spec_of(manifest: Manifest | None) -> dict[str, Any]:
    assert manifest is not None
    return dict(manifest["spec"])
