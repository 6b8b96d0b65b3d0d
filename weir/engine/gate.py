"""An update that is prepared ahead: all is done but to write its rules, which wait until they may be written
(docs/decisions/0039-a-step-is-prepared-ahead.md).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from threading import Event, Thread
from typing import TypeAlias

from weir.engine.warm.program import ProgramServer
from weir.errors import WeirError

Hold: TypeAlias = Callable[[Event], bool]
"""Returns once it is known whether rules may be written: whether they may, and not where the event is set before. May
raise WeirError: they may not.
"""


class Gate:
    """Of one update.

    `opened`: since when the rules may be written, by the monotonic clock; None before that. `closed`: they may not, as
    the hold has said.
    """

    def __init__(self, hold: Hold) -> None:
        """Nothing is asked yet."""
        self.opened: float | None = None
        self.closed = False
        self._hold, self._ended = hold, Event()

    def ask(self) -> bool:
        """Whether rules may be written, once that is known."""
        may = False
        with suppress(WeirError):  # whoever has begun the update looks again, and hears of it
            may = self._hold(self._ended)
        # Where the update has ended before, by itself or by Ctrl-C, that is what there is to say.
        self.closed = not may and not self._ended.is_set()
        self.opened = time.monotonic() if may else None
        return may

    @contextmanager
    def beside(self, program: ProgramServer) -> Iterator[None]:
        """Within the block, which runs the update, the program is told when it may write."""
        thread = Thread(target=self._tell, args=(program,), daemon=True)
        thread.start()
        try:
            yield
        finally:
            self.end()
            thread.join()

    def end(self) -> None:
        """What is not written yet is not to be written."""
        self._ended.set()

    def _tell(self, program: ProgramServer) -> None:
        may = False
        try:
            may = self.ask()
        finally:
            program.let(may)
