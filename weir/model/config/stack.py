"""The stack config as typed, frozen objects, with the field names of Istio's API in the file and Python's in the code.

`weir.model.validation.load` builds them; it also applies the rules between fields (`weir.model.validation.checks`). A key left empty counts as left out.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, model_validator

from weir.model.config.actions import Headers
from weir.model.config.base import Part, key, required
from weir.model.config.containers import OnceProbe, Probe, Resources, SecurityContext
from weir.model.config.drills import Drill
from weir.model.config.environment import MAX_KEY, EnvFrom, Variable, secrets
from weir.model.config.gateways import Expose, Gateway
from weir.model.config.routes import Route, Traffic
from weir.model.config.traffic_policy import TrafficPolicy
from weir.model.values.durations import Duration, Length, ReadyTimeout
from weir.model.values.hosts import CLUSTER_DOMAIN, ClusterDomain, ExportTo
from weir.model.values.names import EnvName, Image, Label, ServiceName
from weir.model.values.numbers import Count, Port, ServicePort
from weir.model.values.text import Flag, SomeText, Text


class Container(Part):
    """What pods run. A service says it for all of its versions, a version for itself."""

    image: Image | None = key(
        "the container image; a service without any is routing only", example="hashicorp/http-echo:1.0.0", becomes="Container.image"
    )
    args: tuple[Text, ...] | None = key(
        "arguments of the image's command; none when left out", example=["-text=Hello"], becomes="Container.args"
    )
    env: Mapping[EnvName, Variable] = key(
        "environment variables: texts, secrets, or valueFrom; a version takes over its service's, name by name",
        {},
        example={"LOG": "info", "TOKEN": {"valueFrom": {"secretKeyRef": {"name": "shop", "key": "token"}}}},
        becomes="Container.env",
    )
    env_from: tuple[EnvFrom, ...] | None = key(
        "Secrets and ConfigMaps with more of them; env goes before it, and a version's own before its service's",
        example=[{"secretRef": {"name": "shop-settings"}}],
        becomes="Container.envFrom",
    )
    resources: Resources | None = key(
        "requests and limits; 10m of cpu and 16Mi of memory are requested when left out",
        example={"requests": {"cpu": "100m"}},
        becomes="Container.resources",
    )
    readiness_probe: Probe | None = key(
        "when a pod gets requests; when left out, once its port takes connections",
        example={"httpGet": {"path": "/ready", "port": "http"}},
        becomes="Container.readinessProbe",
    )
    liveness_probe: OnceProbe | None = key(
        "when a pod's container is started anew; never when left out",
        example={"httpGet": {"path": "/healthz", "port": "http"}},
        becomes="Container.livenessProbe",
    )
    startup_probe: OnceProbe | None = key(
        "when the other probes begin; at once when left out", example={"tcpSocket": {"port": "http"}}, becomes="Container.startupProbe"
    )
    security_context: SecurityContext | None = key(
        "what the container may do; what is left out stays hardened", example={"runAsUser": 1000}, becomes="Container.securityContext"
    )

    @model_validator(mode="after")
    def _secrets_have_keys(self) -> Self:
        for name in secrets(self.env):
            if len(name) > MAX_KEY:
                raise ValueError(
                    f"env has a secret with a name of {len(name)} characters, at most {MAX_KEY} are a key of a Secret; shorten it"
                )
        return self


class Version(Container):
    """One version of a service. What it leaves out it takes from its service."""

    replicas: Count | None = key("the number of pods; its service's when left out", example=2, becomes="Deployment.spec.replicas")
    traffic_policy: TrafficPolicy | None = key(
        "how callers treat its pods; goes before the service's, setting by setting",
        example={"connectionPool": {"tcp": {"maxConnections": 10}}},
        becomes="DestinationRule.subsets.trafficPolicy",
    )
    headers: Headers | None = key(
        "changes to headers of requests that go to it",
        example={"response": {"set": {"x-version": "v2"}}},
        becomes="HTTPRouteDestination.headers",
    )


@dataclass(frozen=True, slots=True)
class Workload:
    """What the pods of one version run, with everything the version takes from its service filled in."""

    image: str
    replicas: int
    args: tuple[str, ...]
    env: Mapping[str, Variable]
    env_from: tuple[EnvFrom, ...] = ()
    resources: Resources | None = None
    readiness_probe: Probe | None = None
    liveness_probe: Probe | None = None
    startup_probe: Probe | None = None
    security_context: SecurityContext | None = None


def _nothing_is_empty(value: Any) -> Any:
    return {} if value is None else value


class Service(Traffic, Container):
    """A service, its versions, and how traffic is divided between them. What it says of traffic is its default route.

    `stable` gets what `canary` (version to percent) leaves of 100. Without any image the service is routing only.
    """

    port: ServicePort = key("the port of the Service", 80, example=80, becomes="Service.spec.ports.port")
    target_port: Port | None = key("the port the pods listen on; port when left out", example=5678, becomes="Service.spec.ports.targetPort")
    protocol: Literal["http", "http2", "grpc"] = key(
        "what the pods speak on the port", "http", example="grpc", becomes="Service.spec.ports.name"
    )
    replicas: Count = key("the number of pods of each version that names none", 1, example=2, becomes="Deployment.spec.replicas")
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
    expose: Expose | None = key(
        "gateways at which it is reached as well; sidecars alone when left out",
        example={"gateways": ["istio-ingress/public"], "hosts": ["shop.example.com"]},
    )

    @property
    def container_port(self) -> int:
        """The port the pods listen on: targetPort, else the port of the Service."""
        return self.port if self.target_port is None else self.target_port

    @property
    def routing_only(self) -> bool:
        """Whether weir manages the routes alone and leaves Service and Deployments to somebody else."""
        return self.image is None and all(version.image is None for version in self.versions.values())

    def replicas_of(self, version: str) -> int:
        """The number of pods the version asks for, itself or through its service."""
        own = self.versions[version].replicas
        return self.replicas if own is None else own

    def workload(self, version: str) -> Workload | None:
        """What the version's pods run; None where neither the version nor the service names an image."""
        own = self.versions[version]
        image = own.image or self.image
        if image is None:
            return None
        return Workload(
            image=image,
            replicas=self.replicas_of(version),
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
        """The stable version and the canaries of a route of this service, or of the service itself, which is its default route."""
        return route.stable or self.stable, route.canary


class Client(Part):
    """A workload inside the mesh to send requests from. Its default command sleeps, so that people and `weir verify` can exec into it."""

    image: Image = required(
        "the image of the client, such as curlimages/curl:latest", example="curlimages/curl:latest", becomes="Container.image"
    )
    replicas: Count = key("the number of pods", 1, example=1, becomes="Deployment.spec.replicas")
    command: tuple[Text, ...] = key("what it runs", ("sleep", "infinity"), example=["sleep", "infinity"], becomes="Container.command")


class Propagation(Part):
    """How weir makes sure that callers' proxies have followed before it goes on: it asks istiod; where it cannot, it waits."""

    timeout: Length = key(
        "how long proxies may take before an update fails; traffic is unchanged then", Duration.parse("30s"), example="1m", unit="duration"
    )
    grace: Length = key("how long to wait where istiod cannot be asked", Duration.parse("5s"), example="10s", unit="duration")
    istiod_namespace: Label = key("the namespace istiod runs in", "istio-system", example="istio-system")


class StackConfig(Part):
    """The whole config of a stack: the keys in the namespace `weir`."""

    namespace: Label = key("the namespace everything of the stack lives in", "", example="demo", becomes="Namespace.metadata.name")
    create_namespace: Flag = key(
        "whether weir creates the namespace, with sidecar injection on, and deletes it; false: it is somebody else's",
        True,
        example=False,
        becomes="Namespace",
    )
    ephemeral: Flag = key("whether the namespace gets a random suffix, so that stacks of one config never collide", False, example=True)
    services: Mapping[ServiceName, Service] = key(
        "the services by name; the name is the Service's, its host and the value of the label app",
        {},
        example={"backend": {"image": "hashicorp/http-echo:1.0.0", "versions": {"v1": {}}, "stable": "v1"}},
    )
    clients: Mapping[Label, Client] = key(
        "workloads inside the mesh to send requests from, by name", {}, example={"frontend": {"image": "curlimages/curl:latest"}}
    )
    gateways: Mapping[Label, Gateway] = key(
        "Gateways that the stack creates, by name",
        {},
        example={
            "public": {
                "selector": {"istio": "ingress"},
                "servers": [{"port": {"number": 80, "name": "http", "protocol": "HTTP"}, "hosts": ["shop.example.com"]}],
            }
        },
        becomes="Gateway",
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
    policy_pack: SomeText | None = key(
        "the directory of a policy pack, relative to the project, that `weir set`, `promote` and `drill` ask before they apply; none when left out",
        example="policy",
    )
    adopt: Flag = key("whether weir takes over objects that exist and that it did not create", False, example=True)
    force: Flag = key("whether weir goes on where requests would be lost, which it refuses otherwise", False, example=True)

    def host(self, service: str, namespace: str = "") -> str:
        """The full name of a service of the stack; `namespace` is the real one where that is another than the config's (ephemeral).

        A short one would mean another service wherever a rule is read from another namespace.
        """
        return f"{service}.{namespace or self.namespace}.svc.{self.cluster_domain}"
