"""Receivers are told how a rollout goes: JSON by POST, in the background, and never in its way.

Each receiver has a queue and a thread of its own, so that one that hangs holds up nobody, and each gets its messages in
their order. An address of a chat system is a secret: whoever knows it may write there. Of one, only the host is told.
"""

from __future__ import annotations

import json
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from http.client import HTTPException
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit
from urllib.request import HTTPRedirectHandler, Request, build_opener

from weir.errors import WeirError

ANSWER_SECONDS = 5.0
"""How long a receiver may be silent."""

PAUSES = (1.0, 2.0, 4.0, 8.0)
"""Seconds between one try and the next: five tries."""

END_SECONDS = 10.0
"""How long a process that is done waits for what is not delivered yet."""

_MOST_SECONDS = 30.0
_TOO_MANY, _OF_THE_SERVER = 429, 500


@dataclass(frozen=True, slots=True)
class Receiver:
    """Who is told.

    `name`: what messages call it. `url`: its address, found when it is first needed; raises WeirError or ValueError.
    `events`: what it is told of; empty: of all.
    """

    name: str
    url: Callable[[], str]
    events: Sequence[str] = ()


class Notifier:
    """Tells receivers. `tell` returns at once; `end` waits, for a bounded time."""

    def __init__(self, receivers: Sequence[Receiver]) -> None:
        self._posts = [_Post(receiver) for receiver in receivers]

    def tell(self, event: str, message: Mapping[str, Any]) -> None:
        """Send the message to whoever is told of such an event."""
        for post in self._posts:
            if not post.receiver.events or event in post.receiver.events:
                post.put(event, json.dumps(message, ensure_ascii=False).encode())

    def end(self) -> list[str]:
        """Wait for what is under way. A line for each receiver that was not told of all: what, and why."""
        end = time.monotonic() + END_SECONDS
        for post in self._posts:
            post.close()
        return [line for post in self._posts if (line := post.left(end))]


class _Post:
    """What one receiver gets."""

    def __init__(self, receiver: Receiver) -> None:
        self.receiver = receiver
        self._host = self._url = self._why = ""
        self._waiting: deque[tuple[str, bytes]] = deque()
        self._lost: list[str] = []
        self._changed = threading.Condition()
        self._closed = False
        self._thread: threading.Thread | None = None

    def put(self, event: str, body: bytes) -> None:
        with self._changed:
            self._waiting.append((event, body))
            self._changed.notify()
        if self._thread is None:
            # Nobody waits for it beyond the end: the process may leave it behind.
            self._thread = threading.Thread(target=self._send_all, name=f"notify {self.receiver.name}", daemon=True)
            self._thread.start()

    def close(self) -> None:
        with self._changed:
            self._closed = True
            self._changed.notify()

    def left(self, end: float) -> str:
        """What was not delivered by then, and why; empty where nothing is left."""
        if self._thread is not None:
            self._thread.join(max(0.0, end - time.monotonic()))
        with self._changed:
            lost = [*self._lost, *(event for event, _ in self._waiting)]
            why = self._why or f"no answer within {END_SECONDS:g} s"
        host = f" ({self._host})" if self._host else ""
        return f"{self.receiver.name}{host} was not told of {', '.join(lost)}: {why}" if lost else ""

    def _send_all(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._waiting or self._closed)
                if not self._waiting:
                    return
                event, body = self._waiting[0]
            delivered = self._delivered(body)
            with self._changed:
                self._waiting.popleft()
                if not delivered:
                    self._lost.append(event)

    def _delivered(self, body: bytes) -> bool:
        """Send one message, and again where the receiver may only be busy or away. `_why`: what went wrong last."""
        for pause in (*PAUSES, None):
            try:
                self._send(body)
            except _NotTakenError as error:
                self._why = str(error)
                if pause is None or error.again is None:
                    return False
                time.sleep(max(pause, min(error.again, _MOST_SECONDS)))
            else:
                return True
        return False

    def _send(self, body: bytes) -> None:
        """One try. Raises _NotTakenError."""
        headers = {"Content-Type": "application/json; charset=utf-8", "User-Agent": "weir"}
        try:
            _open(Request(self._address(), body, headers, method="POST"), timeout=ANSWER_SECONDS).close()
        except HTTPError as error:
            error.close()
            busy = error.code == _TOO_MANY or error.code >= _OF_THE_SERVER
            raise _NotTakenError(f"it answered {error.code}", _seconds(error) if busy else None) from None
        except (OSError, HTTPException) as error:
            raise _NotTakenError(_in_words(error), 0.0) from None

    def _address(self) -> str:
        """Its address, asked for once. Raises _NotTakenError."""
        if not self._url:
            if self._why:
                raise _NotTakenError(self._why)
            try:
                self._url = self.receiver.url()
            except (WeirError, ValueError) as error:
                raise _NotTakenError(str(error)) from None
            self._host = urlsplit(self._url).hostname or ""
        return self._url


class _NotTakenError(Exception):
    """A message that was not delivered, in words. `again`: after how many seconds it may be; None: never."""

    def __init__(self, why: str, again: float | None = None) -> None:
        super().__init__(why)
        self.again = again


class _Nowhere(HTTPRedirectHandler):
    """Follows no redirect: what is posted is for the address that the config has, and a GET elsewhere tells nobody."""

    def redirect_request(self, *_: Any) -> None:
        """None: the answer is an error."""


_open = build_opener(_Nowhere).open


def _seconds(error: HTTPError) -> float:
    """How long it asks to be left alone (RFC 9110, Retry-After); 0 where it says nothing, or a date."""
    asked = error.headers.get("Retry-After", "")
    return float(asked) if asked.isascii() and asked.isdigit() else 0.0


def _in_words(error: OSError | HTTPException) -> str:
    """What went wrong, without what only the address has: the texts of some of these errors quote its path."""
    cause = error.reason if isinstance(error, URLError) and isinstance(error.reason, OSError) else error
    if isinstance(cause, TimeoutError):
        return f"no answer within {ANSWER_SECONDS:g} s"
    return (cause.strerror if isinstance(cause, OSError) else None) or type(cause).__name__
