"""`weir schema`: the config's JSON Schema, for editors, its reference, for people, and its types, for programs."""

from __future__ import annotations

import json

import click


@click.command("schema")
@click.option(
    "--format",
    "form",
    type=click.Choice(["json", "markdown", "python"]),
    default="json",
    show_default=True,
    help=(
        "json: the JSON Schema of a stack file; markdown: the reference of all keys; python: the types of the "
        "components' arguments."
    ),
)
def command(form: str) -> None:
    """Print what may stand in a stack file. No cluster, no engine, no stack."""
    # Each form needs one of these, and the help none.
    if form == "markdown":
        from weir.model.reference import markdown

        click.echo(markdown(), nl=False)
        return
    if form == "python":
        from weir.model.python_types import module

        click.echo(module(), nl=False)
        return
    from weir.model.config.schema import schema

    click.echo(json.dumps(schema(), indent=2, ensure_ascii=False))
