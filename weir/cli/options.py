"""Options that commands share: which stack, and how to report."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from weir.cluster.kubectl import Kubectl
    from weir.model import Service, StackConfig

Command = TypeVar("Command", bound=Callable[..., Any])

stack_option = click.option(
    "--stack",
    metavar="NAME",
    default="dev",
    show_default=True,
    envvar="PULUMI_STACK",
    show_envvar=True,
    help="The stack; its file is Pulumi.NAME.yaml.",
)
"""Gives the parameter `stack`."""

json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON instead of text.")
"""Gives the parameter `as_json`."""

_file_option = click.option(
    "--file", metavar="FILE", type=click.Path(path_type=Path), help="A stack file to use instead of that of a stack."
)


def stack_options(function: Command) -> Command:
    """Gives the parameters `stack` and `file`, which `load_stack` takes."""
    return stack_option(_file_option(function))


def load_stack(stack: str, file: Path | None) -> StackConfig:
    """The checked config of the file, or without one of the stack. Raises StackFileError, or ConfigError with the places in the file."""
    # Imported here, because every command imports this module and only those that read a config pay for pydantic.
    from weir import stackfile
    from weir.model import ConfigError, load

    found = stackfile.find(stack, file)
    try:
        return load(found.config)
    except ConfigError as error:
        raise ConfigError(found.place(error.problems)) from None


def real_project(file: Path | None) -> Path:
    """The directory of the project: that of the file, or the one around the working directory."""
    from weir import stackfile

    return file.resolve().parent if file is not None else stackfile.project_dir()


def kubectl_for(config: StackConfig, file: Path | None, namespace: str) -> Kubectl:
    """kubectl on the stack's cluster, in this namespace. The config's kubeconfig is relative to the project, wherever weir is run."""
    from weir.cluster.kubectl import Kubectl

    kubeconfig = None if config.kubeconfig is None else str(real_project(file) / Path(config.kubeconfig).expanduser())
    return Kubectl.find(namespace, kubeconfig=kubeconfig, context=config.kube_context)


def find_service(config: StackConfig, service: str) -> Service:
    """The service of this name. Raises UsageError with the names there are."""
    from weir.errors import UsageError

    if service not in config.services:
        raise UsageError(f"{service} is not a service of this stack (services: {', '.join(config.services) or 'none'})")
    return config.services[service]


def real_namespace(config: StackConfig, stack: str, file: Path | None) -> str:
    """The namespace of the config, or that which an ephemeral stack was given: only the state of the stack knows its random part."""
    from weir.engine.stack import EngineError, Stack

    if not config.ephemeral:
        return config.namespace
    try:
        return Stack(stack, real_project(file)).output("namespace")
    except EngineError as error:
        raise EngineError(f"{error}, or name it with --namespace") from None
