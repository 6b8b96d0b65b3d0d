"""What commands write, shown: passed on as it comes, and visible.

Not through a pipe: that breaks when this process is killed, and pulumi would die of it in the middle of an update.
What is written to a pseudo-terminal that nobody reads any more is lost, and no more than that.
"""

from __future__ import annotations

import codecs
import os
import termios
import threading
from contextlib import suppress

from weir.visible import visible

_REST_SECONDS = 2.0
_CHUNK = 65536


class Shown:
    """What is written to the descriptor `end` comes out at another one of this process. `end` is for one command,
    which is started with it.
    """

    said: str
    """What was kept back."""

    def __init__(self, descriptor: int, *, kept: bool = False) -> None:
        """`descriptor`: 1 or 2. `kept`: nothing comes out; `tell` brings all of it."""
        self._ours, self.end = _ends()
        self._descriptor, self._kept, self.said = descriptor, kept, ""
        # It writes past sys.stdout and sys.stderr, whose locks no thread may hold when Python ends.
        self._thread = threading.Thread(target=self._pass_on, daemon=True, name="weir-shows")

    def started(self) -> None:
        """The command has its end. From now on this ends with it, and with what it has handed the end to."""
        os.close(self.end)
        self._thread.start()

    def rest(self) -> None:
        """Return when all is shown that the command has written, which has ended."""
        self._thread.join(_REST_SECONDS)

    def tell(self) -> None:
        """Bring out what was kept back."""
        _write(self._descriptor, self.said)
        self.said = ""

    def _pass_on(self) -> None:
        # A byte that is no UTF-8 becomes a lone surrogate, and that an escape.
        text = codecs.getincrementaldecoder("utf-8")("surrogateescape")
        # At the end of a pseudo-terminal Linux has an error.
        with suppress(OSError):
            while chunk := os.read(self._ours, _CHUNK):
                self._take(text.decode(chunk))
        self._take(text.decode(b"", final=True))
        os.close(self._ours)

    def _take(self, text: str) -> None:
        if self._kept:
            self.said += text
        else:
            _write(self._descriptor, text)


def _ends() -> tuple[int, int]:
    """The end to read from, and the one to write to."""
    try:
        ours, theirs = os.openpty()
    except OSError:
        # A machine without them: rather an update that may break with this process than none.
        return os.pipe()
    # Line ends stay what they are.
    settings = termios.tcgetattr(theirs)
    settings[1] &= ~termios.OPOST
    termios.tcsetattr(theirs, termios.TCSANOW, settings)
    return ours, theirs


def _write(descriptor: int, text: str) -> None:
    data = visible(text).encode()
    # Where nobody reads here any more, it is read on there all the same: the command would wait for ever.
    with suppress(OSError):
        while data:
            data = data[os.write(descriptor, data) :]
