"""The schema of the component package, from which Pulumi makes typed SDKs in every language: made from the model, as
the stack config's is.

Source: https://www.pulumi.com/docs/iac/guides/building-extending/packages/schema/.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from weir.model.component_arguments import (
    CLUSTER,
    VERSION,
    WORKLOAD,
    Argument,
    arguments,
    choices,
    constants,
    named,
    reached,
    shapes,
    values,
)
from weir.model.config.schema import unwrapped

PACKAGE, MODULE = "weir", "mesh"
_INSIDE = (CLUSTER, VERSION)
"""What stands inside the arguments of a component, and is none itself."""
_ANY = {"$ref": "pulumi.json#/Any"}
_TEXT = {"type": "string"}
OUTPUTS: Mapping[str, Mapping[str, Any]] = {
    "MeshService": {
        "host": {**_TEXT, "description": "its full name, once proxies have acknowledged all that was changed of it"},
        "weights": {
            "type": "object",
            "additionalProperties": {"type": "number"},
            "description": "percent of the requests by version, on the default route",
        },
    },
}
"""What a component hands out, by its name."""


def token(name: str) -> str:
    """The type of a component or of a mapping, as Pulumi writes it."""
    return f"{PACKAGE}:{MODULE}:{name}"


def package_schema(version: str) -> dict[str, Any]:
    """The schema of the package in this version, which is a semantic version."""
    found = shapes()
    made = arguments(found)
    inside = reached(found, (key.shape for each in made for key in each.keys))
    types = {token(each.name): _object(each.says, each.keys) for each in made if each.name in _INSIDE}
    for name in inside:
        shape = found[name]
        required = shape.get("required", [])
        keys = [Argument(key=key, shape=value, required=key in required) for key, value in shape["properties"].items()]
        types[token(name)] = _object(shape["description"], keys)
    return {
        "name": PACKAGE,
        "version": version,
        "description": "Steers traffic between the versions of a service on Istio.",
        "language": {
            "go": {"respectSchemaVersion": True},
            "nodejs": {"respectSchemaVersion": True},
            "python": {"respectSchemaVersion": True, "pyproject": {"enabled": True}},
        },
        "types": types,
        "resources": {
            token(each.name): {
                "isComponent": True,
                "description": unwrapped(each.says),
                "inputProperties": _properties(each.keys),
                "requiredInputs": [key.key for key in each.keys if key.required],
                "properties": OUTPUTS.get(each.name, {}),
                "required": list(OUTPUTS.get(each.name, {})),
            }
            for each in made
            if each.name not in _INSIDE
        },
    }


def _object(says: str, keys: Iterable[Argument]) -> dict[str, Any]:
    keys = list(keys)
    return {
        "type": "object",
        "description": unwrapped(says),
        "properties": _properties(keys),
        "required": [key.key for key in keys if key.required],
    }


def _properties(keys: Iterable[Argument]) -> dict[str, Any]:
    return {key.key: {**_type(key.shape, plain=not key.late), "description": key.shape["description"]} for key in keys}


def _type(shape: Mapping[str, Any], *, plain: bool) -> dict[str, Any]:
    """The type of a value; a plain one is known before the program runs."""
    mark = {"plain": True} if plain else {}
    if "$ref" in shape:
        name = named(shape)
        if name == WORKLOAD:
            return dict(_ANY)
        reference = {"$ref": f"#/types/{token(name)}", **mark}
        # The value itself, in the place of a mapping with it.
        return {"oneOf": [{**_TEXT, **mark}, reference], **mark} if name == "Variable" else reference
    if "anyOf" in shape:
        kinds: list[dict[str, Any]] = []
        for choice in choices(shape):
            kind = _type(choice, plain=plain)
            kinds += [] if kind in kinds else [kind]
        return kinds[0] if len(kinds) == 1 else {"oneOf": kinds, **mark}
    if known := constants(shape):
        return {"type": "boolean" if True in known else "string", **mark}
    match shape.get("type"):
        case "array":
            return {"type": "array", "items": _type(shape["items"], plain=plain), **mark}
        case "object":
            inner = values(shape)
            return {"type": "object", "additionalProperties": _type(inner, plain=plain) if inner else _ANY, **mark}
        case "integer" | "number" | "boolean" as kind:
            return {"type": kind, **mark}
        case "string" | ["string", *_]:
            return {**_TEXT, **mark}
    return dict(_ANY)
