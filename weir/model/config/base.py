"""What every mapping of the config is made of: frozen, no key unknown, each key described where it is declared.

A declaration carries all that people and editors read about a key (`weir.model.reference`): description, default,
unit, example, and the field of Istio's or Kubernetes' API it becomes.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict, Field, model_validator
from pydantic.alias_generators import to_camel

DETAILS = "x-weir"
"""Under this name a key's unit, and the field it becomes, stand in the JSON Schema; editors pass it over."""


class Part(BaseModel):
    """A mapping of the config: its keys are its fields in camelCase, every other key is an error. A key left empty
    counts as left out.
    """

    # What validates is built with the first config, for all parts at once: each by itself would be a fifth of the
    # import.
    model_config = ConfigDict(frozen=True, extra="forbid", alias_generator=to_camel, defer_build=True)

    message: ClassVar[str] = ""
    """The message of Istio's or Kubernetes' API this mapping becomes, where it becomes one as it is."""

    hints: ClassVar[Mapping[str, str]] = {}
    """What to say of a key that does not exist here and that people look for: others have it, or Istio once had."""

    @model_validator(mode="before")
    @classmethod
    def _drop_empty(cls, data: Any) -> Any:
        return {key: value for key, value in data.items() if value is not None} if isinstance(data, dict) else data


def key(
    description: str,
    default: Any = None,
    *,
    example: Any = None,
    unit: str = "",
    becomes: str = "",
    alias: str | None = None,
) -> Any:
    """Declare a key that may be left out. `becomes` is needed only where the name of the field it becomes is not the
    key's own.
    """
    return Field(default, description=description, alias=alias, **_details(example, unit, becomes))


def required(description: str, *, example: Any, unit: str = "", becomes: str = "", alias: str | None = None) -> Any:
    """Declare a key that must be there; its description is what a config without it is told."""
    return Field(description=description, alias=alias, **_details(example, unit, becomes))


def _details(example: Any, unit: str, becomes: str) -> dict[str, Any]:
    return {
        "examples": None if example is None else [example],
        "json_schema_extra": {DETAILS: {"unit": unit, "becomes": becomes}} if unit or becomes else None,
    }


def as_written(part: Part) -> dict[str, Any]:
    """A part of the config as Istio's or Kubernetes' message: what was written, under the same names; defaults stay
    with the cluster.
    """
    return part.model_dump(mode="json", by_alias=True, exclude_unset=True)


def given(part: Part, *names: str) -> list[str]:
    """Those of the named fields that were written in the config, by their keys there."""
    fields = type(part).model_fields
    return [fields[name].alias or name for name in names if name in part.model_fields_set]


class ConflictError(ValueError):
    """Two things that contradict each other: true whatever else is wrong beside them, where a rule about what is
    missing may be not.
    """


def exactly_one(part: Part, *names: str) -> None:
    """ValueError unless one of these fields, and only one, was written."""
    fields = type(part).model_fields
    there = given(part, *names)
    choices = ", ".join(fields[name].alias or name for name in names)
    if not there:
        raise ValueError(f"must have exactly one of {choices}, has none; add one")
    if len(there) > 1:
        raise ConflictError(f"must have exactly one of {choices}, has {' and '.join(there)}; keep one of them")


def at_most_one(part: Part, *names: str) -> None:
    """ValueError when more than one of these fields was written."""
    there = given(part, *names)
    if len(there) > 1:
        raise ConflictError(f"must have only one of {' and '.join(there)}; remove the other")
