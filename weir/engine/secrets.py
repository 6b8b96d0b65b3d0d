"""Secrets of a stack file, which Pulumi alone can read and write: with the stack's passphrase, or a key elsewhere."""

from __future__ import annotations

from pathlib import Path

from weir.engine.errors import EngineError
from weir.engine.said import words
from weir.engine.stack import Stack
from weir.stack import yaml_reader

_SCRATCH = "weir:sealed"

NEEDED = "give this process what the stack's secrets need, such as PULUMI_CONFIG_PASSPHRASE_FILE"
"""What to do where Pulumi cannot decrypt."""


def revealed(stack: Stack, path: str) -> str:
    """The value of a secret, by its path as `pulumi config` takes it. Raises EngineError."""
    asked = stack.ask("config", "get", "--path", path, "--stack", stack.name)
    if asked.returncode:
        raise EngineError(f"{path} is a secret that Pulumi cannot decrypt here ({words(asked)}); {NEEDED}")
    return asked.stdout.removesuffix("\n")


def sealed(stack: Stack, copy: Path, value: str) -> str:
    """What a value is encrypted to for the stack file. `copy`: one of that file, which has what the stack's secrets
    need, and in which Pulumi writes. Raises EngineError.
    """
    # One line break at the end is what Pulumi takes away of what it reads.
    asked = stack.ask(
        "config", "set", "--secret", _SCRATCH, "--config-file", str(copy), "--stack", stack.name, given=f"{value}\n"
    )
    if asked.returncode:
        raise EngineError(f"Pulumi cannot encrypt a secret here ({words(asked)}); {NEEDED}")
    found: str = yaml_reader.load(copy.read_text(encoding="utf-8"))["config"][_SCRATCH]["secure"]
    return found
