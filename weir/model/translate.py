"""Pydantic's errors in plain words: no address of a manual, no type names, and the nearest known key for one that is not known."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from typing import Any, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from weir.model.config import StackConfig
from weir.model.problems import Path, Problem, shown

_KEY_MARK = "[key]"  # pydantic puts this behind the key of a mapping when the key itself is wrong


def problems_of(error: ValidationError) -> list[tuple[Problem, str]]:
    """Each error of a validation of `StackConfig` as a problem, with pydantic's name for its kind."""
    return [(_problem(details), details["type"]) for details in error.errors(include_url=False)]


def _problem(details: ErrorDetails) -> Problem:
    path: Path = tuple(key for key in details["loc"] if key != _KEY_MARK)
    return Problem(path, _message(details, path))


def _message(details: ErrorDetails, path: Path) -> str:
    match details["type"]:
        case "value_error":
            return str(details["ctx"]["error"])
        case "missing":
            model = _model_at(path[:-1])
            field = next(field for field in model.model_fields.values() if field.alias == path[-1])
            return f"missing: {field.description}"
        case "extra_forbidden":
            return unknown_key(str(path[-1]), _keys(_model_at(path[:-1])))
        case "model_type" | "model_attributes_type" | "dict_type" | "mapping_type":
            return f"must be a mapping, was {shown(details['input'])}"
        case "tuple_type" | "list_type":
            return f"must be a list, was {shown(details['input'])}"
        case _:
            return f"{details['msg'].lower()}, was {shown(details['input'])}"


def unknown_key(key: str, known: list[str]) -> str:
    """What to say of a key that does not exist: the one that was probably meant, else all there are."""
    near = difflib.get_close_matches(key, known, n=1)
    lowered = {name.lower(): name for name in known}
    nearest = lowered.get(key.replace("_", "").replace("-", "").lower()) or (near[0] if near else None)
    return f"unknown key, did you mean {nearest}?" if nearest else f"unknown key (known keys: {', '.join(known)})"


def _keys(model: type[BaseModel]) -> list[str]:
    return [field.alias or name for name, field in model.model_fields.items()]


def _model_at(path: Path) -> type[BaseModel]:
    """The model that describes the mapping at this path of the config; the path leads through fields and mappings of models."""
    here: Any = StackConfig
    for key in path:
        if get_origin(here) is Mapping:
            here = _bare(get_args(here)[1])
        else:
            here = _bare(next(field.annotation for field in here.model_fields.values() if field.alias == key))
    assert isinstance(here, type), path
    assert issubclass(here, BaseModel), f"{path} is no mapping with keys of its own"
    return here


def _bare(annotation: Any) -> Any:
    """The type inside `X | None` and `Annotated[X, …]`."""
    while get_origin(annotation) not in (None, Mapping):
        annotation = next(argument for argument in get_args(annotation) if argument is not type(None))
    return annotation
