"""Pydantic's errors in plain words: no address of a manual, no type names, and the nearest known key for one that is
not known.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Literal, get_args, get_origin

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from weir.model.config.base import ConflictError, Part
from weir.model.config.stack import StackConfig
from weir.model.values.problems import Path, Problem, nearest, shown
from weir.secret import Secret
from weir.yaml_writer import flow

CONFLICT = "conflict"
"""The kind of a problem that stays one whatever else is left out."""

ONLY_ENV = "only single values of env and headers, and the urls of weir:notify, may be secrets; set it without --secret"
"""What is said of a secret in another place: it would stand there in the clear in the cluster, or in Pulumi's state."""

_MAX_EXAMPLE = 60
_KEY_MARK = "[key]"  # pydantic puts this behind the key of a mapping when the key itself is wrong


def problems_of(error: ValidationError) -> list[tuple[Problem, str]]:
    """Each error of a validation of `StackConfig` as a problem, with pydantic's name for its kind, or CONFLICT."""
    return [(_problem(details), _kind(details)) for details in error.errors(include_url=False)]


def _kind(details: ErrorDetails) -> str:
    return CONFLICT if isinstance(details.get("ctx", {}).get("error"), ConflictError) else details["type"]


def _problem(details: ErrorDetails) -> Problem:
    path: Path = tuple(key for key in details["loc"] if key != _KEY_MARK)
    return Problem(path, _message(details, path))


def _message(details: ErrorDetails, path: Path) -> str:
    if isinstance(details["input"], Secret) and details["type"] != "extra_forbidden":
        return f"must not be a secret: {ONLY_ENV}"
    match details["type"]:
        case "value_error":
            return str(details["ctx"]["error"])
        case "missing":
            model = _model_at(path[:-1])
            field = next(field for field in model.model_fields.values() if field.alias == path[-1])
            example = "" if "such as" in str(field.description) else _example(path, "for example")
            return f"missing: {field.description}{example and f' ({example})'}"
        case "extra_forbidden":
            model = _model_at(path[:-1])
            return model.hints.get(str(path[-1])) or unknown_key(str(path[-1]), _keys(model))
        case "model_type" | "model_attributes_type" | "dict_type" | "mapping_type":
            example = _example(path, "such as")
            return f"must be a mapping{example and f' {example}'}, was {shown(details['input'])}"
        case "tuple_type" | "list_type":
            example = _example(path, "such as")
            return f"must be a list{example and f' {example}'}, was {shown(details['input'])}"
        case "literal_error":
            known = get_args(_declared_at(path)[0])
            return f"must be {'one of ' * (len(known) > 1)}{', '.join(known)}, was {shown(details['input'])}"
        case _:
            return f"{details['msg'].lower()}, was {shown(details['input'])}"


@lru_cache(maxsize=1024)
def unknown_key(key: str, known: tuple[str, ...]) -> str:
    """What to say of a key that does not exist: the one that was probably meant, else all there are."""
    near = nearest(key, known)
    return f"unknown key, did you mean {near}?" if near else f"unknown key (known keys: {', '.join(known)})"


def _keys(model: type[Part]) -> tuple[str, ...]:
    return tuple(field.alias or name for name, field in model.model_fields.items())


def _model_at(path: Path) -> type[Part]:
    """The model that describes the mapping at this path of the config."""
    here, _ = _declared_at(path)
    assert isinstance(here, type), path
    assert issubclass(here, Part), f"{path} is no mapping with keys of its own"
    return here


def _example(path: Path, before: str) -> str:
    """What could stand at this path, behind these words; nothing where the example is too long for a message."""
    _, example = _declared_at(path)
    text = flow(example) if example else ""
    return f"{before} {text}" if text and len(text) <= _MAX_EXAMPLE else ""


def _declared_at(path: Path) -> tuple[Any, Any]:
    """Type and example of what stands at this path; it leads through fields, lists, and mappings of models."""
    here: Any = StackConfig
    example: Any = None
    for key in path:
        if get_origin(here) is Mapping:
            here, example = (
                bare(get_args(here)[1]),
                next(iter(example.values()), None) if isinstance(example, dict) else None,
            )
        elif get_origin(here) is tuple:
            here, example = bare(get_args(here)[0]), example[0] if isinstance(example, list) and example else None
        else:
            field = next(field for field in here.model_fields.values() if field.alias == key)
            here, example = bare(field.annotation), (field.examples or [None])[0]
    return here, example


def bare(annotation: Any) -> Any:
    """The type inside `X | None` and `Annotated[X, …]`."""
    while get_origin(annotation) not in (None, Mapping, tuple, Literal):
        annotation = next(argument for argument in get_args(annotation) if argument is not type(None))
    return annotation
