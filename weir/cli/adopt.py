"""`weir adopt`: what runs already, as the config that says the same."""

from __future__ import annotations

from typing import Any

import click

from weir.cli.context import Context
from weir.cli.options import stack_option
from weir.cluster.found import controllers, found
from weir.errors import UsageError
from weir.model import load, mesh
from weir.model.adopted import Adopted, adopted
from weir.visible import in_one_line
from weir.yaml_writer import dump


@click.command("adopt")
@click.argument("services", metavar="SERVICE...", nargs=-1, required=True)
@stack_option
@click.option("--namespace", metavar="NAME", help="Where it runs; the stack's namespace when left out.")
def command(services: tuple[str, ...], stack: str, namespace: str | None) -> None:
    """Print the config of a service that runs already, so that the stack takes over its routes as they are: from its
    Service, from what runs its pods, and from VirtualServices and DestinationRules that somebody else has written.

    Nothing is changed. What the config cannot say, and what is left to do, is said on stderr.
    """
    context = Context(stack, given_namespace=namespace)
    kubectl, config = context.kubectl, context.config
    made: dict[str, Adopted] = {}
    for name in services:
        there = found(kubectl, name, config.cluster_domain)
        if there is None:
            raise UsageError(f"there is no Service {name} in namespace {kubectl.namespace}; kubectl get services shows")
        made[name] = adopted(there)
    written = {name: each.config for name, each in made.items()}
    stack_file = {"weir:namespace": kubectl.namespace, "weir:createNamespace": False, "weir:services": written}
    click.echo(dump([{"config": stack_file}]).removeprefix("---\n"), nl=False)
    for name, each in made.items():
        for line in (*(f"cannot be taken over: {line}" for line in each.lost), *each.notes):
            click.echo(f"{name}: {in_one_line(line)}", err=True)
    replaced = {entry for each in made.values() for entry in each.replaced}
    for line in controllers(kubectl, replaced):
        click.echo(in_one_line(line), err=True)
    click.echo("\n".join(_steps(context, written, replaced)), err=True)


def _steps(context: Context, services: dict[str, Any], replaced: set[tuple[str, str]]) -> list[str]:
    """What to do with it, and what is left of what there was."""
    namespace = context.kubectl.namespace
    objects = mesh(load({"namespace": namespace, "createNamespace": False, "services": services}), namespace).objects()
    same = {(each["kind"], each["metadata"]["name"]) for each in objects} & replaced
    lines = ["to take it over: put this into a stack file, see weir diff, then pulumi up"]
    if same:
        names = ", ".join(f"{kind} {name}" for kind, name in sorted(same))
        lines.append(f"  in the first update with weir:adopt: true, by which {names} become the stack's")
    if left := sorted(replaced - same):
        commands = " ".join(f"{kind.lower()}/{name}" for kind, name in left)
        lines.append(f"then remove what says the same: kubectl delete -n {namespace} {commands}")
    return lines
