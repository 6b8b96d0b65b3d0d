"""`weir env`: the lab's tools, kubeconfig and Pulumi settings for a shell."""

from __future__ import annotations

import json
import os
import shlex
import sys
from pathlib import Path

import click

from lab import environment
from lab.paths import LabPaths
from weir.cli.context import Context
from weir.cli.options import stack_option
from weir.engine.errors import EngineError
from weir.model import ConfigError


@click.command("env")
@stack_option
def command(stack: str) -> None:
    """Print what makes pulumi and kubectl work on the lab: eval "$(weir env)".

    kubectl then stands in the namespace of the stack, as the tutorial expects.
    """
    for name, value in shell_settings(Context(stack)).items():
        click.echo(f"export {name}={shlex.quote(value)}")


def shell_settings(context: Context) -> dict[str, str]:
    """The environment variables of a shell on the lab of the project. Raises LabError when there is no lab."""
    paths = LabPaths(context.project)
    settings = environment.settings(paths)
    # `weir` itself, from whichever directory the user types it.
    settings["PATH"] = f"{Path(sys.executable).parent}:{settings['PATH']}"
    settings["KUBECONFIG"] = str(_kubeconfig(paths, context, settings))
    return settings


def _kubeconfig(paths: LabPaths, context: Context, settings: dict[str, str]) -> Path:
    """A copy of the lab's kubeconfig whose context stands in the stack's namespace."""
    content = json.loads(paths.kubeconfig.read_text())
    for entry in content["contexts"]:
        entry["context"]["namespace"] = _namespace(context, settings)
    own = paths.kubeconfig.with_name(f"kubeconfig-{context.stack}")
    partial = own.with_name(f"{own.name}.partial")
    partial.touch(mode=0o600)
    partial.write_text(json.dumps(content, indent=2))
    partial.rename(own)
    return own


def _namespace(context: Context, settings: dict[str, str]) -> str:
    try:
        ephemeral = context.config.ephemeral
    except ConfigError as error:
        # Whoever has to fix a stack file needs this shell most.
        click.echo(f"{error}\nPulumi.{context.stack}.yaml has errors: kubectl uses the namespace default", err=True)
        return "default"
    if ephemeral:
        # Pulumi is asked, which takes the lab's settings.
        os.environ.update(settings)
    try:
        return context.namespace
    except EngineError:
        # Not created yet: its name is not known before the first update. Until then kubectl stands where it always
        # does.
        return "default"
