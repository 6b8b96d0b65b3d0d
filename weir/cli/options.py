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


def counted(count: int, what: str) -> str:
    """So many of it, in words: 1 client, 2 clients."""
    return f"{count} {what}{'' if count == 1 else 's'}"


def selected_stack() -> str:
    """The stack that is meant where none is named."""
    from weir.engine.selected import selected
    from weir.stack import stackfile

    try:
        return selected(stackfile.project_dir()) or "dev"
    except stackfile.StackFileError:
        return "dev"


stack_option = click.option(
    "--stack",
    metavar="NAME",
    default=selected_stack,
    show_default="PULUMI_STACK, then the one that pulumi stack select has selected, then dev",
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
    from weir.model import ConfigError, load
    from weir.stack import stackfile

    found = stackfile.find(stack, file)
    try:
        return load(found.config)
    except ConfigError as error:
        raise ConfigError(found.place(error.problems)) from None


def load_text(path: Path, text: str) -> StackConfig:
    """The checked config of a text that stands, or is to stand, in this stack file. Raises as `load_stack` does."""
    from weir.model import ConfigError, load
    from weir.stack import stackfile

    found = stackfile.read(path, text)
    try:
        return load(found.config)
    except ConfigError as error:
        raise ConfigError(found.place(error.problems)) from None


def real_project(file: Path | None) -> Path:
    """The directory of the project: that of the file, or the one around the working directory."""
    from weir.stack import stackfile

    return file.resolve().parent if file is not None else stackfile.project_dir()


def kubectl_for(config: StackConfig, file: Path | None, namespace: str) -> Kubectl:
    """kubectl on the stack's cluster, in this namespace. The config's kubeconfig is relative to the project, wherever weir is run."""
    return kubectl_of(namespace, config.kubeconfig, config.kube_context, file)


def kubectl_of(namespace: str, kubeconfig: str | None, context: str | None, file: Path | None = None) -> Kubectl:
    """The same, by what the config says."""
    from weir.cluster.kubectl import Kubectl

    path = None if kubeconfig is None else str(real_project(file) / Path(kubeconfig).expanduser())
    return Kubectl.find(namespace, kubeconfig=path, context=context)


def say_left_over(stack: str) -> None:
    """Say what a command that was killed has left of the stack, if there is anything; nothing of it is touched."""
    from weir.stack import stackfile

    project = stackfile.project_dir()
    if (project / ".weir" / "operations").is_dir():
        from weir.cli.recovery import left_over
        from weir.engine.stack import Stack

        left_over(Stack(stack, project), repair=False)


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
