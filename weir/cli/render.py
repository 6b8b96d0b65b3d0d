"""`weir render`: the objects of a stack as YAML, without a cluster and without the engine."""

from __future__ import annotations

from pathlib import Path

import click

from weir import yaml_writer
from weir.cli.context import Context
from weir.cli.options import stack_options
from weir.model import Mesh, mesh


@click.command("render")
@stack_options
def command(stack: str, file: Path | None) -> None:
    """Print every object that the stack creates, in the order in which each finds what it needs.

    The same config gives the same text. An ephemeral stack is shown without the random part of its namespace.
    """
    config = Context(stack, file).config
    click.echo(text(mesh(config, config.namespace)), nl=False)


def text(objects: Mesh) -> str:
    """The objects as a stream of YAML documents."""
    return yaml_writer.dump(objects.objects())
