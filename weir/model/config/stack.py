"""The stack config as typed, frozen objects, with the field names of Istio's API in the file and Python's in the code.

`weir.model.validation.load` builds them; it also applies the rules between fields (`weir.model.validation.checks`). A
key left empty counts as left out.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Annotated, Any

from pydantic import BeforeValidator

from weir.model.config.base import Part, key, required
from weir.model.config.drills import Drill
from weir.model.config.gateways import Expose, Gateway
from weir.model.config.hosts import Host
from weir.model.config.kubernetes_parts import ServiceParts
from weir.model.config.metrics import Prometheus
from weir.model.config.notify import Notify
from weir.model.config.ports import Ports
from weir.model.config.rollout import Rollout
from weir.model.config.routes import Route, Traffic
from weir.model.config.scaling import EXTERNAL, Autoscaling
from weir.model.config.traffic_policy import TrafficPolicy
from weir.model.config.versions import Container, Version, Workload
from weir.model.values.durations import Duration, Length, ReadyTimeout
from weir.model.values.hosts import CLUSTER_DOMAIN, ClusterDomain, Domain, ExportTo, Labels
from weir.model.values.names import Image, Label, ServiceName
from weir.model.values.numbers import Count
from weir.model.values.text import Flag, SomeText, Text


def _nothing_is_empty(value: Any) -> Any:
    return {} if value is None else value


class Service(Traffic, Ports, Container):
    """A service, its versions, and how traffic is divided between them. What it says of traffic is its default route.

    `stable` gets what `canary` (version to percent) leaves of 100. Without any image the service is routing only.
    """

    versions: Mapping[Label, Annotated[Version, BeforeValidator(_nothing_is_empty)]] = key(
        "its versions by name; the name is the value of the label version",
        {},
        example={"v1": {"args": ["-text=one"]}, "v2": {}},
        becomes="DestinationRule.subsets",
    )
    routes: tuple[Route, ...] = key(
        "routes before the default one, first match wins",
        (),
        example=[{"name": "beta", "match": [{"headers": {"x-user": {"exact": "beta"}}}], "stable": "v2"}],
        becomes="VirtualService.http",
    )
    drill: Drill | None = key(
        "a fault for a limited time, which `weir drill` writes and removes",
        example={"delay": {"percentage": 50, "fixedDelay": "3s"}, "until": "2026-11-25T14:00:00Z"},
        becomes="HTTPRoute.fault",
    )
    rollout: Rollout = key(
        "how `weir rollout` takes a version from no requests to all of them",
        Rollout(),
        example={"steps": [5, 25, 50], "pause": "1m", "analysis": {"worse": 1.5, "tolerated": 0.1}},
    )
    traffic_policy: TrafficPolicy | None = key(
        "how callers treat the pods of all versions",
        example={"outlierDetection": {"consecutive5xxErrors": 5}},
        becomes="DestinationRule.trafficPolicy",
    )
    export_to: ExportTo | None = key(
        'namespaces that see its rules: names, "." for its own, or "*" for all, which is Istio\'s default',
        example=["."],
        becomes="VirtualService.exportTo, DestinationRule.exportTo",
    )
    selector: Labels | None = key(
        "labels of the pods of all its versions; app: NAME when left out",
        example={"app.kubernetes.io/name": "shop"},
        becomes="Service.spec.selector",
    )
    create_service: Flag | None = key(
        "whether weir makes its Service and ServiceAccount; false: they are somebody else's; where no version has an "
        "image, false when left out",
        example=False,
        becomes="Service, ServiceAccount",
    )
    kubernetes: ServiceParts | None = key(
        "what else Kubernetes can say of its objects, in Kubernetes' words",
        example={"service": {"spec": {"type": "LoadBalancer"}}},
        becomes="Deployment, Service, ServiceAccount, PodDisruptionBudget",
    )
    expose: Expose | None = key(
        "gateways at which it is reached as well; sidecars alone when left out",
        example={"gateways": ["istio-ingress/public"], "hosts": ["shop.example.com"]},
    )

    @property
    def routing_only(self) -> bool:
        """Whether weir manages the routes alone and leaves Service and Deployments to somebody else."""
        return self.image is None and all(version.image is None for version in self.versions.values())

    @property
    def makes_service(self) -> bool:
        """Whether weir makes the Service."""
        return not self.routing_only if self.create_service is None else self.create_service

    @property
    def with_pods(self) -> list[str]:
        """The versions of pods, whoever manages these: all that are not elsewhere."""
        return [name for name, version in self.versions.items() if version.host is None]

    def selected_by(self, name: str) -> dict[str, str]:
        """The labels of the pods of all versions, by which the Service `name` finds them."""
        return dict(self.selector) if self.selector else {"app": name}

    def told_apart_by(self, version: str) -> dict[str, str]:
        """The labels that tell the pods of a version from those of others."""
        return dict(self.versions[version].labels or {"version": version})

    def pod_labels(self, name: str, version: str) -> dict[str, str]:
        """All labels by which the pods of a version of the service `name` are found."""
        return {**self.selected_by(name), **self.told_apart_by(version)}

    def scaling(self, version: str) -> int | Autoscaling | None:
        """How many pods the version asks for, itself or through its service; None where somebody else owns that."""
        for part in (self.versions[version], self):
            if part.autoscaling is not None:
                return part.autoscaling
            if part.replicas is not None:
                return None if part.replicas == EXTERNAL else part.replicas
        return 1

    def workload(self, version: str) -> Workload | None:
        """What the version's pods run; None where weir makes none: no image is named, or it is somebody else's workload
        or a host.
        """
        own = self.versions[version]
        image = own.image or self.image
        if image is None or own.workload is not None or own.host is not None:
            return None
        scaling = self.scaling(version)
        return Workload(
            image=image,
            replicas=scaling if isinstance(scaling, int) else None,
            autoscaling=scaling if isinstance(scaling, Autoscaling) else None,
            command=(self.command if own.command is None else own.command) or (),
            args=(self.args if own.args is None else own.args) or (),
            env={**self.env, **own.env},
            env_from=(self.env_from if own.env_from is None else own.env_from) or (),
            resources=own.resources or self.resources,
            readiness_probe=own.readiness_probe or self.readiness_probe,
            liveness_probe=own.liveness_probe or self.liveness_probe,
            startup_probe=own.startup_probe or self.startup_probe,
            security_context=own.security_context or self.security_context,
        )

    def split(self, route: Traffic) -> tuple[str, Mapping[str, Decimal]]:
        """The stable version and the canaries of a route of this service, or of the service itself, which is its
        default route.
        """
        return route.stable or self.stable, route.canary


class Client(Part):
    """A workload inside the mesh to send requests from. Its default command sleeps, so that people and `weir verify`
    can exec into it.
    """

    image: Image = required(
        "the image of the client, such as curlimages/curl:latest",
        example="curlimages/curl:latest",
        becomes="Container.image",
    )
    replicas: Count = key("the number of pods", 1, example=1, becomes="Deployment.spec.replicas")
    command: tuple[Text, ...] = key(
        "what it runs", ("sleep", "infinity"), example=["sleep", "infinity"], becomes="Container.command"
    )


class Propagation(Part):
    """How weir makes sure that callers' proxies have followed before it goes on: it asks istiod; where it cannot, it
    waits.
    """

    timeout: Length = key(
        "how long proxies may take before an update fails; traffic is unchanged then",
        Duration.parse("30s"),
        example="1m",
        unit="duration",
    )
    grace: Length = key(
        "how long to wait where istiod cannot be asked", Duration.parse("5s"), example="10s", unit="duration"
    )
    istiod_namespace: Label = key("the namespace istiod runs in", "istio-system", example="istio-system")


class StackConfig(Part):
    """The whole config of a stack: the keys in the namespace `weir`."""

    namespace: Label = key(
        "the namespace everything of the stack lives in", "", example="demo", becomes="Namespace.metadata.name"
    )
    create_namespace: Flag = key(
        "whether weir creates the namespace, with sidecar injection on, and deletes it; false: it is somebody else's",
        True,
        example=False,
        becomes="Namespace",
    )
    ephemeral: Flag = key(
        "whether the namespace gets a random suffix, so that stacks of one config never collide", False, example=True
    )
    services: Mapping[ServiceName, Service] = key(
        "the services by name; the name is the Service's, its host and the value of the label app",
        {},
        example={"backend": {"image": "hashicorp/http-echo:1.0.0", "versions": {"v1": {}}, "stable": "v1"}},
    )
    clients: Mapping[Label, Client] = key(
        "workloads inside the mesh to send requests from, by name",
        {},
        example={"frontend": {"image": "curlimages/curl:latest"}},
    )
    gateways: Mapping[Label, Gateway] = key(
        "Gateways that the stack creates, by name",
        {},
        example={
            "public": {
                "selector": {"istio": "ingress"},
                "servers": [
                    {"port": {"number": 80, "name": "http", "protocol": "HTTP"}, "hosts": ["shop.example.com"]}
                ],
            }
        },
        becomes="Gateway",
    )
    hosts: Mapping[Domain, Host] = key(
        'hosts at gateways that several services share, by name; "*" is every host that no other has',
        {},
        example={
            "shop.example.com": {
                "gateways": ["istio-ingress/public"],
                "routes": [{"match": [{"uri": {"prefix": "/cart"}}], "service": "cart"}, {"service": "web"}],
            }
        },
        becomes="VirtualService",
    )
    cluster_domain: ClusterDomain = key(
        "the cluster's DNS domain, in which services have their full names", CLUSTER_DOMAIN, example="corp.internal"
    )
    revision: Label | None = key(
        "the revision of istiod whose sidecars the namespace gets (label istio.io/rev); Istio's default when left out",
        example="canary",
        becomes="Namespace.metadata.labels",
    )
    kube_context: SomeText | None = key("the context of the kubeconfig; the current one when left out", example="prod")
    kubeconfig: SomeText | None = key(
        "path of the kubeconfig, relative to the project; kubectl's default when left out", example=".kube/prod"
    )
    ready_timeout: ReadyTimeout = key(
        "how long the pods of a version may take to become ready before an update fails",
        Duration.parse("2m"),
        example="5m",
        unit="duration",
    )
    propagation: Propagation = key(
        "how weir makes sure that callers' proxies have followed before it goes on",
        Propagation(),
        example={"timeout": "1m", "grace": "10s"},
    )
    prometheus: Prometheus = key(
        "the Prometheus that `weir rollout` asks for the requests of both versions; callers' Envoys when left out",
        Prometheus(),
        example={"url": "http://prometheus.istio-system:9090"},
    )
    notify: tuple[Notify, ...] = key(
        "who is told how rollouts go, by JSON that chat systems show",
        (),
        example=[{"url": "https://hooks.example.com/services/T0", "events": ["hold", "abort", "promotion"]}],
    )
    policy_pack: SomeText | None = key(
        (
            "the directory of a policy pack, relative to the project, that `weir set`, `promote`, `rollout` and "
            "`drill` ask before they apply; none when left out"
        ),
        example="policy",
    )
    adopt: Flag = key("whether weir takes over objects that exist and that it did not create", False, example=True)
    force: Flag = key(
        "whether weir goes on where requests would be lost, which it refuses otherwise", False, example=True
    )

    def host(self, service: str, namespace: str = "") -> str:
        """The full name of a service of the stack; `namespace` is the real one where that is another than the config's
        (ephemeral).

        A short one would mean another service wherever a rule is read from another namespace.
        """
        return f"{service}.{namespace or self.namespace}.svc.{self.cluster_domain}"
