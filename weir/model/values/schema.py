"""How the types of single values describe themselves in the JSON Schema, and by their titles in the reference."""

from __future__ import annotations

from typing import Any

from pydantic import WithJsonSchema


def described(title: str, **schema: Any) -> WithJsonSchema:
    """The JSON Schema of a value whose parser says the rest; text that is not empty where nothing else is said."""
    return WithJsonSchema({"title": title, **(schema or {"type": "string", "minLength": 1})})
