"""Previews and updates: Pulumi, driven."""

from weir.engine.stack import EngineError, InterruptedUpdateError, RefusedError, Stack

__all__ = ["EngineError", "InterruptedUpdateError", "RefusedError", "Stack"]
