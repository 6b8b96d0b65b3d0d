"""`weir adopt`: what runs already, as the config that says the same."""

from __future__ import annotations

from typing import Any

import click

from weir.cli.context import Context
from weir.cli.options import stack_option
from weir.cluster.found import controllers, found, hosts_of
from weir.cluster.taking_over import KEPT, reached
from weir.errors import UsageError
from weir.model import load, mesh
from weir.model.adopted import Found, adopted
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
    there = found(kubectl, services, config.cluster_domain)
    if missing := [name for name in services if name not in there.services]:
        raise UsageError(
            f"there is no Service {', '.join(missing)} in namespace {kubectl.namespace}; kubectl get services shows all"
        )
    made, hosts = {name: adopted(there, name) for name in services}, hosts_of(there)
    stack_file = {
        "namespace": kubectl.namespace,
        "createNamespace": False,
        "services": {name: each.config for name, each in made.items()},
        **({"hosts": hosts.config} if hosts.config else {}),
    }
    written = {f"weir:{key}": value for key, value in stack_file.items()}
    click.echo(dump([{"config": written}]).removeprefix("---\n"), nl=False)
    lines = [f"{name}: cannot be taken over: {line}" for name, each in made.items() for line in each.lost]
    lines += [f"cannot be taken over: {line}" for line in hosts.lost]
    lines += [f"{name}: {line}" for name, each in made.items() for line in each.notes]
    replaced = {entry for each in made.values() for entry in each.replaced} | set(hosts.replaced)
    lines += controllers(kubectl, replaced)
    for line in (*lines, *_steps(stack_file, replaced, there)):
        click.echo(in_one_line(line), err=True)


def _steps(stack_file: dict[str, Any], replaced: set[tuple[str, str]], there: Found) -> list[str]:
    """What to do with it, and what is left of what there was."""
    objects = {
        (each["kind"], each["metadata"]["name"]): each for each in mesh(load(stack_file), there.namespace).objects()
    }
    same = sorted(objects.keys() & replaced)
    lines = ["to take it over: put this into a stack file, see weir diff, then pulumi up"]
    if same:
        names = ", ".join(f"{kind} {name}" for kind, name in same)
        lines.append(f"  in the first update with weir:adopt: true, which takes over {names}")
    before = {(each["kind"], each["metadata"]["name"]): each for each in there.routes}
    copies = [
        (key[0], f"{key[1]}{KEPT}") for key in same if key in before and reached(before[key]) - reached(objects[key])
    ]
    if left := sorted((replaced - set(same)) | set(copies)):
        commands = " ".join(f"{kind.lower()}/{name}" for kind, name in left)
        lines.append(f"then remove what says the same: kubectl delete -n {there.namespace} {commands}")
    return lines
