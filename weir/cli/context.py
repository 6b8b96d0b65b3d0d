"""The stack that a command is about: its name, project, file, config, namespace and cluster. A command makes one
context and hands it on.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from weir.engine.errors import EngineError
from weir.errors import UsageError
from weir.stack import stackfile

if TYPE_CHECKING:
    from weir.cluster.kubectl import Kubectl
    from weir.engine.stack import Stack
    from weir.model import Service, StackConfig


@dataclass(frozen=True)
class Context:
    """A stack. Each of the rest is found out when it is first asked for, and kept.

    `stack`: as given, `dev` or `organization/weir/dev`.
    `file`: a stack file (`--file`) in place of the stack's own.
    `text`: what the stack file says, or is to say; None: what it has on disk.
    `given_namespace`: a namespace (`--namespace`) in place of the stack's own.
    `verbose`: an update shows all that Pulumi prints, in place of how it goes.
    """

    stack: str
    file: Path | None = None
    text: str | None = None
    given_namespace: str | None = None
    verbose: bool = False

    def saying(self, text: str) -> Context:
        """The same stack with this text in its file."""
        return replace(self, text=text)

    def anew(self) -> Context:
        """The same stack with nothing found out yet, after something has changed."""
        return replace(self)

    @cached_property
    def project(self) -> Path:
        """The directory of the project: that of the file, or the one around the working directory. Raises
        StackFileError.
        """
        return stackfile.project_dir() if self.file is None else self.file.resolve().parent

    @cached_property
    def path(self) -> Path:
        """The stack file. Raises StackFileError with the stacks there are."""
        return stackfile.stack_path(self.stack, self.project) if self.file is None else self.file

    @cached_property
    def stack_file(self) -> stackfile.StackFile:
        """What the stack file says, unchecked. Raises StackFileError."""
        return stackfile.read(self.path, self.text)

    @cached_property
    def config(self) -> StackConfig:
        """The checked config. Raises StackFileError, or ConfigError with the places in the file."""
        # A fifth of a second, which only those pay who ask for the config.
        from weir.model import ConfigError, load

        try:
            return load(self.stack_file.config)
        except ConfigError as error:
            raise ConfigError(self.stack_file.place(error.problems)) from None

    def service(self, name: str) -> Service:
        """The config of a service. Raises UsageError with the services there are, and what `config` raises."""
        services = self.config.services
        if name not in services:
            raise UsageError(f"{name} is not a service of this stack (services: {', '.join(services) or 'none'})")
        return services[name]

    @cached_property
    def engine(self) -> Stack:
        """The stack in Pulumi."""
        # Needed by few commands; it brings the server of the program along.
        from weir.engine.stack import Stack

        return Stack(self.stack, self.project)

    @cached_property
    def namespace(self) -> str:
        """The namespace in the cluster; only Pulumi knows the random part of an ephemeral stack's. Raises EngineError
        where it does not.
        """
        if self.given_namespace or not self.config.ephemeral:
            return self.given_namespace or self.config.namespace
        try:
            return self.engine.output("namespace")
        except EngineError as error:
            raise EngineError(f"{error}, or name it with --namespace") from None

    @cached_property
    def kubectl(self) -> Kubectl:
        """kubectl on the stack's cluster, in its namespace. Raises ClusterError, EngineError."""
        from weir.cluster.kubectl import Kubectl  # not needed where no cluster is

        kubeconfig = self.config.kubeconfig
        # The config's kubeconfig is relative to the project, wherever weir is run.
        path = None if kubeconfig is None else str(self.project / Path(kubeconfig).expanduser())
        return Kubectl.find(self.namespace, kubeconfig=path, context=self.config.kube_context)


def require_version(settings: Service, service: str, version: str) -> None:
    """UsageError with the versions there are, when this is none of them."""
    if version not in settings.versions:
        raise UsageError(f"{service} has no version {version} (versions: {', '.join(settings.versions)})")
