"""Previews and updates: Pulumi, driven."""

from weir.engine.stack import EngineError, InterruptedUpdateError, Stack

__all__ = ["EngineError", "InterruptedUpdateError", "Stack"]
