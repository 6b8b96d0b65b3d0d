"""What is wrong with a config: each problem one line, path first, all of them at once."""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from weir.errors import UsageError
from weir.visible import in_one_line

Path = tuple[str | int, ...]

_PLAIN_KEY = re.compile(r"[A-Za-z0-9_-]+")


def dotted(path: Path) -> str:
    """The path as `pulumi config set --path` takes it: `weir:services.backend.canary.v3`,
    `…args[0]`, `…["odd.key"]`.
    """
    text = "weir:"
    for depth, key in enumerate(path):
        if isinstance(key, int):
            text += f"[{key}]"
        elif depth == 0:
            text += key
        elif _PLAIN_KEY.fullmatch(key):
            text += f".{key}"
        else:
            text += f"[{json.dumps(key, ensure_ascii=False)}]"
    return in_one_line(text)


def shown(value: Any) -> str:
    """A value as an error message quotes it: text in quotes, the rest as YAML would have it, cut when long."""
    if isinstance(value, str):
        text = f'"{value}"'
    elif value is None:
        text = "empty"
    elif isinstance(value, bool):
        text = str(value).lower()
    elif isinstance(value, dict):
        text = f"a mapping with {', '.join(str(key) for key in value)}" if value else "an empty mapping"
    elif isinstance(value, list):
        text = f"a list of {len(value)}"
    else:
        text = str(value)
    text = in_one_line(text)
    return text if len(text) <= 80 else f"{text[:76]}…{text[-1] if isinstance(value, str) else ''}"


def nearest(word: str, known: Iterable[str]) -> str | None:
    """The one of the known words that was probably meant, whatever its case and its hyphens."""
    known = list(known)
    bare = {name.replace("_", "").replace("-", "").lower(): name for name in known}
    near = difflib.get_close_matches(word, known, n=1)
    return bare.get(word.replace("_", "").replace("-", "").lower()) or (near[0] if near else None)


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong with the config: the keys that lead to it, and what is wrong, what was given, what to do.

    `place` is where it is written (`FILE:LINE:COLUMN`), where that is known.
    """

    path: Path
    message: str
    place: str = field(default="", kw_only=True)

    @property
    def where(self) -> str:
        """The path as text, for people and for `--json`."""
        return dotted(self.path)

    def __str__(self) -> str:
        return f"{self.place}: {self.where}: {self.message}" if self.place else f"{self.where}: {self.message}"


class ConfigError(UsageError):
    """The config is refused. `problems` has every reason, in the order of the config; the text is one line for each."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(str(problem) for problem in self.problems))
