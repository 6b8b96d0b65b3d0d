"""Kubernetes' strategic merge: a partial object laid over a whole one, lists by their merge keys.

Source: https://kubernetes.io/docs/tasks/manage-kubernetes-objects/update-api-object-kubectl-patch/; kubectl itself
judges it in a test. Of the directives `$patch: delete` and `$patch: replace` are known.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from weir.model.values.kubernetes_api import DIRECTIVE, Shape, fields, merge_key, resolved


def merged(target: Mapping[str, Any], patch: Mapping[str, Any], shape: Shape) -> dict[str, Any]:
    """The object with the patch laid over it. `shape`: its type, which has found nothing wrong with the patch."""
    return _mapping(target, patch, resolved(shape))


def _mapping(target: Mapping[str, Any], patch: Mapping[str, Any], shape: Shape) -> dict[str, Any]:
    directive = patch.get(DIRECTIVE)
    rest = {key: value for key, value in patch.items() if key != DIRECTIVE}
    if directive == "delete":
        return {}
    result = {} if directive == "replace" else dict(target)
    known = fields(shape)
    for key, value in rest.items():
        inner = resolved((known or {}).get(key) or shape.get("additionalProperties") or {})
        if value is None:
            result.pop(key, None)
        elif isinstance(value, Mapping):
            there = None if inner.get("x-kubernetes-patch-strategy") == "replace" else result.get(key)
            result[key] = _mapping(there if isinstance(there, Mapping) else {}, value, inner)
        elif isinstance(value, list):
            result[key] = _list(result.get(key) or [], value, inner)
        else:
            result[key] = value
    return result


def _list(target: list[Any], patch: list[Any], shape: Shape) -> list[Any]:
    key = merge_key(shape)
    if key is None:
        if shape.get("x-kubernetes-patch-strategy") == "merge":
            return [*target, *(item for item in patch if item not in target)]
        return [_whole(item) for item in patch]
    item_shape = resolved(shape["items"])
    result = list(target)
    if {DIRECTIVE: "replace"} in patch:
        result = []
    for item in patch:
        if item == {DIRECTIVE: "replace"}:
            continue
        index = next((index for index, there in enumerate(result) if there.get(key) == item.get(key)), None)
        if item.get(DIRECTIVE) == "delete":
            result = [there for there in result if there.get(key) != item.get(key)]
        elif index is None:
            result.append(_mapping({}, item, item_shape))
        else:
            result[index] = _mapping(result[index], item, item_shape)
    return result


def _whole(item: Any) -> Any:
    """An item of a list that replaces another: nothing is merged, and what is null in it is not there."""
    if isinstance(item, Mapping):
        return {key: _whole(value) for key, value in item.items() if value is not None}
    return [_whole(each) for each in item] if isinstance(item, list) else item
