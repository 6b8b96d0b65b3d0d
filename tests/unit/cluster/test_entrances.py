"""Hosts at gateways that two stacks claim are told by what stands in the cluster, whoever made it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from weir.cluster.entrances import claimed_by_others
from weir.cluster.kubectl import Kubectl
from weir.model import load
from weir.model.routing.hosts import claims

OURS = "organization/weir/dev"
SERVICE = {"image": "app:1", "versions": {"v1": {}}, "stable": "v1"}


def virtual_service(name: str, hosts: list[str], gateways: list[str] | None, owner: str | None) -> dict[str, Any]:
    """One of another namespace."""
    notes = {"annotations": {"weir.dev/stack": owner}} if owner else {}
    spec = {"hosts": hosts, **({"gateways": gateways} if gateways is not None else {}), "http": []}
    return {"metadata": {"name": name, "namespace": "other", **notes}, "spec": spec}


@dataclass(frozen=True)
class Cluster(Kubectl):
    """A cluster with these VirtualServices."""

    items: tuple[dict[str, Any], ...] = ()

    def get(self, args: Sequence[str], *, timeout: float = 20.0, missing: Any = None) -> Any:
        """All of them."""
        assert args == ["virtualservices.networking.istio.io", "--all-namespaces"]
        return {"items": list(self.items)}


def told(*there: dict[str, Any], **hosts: Any) -> list[str]:
    """What is said of a stack with a service that is exposed at edge/public, and with these hosts."""
    exposed = {**SERVICE, "expose": {"gateways": ["edge/public"], "hosts": ["Api.example.com"]}}
    own = list(claims(load({"namespace": "demo", "services": {"web": exposed}, "hosts": hosts}), "demo"))
    return list(claimed_by_others(Cluster("kubectl", "demo", items=there), own, lambda owner: owner == OURS))


SHOP = {"shop.example.com": {"gateways": ["edge/public"], "routes": [{"service": "web"}]}}
END = (
    "too: where Istio puts both behind each other, nobody knows which of the two gets a request; keep it in one of them"
)


def test_the_same_host_at_the_same_gateway_is_told() -> None:
    """By the other's stack if it has one, else by its object; in lower case, as hosts are compared."""
    assert told(
        virtual_service("a", ["shop.example.com"], ["mesh", "edge/public"], "organization/weir/other"),
        virtual_service("b", ["api.example.com", "x.example.com"], ["edge/public"], None),
        **SHOP,
    ) == [
        f"host shop.example.com at gateway edge/public is claimed by stack organization/weir/other (VirtualService other/a), {END}",
        f"host api.example.com at gateway edge/public is claimed by VirtualService other/b, {END}",
    ]


def test_a_host_that_covers_it_is_told() -> None:
    """Where the gateway serves no more than that, both are one."""
    assert told(virtual_service("a", ["*.example.com"], ["edge/public"], None), **SHOP) == [
        f"host {host} at gateway edge/public is claimed by VirtualService other/a, as *.example.com, {END}"
        for host in ("api.example.com", "shop.example.com")
    ]


def test_nothing_is_told_of_what_meets_nowhere() -> None:
    """The stack's own, other gateways (a name alone is one of the object's own namespace), the mesh, other hosts."""
    assert (
        told(
            virtual_service("a", ["shop.example.com"], ["edge/public"], OURS),
            virtual_service("b", ["shop.example.com"], ["public", "edge/other"], None),
            virtual_service("c", ["shop.example.com"], None, None),
            virtual_service("d", ["other.example.com", "x.shop.example.com"], ["edge/public"], None),
            **SHOP,
        )
        == []
    )
