"""From what a stack file or Pulumi holds to a checked `StackConfig`, or to one error with every problem in it."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from typing import Any

from pydantic import ValidationError

from weir.jsontext import NotJsonError, TooDeepError, loads
from weir.model.config.stack import StackConfig
from weir.model.validation.checks import check
from weir.model.validation.messages import CONFLICT, problems_of
from weir.model.values.problems import ConfigError, Path, Problem


def load(raw: Mapping[str, Any]) -> StackConfig:
    """The config behind the keys of the namespace `weir` (given without `weir:`), as parsed YAML or as the text Pulumi
    hands to a program.

    Raises ConfigError with all problems, in the order of the config.
    """
    # Pulumi.yaml can say that a key may be left out only by a default, and an empty one is the only one to give.
    written = {key: decoded(key, value) for key, value in raw.items() if value != ""}
    config, problems = _typed(written)
    reported = frozenset(problem.path for problem in problems)
    # A value that was refused counts as left out below, so a rule may stumble over its absence: it was reported, once
    # is enough.
    problems += [problem for problem in check(config, reported) if problem.path not in reported]
    if problems:
        position = _positions(written)
        raise ConfigError(sorted(problems, key=lambda problem: position(problem.path)))
    return config


def decoded(key: str, value: Any) -> Any:
    """Objects arrive as JSON text in a program, and in a stack file that was written by `pulumi config set` without
    `--path`.
    """
    if isinstance(value, str) and value.lstrip().startswith(("{", "[")):
        try:
            return loads(value)
        except TooDeepError as error:
            raise ConfigError([Problem((key,), f"{error}; no key of weir's needs them")]) from None
        except NotJsonError:
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
            # A rule of a mapping is not asked while a value in it is refused. What is missing now may just have been
            # left out.
            problems += [problem for problem, kind in found if kind == CONFLICT]
        left_out = [
            _leave_out(remaining, problem.path[:-1] if kind == "missing" else problem.path) for problem, kind in found
        ]
        if not any(left_out):
            raise ConfigError(problems)


def _leave_out(tree: dict[str, Any], path: Path) -> bool:
    """Remove the mapping's entry at the path, if it is still there; an item of a list takes its list with it, since
    the others would move up.
    """
    while path and isinstance(path[-1], int):
        path = path[:-1]
    parent: Any = tree
    for key in path[:-1]:
        parent = inside(parent, key)
    if not path or not isinstance(parent, dict) or path[-1] not in parent:
        return False
    del parent[path[-1]]
    return True


def _positions(tree: Any) -> Callable[[Path], list[int]]:
    """What tells where in the config a path is, for sorting: the place of each key in its mapping; keys that are not
    there come last.
    """
    ranks: dict[int, dict[str, int]] = {}  # by mapping: a search in each for each path would be quadratic

    def position(path: Path) -> list[int]:
        places, here = [], tree
        for key in path:
            if isinstance(key, int):
                places.append(key)
            else:
                if isinstance(here, dict) and id(here) not in ranks:
                    ranks[id(here)] = {name: rank for rank, name in enumerate(here)}
                known = ranks.get(id(here), {})
                places.append(known.get(key, len(known)))
            here = inside(here, key)
        return places

    return position


def inside(tree: Any, key: str | int) -> Any:
    """What stands under the key; None where there is no such place."""
    if isinstance(tree, dict):
        return tree.get(key)
    return tree[key] if isinstance(tree, list) and isinstance(key, int) and key < len(tree) else None
