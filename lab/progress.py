"""Lines of progress: what runs, how long it has run, what remains. Nothing that takes over two seconds is silent.

On a terminal the running tasks stand in one live line below the finished ones; elsewhere (a log, CI) every task gets
a line when it starts, one when it ends, and one every 30 s in between.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.text import Text

_HEARTBEAT_SECONDS = 30.0
_SHORT_SECONDS = 2.0


class Progress:
    """Reports tasks of any number of threads on standard error."""

    def __init__(self, console: Console | None = None, remaining: Callable[[], str] | None = None) -> None:
        self.console = console or Console(stderr=True, highlight=False, soft_wrap=True)
        self.remaining = remaining
        self._running: dict[str, tuple[str, float]] = {}
        self._lock = threading.Lock()
        self._ticker: threading.Thread | None = None
        self._stop = threading.Event()
        self._status = self.console.status("") if self.console.is_terminal else None

    def line(self, text: str) -> None:
        """Print one line, at once."""
        self.console.print(Text(text))

    @contextmanager
    def task(self, name: str, doing: str) -> Iterator[None]:
        """Show ``doing`` while the block runs; the closing line gives the seconds it took."""
        started = time.monotonic()
        with self._lock:
            self._running[name] = (doing, started)
            if self._ticker is None:
                self._stop.clear()
                self._ticker = threading.Thread(target=self._tick, args=(self._stop,), daemon=True)
                self._ticker.start()
        if self._status is None:
            self.line(f"  .. {doing}{self._suffix()}")
        try:
            yield
        except BaseException:
            self._finish(name)
            self.line(f"  !! {doing}: stopped after {time.monotonic() - started:.1f} s")
            raise
        self._finish(name)
        self.line(f"  ok {doing} ({_seconds(time.monotonic() - started)}){self._suffix()}")

    def _finish(self, name: str) -> None:
        with self._lock:
            self._running.pop(name, None)
            if not self._running and self._ticker is not None:
                self._stop.set()
                self._ticker = None
                self._stop = threading.Event()
                if self._status is not None:
                    self._status.stop()

    def _suffix(self) -> str:
        text = self.remaining() if self.remaining else ""
        return f" · {text}" if text else ""

    def _tick(self, stop: threading.Event) -> None:
        spoken = time.monotonic()
        while not stop.wait(0.5):
            now = time.monotonic()
            with self._lock:
                if stop.is_set():
                    return
                running = [(doing, now - since) for doing, since in self._running.values()]
                if self._status is not None:
                    self._status.update(
                        Text(", ".join(f"{doing} {_seconds(age)}" for doing, age in running) + self._suffix())
                    )
                    self._status.start()
            if self._status is None and now - spoken >= _HEARTBEAT_SECONDS:
                spoken = now
                for doing, age in running:
                    if age > _SHORT_SECONDS:
                        self.line(f"  .. {doing}: {_seconds(age)} so far{self._suffix()}")


def _seconds(value: float) -> str:
    return f"{value:.1f} s" if value < 60 else f"{int(value // 60)} min {int(value % 60)} s"
