"""A version of a service: its container, and what it takes from its service."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

from pydantic import model_validator

from weir.model.config.actions import Headers
from weir.model.config.base import ConflictError, Part, at_most_one, given, key
from weir.model.config.containers import Resources, SecurityContext
from weir.model.config.environment import MAX_KEY, EnvFrom, Variable, secrets
from weir.model.config.kubernetes_parts import VersionParts
from weir.model.config.probes import OnceProbe, Probe
from weir.model.config.scaling import Autoscaling, Replicas
from weir.model.config.traffic_policy import TrafficPolicy
from weir.model.values.hosts import FullHost, Labels
from weir.model.values.names import EnvName, Image, WorkloadName
from weir.model.values.numbers import Port
from weir.model.values.text import Flag, Text


class Container(Part):
    """What pods run, and how many there are. A service says it for all of its versions, a version for itself."""

    image: Image | None = key(
        "the container image; a service without any is routing only",
        example="hashicorp/http-echo:1.0.0",
        becomes="Container.image",
    )
    command: tuple[Text, ...] | None = key(
        "what the container runs in place of the image's entrypoint; the entrypoint when left out",
        example=["/shop", "serve"],
        becomes="Container.command",
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
        "when a pod gets requests; when left out, once its first port of HTTP takes connections",
        example={"httpGet": {"path": "/ready", "port": "http"}},
        becomes="Container.readinessProbe",
    )
    liveness_probe: OnceProbe | None = key(
        "when a pod's container is started anew; never when left out",
        example={"httpGet": {"path": "/healthz", "port": "http"}},
        becomes="Container.livenessProbe",
    )
    startup_probe: OnceProbe | None = key(
        "when the other probes begin; at once when left out",
        example={"tcpSocket": {"port": "http"}},
        becomes="Container.startupProbe",
    )
    security_context: SecurityContext | None = key(
        "what the container may do; what is left out stays hardened",
        example={"runAsUser": 1000},
        becomes="Container.securityContext",
    )
    replicas: Replicas | None = key(
        "the number of pods, 1 when left out; external: an autoscaler of somebody else's owns it",
        example=2,
        becomes="Deployment.spec.replicas",
    )
    autoscaling: Autoscaling | None = key(
        "a HorizontalPodAutoscaler for each version, in the place of replicas",
        example={"minReplicas": 2, "maxReplicas": 10},
        becomes="HorizontalPodAutoscaler.spec",
    )

    @model_validator(mode="after")
    def _says_once_how_many(self) -> Self:
        at_most_one(self, "replicas", "autoscaling")
        return self

    @model_validator(mode="after")
    def _secrets_have_keys(self) -> Self:
        for name in secrets(self.env):
            if len(name) > MAX_KEY:
                raise ValueError(
                    f"env has a secret with a name of {len(name)} characters, at most {MAX_KEY} are a key of a "
                    "Secret; shorten it"
                )
        return self


class Version(Container):
    """One version of a service. What it leaves out it takes from its service."""

    host: FullHost | None = key(
        "the full DNS name of the host that this version is, in the place of pods that weir makes",
        example="legacy.example.com",
        becomes="HTTPRouteDestination.destination.host, ServiceEntry.endpoints.address",
    )
    port: Port | None = key(
        "the port of host; at 443 an external host is asked by TLS",
        example=443,
        becomes="HTTPRouteDestination.destination.port, ServiceEntry.endpoints.ports",
    )
    external: Flag = key(
        "whether the mesh does not know host: weir makes a ServiceEntry, and requests get its name as their host",
        False,
        example=True,
        becomes="ServiceEntry",
    )
    traffic_policy: TrafficPolicy | None = key(
        "how callers treat its pods; goes before the service's, setting by setting",
        example={"connectionPool": {"tcp": {"maxConnections": 10}}},
        becomes="DestinationRule.subsets.trafficPolicy",
    )
    labels: Labels | None = key(
        "labels that tell its pods from those of other versions; version: NAME when left out",
        example={"version": "2.0"},
        becomes="DestinationRule.subsets.labels",
    )
    kubernetes: VersionParts | None = key(
        "what else Kubernetes can say of its objects, in Kubernetes' words",
        example={"deployment": {"spec": {"minReadySeconds": 10}}},
        becomes="Deployment",
    )
    workload: WorkloadName | None = key(
        "what runs its pods, made by somebody else; weir routes to them, and makes none",
        example="deployment/shop-v2",
    )
    headers: Headers | None = key(
        "changes to headers of requests that go to it",
        example={"response": {"set": {"x-version": "v2"}}},
        becomes="HTTPRouteDestination.headers",
    )

    @property
    def elsewhere(self) -> Elsewhere | None:
        """The host that the version is; None for one of pods."""
        if self.host is None or self.port is None:
            return None
        return Elsewhere(self.host, self.port, self.external)

    @model_validator(mode="after")
    def _has_pods_once(self) -> Self:
        own = given(self, *Container.model_fields, "kubernetes") if self.workload else []
        if own:
            raise ConflictError(
                f"has workload, so its pods are made by somebody else; remove {', '.join(own)}, or workload"
            )
        return self


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """The host and port that a version is in the place of pods. `external`: the mesh knows it by a ServiceEntry of
    weir's.
    """

    host: str
    port: int
    external: bool

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"


@dataclass(frozen=True, slots=True)
class Workload:
    """What the pods of one version run, with everything the version takes from its service filled in.

    `replicas`: None where an autoscaler owns it, be it that of `autoscaling` or somebody else's.
    """

    image: str
    replicas: int | None
    command: tuple[str, ...]
    args: tuple[str, ...]
    env: Mapping[str, Variable]
    env_from: tuple[EnvFrom, ...] = ()
    resources: Resources | None = None
    readiness_probe: Probe | None = None
    liveness_probe: Probe | None = None
    startup_probe: Probe | None = None
    security_context: SecurityContext | None = None
    autoscaling: Autoscaling | None = None
