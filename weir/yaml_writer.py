"""Objects as YAML that every reader takes for the same, whether it knows YAML 1.1 (PyYAML, kubectl) or 1.2.

A text stands without quotes only where its form can be nothing else: `25%`, `10m` and `app:1.0` do, `on`, `1e3`,
`0777` and `2026-11-23` do not. Nothing is folded, and nothing is an alias of something else, so that the same objects
are the same lines.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from decimal import Decimal
from functools import lru_cache
from typing import Any

from weir.secret import SHOWN, Secret
from weir.visible import UNSEEN

_MAX_SIMPLE_KEY = 128
"""Readers look only so far ahead for the colon behind a key; a longer one is written `? key`, as all writers do."""

_WORDS = frozenset(("y", "n", "yes", "no", "on", "off", "true", "false", "null", "nan", "inf"))
# A word, a path, an option, or a number with its unit; then signs, single spaces, and colons that no space follows.
_PLAIN = re.compile(
    r"(?:[A-Za-z_/]|--?[A-Za-z]|(?!0[xXoObB])(?:[0-9]+(?:\.[0-9]+)?[A-Za-z%]+)+$)"
    r"(?:[A-Za-z0-9_./=%+,@()\[\]{}*&|!<>?~^$;-]| (?=[^ #:])|:(?=[^ :]))*"
)
_FLOW = re.compile(r"[,\[\]{}?]")
# What some readers refuse, and what no screen shows.
_CONTROL = re.compile("[^\x20-\x7e\xa0-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]|" + UNSEEN.pattern)


def dump(documents: Iterable[Any]) -> str:
    """The objects, made of mappings, lists, text, numbers, booleans and None, as a stream of YAML documents; a secret
    is shown as one.
    """
    lines: list[str] = []
    for document in documents:
        lines.append("---")
        _write(document, "", lines)
    return "".join(f"{line}\n" for line in lines)


def flow(value: Any) -> str:
    """The same kind of value in one line, as it stands inside of a sentence: {prefix: /api/}, [GET, POST]."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{flow(key)}: {flow(entry)}" for key, entry in value.items()) + "}"
    if isinstance(value, list):
        return f"[{', '.join(flow(item) for item in value)}]"
    written = _scalar(value)
    return f"'{written}'" if isinstance(value, str) and written == value and _FLOW.search(value) else written


def _write(value: Any, indent: str, lines: list[str]) -> None:
    if isinstance(value, dict) and value:
        for key, entry in value.items():
            _entry(key, entry, indent, lines)
    elif isinstance(value, list) and value:
        for item in value:
            _behind("- ", item, indent, lines)
    else:
        lines.append(indent + _scalar(value))


def _entry(key: str, value: Any, indent: str, lines: list[str]) -> None:
    name = _text(key)
    if len(name) > _MAX_SIMPLE_KEY:
        lines.append(f"{indent}? {name}")
        _behind(": ", value, indent, lines)
    elif isinstance(value, dict | list) and value:
        lines.append(f"{indent}{name}:")
        _write(value, indent if isinstance(value, list) else f"{indent}  ", lines)
    else:
        lines.append(f"{indent}{name}: {_scalar(value)}")


def _behind(mark: str, value: Any, indent: str, lines: list[str]) -> None:
    start = len(lines)
    _write(value, f"{indent}  ", lines)
    lines[start] = indent + mark + lines[start][len(indent) + 2 :]


def _scalar(value: Any) -> str:
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, float) and "e" in repr(value):  # 1e-05 is a number to YAML 1.2 alone
        plain = format(Decimal(repr(value)), "f")
        return plain if "." in plain else f"{plain}.0"
    return _text(SHOWN) if isinstance(value, Secret) else json.dumps(value)


@lru_cache(maxsize=4096)
def _text(text: str) -> str:
    if _PLAIN.fullmatch(text) and text.lower() not in _WORDS:
        return text
    if _CONTROL.search(text):
        return '"' + _CONTROL.sub(lambda found: _escape(found[0]), text.replace("\\", "\\\\").replace('"', '\\"')) + '"'
    quoted = text.replace("'", "''")
    return f"'{quoted}'"


def _escape(character: str) -> str:
    return {"\n": "\\n", "\t": "\\t", "\r": "\\r"}.get(character) or (
        f"\\u{ord(character):04x}" if character <= "\uffff" else f"\\U{ord(character):08x}"
    )
