"""The stack config as typed, frozen objects, with the field names of Istio's API in the file and Python's in the code.

`weir.model.load` builds them; it also applies the rules between fields (`weir.model.checks`). A key left empty counts as left out.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator
from pydantic.alias_generators import to_camel

from weir.model.names import EnvName, Image, Label, Namespace, ServiceName
from weir.model.values import AbortStatus, Count, Duration, Flag, Length, Percent, Port, ReadyTimeout, RetryConditions, SomeText, Text


class Part(BaseModel):
    """A mapping of the config: its keys are its fields in camelCase, every other key is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid", alias_generator=to_camel)

    @model_validator(mode="before")
    @classmethod
    def _drop_empty(cls, data: Any) -> Any:
        return {key: value for key, value in data.items() if value is not None} if isinstance(data, dict) else data


class Delay(Part):
    """A share of requests (percent) that waits in the caller's proxy before it is sent."""

    percentage: Percent = Field(description="the share of requests to delay, 0 to 100")
    fixed_delay: Length = Field(description="how long to delay them, such as 3s")


class Abort(Part):
    """A share of requests (percent) that the caller's proxy answers itself; they reach no version."""

    percentage: Percent = Field(description="the share of requests to abort, 0 to 100")
    http_status: AbortStatus = Field(description="the HTTP status to answer them with, such as 503")


class Fault(Part):
    """Faults to inject. Envoy draws for delay and abort independently: one request can meet both."""

    delay: Delay | None = None
    abort: Abort | None = None

    @model_validator(mode="after")
    def _has_one(self) -> Fault:
        if self.delay is None and self.abort is None:
            raise ValueError("must have a delay or an abort; remove the key to inject no fault")
        return self


class Retries(Part):
    """Retries by the caller's proxy. Without this key Istio retries twice; `attempts: 0` switches retries off."""

    attempts: Count = Field(description="how often to retry a request; 0 switches retries off")
    per_try_timeout: Length | None = None
    retry_on: RetryConditions = ()

    @model_validator(mode="after")
    def _off_means_off(self) -> Retries:
        if self.attempts == 0 and (self.per_try_timeout is not None or self.retry_on):
            raise ValueError("attempts is 0, which switches retries off; remove perTryTimeout and retryOn, or raise attempts")
        return self


class Version(Part):
    """One version of a service. What it leaves out it takes from its service; `env` is taken over name by name."""

    image: Image | None = None
    replicas: Count | None = None
    args: tuple[Text, ...] | None = None
    env: Mapping[EnvName, Text] = {}


@dataclass(frozen=True, slots=True)
class Workload:
    """What the pods of one version run, with everything the version takes from its service filled in."""

    image: str
    replicas: int
    args: tuple[str, ...]
    env: Mapping[str, str]


def _nothing_is_empty(value: Any) -> Any:
    return {} if value is None else value


class Service(Part):
    """A service, its versions, and how traffic is divided between them.

    `stable` gets what `canary` (version to percent) leaves of 100. Without any image the service is routing only.
    """

    image: Image | None = None
    port: Port = 80
    target_port: Port | None = None
    replicas: Count = 1
    args: tuple[Text, ...] = ()
    env: Mapping[EnvName, Text] = {}
    versions: Mapping[Label, Annotated[Version, BeforeValidator(_nothing_is_empty)]] = {}
    stable: SomeText = ""
    canary: Mapping[str, Percent] = {}
    fault: Fault | None = None
    retries: Retries | None = None

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
        args = self.args if own.args is None else own.args
        return Workload(image, self.replicas_of(version), args, {**self.env, **own.env})


class Client(Part):
    """A workload inside the mesh to send requests from. Its default command sleeps, so that people and `weir verify` can exec into it."""

    image: Image = Field(description="the image of the client, such as curlimages/curl:latest")
    replicas: Count = 1
    command: tuple[Text, ...] = ("sleep", "infinity")


class StackConfig(Part):
    """The whole config of a stack: the keys in the namespace `weir`.

    `ready_timeout`: how long the pods of a version may take to become ready before an update fails.
    `kubeconfig`: a path, relative to the project. Without it and `kube_context`, kubectl's defaults apply.
    """

    namespace: Namespace = ""
    services: Mapping[ServiceName, Service] = {}
    clients: Mapping[Label, Client] = {}
    kube_context: SomeText | None = None
    kubeconfig: SomeText | None = None
    ephemeral: Flag = False
    ready_timeout: ReadyTimeout = Duration.parse("2m")
