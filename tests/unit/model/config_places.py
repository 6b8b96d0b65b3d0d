"""The config as the model's classes see it: every place of a raw config with the type that stands there."""

from __future__ import annotations

import types
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Annotated, Any, Union, get_args, get_origin, get_type_hints

from weir.model import StackConfig
from weir.model.config.base import Part
from weir.model.values.problems import Path


@dataclass(frozen=True)
class Place:
    """A value in a config: the keys that lead to it, its type, and the list or mapping it stands in. `key`: it is a
    mapping's key.
    """

    path: Path
    annotation: Any
    holder: Any
    key: bool = False

    @property
    def value(self) -> Any:
        return self.path[-1] if self.key else self.holder[self.path[-1]]


def places(config: dict[str, Any]) -> Iterator[Place]:
    """Every place in the config, those in it after what holds them; the config itself is none."""
    yield from _inside((), StackConfig, config)


def _inside(path: Path, annotation: Any, value: Any) -> Iterator[Place]:
    if is_part(annotation):
        if not isinstance(value, dict):
            return  # a text that stands for a mapping, such as the value of a variable alone
        hints = fields(annotation)
        entries = [(name, hints[name]) for name in value]
    elif get_origin(annotation) is Mapping:
        keys, values = get_args(annotation)
        if values is Any:
            return  # a part of an object of Kubernetes, which the API server judges in a test of its own
        yield from (Place((*path, name), keys, value, key=True) for name in value)
        entries = [(name, plain(values)) for name in value]
    elif get_origin(annotation) is tuple and isinstance(value, list):
        entries = [(index, plain(get_args(annotation)[0])) for index in range(len(value))]
    else:
        return
    for name, inner in entries:
        if value[name] is not None:
            yield Place((*path, name), inner, value)
            yield from _inside((*path, name), inner, value[name])


def is_part(annotation: Any) -> bool:
    """Whether a mapping with keys of the model stands there."""
    return isinstance(annotation, type) and issubclass(annotation, Part)


@cache
def fields(part: type[Part]) -> Mapping[str, Any]:
    """The keys of a mapping of the model, and the type of each."""
    hints = get_type_hints(part, include_extras=True)
    return {field.alias or name: plain(hints[name]) for name, field in part.model_fields.items()}


def plain(annotation: Any) -> Any:
    """A type without `| None`, and where it stands for a mapping with keys, that."""
    if get_origin(annotation) in (Union, types.UnionType):
        [annotation] = [choice for choice in get_args(annotation) if choice is not type(None)]
    if get_origin(annotation) is Annotated and is_part(get_args(annotation)[0]):
        return get_args(annotation)[0]
    return annotation
