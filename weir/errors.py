"""The one error tree of weir: what went wrong, for the person at the terminal, and the exit code it ends the command
with.

The exit codes are a contract (docs: "Commands"): 0 done; 1 an operation failed; 2 bad config or usage; 3 measured
traffic is not what the config says, or an analysis said no; 130 interrupted.
"""

from __future__ import annotations

from typing import ClassVar


class WeirError(Exception):
    """An operation failed; the text says what happened and what to do. The command line prints
    it without a traceback.
    """

    exit_code: ClassVar[int] = 1


class UsageError(WeirError):
    """What the user gave cannot be worked with: a missing stack file, an option that does not fit, bad config."""

    exit_code = 2


class VerdictError(WeirError):
    """The command did its work and the answer is no: traffic is not what the config says, or an analysis failed."""

    exit_code = 3
