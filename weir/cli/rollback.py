"""`weir rollback`: services as they were at an earlier update, image and environment included."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from typing import Any

import click

from weir.cli.context import Context
from weir.cli.going_back import Back, chosen, encrypted, others
from weir.cli.options import json_option, release_options, stack_option
from weir.cli.recovery import say
from weir.cli.release import Release, release
from weir.cli.whole_update import Whole, whole_update
from weir.errors import UsageError
from weir.model import ConfigError, Service, StackConfig, mesh
from weir.stack.edit import StackEdit


@click.command("rollback")
@click.argument("services", metavar="[SERVICE]...", nargs=-1)
@click.option(
    "--to",
    "number",
    metavar="N",
    type=click.IntRange(1),
    help="The update to go back to, as weir history counts them; the newest that had another config when left out.",
)
@stack_option
@json_option
@release_options
def command(
    services: tuple[str, ...],
    number: int | None,
    stack: str,
    as_json: bool,
    yes: bool,
    no_apply: bool,
    reason: str,
    verbose: bool,
) -> None:
    """Give SERVICEs, all of the stack when none is named, the config that they had at an earlier update.

    The command edits the stack file, shows what changes, asks, and applies it: in the order of any update, so that no
    request is lost. Secrets stay what they are now, and what is not of a service stays as it is.
    """
    context = Context(stack, verbose=verbose)
    names = tuple(dict.fromkeys(services)) or tuple(context.config.services)
    for name in names:
        context.service(name)
    if not names:
        raise UsageError(f"{context.path.name} has no services, so that there is nothing to go back with")
    file = StackEdit(context.path)
    entries = context.engine.revealed_history()
    told: list[str] = []
    back = chosen(file, entries, names, number)
    if back is None:
        words = f"no earlier update that succeeded had another config of {', '.join(names)}"
        told.append(f"nothing to go back to: {words}; weir history --all lists all updates")
    elif not back.changed and (back.settled or no_apply):
        same = f"{file.path.name} has {', '.join(names)} as update {back.earlier.number} had it"
        told.append(f"nothing to change: {same}; what the cluster lacks of it, pulumi up brings there")
    if told or back is None:
        _report(context, back, told, as_json=as_json)
        return
    _say(context, back, names, every=not services)
    trees = encrypted(context, back)
    for name, tree in trees.items():
        file.restore(name, tree)
    after = _checked(context, file, back)
    if no_apply:
        file.write()
        told.append(f"{file.path.name} is changed; commit it, or apply it with pulumi up")
        _report(context, back, told, as_json=as_json)
        return
    what = f"weir rollback {''.join(f'{name} ' for name in names if services)}--to {back.earlier.number}"
    tell = told.append if as_json else click.echo
    first, *more = back.changed or names
    if not more and first in back.applied and back.settled and _routes_alone(context, after):

        def edit(copy: StackEdit, service: str, _: Service) -> None:
            copy.restore(service, trees[service])

        release(Release(context, {first: edit}, what, yes, reason, tell=tell))
    else:
        whole_update(Whole(context, file, (first, *more), what, yes, reason, tell, entries, stale=not back.settled))
    if as_json:
        _report(context, back, told, as_json=True)


def _report(context: Context, back: Back | None, told: list[str], *, as_json: bool) -> None:
    """`changes`: what was told, a line each."""
    if not as_json:
        for line in told:
            click.echo(line)
        return
    document = {
        "stack": context.stack,
        "update": back.earlier.number if back else None,
        "services": list(back.changed) if back else [],
        "changes": told,
    }
    click.echo(json.dumps(document, indent=2, ensure_ascii=False))


def _say(context: Context, back: Back, names: Collection[str], *, every: bool) -> None:
    """To what it goes back, and what does not. `every`: no service was named."""
    earlier = back.earlier
    title = f", {earlier.title}" if earlier.title else ""
    say(
        f"{', '.join(back.changed or names)} of stack {context.stack}: back to update {earlier.number} "
        f"({earlier.when:%Y-%m-%d %H:%M} UTC{title})"
    )
    if kept := [f"{name}: {each}" for name, service in back.services.items() for each in service.kept]:
        say(f"secrets stay what they are now: {'; '.join(kept)}")
    if hidden := [f"{name}: {each}" for name, service in back.services.items() for each in service.hidden]:
        say(f"become secrets, since nobody can tell whether they were: {'; '.join(hidden)}")
    now = context.stack_file.config
    if differ := others(earlier, now):
        say(f"stay as they are, though update {earlier.number} had others: {', '.join(differ)}")
    gone = [name for name in earlier.services if name not in context.config.services]
    if gone and every:
        say(f"stay away, though update {earlier.number} had them: {', '.join(gone)}")


def _checked(context: Context, file: StackEdit, back: Back) -> StackConfig:
    """The config with the services as they were. Raises UsageError."""
    try:
        return context.saying(file.text).config
    except ConfigError as error:
        raise UsageError(
            f"the services as update {back.earlier.number} had them do not go with the rest of {file.path.name}, or "
            f"with this weir; nothing was changed:\n{error}"
        ) from None


def _routes_alone(context: Context, after: StackConfig) -> bool:
    """Whether routes are all that is to change: a release brings them, and waits for no pods."""
    before, then = (_objects(config, context.namespace) for config in (context.config, after))
    return all(
        kind == "VirtualService"
        for kind, name in {**before, **then}
        if before.get((kind, name)) != then.get((kind, name))
    )


def _objects(config: StackConfig, namespace: str) -> Mapping[tuple[str, str], Any]:
    return {(each["kind"], each["metadata"]["name"]): each for each in mesh(config, namespace).objects()}
