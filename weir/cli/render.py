"""`weir render`: the objects of a stack as YAML, without a cluster and without the engine."""

from __future__ import annotations

import io
from pathlib import Path

import click
from ruamel.yaml import YAML

from weir.cli.options import load_stack, stack_options
from weir.model import Mesh, mesh


@click.command("render")
@stack_options
def command(stack: str, file: Path | None) -> None:
    """Print every object that the stack creates, in the order in which each finds what it needs.

    The same config gives the same text. An ephemeral stack is shown without the random part of its namespace.
    """
    config = load_stack(stack, file)
    click.echo(text(mesh(config, config.namespace)), nl=False)


def text(objects: Mesh) -> str:
    """The objects as a stream of YAML documents."""
    yaml = YAML()
    yaml.explicit_start = True
    yaml.width = 4096
    yaml.representer.ignore_aliases = lambda _: True
    stream = io.StringIO()
    yaml.dump_all(list(objects.objects()), stream)
    return stream.getvalue()
