"""The ways in which a change of a YAML text can be written, the one that people would take first. `yaml_edit` tries
them and judges what comes out.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from weir.stack.yaml_nodes import BREAKS, Node

_NO_BREAK = re.compile(f"[^{BREAKS}]*")
_BREAK = re.compile("\r\n|[\r\n]")
_SHORT = re.compile(r"[0-9.]+|'[^'\s]*'|\"[^\"\\\s]*\"")
_COMMA = re.compile(r"\s*,[ \t]*")
_REST_OF_ENTRY = re.compile(rf"[ \t]*,?[ \t]*(?:#[^{BREAKS}]*)?(?:\r\n|[{BREAKS}])")


@dataclass(frozen=True, slots=True)
class Splice:
    """New text for a range of the old. `comments`: what goes is of the field alone, and the comments in it with it."""

    start: int
    end: int
    text: str = ""
    comments: bool = False


Way = tuple[Splice, ...]


@dataclass(frozen=True, slots=True)
class Writer:
    """Writes into one text. `root`: all of it; `flow`: a value as that text has it in one line."""

    text: str
    root: Node
    flow: Callable[[Any], str]

    def entry(self, key: str, value: Any) -> str:
        """Key and value. Pulumi takes `2` and `'2'` for two keys when it merges: one that stands in the text is
        written as it is there.
        """
        name = self.flow(key)
        if name != key:
            there = next((self.text[node.body : node.end] for node in self._keys(self.root) if node.name == key), name)
            name = there if _SHORT.fullmatch(there) else name
        return f"{name}: {self.flow(value)}"

    def mapping(self, mapping: dict[str, Any]) -> str:
        """In one line."""
        return "{" + ", ".join(self.entry(key, value) for key, value in mapping.items()) + "}"

    def overruled(self, node: Node, mapping: dict[str, Any], key: str, value: Any) -> Iterator[Way]:
        """A mapping that others have by its name stays for them, and only here one of its values is another."""
        written = (
            self.text[node.start : node.end] if node.style == "flow" else f"&{node.anchor} {self.mapping(mapping)}"
        )
        yield from self.replacing(node, f"{{<<: {written}, {self.entry(key, value)}}}", named=False)

    def putting(self, node: Node, value: Any, *, comments: bool) -> Iterator[Way]:
        """Another value in the place of this one; a text in the quotes that it has."""
        for form in self._forms(node, value):
            yield from self.replacing(node, form, comments=comments)

    def replacing(self, node: Node, form: str, *, comments: bool = False, named: bool = True) -> Iterator[Way]:
        """This in the place of a value, and of the comments in it: behind its anchor and tag, if it is still `named`,
        or in their place as well.
        """
        starts = ([node.head] if named else []) + ([node.start] if node.head > node.start or not named else [])
        for start in starts:
            if node.style == "block":
                lines = self._all_lines(node, comments)
                yield (self._in_line(node, form) if start == node.head else Splice(start, node.head, form)), *lines
            elif node.body == node.end:
                blank = "" if self.text[start - 1 : start].isspace() else " "
                yield (Splice(start, node.end, blank + form),)
                yield (Splice(start, node.end, f": {form}"),)
            else:
                end = node.body + len(self.text[node.body : node.end].rstrip())
                yield (Splice(node.body if start == node.head else start, end, form, comments),)

    def removing(self, parent: Node, key: Node, value: Node) -> Iterator[Way]:
        """Without the entry: its lines, or its part of a line with one comma."""
        start, end = self._line_start(key.start), value.end
        if parent.style == "block":
            if len(parent.entries or ()) > 1:
                yield (self._lines(key, value),)
            elif parent.colon >= 0:
                yield self._in_line(parent, "{}"), self._lines(key, value)
            return
        rest = _REST_OF_ENTRY.match(self.text, end)
        if rest and not self.text[start : key.start].strip() and len(parent.entries or ()) > 1:
            yield (Splice(start, rest.end(), comments=True),)
        before = len(self.text[: key.start].rstrip())
        if self.text[before - 1 : before] == ",":
            yield (Splice(before - 1, end, comments=True),)
        if comma := _COMMA.match(self.text, end):
            yield (Splice(key.start, comma.end(), comments=True),)
        yield (Splice(key.start, end, comments=True),)

    def inserting(self, parent: Node, key: str, value: Any, behind: str) -> Iterator[Way]:
        """One more entry: behind the one that is named, else behind the last, else wherever one can be."""
        entries = parent.entries or []
        json_like = bool(entries) and self.text[entries[-1][0].body : entries[-1][0].body + 1] == '"'
        entry = f"{json.dumps(key)}: {self.flow(value)}" if json_like else self.entry(key, value)
        named = parent.entry(behind)
        neighbours = ([named] if named else []) + entries[::-1]
        if parent.style == "flow":
            for _, neighbour in neighbours:
                yield (Splice(neighbour.end, neighbour.end, f", {entry}"),)
            comma = ", " if entries else ""
            yield (Splice(parent.body + 1, parent.body + 1, entry + comma),)
            return
        indent = " " * (parent.body - self._line_start(parent.body))
        for _, neighbour in neighbours:
            place, newline = self._line_end(neighbour.end), self._newline(neighbour.end)
            if self._at_line_start(neighbour.end):
                yield (Splice(neighbour.end, neighbour.end, f"{indent}{entry}{newline}"),)
            yield (Splice(place, place, f"{newline}{indent}{entry}"),)
        start = self._line_start(parent.body)
        yield (Splice(start, start, f"{indent}{entry}{self._newline(start)}"),)

    def _keys(self, node: Node) -> Iterator[Node]:
        yield from (key for key, _ in node.entries or ())
        for item in node.items:
            yield from self._keys(item)

    def _forms(self, node: Node, value: Any) -> Iterator[str]:
        """The value in one line, a text as the other was written if that can be; lines stay lines."""
        if isinstance(value, str):
            opening = self.text[node.body : node.body + 1]
            single, double = "'" + value.replace("'", "''") + "'", json.dumps(value, ensure_ascii=False)
            if opening == '"':
                yield double
            elif opening == "'":
                yield single
            elif opening and opening in "|>":
                first, *rest = _BREAK.split(self.text[node.body : node.end])
                indent = next((line[: len(line) - len(line.lstrip(" "))] for line in rest if line.strip()), "")
                yield self._newline(node.body).join(
                    [first, *(indent + line if line else "" for line in value.rstrip("\n").split("\n"))]
                )
            if "\n" in value:
                yield double
        yield (
            self.mapping(value)
            if isinstance(value, dict) and all(not isinstance(entry, dict | list) for entry in value.values())
            else self.flow(value)
        )

    def _in_line(self, node: Node, form: str) -> Splice:
        """Behind the colon of a block, and behind its anchor and tag."""
        place = node.head if node.head > node.start else node.colon
        return Splice(place, place, f" {form}")

    def _all_lines(self, node: Node, comments: bool) -> Way:
        """The lines of a block, each of its own, so that comments between them stay."""
        items = node.entries if node.entries is not None else [(item, item) for item in node.items]
        return tuple(self._lines(first, last, comments) for first, last in items)

    def _lines(self, first: Node, last: Node, comments: bool = True) -> Splice:
        end = self._line_end(last.end)
        found = None if self._at_line_start(last.end) else _BREAK.match(self.text, end)
        behind = last.end if self._at_line_start(last.end) else found.end() if found else end
        return Splice(self._line_start(first.start), behind, comments=comments)

    def _at_line_start(self, place: int) -> bool:
        """Whether a text in lines (`|`) has ended, with its last line break."""
        return self.text[place - 1 : place] in ("\n", "\r")

    def _line_start(self, place: int) -> int:
        return max(self.text.rfind(mark, 0, place) for mark in BREAKS) + 1

    def _line_end(self, place: int) -> int:
        found = _NO_BREAK.match(self.text, place)
        return found.end() if found else place

    def _newline(self, place: int) -> str:
        found = _BREAK.search(self.text, place) or _BREAK.search(self.text)
        return found[0] if found else "\n"
