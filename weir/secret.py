"""Values that nobody is shown: where they stand in a stack file, and in what Pulumi hands to a program.

A stack file has them encrypted (`secure: …`). Of a key with a secret anywhere inside, Pulumi hands a program the whole
value decrypted, and says no more than that this key has secrets: which of its texts they are, only the file tells.
"""

from __future__ import annotations

from typing import Any

SHOWN = "[secret]"
"""What stands for a secret wherever people look, as Pulumi has it."""


class Secret:
    """A value that shows as `[secret]`. `text`: itself in a program, what it was encrypted to elsewhere; `sealed`: the
    latter in both, empty where unknown.

    No dataclass, which others take apart: neither JSON nor pydantic writes it, and whoever tries fails.
    """

    __slots__ = ("sealed", "text")

    def __init__(self, text: str, sealed: str = "") -> None:
        self.text, self.sealed = text, sealed

    def __repr__(self) -> str:
        return SHOWN

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and self.text == other.text

    def __hash__(self) -> int:
        return hash(self.text)


def opaque(value: Any) -> Any:
    """A value of a stack file with a Secret in the place of each `secure: …`; that is one where Pulumi takes it for
    one.
    """
    if isinstance(value, dict):
        if value.keys() == {"secure"} and isinstance(value["secure"], str):
            return Secret(value["secure"], value["secure"])
        return {key: opaque(inner) for key, inner in value.items()}
    return [opaque(inner) for inner in value] if isinstance(value, list) else value


def withheld(handed: Any, written: Any) -> Any:
    """A decrypted value with every text a Secret that `written`, the same value of the stack file, does not have in
    the clear there.

    So a file that is another one than Pulumi read makes too much a secret, and never too little. What is no text was
    never encrypted.
    """
    if isinstance(handed, dict):
        return {
            key: withheld(inner, written.get(key) if isinstance(written, dict) else None)
            for key, inner in handed.items()
        }
    if isinstance(handed, list):
        beside = written if isinstance(written, list) else []
        return [withheld(inner, beside[index] if index < len(beside) else None) for index, inner in enumerate(handed)]
    if not isinstance(handed, str) or handed == written:
        return handed
    return Secret(handed, written.sealed if isinstance(written, Secret) else "")
