"""The config as Pulumi hands it to the program, with the secrets in it kept."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pulumi
from pulumi.runtime.config import CONFIG, is_config_secret

from weir.model import ConfigError, StackConfig, load
from weir.model.validation.load import decoded
from weir.program_environment import STACK_FILE, variable
from weir.secret import Secret, withheld

_PREFIX = "weir:"


def handed_over() -> StackConfig:
    """The checked config of this run. Raises RunError with all that is wrong with it, and with no secret.

    pulumi.Config can only be asked for keys one knows, and a key nobody knows must be refused.
    """
    raw: dict[str, Any] = {
        key.removeprefix(_PREFIX): value for key, value in CONFIG.get().items() if key.startswith(_PREFIX)
    }
    hiding = [key for key in raw if is_config_secret(f"{_PREFIX}{key}")]
    file = Path(variable(STACK_FILE) or f"Pulumi.{pulumi.get_stack()}.yaml")
    try:
        if hiding:
            written = _written(file)
            raw |= {key: _withheld(key, raw[key], written.get(key)) for key in hiding}
        return load(raw)
    except ConfigError as error:
        keys = ", ".join(f"{_PREFIX}{key}" for key in hiding)
        told = (
            f"\n{keys}: values that {file} does not have in plain text count as secrets; to read another stack file, "
            f"set {STACK_FILE}"
        )
        raise pulumi.RunError(f"{error}{told if hiding else ''}") from None


def _written(file: Path) -> Mapping[str, Any]:
    """The config of the stack file; nothing where it cannot be read, so that everything is taken for a secret."""
    # Not above: most stacks have no secret, and what reads YAML is not needed for anything else here.
    from weir.stack import stackfile

    try:
        return stackfile.read(file).config
    except stackfile.StackFileError:
        return {}


def _withheld(key: str, handed: str, written: Any) -> Any:
    """The value of a key that has secrets. Mappings arrive as JSON text; all else has no inside, so that it is the
    secret itself.
    """
    value = decoded(key, handed)
    if isinstance(value, str) or isinstance(written, Secret):
        return Secret(handed)
    return withheld(value, decoded(key, written))
