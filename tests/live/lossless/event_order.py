"""The order in which objects changed in the cluster, from the API server's own numbering of changes."""

from __future__ import annotations

import json
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.live.harness import until
from tests.live.lossless.lab_stack import LabStack

_KINDS = ("virtualservices.networking.istio.io", "destinationrules.networking.istio.io", "deployments.apps")


@dataclass(frozen=True)
class Change:
    """One change of an object: ADDED, MODIFIED or DELETED; `number` grows with every change in the cluster."""

    number: int
    what: str
    kind: str
    name: str
    content: Any


@contextmanager
def changes(stack: LabStack, *more: str) -> Iterator[list[Change]]:
    """The changes of the stack's routes, rules, Deployments and what else there is of `more` while the block runs; the
    list is filled when it ends.
    """
    found: list[Change] = []
    with ExitStack() as closing:
        kinds = (*_KINDS, *more)
        files = [closing.enter_context(tempfile.TemporaryFile("w+")) for _ in kinds]
        watches = []
        for kind, file in zip(kinds, files, strict=True):
            command = ["kubectl", "-n", stack.namespace, "get", kind, "--watch", "--output-watch-events", "-o", "json"]
            process = subprocess.Popen(command, env=dict(stack.environment), stdout=file, cwd=stack.project.directory)
            closing.callback(process.wait)
            closing.callback(process.kill)
            watches.append(process)
        # What stands is said first: from then on nothing is missed.
        until(lambda: all(_length(file) for file in files), 20, "the watches have begun")
        first = max(change.number for file in files for change in _read(file))
        yield found
        last = _marker(stack)
        until(lambda: any(change.number >= last for change in _read(files[0])), 20, "the watches have seen the end")
        found += sorted(
            (change for file in files for change in _read(file) if first < change.number < last),
            key=lambda one: one.number,
        )
        stack.kubectl("delete virtualservice watch-marker")


def number_of(found: list[Change], what: str, kind: str, name: str, containing: str = "") -> int:
    """The number of the first such change."""
    numbers = [
        change.number
        for change in found
        if (change.what, change.kind, change.name) == (what, kind, name) and containing in json.dumps(change.content)
    ]
    assert numbers, (what, kind, name, [(change.what, change.kind, change.name) for change in found])
    return numbers[0]


def _marker(stack: LabStack) -> int:
    spec = {"hosts": ["watch-marker.test"], "http": [{"directResponse": {"status": 200}}]}
    metadata = {"name": "watch-marker", "namespace": stack.namespace}
    stack.apply({"apiVersion": "networking.istio.io/v1", "kind": "VirtualService", "metadata": metadata, "spec": spec})
    return int(stack.kubectl("get virtualservice watch-marker -o jsonpath={.metadata.resourceVersion}"))


def _length(file: Any) -> int:
    return int(file.seek(0, 2))


def _read(file: Any) -> list[Change]:
    # Each look reads from the start; kubectl writes through a descriptor that shares the position, so that it is put
    # back at the end.
    text = Path(f"/proc/self/fd/{file.fileno()}").read_text()
    decoder, position, found = json.JSONDecoder(), 0, []
    while position < len(text):
        try:
            event, end = decoder.raw_decode(text, position)
        except json.JSONDecodeError:
            break  # half an event
        item = event["object"]
        content = {key: item.get(key) for key in ("spec", "status")}
        found.append(
            Change(
                int(item["metadata"]["resourceVersion"]), event["type"], item["kind"], item["metadata"]["name"], content
            )
        )
        position = end
        while position < len(text) and text[position].isspace():
            position += 1
    return found
