"""Partial Kubernetes objects drawn at random from what an API server itself publishes (OpenAPI v3), some with one
mistake in them.
"""

from __future__ import annotations

from collections.abc import Mapping
from random import Random
from typing import Any

Shape = Mapping[str, Any]

PATHS = {"apps/v1": "apis/apps/v1", "v1": "api/v1", "policy/v1": "apis/policy/v1"}
"""By apiVersion, where the API server describes it below /openapi/v3/."""

_METADATA = ("labels", "annotations")
"""What people write of the metadata of an object, or of pods."""
_NOT_MERGED = ("apiVersion", "kind", "status")
_OF_WEIR = "selector"
_TEXTS = ("a", "b-c", "http", "shop", "/tmp", "25%", "1")
_QUANTITIES: tuple[Any, ...] = ("10m", "1.5", "64Mi", 2, "1e3", "0")
_WRONG: tuple[Any, ...] = ("text", 5, True, 1.5, {"a": "b"}, ["a"], {}, [])


class Parts:
    """Draws parts of objects of these types. `types`: by name, as OpenAPI has them."""

    def __init__(self, types: Mapping[str, Shape], random: Random) -> None:
        self._types = types
        self._random = random
        self._mistake = False

    def draw(self, kind: str) -> dict[str, Any]:
        """A part of an object of this kind; every other one has a mistake of some kind."""
        random = self._random
        self._mistake = random.random() < 0.5
        shape = self._types[kind]
        fields = [name for name in shape["properties"] if name not in _NOT_MERGED]
        chosen = random.sample(fields, random.randint(1, len(fields)))
        drawn = {name: self._value(shape["properties"][name], 0) for name in chosen}
        # An object without a name is another matter.
        return {name: value for name, value in drawn.items() if name != "metadata" or value is not None}

    def _value(self, shape: Shape, depth: int) -> Any:
        random = self._random
        shape = self._named(shape)
        if self._mistake and random.random() < 0.03:
            self._mistake = False
            return random.choice(_WRONG)
        if random.random() < 0.02:
            return None
        if "properties" in shape:
            return self._object(shape, depth)
        kind, form = shape.get("type"), shape.get("format")
        if kind == "object":
            inner = shape.get("additionalProperties", {"type": "string"})
            return {random.choice(_TEXTS[:4]): self._value(inner, depth + 1) for _ in range(random.randint(0, 2))}
        if kind == "array":
            drawn = [self._value(shape["items"], depth + 1) for _ in range(random.choice((0, 1, 1, 2)))]
            # Kubernetes takes an empty item for one without fields; weir asks what was meant.
            return [item for item in drawn if item is not None]
        if form == "int-or-string":
            return random.choice((1, "25%", "http"))
        if "oneOf" in shape:
            return random.choice(_QUANTITIES)
        return self._plain(shape, str(kind), str(form))

    def _object(self, shape: Shape, depth: int) -> dict[str, Any]:
        random = self._random
        names = [name for name in shape["properties"] if name != _OF_WEIR]
        if "ownerReferences" in names:
            names = list(_METADATA)
        required = [name for name in shape.get("required", []) if name in names]
        wanted = set(random.sample(names, min(len(names), random.randint(0 if depth > 5 else 1, 2))))
        wanted |= {name for name in required if not (self._mistake and random.random() < 0.05)}
        drawn = {name: self._value(shape["properties"][name], depth + 1) for name in names if name in wanted}
        if self._mistake and random.random() < 0.05:
            self._mistake = False
            drawn[random.choice(("nosuch", names[0] + "x", names[-1].upper()))] = 1
        return drawn

    def _plain(self, shape: Shape, kind: str, form: str) -> Any:
        random = self._random
        if kind == "boolean":
            return random.random() < 0.5
        if kind == "integer":
            return random.choice((1, 2, 10, 80, 2**31 if form == "int32" and self._mistake else 3))
        if kind == "number":
            return random.choice((1, 1.5))
        if form == "date-time":
            return "2026-11-25T14:00:00Z"
        known = list(filter(None, shape.get("enum", ())))
        if known:
            return random.choice((*known, *(["Nosuch"] if self._mistake else [])))
        return random.choice(_TEXTS)

    def _named(self, shape: Shape) -> Shape:
        for choice in (shape, *shape.get("allOf", ())):
            if "$ref" in choice:
                return self._types[choice["$ref"].rpartition("/")[2]]
        return shape
