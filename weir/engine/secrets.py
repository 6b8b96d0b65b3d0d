"""Secrets of a stack file, which Pulumi alone can read and write: with the stack's passphrase, or a key elsewhere."""

from __future__ import annotations

from weir.engine.errors import EngineError
from weir.engine.said import words
from weir.engine.stack import Stack

NEEDED = "give this process what the stack's secrets need, such as PULUMI_CONFIG_PASSPHRASE_FILE"
"""What to do where Pulumi cannot decrypt."""


def revealed(stack: Stack, path: str) -> str:
    """The value of a secret, by its path as `pulumi config` takes it. Raises EngineError."""
    asked = stack.ask("config", "get", "--path", path, "--stack", stack.name)
    if asked.returncode:
        raise EngineError(f"{path} is a secret that Pulumi cannot decrypt here ({words(asked)}); {NEEDED}")
    return asked.stdout.removesuffix("\n")
