"""What goes wrong with Pulumi: each error says what happened and what to do."""

from __future__ import annotations

from weir.errors import WeirError


class EngineError(WeirError):
    """Pulumi could not do what was asked; the text has its own words."""


class RefusedError(EngineError):
    """The preview before an update failed: nothing was changed."""


class InterruptedPreviewError(RefusedError):
    """Ctrl-C ended the preview before an update: nothing was changed. Exit code 130."""

    exit_code = 130


class HeldBackError(EngineError):
    """What was prepared is not wanted any more: no rule was written."""

    def __init__(self, text: str = "what was prepared is not wanted any more") -> None:
        """The text may say what follows from it."""
        super().__init__(text)


class NoStackError(RefusedError):
    """The stack was never initialised in this backend."""


class InterruptedUpdateError(EngineError):
    """Ctrl-C ended an update. Exit code 130."""

    exit_code = 130
