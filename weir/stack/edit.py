"""Changing the split or the drill of a service in a stack file, a version that comes or goes, and nothing else of it:
comments, order, quotes, indentation and line ends stay.

What cannot be changed alone is refused, with what to write by hand; see `yaml_edit` for how that is known.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

from weir.errors import UsageError
from weir.model.values.numbers import percent as read_percent
from weir.model.values.numbers import plain
from weir.stack import yaml_edit, yaml_reader
from weir.stack.restored import ABSENT, steps
from weir.stack.text_file import overwrite, read
from weir.stack.yaml_edit import CannotEditError
from weir.yaml_writer import flow

__all__ = ["StackEdit", "overwrite", "read"]

_BOM = "\ufeff"
_SERVICES = ("config", "weir:services")


class StackEdit:
    """The text of a stack file, with changes not yet written; `original` is what it was when it was read.

    A change that is refused (UsageError) leaves the text as it was.
    """

    def __init__(self, path: Path) -> None:
        """Read the file. Raises UsageError where that cannot be."""
        self.path = path
        self.text = read(path)
        self.original = self.text
        self._read = self.text

    def set_stable(self, service: str, version: str) -> None:
        """Make a version stable."""
        self._put(service, ("stable",), version)

    def set_canary(self, service: str, version: str, percent: Decimal | None) -> None:
        """Give a version this percent of the requests; None leaves it out."""
        canary = self.settings(service).get("canary")
        if canary is not None and not isinstance(canary, dict):
            path = (*_SERVICES, service, "canary")
            raise UsageError(
                f"{self._place(path)}: {_shown(path)} is not a mapping from version to percent; nothing was changed: "
                "correct it by hand"
            )
        if not canary:
            if percent is not None:
                self._put(service, ("canary",), {version: plain(percent)})
        elif percent is None:
            self._remove(service, ("canary", version))
        elif not _is(canary.get(version), percent):
            self._put(service, ("canary", version), plain(percent))

    def add_version(self, service: str, version: str, settings: Mapping[str, Any]) -> None:
        """Write a version, in one line."""
        self._put(service, ("versions", version), dict(settings))

    def remove_version(self, service: str, version: str) -> None:
        """Take a version out, if it is there, and what a rollout has left of it in the split."""
        self.set_canary(service, version, None)
        self._remove(service, ("versions", version))

    def set_drill(self, service: str, drill: Mapping[str, Any]) -> None:
        """Write the drill of a service, in one line."""
        self._put(service, ("drill",), dict(drill))

    def remove_drill(self, service: str) -> None:
        """Take the drill of a service out, if there is one, with whatever stands on its lines."""
        self._remove(service, ("drill",))

    def restore(self, service: str, tree: Mapping[str, Any]) -> None:
        """Make the service say this, by as few edits as that takes."""
        for path, value in steps(self.settings(service), tree):
            if value is ABSENT:
                self._remove(service, path)
            else:
                self._put(service, path, value)

    def write(self) -> None:
        """Write the file, whole or not at all. Raises UsageError when somebody has changed it since it was read, or it
        cannot be written.
        """
        if read(self.path) != self._read:
            raise UsageError(
                f"{self.path} has been changed by somebody else meanwhile; nothing was written: run the same command "
                "again"
            )
        overwrite(self.path, self.text)
        self._read = self.text

    def _put(self, service: str, keys: tuple[str, ...], value: Any) -> None:
        settings = self.settings(service)
        path = (*_SERVICES, service, *keys)
        by_hand = f"write {_shown(path)}: {flow(value)} by hand"
        apart = f"{by_hand}, apart from the others"
        if len(keys) > 1 and all(type(entry) in (str, int, float) for entry in settings[keys[0]].values()):
            apart = (
                f"write {_shown(path[:-1])}: {flow({**settings[keys[0]], keys[1]: value})} by hand, apart from the "
                "others"
            )
        self._change(
            path, lambda text: yaml_edit.put(text, path, value, behind="stable", anew=len(keys) - 1), by_hand, apart
        )

    def _remove(self, service: str, keys: tuple[str, ...]) -> None:
        self.settings(service)
        path = (*_SERVICES, service, *keys)
        by_hand = f"take {_shown(path)} out by hand"
        self._change(
            path,
            lambda text: yaml_edit.remove(text, path, anew=len(keys) - 1),
            by_hand,
            f"{by_hand}, apart from the others",
        )

    def _change(self, path: tuple[str, ...], change: Callable[[str], str], by_hand: str, apart: str) -> None:
        bare = self.text.removeprefix(_BOM)
        try:
            changed = change(bare)
        except CannotEditError as error:
            if not error.others:
                why = (
                    f"{_shown(path)} cannot be edited in place without changing other text; nothing was changed: "
                    f"{by_hand}"
                )
            else:
                other = error.others[0]
                more = f" and {len(error.others) - 1} more" if len(error.others) > 1 else ""
                why = (
                    f"{_shown(other)} ({self._place(other)}){more} would change as well: an anchor (&) shares its text "
                    f"with {_shown(path)}; nothing was changed: {apart}"
                )
            raise UsageError(f"{self._place(path)}: {why}") from None
        self.text = self.text[: len(self.text) - len(bare)] + changed

    def settings(self, service: str) -> dict[str, Any]:
        """What the file says of the service. Raises UsageError where that is nothing that could be edited."""
        try:
            tree = yaml_edit.read(self.text.removeprefix(_BOM))
        except yaml_reader.NotYamlError as error:
            place = f"{self.path}:{error.line}:{error.column}"
            raise UsageError(
                f"{place}: is not valid YAML: {error.problem}; correct it there, or on the lines before"
            ) from None
        path = (*_SERVICES, service)
        if isinstance(yaml_edit.at(tree, _SERVICES), str):
            raise UsageError(
                f"{self._place(_SERVICES)}: weir:services is a string that is not valid JSON or has a key twice; "
                "nothing was changed: write it as YAML by hand"
            )
        found = yaml_edit.at(tree, path)
        if isinstance(found, str):
            raise UsageError(
                f"{self._place(path)}: {_shown(path)} is a string and must be a mapping; nothing was changed: "
                "write it as YAML by hand"
            )
        if not isinstance(found, dict):
            raise UsageError(f"{self.path}: has no service {service} under weir:services; nothing was changed")
        return found

    def _place(self, path: tuple[str, ...]) -> str:
        line, column = yaml_reader.document(self.text.removeprefix(_BOM)).place(path)
        return f"{self.path}:{line}:{column}"


def _is(value: Any, percent: Decimal) -> bool:
    """Whether the file says this percent already, be it as text, as `pulumi config set` writes it."""
    try:
        return read_percent(value) == percent
    except ValueError:
        return False


def _shown(path: tuple[str, ...]) -> str:
    """A path as messages have it everywhere: weir:services.web.canary.v2."""
    return ".".join(path[1:] if path[:1] == ("config",) else path) or "the file"
