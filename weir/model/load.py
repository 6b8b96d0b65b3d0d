"""From what a stack file or Pulumi holds to a checked `StackConfig`, or to one error with every problem in it."""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from weir.model.checks import check
from weir.model.config import StackConfig
from weir.model.problems import ConfigError, Path, Problem
from weir.model.translate import CONFLICT, problems_of


def load(raw: Mapping[str, Any]) -> StackConfig:
    """The config behind the keys of the namespace `weir` (given without `weir:`), as parsed YAML or as the text Pulumi hands to a program.

    Raises ConfigError with all problems, in the order of the config.
    """
    # Pulumi.yaml can say that a key may be left out only by a default, and an empty one is the only one to give.
    written = {key: _decoded(value) for key, value in raw.items() if value != ""}
    config, problems = _typed(written)
    reported = frozenset(problem.path for problem in problems)
    # A value that was refused counts as left out below, so a rule may stumble over its absence: it was reported, once is enough.
    problems += [problem for problem in check(config, reported) if problem.path not in reported]
    if problems:
        raise ConfigError(sorted(problems, key=lambda problem: _position(written, problem.path)))
    return config


def _decoded(value: Any) -> Any:
    """Objects arrive as JSON text in a program, and in a stack file that was written by `pulumi config set` without `--path`."""
    if isinstance(value, str) and value.lstrip().startswith(("{", "[")):
        try:
            return json.loads(value)
        except json.JSONDecodeError:
            return value
    return value


def _typed(written: dict[str, Any]) -> tuple[StackConfig, list[Problem]]:
    """The config built from all parts of it that are well formed, and the problems of the others.

    Leaving out what is refused and building again lets the rules between fields speak in the same run.
    """
    remaining = written
    problems: list[Problem] | None = None
    while True:
        try:
            return StackConfig.model_validate(remaining), problems or []
        except ValidationError as error:
            found = problems_of(error)
        if problems is None:
            problems = [problem for problem, _ in found]
            remaining = copy.deepcopy(written)
        else:
            # A rule of a mapping is not asked while a value in it is refused. What is missing now may just have been left out.
            problems += [problem for problem, kind in found if kind == CONFLICT]
        left_out = [_leave_out(remaining, problem.path[:-1] if kind == "missing" else problem.path) for problem, kind in found]
        if not any(left_out):
            raise ConfigError(problems)


def _leave_out(tree: dict[str, Any], path: Path) -> bool:
    """Remove the mapping's entry at the path, if it is still there; an item of a list takes its list with it, since the others would move up."""
    while path and isinstance(path[-1], int):
        path = path[:-1]
    parent: Any = tree
    for key in path[:-1]:
        parent = _inside(parent, key)
    if not path or not isinstance(parent, dict) or path[-1] not in parent:
        return False
    del parent[path[-1]]
    return True


def _position(tree: Any, path: Path) -> list[int]:
    """Where in the config the path is, for sorting: the place of each key in its mapping; keys that are not there come last."""
    places = []
    for key in path:
        keys = list(tree) if isinstance(tree, dict) else []
        places.append(key if isinstance(key, int) else keys.index(key) if key in keys else len(keys))
        tree = _inside(tree, key)
    return places


def _inside(tree: Any, key: str | int) -> Any:
    """What stands under the key; None where there is no such place."""
    if isinstance(tree, dict):
        return tree.get(key)
    return tree[key] if isinstance(tree, list) and isinstance(key, int) and key < len(tree) else None
