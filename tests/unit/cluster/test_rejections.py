"""What a proxy rejects, told by the texts that the lab's Envoy 1.40 has given, as they stand in istiod's sync status
and in a proxy's log.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from weir.cluster.errors import ClusterError
from weir.cluster.istiod import CLUSTERS, ROUTES
from weir.cluster.kubectl import Kubectl
from weir.cluster.rejections import Culprit, RejectedError, Rejection, culprit, reason, rejection

ROUTE_TEXT = (
    'goo.gle/debugproto    \nname: "80"\nvirtual_hosts {\n  name: "backend.demo.svc.cluster.local:80"\n  domains: '
    '"backend"\n}\n: Proto constraint validation failed'
    " (RouteConfigurationValidationError.VirtualHosts[1]: embedded message failed validation | caused by "
    "VirtualHostValidationError.Routes[0]:"
    ' embedded message failed validation | caused by field: "action", reason: is required)'
)
CLUSTER_TEXT = (
    "Error adding/updating cluster(s) outbound|80|v3|backend.demo.svc.cluster.local: goo.gle/debugstr\nname: "
    '"outbound|80|v3|backend.demo.svc.cluster.local"\n'
    ": Proto constraint validation failed (ClusterValidationError.ConnectTimeout: value must be greater than 0s)"
)
CUT_TEXT = CLUSTER_TEXT[:200] + " (ClusterValidationError.ConnectTimeout: value must be gre...(truncated)"
LOG = (
    "2026-11-26T18:53:35.215162Z\twarning\tenvoy config "
    "source/extensions/config_subscription/grpc/delta_subscription_state.cc:282\t"
    f"delta config for {CLUSTERS} rejected: {CLUSTER_TEXT}\tthread=16\n2026-11-26T18:53:36Z\tinfo\tsomething else "
    "(quite)\n"
)


def made_of(path: str, **more: Any) -> dict[str, Any]:
    """A route or a cluster with istiod's note of what it is made of."""
    config = f"/apis/networking.istio.io/v1/namespaces/{path}"
    return {**more, "metadata": {"filterMetadata": {"istio": {"config": config}}}}


DUMP = {
    "configs": [
        {
            "dynamicActiveClusters": [
                {
                    "cluster": made_of(
                        "demo/destination-rule/backend-v1", name="outbound|80|v3|backend.demo.svc.cluster.local"
                    )
                }
            ]
        },
        {
            "dynamicRouteConfigs": [
                {"routeConfig": {"name": "8080", "virtualHosts": []}},
                {
                    "routeConfig": {
                        "name": "80",
                        "virtualHosts": [
                            {
                                "domains": ["backend"],
                                "routes": [made_of("demo/virtual-service/backend", name="default")],
                            },
                            {
                                "domains": ["old.example.com"],
                                "routes": [made_of("ops/virtual-service/old", name="moved")],
                            },
                        ],
                    }
                },
            ]
        },
    ]
}


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (ROUTE_TEXT, "Routes[0].action: is required"),
        (CLUSTER_TEXT, "ClusterValidationError.ConnectTimeout: value must be greater than 0s"),
        (
            "Only unique values for domains are permitted.\nDuplicate entry of domain b",
            "Only unique values for domains are permitted. Duplicate entry of domain b",
        ),
        ("x" * 5000, "x" * 200 + "…"),
    ],
)
def test_the_reason_is_one_line_without_the_configuration(text: str, told: str) -> None:
    """Of a violated rule of Envoy's API the innermost."""
    assert reason(text) == told


@pytest.mark.parametrize(
    ("kind", "text", "whose"),
    [
        (ROUTES, ROUTE_TEXT, Culprit("VirtualService", "ops", "old", "route moved")),
        (ROUTES, "Duplicate entry of domain old.example.com", Culprit("VirtualService", "ops", "old")),
        (ROUTES, "Duplicate entry of domain cold.example.com", None),
        (CLUSTERS, CLUSTER_TEXT, Culprit("DestinationRule", "demo", "backend-v1", "subset v3")),
        (CLUSTERS, "out of memory", None),
    ],
)
def test_whose_it_is_stands_in_what_istiod_makes(kind: str, text: str, whose: Culprit | None) -> None:
    """By the place that Envoy names, the domain, or the cluster."""
    assert culprit(kind, text, DUMP) == whose


class Istiod:
    """One that makes this configuration."""

    def configuration(self, proxy: str) -> dict[str, Any]:
        """Whosever it is."""
        return DUMP


@pytest.mark.parametrize(
    ("log", "told"),
    [
        (LOG, "ClusterValidationError.ConnectTimeout: value must be greater than 0s"),
        ("", "Envoy's reason is cut off; see it with kubectl logs a.b -n demo -c istio-proxy"),
    ],
)
def test_a_text_that_was_cut_off_is_read_in_the_proxys_log(tmp_path: Path, log: str, told: str) -> None:
    """Envoy cuts it at 4096 characters, in front of the reason; its log has all of it. Whoever may not read that is
    told where it stands.
    """
    script = tmp_path / "kubectl"
    script.write_text(f'#!/bin/sh\nprintf "%s " "$@" > {tmp_path}/asked\ncat {tmp_path}/log\n')
    script.chmod(0o755)
    (tmp_path / "log").write_text(log)
    found = rejection(Kubectl(str(script), "istio-system"), Istiod(), "a.b.demo", CLUSTERS, CUT_TEXT)  # type: ignore[arg-type]
    assert found.reason == told
    assert (tmp_path / "asked").read_text().startswith("-n demo logs a.b -c istio-proxy")


def test_the_message_has_the_object_the_proxies_and_the_reason() -> None:
    """In one line; of many proxies three are named."""
    rejections = tuple(
        Rejection(f"p{number}.demo", ROUTES, "no", Culprit("VirtualService", "ops", "old", "route moved"))
        for number in range(5)
    )
    fresh, standing = (str(RejectedError(rejections, 7, standing=each)) for each in (False, True))
    assert fresh == (
        "5 of 7 proxies reject the routes of VirtualService ops/old (route moved) (p0.demo, p1.demo, p2.demo and "
        "2 more): no"
    )
    assert "since before this update, so they do not accept the update either" in standing
    assert isinstance(RejectedError(rejections, 7, standing=True), ClusterError)
