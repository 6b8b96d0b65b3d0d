"""Stack files as Pulumi reads them: the same YAML (Go's yaml.v3 on libyaml's grammar), the same values, and the place
of everything.

`012` is ten, `0o17` fifteen, `1_000` a thousand, `yes`, `on` and `1:30` are text: that is how `pulumi up` sees the
same file. libyaml in C reads a file of a thousand services in a fraction of a second; without it (PyYAML built from
source) the same grammar in Python is slower.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NoReturn

import yaml
from yaml import events

from weir.jsontext import MAX_DEPTH
from weir.stack.yaml_scalars import untagged

Path = tuple[str | int, ...]

MAX_COPIES = 1_000_000
"""Values that aliases (`*name`) may stand for, all together: ten lines of aliases of aliases would make billions."""

_Loader: Any = getattr(yaml, "CBaseLoader", yaml.BaseLoader)
_TAG = "tag:yaml.org,2002:"
_UNPRINTABLE = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_BREAK = re.compile("\r\n|[\r\n\x85\u2028\u2029]")
_TYPES: dict[str, tuple[type, ...]] = {"int": (int,), "float": (int, float), "bool": (bool,), "null": (type(None),)}


class NotYamlError(Exception):
    """The text is not valid YAML, or holds what has no place in a stack file. Line and column count from 1."""

    def __init__(self, problem: str, line: int, column: int) -> None:
        self.problem, self.line, self.column = problem, line, column
        super().__init__(f"{line}:{column}: {problem}")


@dataclass(frozen=True, slots=True)
class Document:
    """What a text holds, and where. `places`: line and column, from 1, of each key and of each item of a list, by the
    path to it.
    """

    tree: Any
    places: Mapping[Path, tuple[int, int]]

    def place(self, path: Path) -> tuple[int, int]:
        """Where the path is, or the nearest thing around it that is there."""
        return next(self.places[path[:length]] for length in range(len(path), -1, -1) if path[:length] in self.places)


def load(text: str) -> Any:
    """The one document of the text as plain mappings with text for keys, lists and scalars; None where it is empty.
    Raises NotYamlError.
    """
    return document(text).tree


def document(text: str) -> Document:
    """The same with the place of everything. Raises NotYamlError."""
    reader = _Reader(text)
    return Document(reader.document(), reader.places)


def parse(text: str) -> Iterator[Any]:
    """libyaml's events of a text that `load` has read, with their marks: for whoever needs to know how something is
    written.
    """
    events_: Iterator[Any] = yaml.parse(text, Loader=_Loader)
    return events_


def scan(text: str) -> Iterator[Any]:
    """libyaml's tokens of such a text. What stands between two of them is blank, or a comment."""
    tokens: Iterator[Any] = yaml.scan(text, Loader=_Loader)
    return tokens


def key_of(event: Any) -> str:
    """The key that a scalar is, as the tree has it."""
    return _key(_scalar(event), event.start_mark)


class _Reader:
    """One pass over libyaml's events."""

    def __init__(self, text: str) -> None:
        self.places: dict[Path, tuple[int, int]] = {(): (1, 1)}
        self._text = text
        self._loader = _Loader(text)
        self._anchors: dict[str, tuple[Any, int]] = {}
        self._nodes = 0
        self._copies = 0

    def document(self) -> Any:
        try:
            self._loader.get_event()
            event = self._loader.get_event()
            if type(event) is events.StreamEndEvent:
                return None
            tree = self._node(self._loader.get_event(), ())
            self._loader.get_event()
            event = self._loader.get_event()
        except yaml.MarkedYAMLError as error:
            raise self._syntax(error) from None
        except yaml.reader.ReaderError as error:
            raise self._unprintable(error) from None
        finally:
            self._loader.dispose()
        if type(event) is not events.StreamEndEvent:
            _refuse("found another document; a stack file has one", event.start_mark)
        return tree

    def _node(self, event: Any, path: Path) -> Any:
        if type(event) is events.AliasEvent:
            return self._copy(event)
        self._nodes += 1
        before = self._nodes
        # As Go's reader has it: what is inside may take the name over, and the name is nothing's as long as its value
        # is not whole.
        pending = (event.anchor, 0)
        if event.anchor is not None:
            self._anchors[event.anchor] = pending
        value: Any
        if type(event) is events.ScalarEvent:
            value = _scalar(event)
        elif len(path) >= MAX_DEPTH:
            _refuse(f"found mappings and lists more than {MAX_DEPTH} deep inside each other", event.start_mark)
        elif type(event) is events.MappingStartEvent:
            value = self._mapping(event, path)
        else:
            value = self._list(event, path)
        if event.anchor is not None and self._anchors[event.anchor] is pending:
            self._anchors[event.anchor] = (value, self._nodes - before + 1)
        return value

    def _list(self, start: Any, path: Path) -> list[Any]:
        _accept_tag(start, "seq")
        items: list[Any] = []
        while type(event := self._loader.get_event()) is not events.SequenceEndEvent:
            here = (*path, len(items))
            self.places[here] = _place(event.start_mark)
            items.append(self._node(event, here))
        return items

    def _mapping(self, start: Any, path: Path) -> dict[str, Any]:
        _accept_tag(start, "map")
        entries: dict[str, Any] = {}
        lines: dict[str, int] = {}
        merged: list[Any] = []
        while type(event := self._loader.get_event()) is not events.MappingEndEvent:
            if type(event) is events.ScalarEvent and event.value == "<<" and event.implicit[0]:
                merged += self._merged(self._loader.get_event(), (*path, "<<"))
                continue
            key = _key(self._node(event, (*path, "")), event.start_mark)
            if key in lines:
                _refuse(f"found duplicate key {key}, which line {lines[key]} has already", event.start_mark)
            here = (*path, key)
            self.places[here] = line, _ = _place(event.start_mark)
            lines[key] = line
            entries[key] = self._node(self._loader.get_event(), here)
        if not merged:
            return entries
        taken: dict[str, Any] = {}
        for mapping in reversed(merged):
            taken |= mapping
        return taken | entries

    def _merged(self, event: Any, path: Path) -> list[dict[str, Any]]:
        """What `<<` takes over; the first of several mappings goes before the others."""
        value = self._node(event, path)
        mappings = value if isinstance(value, list) else [value]
        if not all(isinstance(mapping, dict) for mapping in mappings):
            _refuse("found << with something else than mappings", event.start_mark)
        return mappings

    def _copy(self, event: Any) -> Any:
        value, nodes = self._anchors.get(event.anchor, (None, 0))
        if nodes == 0:
            _refuse(f"found undefined alias {event.anchor}", event.start_mark)
        self._nodes += nodes
        self._copies += nodes
        if self._copies > MAX_COPIES:
            _refuse(f"found aliases that stand for more than {MAX_COPIES} values", event.start_mark)
        return copy.deepcopy(value)

    def _syntax(self, error: yaml.MarkedYAMLError) -> NotYamlError:
        mark = error.problem_mark or error.context_mark
        line, column = _place(mark) if mark else (1, 1)
        problem = str(error.problem)
        if problem == "found character that cannot start any token":  # Python's reader says which, libyaml does not
            problem = f"found character {_BREAK.split(self._text)[line - 1][column - 1]!r} that cannot start any token"
        start = error.context_mark
        if start is not None and mark is not None and start.line != mark.line:
            problem += f", {error.context} that begins at {start.line + 1}:{start.column + 1}"
        return NotYamlError(problem, line, column)

    def _unprintable(self, error: yaml.reader.ReaderError) -> NotYamlError:
        found = _UNPRINTABLE.search(self._text)
        before = self._text[: found.start()] if found else ""
        line, column = before.count("\n") + 1, len(before) - (before.rfind("\n") + 1) + 1
        return NotYamlError(f"found the control character {found[0]!r}" if found else str(error.reason), line, column)


def _place(mark: Any) -> tuple[int, int]:
    return mark.line + 1, mark.column + 1


def _refuse(problem: str, mark: Any) -> NoReturn:
    raise NotYamlError(problem, *_place(mark))


def _accept_tag(event: Any, kind: str) -> None:
    if event.tag not in (None, "!", _TAG + kind):
        _refuse(
            f"found the tag {event.tag.replace(_TAG, '!!')}, which has no meaning here; remove it", event.start_mark
        )


def _key(value: Any, mark: Any) -> str:
    """A key as text, as Pulumi's JSON has it: a version may be written `1:`."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool) or value is None:
        return "null" if value is None else str(value).lower()
    if isinstance(value, float):
        return f"{value:.15g}"
    if isinstance(value, dict | list):
        _refuse("found a mapping or a list as a key; keys are text", mark)
    return str(value)


def _scalar(event: Any) -> Any:
    if event.tag is None or event.tag == "!":
        return untagged(event.value) if event.implicit[0] else event.value
    kind = event.tag.removeprefix(_TAG)
    if kind == "str":
        return event.value
    value = untagged(event.value)
    if kind not in _TYPES:
        _accept_tag(event, "str")
    fits = isinstance(value, _TYPES[kind]) and isinstance(value, bool) == (kind == "bool")
    if not fits:
        _refuse(f"found {event.value!r} with the tag !!{kind}", event.start_mark)
    return float(value) if kind == "float" else value
