"""`weir diff`: what an update would change in the traffic, in words, for a terminal, a pull request, or a program."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from weir.cli.context import Context
from weir.cli.left_over import say_left_over
from weir.cli.options import stack_option
from weir.errors import UsageError
from weir.markdown import code

if TYPE_CHECKING:
    from weir.engine.preview import Preview
    from weir.model.routing.diff import TrafficChange

Lines = Mapping[str, Sequence[str]]
"""The changes of each service, in words."""

Counts = Mapping[str, Mapping[str, int]]
"""How many objects of a kind are created, updated, deleted or replaced."""

MAX_CHARACTERS = 60_000
"""GitHub takes comments of up to 65,536 characters."""

_MAX_SUMMARY = 170


@click.command("diff")
@stack_option
@click.option(
    "--preview",
    "saved",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="A saved `pulumi preview --json`, - for stdin; no cluster needed.",
)
@click.option(
    "--format",
    "form",
    type=click.Choice(["text", "markdown", "json"]),
    default="text",
    show_default=True,
    help="The output format.",
)
@click.option("--exit-code", is_flag=True, help="End with 1 when something changes, as git diff does.")
def command(stack: str, saved: Path | None, form: str, exit_code: bool) -> None:
    """Say what an update of the stack would change for traffic and pods; other objects are counted. Ends with 0
    whether or not something changes.
    """
    # They bring the model along, which the help of the command does without.
    from weir.cli.taken_over import taken_over
    from weir.engine.preview import PreviewError, parse
    from weir.jsontext import NotJsonError, loads
    from weir.model.routing.words import describe

    context = Context(stack)
    if saved is None:
        say_left_over(context)
        click.echo(f"stack {stack}:", err=True)
    text = _saved(saved) if saved is not None else context.engine.preview()
    try:
        found = parse(loads(text))
    except NotJsonError as broken:
        raise PreviewError(
            f"{saved or 'the preview'}: is not valid JSON ({broken}); make one with: pulumi preview --json > "
            "preview.json"
        ) from None
    if saved is None:
        found = taken_over(context, found)
        for line in _without_pods(context):
            click.echo(line, err=True)
    told, hosts = (
        {name: list(map(describe, changed)) for name, changed in each.items()} for each in (found.services, found.hosts)
    )
    if form == "json":
        click.echo(_json(found, told, hosts))
    else:
        lines = {**told, **{f"host {name}": each for name, each in hosts.items()}}
        click.echo(text_of(lines, found.others) if form == "text" else markdown(stack, lines, found.others))
    if exit_code and not found.empty:
        sys.exit(1)


def _without_pods(context: Context) -> list[str]:
    """Versions that get requests and have no pods; none where the cluster cannot be asked."""
    # As in the command.
    from weir.cluster.errors import ClusterError
    from weir.cluster.live import Live
    from weir.cluster.workloads import without_pods
    from weir.model import mesh

    try:
        kubectl = context.kubectl
        return list(without_pods(Live(kubectl), mesh(context.config, kubectl.namespace).services))
    except ClusterError:
        return []


def _saved(path: Path) -> str:
    try:
        return (sys.stdin.buffer.read() if str(path) == "-" else path.read_bytes()).decode("utf-8-sig")
    except OSError as error:
        raise UsageError(
            f"{path}: cannot be read: {error.strerror}; make one with: pulumi preview --json > {path}"
        ) from None
    except UnicodeDecodeError as error:
        raise UsageError(
            f"{path}: is not text in UTF-8 (byte {error.start}); make one with: pulumi preview --json > {path}"
        ) from None


def text_of(services: Lines, others: Counts) -> str:
    """For a terminal: a line for each change."""
    lines = [f"{name}: {line}" for name, told in services.items() for line in told]
    return "\n".join([*lines, *_others(others)]) or "nothing changes"


def _others(others: Counts) -> list[str]:
    """One line with the counts of other objects, if there are any."""
    counts = [f"{count} {kind} {done}" for kind, ops in others.items() for done, count in ops.items()]
    return [f"other objects: {', '.join(counts)}"] if counts else []


def markdown(stack: str, services: Lines, others: Counts) -> str:
    """For a pull request: one line that says it all, then the details, folded; always short enough for a comment.

    Whatever a name or a value may hold stands in a code span, so that it is text there, and nothing of it is markup, a
    person or an image.
    """
    head = f"**{code(stack)}**: {_summary(services, others)}"
    lines = [f"- {code(f'{name}: {line}')}" for name, told in services.items() for line in told]
    lines += [f"- {code(line)}" for line in _others(others)]
    if not lines:
        return head
    kept: list[str] = []
    room = MAX_CHARACTERS - len(head) - 200
    for line in lines:
        room -= len(line) + 1
        if room < 0:
            kept.append(f"- … and {len(lines) - len(kept)} changes more")
            break
        kept.append(line)
    return "\n".join([head, "", "<details><summary>All changes</summary>", "", *kept, "", "</details>"])


def _summary(services: Lines, others: Counts) -> str:
    told = [f"{name}: {lines[0]}" for name, lines in services.items()]
    if not told:
        return "traffic does not change" + ("; other objects do" if others else "")
    more = sum(len(lines) - 1 for lines in services.values()) + max(0, len(told) - 3)
    return "; ".join(code(line, _MAX_SUMMARY) for line in told[:3]) + (f"; {more} more" if more else "")


def _details(found: Mapping[str, Sequence[TrafficChange]]) -> dict[str, Any]:
    from weir.model.routing.words import as_json  # as above

    return {name: list(map(as_json, changed)) for name, changed in found.items()}


def _json(preview: Preview, services: Lines, hosts: Lines) -> str:
    document: dict[str, Any] = {
        "changes": not preview.empty,
        "services": services,
        "hosts": hosts,
        "others": {kind: dict(ops) for kind, ops in preview.others.items()},
        "details": _details(preview.services),
        "hostDetails": _details(preview.hosts),
    }
    return json.dumps(document, indent=2, ensure_ascii=False)
