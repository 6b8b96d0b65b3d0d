"""One field of a YAML text set or removed, and proof that nothing else was: the rest stays as people wrote it, to the
last character.

There are several ways to write a change: another value in its place, one more line, a mapping of its own where an
alias was. Each is tried on the text, and the first one counts whose result, read as Pulumi reads it, differs from the
text before in the field alone and has every comment (but those in the field itself). Where there is none, the change
is refused. So a way may be wrong, and harms nobody.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from weir.stack import yaml_reader
from weir.stack.yaml_nodes import BREAKS, Node, nodes
from weir.stack.yaml_ways import Way, Writer
from weir.yaml_writer import flow

Path = tuple[str, ...]

_CONFIG_VALUE = 2
"""How deep the value of a config key is (config, weir:services). Pulumi and weir read JSON text there alone; deeper
down, text is text.
"""
_COMMENT = re.compile(f"#[^{BREAKS}]*")
_ABSENT = object()


class CannotEditError(Exception):
    """No way to write the change is right. `others`: what would have changed with it, where it is that."""

    def __init__(self, others: Sequence[Path] = ()) -> None:
        self.others = tuple(others)
        super().__init__("cannot be edited in place")


@dataclass(frozen=True, slots=True)
class _Syntax:
    load: Callable[[str], Any]
    flow: Callable[[Any], str]


def put(text: str, path: Path, value: Any, *, behind: str = "", anew: int = 0) -> str:
    """The text with this value at the path; the mapping that it belongs to must be there.

    `behind`: the key after which a new one is put, where that is there; `anew`: how many of the mappings around it may
    be written anew. Raises CannotEditError, and NotYamlError for a text that is none.
    """
    return _edited(text, path, value, behind, anew, _YAML)


def remove(text: str, path: Path, *, anew: int = 0) -> str:
    """The text without what is at the path; the same text where nothing is. Raises as `put` does."""
    return _edited(text, path, _ABSENT, "", anew, _YAML)


def at(tree: Any, path: Sequence[str]) -> Any:
    """What a stack file has at the path, also inside of a config value that is JSON text; None where nothing is."""
    value = _written(tree, path[:_CONFIG_VALUE])
    return _written(_json_inside(value) if len(path) >= _CONFIG_VALUE else value, path[_CONFIG_VALUE:])


def differences(old: Any, new: Any, path: Path = ()) -> Iterator[Path]:
    """The paths at which two trees differ, in kind, value or order."""
    if isinstance(old, dict) and isinstance(new, dict):
        if [key for key in old if key in new] != [key for key in new if key in old]:
            yield path
        for key in {**old, **new}:
            if key in old and key in new:
                yield from differences(old[key], new[key], (*path, key))
            else:
                yield (*path, key)
    elif isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        for index, (one, other) in enumerate(zip(old, new, strict=True)):
            yield from differences(one, other, (*path, str(index)))
    elif type(old) is not type(new) or repr(old) != repr(new):  # by repr: .nan is not itself
        yield path


def _same(old: Any, new: Any) -> bool:
    return next(differences(old, new), None) is None


def comments(text: str) -> list[tuple[int, str]]:
    """All comments of a YAML text, and where they are."""
    found: list[tuple[int, str]] = []
    last = 0
    for token in yaml_reader.scan(text) if "#" in text else ():
        found += [(last + match.start(), match[0]) for match in _COMMENT.finditer(text[last : token.start_mark.index])]
        last = max(last, token.end_mark.index)
    return found


def _load_json(text: str) -> Any:
    yaml_reader.load(text)  # places are found by YAML's grammar, and it has a limit to depth
    return json.loads(text)


# Each text is read to be edited, and again to prove the edit, which then is the text before the next one. What is read
# is not changed by anybody.
read = lru_cache(maxsize=2)(yaml_reader.load)

_YAML = _Syntax(read, flow)
_JSON = _Syntax(_load_json, lambda value: json.dumps(value, ensure_ascii=False))


def _json_inside(value: Any) -> Any:
    """An object where there is the text of one, as `pulumi config set` without --path stores it."""
    if isinstance(value, str) and value.lstrip().startswith("{"):
        try:
            return _load_json(value)
        except (yaml_reader.NotYamlError, ValueError, RecursionError):
            return value
    return value


def _edited(text: str, path: Path, value: Any, behind: str, anew: int, syntax: _Syntax) -> str:
    old = syntax.load(text)
    is_file = syntax is _YAML
    around = at(old, path[:-1]) if is_file else _written(old, path[:-1])
    if not isinstance(around, dict):
        raise CannotEditError
    is_there = path[-1] in around
    if not is_there if value is _ABSENT else is_there and _same(around[path[-1]], value):
        return text
    inner = _written(old, path[:_CONFIG_VALUE]) if is_file else None
    if isinstance(inner, str):
        value = _edited(inner, path[_CONFIG_VALUE:], value, behind, anew, _JSON)
        path, anew = path[:_CONFIG_VALUE], 0
    return _proven(
        text, old, path, value, _ways(Writer(text, nodes(text), syntax.flow), old, path, value, behind, anew), syntax
    )


def _written(tree: Any, path: Sequence[str]) -> Any:
    """What is at the path, JSON text as text."""
    for key in path:
        tree = tree.get(key) if isinstance(tree, dict) else None
    return tree


def _proven(text: str, old: Any, path: Path, value: Any, ways: Iterator[Way], syntax: _Syntax) -> str:
    """The first of the results that is right."""
    others: list[Path] = []
    before = comments(text) if syntax is _YAML else []
    for way in ways:
        result = text
        for splice in sorted(way, key=lambda splice: splice.start, reverse=True):
            result = result[: splice.start] + splice.text + result[splice.end :]
        try:
            new = syntax.load(result)
        except (yaml_reader.NotYamlError, ValueError, RecursionError):
            continue
        parent = _written(new, path[:-1])
        wanted = {} if value is _ABSENT else {path[-1]: value}
        if not isinstance(parent, dict) or not _same(wanted, {key: parent[key] for key in parent if key == path[-1]}):
            continue
        elsewhere = [other for other in differences(old, new) if other[: len(path)] != path]
        others = others or elsewhere
        kept = [
            comment
            for place, comment in before
            if not any(cut.comments and cut.start <= place < cut.end for cut in way)
        ]
        if not elsewhere and (syntax is _JSON or [comment for _, comment in comments(result)] == kept):
            return result
    raise CannotEditError(others)


def _ways(
    write: Writer, old: Any, path: Path, value: Any, behind: str, anew: int, *, comments: bool = True
) -> Iterator[Way]:
    """The ways to write it at its own place; then those with the mapping around it written
    anew, whose comments stay.
    """
    parent = _find(write.root, path[:-1])
    entry = parent.entry(path[-1]) if parent else None
    if parent is None:
        pass
    elif value is _ABSENT:
        if entry:
            yield from write.removing(parent, *entry)
    elif entry:
        yield from write.putting(entry[1], value, comments=comments)
    elif parent.entries is not None:
        yield from write.inserting(parent, path[-1], value, behind)
    elif parent.alias and not anew:
        yield from write.replacing(parent, f"{{<<: *{parent.alias}, {write.entry(path[-1], value)}}}")
    if not anew:
        return
    mapping = _written(old, path[:-1])
    if not all(entry is None or isinstance(entry, str | int | float) for entry in mapping.values()):
        return
    rest = {key: value for key, value in mapping.items() if key != path[-1]}
    whole = rest if value is _ABSENT else {**mapping, path[-1]: value}
    yield from _ways(write, old, path[:-1], whole, behind, anew - 1, comments=False)
    if parent and parent.anchor and value is not _ABSENT:
        yield from write.overruled(parent, mapping, path[-1], value)


def _find(root: Node, path: Path) -> Node | None:
    node: Node | None = root
    for key in path:
        entry = node.entry(key) if node else None
        node = entry[1] if entry else None
    return node
