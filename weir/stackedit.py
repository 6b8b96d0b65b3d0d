"""Changing the split or the drill of a service in a stack file, and nothing else of it: comments, order, quotes and indentation stay as people wrote them.

The file is not written anew from its values: the places of the values to change are found by their marks, and the text there is replaced.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

import yaml

from weir.errors import UsageError
from weir.model.numbers import plain
from weir.yamltext import flow

_PLAIN_KEY = re.compile(r"[A-Za-z][A-Za-z0-9_-]*")


class StackEdit:
    """The text of a stack file, with changes not yet written; `original` is what it was when it was read."""

    def __init__(self, path: Path) -> None:
        """Read the file, which has been checked before."""
        self.path = path
        self.text = path.read_text(encoding="utf-8")
        self.original = self.text
        self._read = self.text

    def set_stable(self, service: str, version: str) -> None:
        """Make a version stable."""
        self._set(service, "stable", version)

    def set_canary(self, service: str, version: str, percent: Decimal | None) -> None:
        """Give a version this percent of the requests; None leaves it out."""
        canary = self._find(service, "canary")
        if canary is None or not isinstance(canary[1], yaml.MappingNode):
            if percent is not None:
                self._set(service, "canary", {version: plain(percent)})
            return
        _, node = canary
        entry = next(((key, value) for key, value in node.value if key.value == version), None)
        if entry is not None and percent is not None:
            self._replace(entry[1], flow(plain(percent)))
        elif node.flow_style or len(node.value) < 2 or not node.value:
            entries = {key.value: self._source(value) for key, value in node.value if key.value != version}
            if percent is not None:
                entries[version] = flow(plain(percent))
            self._replace(node, "{" + ", ".join(f"{_key(name)}: {value}" for name, value in entries.items()) + "}")
        elif entry is not None:
            self._remove_lines(*entry)
        else:
            self._insert_behind(node.value[-1], f"{_key(version)}: {flow(plain(percent or Decimal(0)))}")

    def set_drill(self, service: str, drill: Mapping[str, Any]) -> None:
        """Write the drill of a service, in one line."""
        self._set(service, "drill", drill)

    def remove_drill(self, service: str) -> None:
        """Take the drill of a service out, if there is one, with whatever stands on its lines."""
        found = self._find(service, "drill")
        if found is None:
            return
        key, value = found
        if not self._service(service).flow_style:
            self._remove_lines(key, value)
            return
        # In one line with others: with the comma before it, or that behind the first.
        start, end = key.start_mark.index, value.end_mark.index
        before = self.text[:start].rstrip()
        if before.endswith(","):
            self.text = before[:-1] + self.text[end:]
        else:
            self.text = self.text[:start] + self.text[end:].lstrip().removeprefix(",").lstrip()

    def write(self) -> None:
        """Write the file, whole or not at all. Raises UsageError when somebody has changed it since it was read."""
        if self.path.read_text(encoding="utf-8") != self._read:
            raise UsageError(f"{self.path} has been changed by somebody else meanwhile; nothing was written: run the same command again")
        overwrite(self.path, self.text)
        self._read = self.text

    def _service(self, service: str) -> yaml.MappingNode:
        node: Any = yaml.compose(self.text, Loader=yaml.BaseLoader)
        for key in ("config", "weir:services", service):
            node = next((value for name, value in getattr(node, "value", []) if name.value == key), None)
            if not isinstance(node, yaml.MappingNode):
                raise UsageError(
                    f"{self.path}: {service} is not written there as YAML, so that it cannot be edited in place; change it by hand or with pulumi config set --path"
                )
        return node

    def _find(self, service: str, key: str) -> tuple[Any, Any] | None:
        return next(((name, value) for name, value in self._service(service).value if name.value == key), None)

    def _set(self, service: str, key: str, value: Any) -> None:
        found = self._find(service, key)
        if found is not None:
            self._replace(found[1], flow(value))
            return
        node = self._service(service)
        neighbour = next(((name, entry) for name, entry in node.value if name.value == "stable"), node.value[-1])
        self._insert_behind(neighbour, f"{key}: {flow(value)}", in_flow=bool(node.flow_style))

    def _replace(self, node: Any, text: str) -> None:
        start, end = node.start_mark.index, node.end_mark.index
        written = self.text[start:end]
        if isinstance(node, yaml.MappingNode) and not node.flow_style:
            # A block ends where the next key begins: the line break and what follows it stay.
            kept = written[len(written.rstrip()) :]
            line = self.text.rfind("\n", 0, start) + 1
            before = self.text[:line].rstrip() if not self.text[line:start].strip() else self.text[:start].rstrip()
            self.text = f"{before} {text}{kept or chr(10)}{self.text[end:]}"
            return
        self.text = self.text[:start] + (text if start != end else f" {text}") + self.text[end:]

    def _source(self, node: Any) -> str:
        return self.text[node.start_mark.index : node.end_mark.index].strip()

    def _remove_lines(self, key: Any, value: Any) -> None:
        start = self.text.rfind("\n", 0, key.start_mark.index) + 1
        end = self.text.find("\n", max(key.end_mark.index, _end(value)))
        self.text = self.text[:start] + (self.text[end + 1 :] if end >= 0 else "")

    def _insert_behind(self, entry: tuple[Any, Any], text: str, in_flow: bool = False) -> None:
        key, value = entry
        if in_flow:
            end = value.end_mark.index
            self.text = f"{self.text[:end]}, {text}{self.text[end:]}"
            return
        last = value.end_mark.index
        # A block's end mark stands at the next key: back to the end of its last line.
        last = len(self.text[:last].rstrip()) if isinstance(value, yaml.CollectionNode) and not value.flow_style else last
        end = self.text.find("\n", last)
        end = len(self.text) if end < 0 else end
        self.text = f"{self.text[:end]}\n{' ' * key.start_mark.column}{text}{self.text[end:]}"


def overwrite(path: Path, text: str) -> None:
    """Make this the text of the file, whole or not at all, whatever ends the process; its mode stays."""
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        partial.write_text(text, encoding="utf-8")
        partial.chmod(path.stat().st_mode)
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def _end(node: Any) -> int:
    """Where a value ends. A block's own end mark stands at the next key, behind the comments that belong to that."""
    if isinstance(node, yaml.CollectionNode) and not node.flow_style and node.value:
        last = node.value[-1]
        return _end(last[1] if isinstance(last, tuple) else last)
    end: int = node.end_mark.index
    return end


def _key(name: str) -> str:
    return (
        name
        if _PLAIN_KEY.fullmatch(name) and name.lower() not in ("y", "n", "yes", "no", "on", "off", "true", "false", "null")
        else f'"{name}"'
    )
