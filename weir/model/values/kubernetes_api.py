"""Kubernetes' own types, as the API server of one version describes them (OpenAPI v3), and what of a partial object
they refuse.

A partial object is a strategic merge patch (`weir.model.values.strategic_merge`), so that it is judged beside what it
is merged into: a field that must be there may be there already. The types say which fields there are and what they
hold; what the API server asks beyond that (that a mounted volume exists, for example) it says itself.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from pathlib import Path as File
from typing import Any

from weir.model.values.problems import Path, nearest, shown

Shape = Mapping[str, Any]
Found = tuple[Path, str]
"""Where something is wrong, and what."""

DIRECTIVE = "$patch"
"""Beside the fields of an object: `delete` takes it out, `replace` has the other fields replace it."""

_FILE = File(__file__).with_suffix(".json")
_INTEGERS = {"int32": 2**31, "int64": 2**63}
_QUANTITY = re.compile(r"[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([KMGTPE]i|[numkMGTPE]|[eE][+-]?[0-9]+)?")
"""Source: k8s.io/apimachinery/pkg/api/resource, the grammar of Quantity."""
_DATE_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)")
_PROTOCOL = "TCP"
"""What the API server takes for the protocol of a port that names none: it is part of the port's identity."""


def version() -> str:
    """The version of Kubernetes whose types these are, such as v1.36.3."""
    return str(_read()["version"])


def kind(name: str) -> Shape:
    """The type of a whole object by the last part of its name in OpenAPI, such as apps.v1.Deployment."""
    return _definitions()[f"api.{name}"]


def resolved(shape: Shape) -> Shape:
    """The type that a field has, by itself or by reference, with what the field says of merging."""
    for choice in shape.get("allOf", ()):
        shape = {**_named(choice), **{key: value for key, value in shape.items() if key != "allOf"}}
    return _named(shape)


def fields(shape: Shape) -> Mapping[str, Any] | None:
    """The fields of a resolved type by name; None where it has none of its own."""
    found: Mapping[str, Any] | None = shape.get("properties")
    return found


def merge_key(shape: Shape) -> str | None:
    """By which field the items of a list are the same for a merge; None where a list replaces the other."""
    strategies = str(shape.get("x-kubernetes-patch-strategy", "")).split(",")
    return shape.get("x-kubernetes-patch-merge-key") if "merge" in strategies else None


def problems(patch: Any, target: Any, shape: Shape, path: Path = ()) -> Iterator[Found]:
    """What the types refuse of a partial object that is merged into `target`, each with where it is in the patch."""
    shape = resolved(shape)
    if patch is None:
        # In a merge patch: the field is taken out, whatever its type.
        return
    if "properties" in shape or shape.get("type") == "object":
        yield from _object(patch, target, shape, path)
    elif shape.get("type") == "array":
        yield from _list(patch, target, shape, path)
    elif said := _scalar(patch, shape):
        yield path, said


def _object(patch: Any, target: Any, shape: Shape, path: Path) -> Iterator[Found]:
    if not isinstance(patch, Mapping):
        yield path, f"must be a mapping, was {shown(patch)}"
        return
    there = target if isinstance(target, Mapping) else {}
    directive = patch.get(DIRECTIVE)
    if directive is not None and directive not in ("delete", "replace"):
        yield (*path, DIRECTIVE), f"must be delete or replace, was {shown(directive)}"
    if directive is not None:
        there = {}
    known = fields(shape)
    for key, value in patch.items():
        if key == DIRECTIVE:
            continue
        if known is not None and key not in known:
            near = nearest(str(key), known)
            hint = f"did you mean {near}?" if near else f"fields there are: {', '.join(known)}"
            yield (*path, str(key)), f"Kubernetes has no such field here, {hint}"
        else:
            inner = known[key] if known is not None else shape.get("additionalProperties") or {}
            yield from problems(value, there.get(key), inner, (*path, str(key)))
    for key in shape.get("required", ()) if directive != "delete" else ():
        # What is there and null in the patch is taken out; Kubernetes then finds it missing, too.
        if patch.get(key, there.get(key) if key not in patch else None) is None:
            yield (*path, key), "missing: Kubernetes needs it here"


def _list(patch: Any, target: Any, shape: Shape, path: Path) -> Iterator[Found]:
    if not isinstance(patch, list):
        yield path, f"must be a list, was {shown(patch)}"
        return
    key = merge_key(shape)
    identity = shape.get("x-kubernetes-list-map-keys") or ([key] if key else [])
    there = target if isinstance(target, list) else []
    seen: list[Any] = []
    for index, item in enumerate(patch):
        where = (*path, index)
        before = None
        if isinstance(item, Mapping) and key:
            if item.keys() == {DIRECTIVE} and item[DIRECTIVE] == "replace":
                there = []
                continue
            before = next((each for each in there if each.get(key) == item.get(key)), None)
        if item is None:
            yield where, "must not be empty"
            continue
        found = list(problems(item, before, shape["items"], where))
        yield from found
        same = _identity(item, identity) if identity else item
        if not found and same in seen and (identity or shape.get("x-kubernetes-list-type") == "set"):
            yield where, f"is there twice: {', '.join(str(each) for each in same) if identity else shown(item)}"
        seen.append(same)


def _identity(item: Any, keys: list[str]) -> Any:
    """What makes an item of a list the same as another."""
    if not isinstance(item, Mapping):
        return item
    return tuple(item.get(key, _PROTOCOL if key == "protocol" else None) for key in keys)


def _scalar(value: Any, shape: Shape) -> str:
    """What is wrong with a plain value; empty where nothing is."""
    kind, form = shape.get("type"), shape.get("format")
    if form == "int-or-string":
        return "" if _is_integer(value) or isinstance(value, str) else f"must be an integer or text, was {shown(value)}"
    if "oneOf" in shape:  # Quantity alone, among the types that there are
        right = isinstance(value, str | int | float) and not isinstance(value, bool)
        right = right and _QUANTITY.fullmatch(str(value)) is not None
        return "" if right else f"must be an amount such as 250m, 1.5 or 64Mi, was {shown(value)}"
    if kind is None:
        return ""
    if kind == "integer" and _is_integer(value) and form in _INTEGERS:
        limit = _INTEGERS[form]
        return "" if -limit <= value < limit else f"must fit into {form[3:]} bits, was {shown(value)}"
    word, right_type = _PLAIN[kind]
    if not right_type(value):
        quoted = " (put it in quotes)" if kind == "string" and isinstance(value, bool | int | float) else ""
        return f"must be {word}, was {shown(value)}{quoted}"
    if known := shape.get("enum"):
        return "" if value in known else f"must be one of {', '.join(filter(None, known))}, was {shown(value)}"
    if form == "date-time" and not _DATE_TIME.fullmatch(value):
        return f"must be a moment such as 2026-11-25T14:00:00Z, was {shown(value)}"
    return ""


def _is_integer(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


_PLAIN: Mapping[str, tuple[str, Callable[[Any], bool]]] = {
    "string": ("text", lambda value: isinstance(value, str)),
    "boolean": ("true or false", lambda value: isinstance(value, bool)),
    "integer": ("an integer", _is_integer),
    "number": ("a number", lambda value: _is_integer(value) or isinstance(value, float)),
}


def _named(shape: Shape) -> Shape:
    return _definitions()[shape["$ref"]] if "$ref" in shape else shape


def _definitions() -> Mapping[str, Shape]:
    found: Mapping[str, Shape] = _read()["definitions"]
    return found


@cache
def _read() -> Mapping[str, Any]:
    found: Mapping[str, Any] = json.loads(_FILE.read_text(encoding="utf-8"))
    return found
