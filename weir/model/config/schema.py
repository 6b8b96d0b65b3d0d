"""The JSON Schema of a stack file, for editors and for whoever checks files without weir."""

from __future__ import annotations

from typing import Any

from weir.model.config.base import DETAILS
from weir.model.config.environment import SHAPES
from weir.model.config.stack import StackConfig

REQUIRED = {"StackConfig": ["namespace"], "Service": ["versions", "stable"]}
"""What the rules between fields demand; their messages say more than that something is missing, so the types have
defaults.
"""


def definitions() -> dict[str, Any]:
    """The JSON Schema of the config as pydantic gives it, with the details of every key under
    `weir.model.config.base.DETAILS`.
    """
    return StackConfig.model_json_schema(by_alias=True, ref_template="#/$defs/{model}")


def schema() -> dict[str, Any]:
    """The JSON Schema (2020-12) of a whole stack file. Config of other namespaces than `weir` is left alone."""
    whole = definitions()
    parts: dict[str, Any] = whole.pop("$defs")
    for name, part in {"StackConfig": whole, **parts}.items():
        _tidy(part, REQUIRED.get(name, part.get("required", [])))
    parts["Service"]["properties"]["versions"]["additionalProperties"] = {
        "anyOf": [{"$ref": "#/$defs/Version"}, _NOTHING]
    }
    for name in ("Service", "Version"):
        env = next(choice for choice in parts[name]["properties"]["env"]["anyOf"] if "additionalProperties" in choice)
        env["additionalProperties"] = {"anyOf": [*SHAPES, {"$ref": "#/$defs/Variable"}]}
    steps = next(choice for choice in parts["Rollout"]["properties"]["steps"]["anyOf"] if "items" in choice)
    steps["items"] = {"anyOf": [{"type": "number", "exclusiveMinimum": 0, "maximum": 100}, steps["items"]]}
    prefixed = {f"weir:{name}": value for name, value in whole["properties"].items()}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "A stack file of weir",
        "type": "object",
        "required": ["config"],
        "properties": {
            "config": {
                "type": "object",
                "description": whole["description"],
                "properties": prefixed,
                "required": [f"weir:{name}" for name in whole["required"]],
                "propertyNames": {"anyOf": [{"enum": list(prefixed)}, {"not": {"pattern": "^weir:"}}]},
            }
        },
        "$defs": parts,
    }


def unwrapped(text: str) -> str:
    """A text with each paragraph on a line of its own, which editors and generators of SDKs wrap as they need it."""
    return "\n\n".join(" ".join(paragraph.split()) for paragraph in text.split("\n\n"))


_NOTHING = {"type": "null"}


def _tidy(part: dict[str, Any], required: list[str]) -> None:
    """Leave out what is for the reference alone, and allow for every key that may be left out that it is left empty."""
    if required:
        part["required"] = required
    part["description"] = unwrapped(part["description"])
    for name, value in part.get("properties", {}).items():
        value.pop(DETAILS, None)
        # pydantic's own titles are the names over again.
        if value.get("title", "").replace(" ", "").lower() == name.lower():
            del value["title"]
        if name in required:
            continue
        if "anyOf" in value:
            value["anyOf"] = [*(choice for choice in value["anyOf"] if choice != _NOTHING), _NOTHING]
        elif "type" in value or "enum" in value or "$ref" in value:
            kept = {
                key: value.pop(key) for key in list(value) if key not in ("description", "examples", "default", "title")
            }
            value["anyOf"] = [kept, _NOTHING]
        if value.get("default", ...) is None:
            del value["default"]
