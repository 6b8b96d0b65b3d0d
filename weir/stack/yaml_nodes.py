"""How a YAML text is written: where each value begins and ends, in which style, under which name.

Only for texts that `yaml_reader.load` has read: how deep they are and how long their aliases is decided there.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Literal

from yaml import events

from weir.stack import yaml_reader

BREAKS = "\r\n\x85\u2028\u2029"
"""What ends a line to readers of YAML 1.1, Pulumi's among them."""

_PROPERTY = r"(?:!<[^>\s]*>|[&!][^\s,\[\]{}]*)"
_PROPERTIES = re.compile(rf"{_PROPERTY}(?:\s+{_PROPERTY})?")
_BLANKS = re.compile(rf"(?:\s|#[^{BREAKS}]*)*")
_COLON = re.compile(r"\s*:")


@dataclass(slots=True)
class Node:
    """One value. Places count characters: `start` is that of its anchor or tag, `head` behind these, `body` that of
    the value itself.

    `end` is behind its last character, also of a block, whose comments and blank lines at the end are nobody's.
    `colon` is behind the colon of its key, -1 where it has none. `name` is the text of a scalar as a key, `items` are
    what is in a mapping (keys and values) or a list.
    """

    start: int
    head: int
    body: int
    end: int
    style: Literal["alias", "scalar", "flow", "block"]
    anchor: str | None = None
    alias: str | None = None
    name: str = ""
    colon: int = -1
    entries: list[tuple[Node, Node]] | None = None
    items: list[Node] = field(default_factory=list)

    def entry(self, key: str) -> tuple[Node, Node] | None:
        """Key and value in this mapping itself, and not in one that `<<` takes over."""
        return next(((name, value) for name, value in self.entries or () if name.name == key), None)


def nodes(text: str) -> Node:
    """What is written in a text that is not empty."""
    reader = iter(yaml_reader.parse(text))
    for event in reader:
        if isinstance(event, events.NodeEvent):
            return _node(text, event, reader)
    raise ValueError("the text is empty")


def _node(text: str, event: Any, reader: Iterator[Any]) -> Node:
    start, end = event.start_mark.index, event.end_mark.index
    if isinstance(event, events.AliasEvent):
        return Node(start, start, start, end, "alias", alias=event.anchor)
    properties = _PROPERTIES.match(text, start) if event.anchor is not None or event.tag is not None else None
    head = properties.end() if properties else start
    behind = _BLANKS.match(text, head)
    body = min(behind.end() if properties and behind else start, end)
    if isinstance(event, events.ScalarEvent):
        return Node(start, head, body, end, "scalar", event.anchor, name=yaml_reader.key_of(event))
    flow = bool(event.flow_style)
    node = Node(start, head, end - 1 if flow else end, end, "flow" if flow else "block", event.anchor)
    closing = _mapping(text, node, reader) if isinstance(event, events.MappingStartEvent) else _list(text, node, reader)
    node.end = closing.end_mark.index if flow else max((item.end for item in node.items), default=end)
    return node


def _mapping(text: str, node: Node, reader: Iterator[Any]) -> Any:
    node.entries = []
    while not isinstance(event := next(reader), events.MappingEndEvent):
        key = _node(text, event, reader)
        value = _node(text, next(reader), reader)
        colon = _COLON.match(text, key.end)
        value.colon = colon.end() if colon else -1
        node.entries.append((key, value))
        node.items += key, value
    return event


def _list(text: str, node: Node, reader: Iterator[Any]) -> Any:
    while not isinstance(event := next(reader), events.SequenceEndEvent):
        node.items.append(_node(text, event, reader))
    return event
