"""Previews and updates: Pulumi, driven."""

from weir.engine.stack import EngineError, Stack

__all__ = ["EngineError", "Stack"]
