"""``weir lab up``, ``down``, ``status``: the embedded cluster."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict

import click

from lab.lifecycle import Status, down, status, up
from lab.paths import LabPaths
from lab.progress import Progress
from weir.cli.options import json_option
from weir.errors import WeirError
from weir.stack.stackfile import project_dir


@click.group("lab")
def command() -> None:
    """The embedded cluster: a real Kubernetes node with Istio on this machine."""


def paths() -> LabPaths:
    """The lab of the project that the command was started in."""
    return LabPaths(project_dir())


@command.command("up")
def up_command() -> None:
    """Build what is missing, then start the lab, or repair it. Again: nothing to do."""
    started = up(paths(), Progress())
    click.echo("the lab is up" if started else "the lab is up already", err=True)
    click.echo('next: eval "$(weir env)"    # tools, kubeconfig and Pulumi settings for this shell', err=True)


@command.command("down")
def down_command() -> None:
    """End and remove the lab and the state of its stacks. Built tools and images stay."""
    progress = Progress()
    with progress.task("down", "removing the lab"):
        existed = down(paths())
    if not existed:
        click.echo("there was no lab", err=True)


@command.command("status")
@json_option
def status_command(as_json: bool) -> None:
    """Say what of the lab runs; exit code 1 when it is down or not whole."""
    now = status(paths())
    click.echo(json.dumps(asdict(now), indent=2) if as_json else _table(now))
    if not now.running or now.missing:
        if as_json:
            sys.exit(WeirError.exit_code)
        raise WeirError(f"{now.missing}. weir lab up repairs it.")


def _table(now: Status) -> str:
    lines = [
        f"{name:<26}{entry['state']:<10}{'restarts ' + str(entry['restarts']) if entry['restarts'] else ''}"
        for name, entry in now.processes.items()
    ]
    if now.running:
        lines.append(f"{'API server':<26}{now.server}")
        lines.append(f"{'memory':<26}{now.memory_bytes / 1e9:.2f} GB")
    return "\n".join(lines)
