"""What the tests of the rules share: cases, and properties as weir's own model writes them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

from tests.unit.model.test_config import SOUND
from weir.model import Manifest, Mesh, load, mesh

VIRTUAL_SERVICE_V1 = "kubernetes:networking.istio.io/v1:VirtualService"
DEPLOYMENT_V1 = "kubernetes:apps/v1:Deployment"


@dataclass(frozen=True)
class Case:
    """One thing a rule is shown, and all that it must say, word for word; nothing where it passes."""

    rule: str
    what: str
    said: Callable[[], Sequence[str]]
    says: Sequence[str] = ()

    def __str__(self) -> str:
        return self.what

    def check(self) -> None:
        assert list(self.said()) == list(self.says)


def meshed(service: Mapping[str, Any], **top: Any) -> Mesh:
    """The tutorial's mesh, with keys of its service and of the stack changed."""
    config: dict[str, Any] = {**deepcopy(SOUND), **top}
    config["services"]["backend"].update(service)
    return mesh(load(config), "demo")


def route(**service: Any) -> Manifest:
    """The VirtualService of the tutorial's backend, with keys of the service changed."""
    return meshed(service).services["backend"].virtual_service


def pods(version: str = "v2", **service: Any) -> Manifest:
    """The Deployment of one of its versions."""
    deployment = meshed(service).services["backend"].versions[version].deployment
    assert deployment is not None
    return deployment


def put(manifest: Manifest, path: str, value: Any) -> Manifest:
    """The object with a value that weir would not write put in at a dotted path; numbers lead into lists."""
    changed: Manifest = deepcopy(manifest)
    *parents, last = path.split(".")
    place: Any = changed
    for parent in parents:
        place = place[int(parent)] if parent.isdigit() else place.setdefault(parent, {})
    place[last] = value
    return changed
