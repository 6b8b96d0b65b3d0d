"""Receivers are told, in order and again where they were busy; none of them is ever in the way, and no address is
shown.
"""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from weir.engine.errors import EngineError
from weir.rollout import notify
from weir.rollout.notify import Notifier, Receiver

PATH = "/services/T0/hunter2?token=hunter3"
EVENTS = ["begin", "step", "step", "hold", "abort"]


class Chat(ThreadingHTTPServer):
    """A receiver that answers with these codes, the last one for ever, and keeps what it was sent."""

    daemon_threads = True

    def __init__(self, *codes: int, seconds: float = 0.0, **headers: str) -> None:
        super().__init__(("127.0.0.1", 0), Answer)
        self.codes, self.seconds, self.headers = list(codes), seconds, headers
        self.got: list[tuple[str, str, Any]] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}{PATH}"


class Answer(BaseHTTPRequestHandler):
    server: Chat

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        chat = self.server
        chat.got.append((self.path, self.headers["Content-Type"], body))
        time.sleep(chat.seconds)
        self.send_response(chat.codes.pop(0) if len(chat.codes) > 1 else chat.codes[0])
        for name, value in chat.headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()

    def do_GET(self) -> None:
        self.server.got.append((self.path, "GET", None))
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_: Any) -> None: ...


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(notify, "PAUSES", (0.01, 0.02))
    monkeypatch.setattr(notify, "ANSWER_SECONDS", 0.5)
    monkeypatch.setattr(notify, "END_SECONDS", 5.0)


@pytest.fixture
def chats() -> Iterator[Any]:
    """Makes receivers that end with the test."""
    made: list[Chat] = []

    def chat(*codes: int, seconds: float = 0.0, **headers: str) -> Chat:
        made.append(Chat(*codes, seconds=seconds, **headers))
        threading.Thread(target=made[-1].serve_forever, args=(0.01,), daemon=True).start()
        return made[-1]

    yield chat
    for each in made:
        each.shutdown()
        each.server_close()


def receiver(url: str, *events: str, name: str = "weir:notify[0]") -> Receiver:
    return Receiver(name, lambda: url, events)


def told(*receivers: Receiver, events: list[str] = EVENTS) -> tuple[list[str], float]:
    """What is said at the end of a rollout with these events, and how many seconds telling them took."""
    notifier = Notifier(receivers)
    start = time.monotonic()
    for place, event in enumerate(events):
        notifier.tell(event, {"text": f"dev: ü {place}", "event": event})
    seconds = time.monotonic() - start
    left = notifier.end()
    assert not [line for line in left if "hunter" in line or "services" in line]
    return left, seconds


def test_each_event_is_posted_as_json_in_order(chats: Any) -> None:
    """To the whole address, as UTF-8."""
    chat = chats(200)
    assert told(receiver(chat.url))[0] == []
    assert [body["event"] for _, _, body in chat.got] == EVENTS
    assert chat.got[0] == (PATH, "application/json; charset=utf-8", {"text": "dev: ü 0", "event": "begin"})


def test_a_receiver_gets_the_events_that_it_is_told_of(chats: Any) -> None:
    """And no other; where none is named, all."""
    some, every = chats(200), chats(204)
    assert told(receiver(some.url, "abort", "hold"), receiver(every.url))[0] == []
    assert [body["event"] for _, _, body in some.got] == ["hold", "abort"]
    assert len(every.got) == len(EVENTS)


@pytest.mark.parametrize("busy", [500, 503, 429])
def test_a_receiver_that_is_busy_is_told_again_and_in_order(chats: Any, busy: int) -> None:
    """Twice it is; what comes after the message waits for it."""
    chat = chats(busy, busy, 200)
    assert told(receiver(chat.url), events=["begin", "abort"])[0] == []
    assert [body["event"] for _, _, body in chat.got] == ["begin", "begin", "begin", "abort"]


def test_a_receiver_is_left_alone_for_as_long_as_it_asks(chats: Any) -> None:
    """Retry-After, in seconds (RFC 9110, 10.2.3)."""
    chat, start = chats(429, 200, Retry_After="1"), time.monotonic()
    assert told(receiver(chat.url), events=["abort"])[0] == []
    assert time.monotonic() - start >= 1


def test_who_refuses_is_not_asked_again(chats: Any) -> None:
    """It would refuse again; the messages after that one are tried all the same."""
    chat = chats(404, 200)
    assert told(receiver(chat.url), events=["begin", "abort"])[0] == [
        "weir:notify[0] (127.0.0.1) was not told of begin: it answered 404"
    ]
    assert [body["event"] for _, _, body in chat.got] == ["begin", "abort"]


def test_no_redirect_is_followed(chats: Any) -> None:
    """Neither to another scheme nor to another place."""
    other = chats(200)
    for place in (other.url, "ftp://127.0.0.1/x", "file:///etc/passwd"):
        chat = chats(302, Location=place)
        [line] = told(receiver(chat.url), events=["abort"])[0]
        assert line == "weir:notify[0] (127.0.0.1) was not told of abort: it answered 302"
    assert other.got == []


def test_a_dead_receiver_is_said_in_one_line() -> None:
    """With its host, its events and the reason, once all tries are over; nobody has waited for it before."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        left, seconds = told(receiver(f"http://127.0.0.1:{taken.getsockname()[1]}{PATH}"))
    assert left == ["weir:notify[0] (127.0.0.1) was not told of begin, step, step, hold, abort: Connection refused"]
    assert seconds < 0.1


def test_a_receiver_that_hangs_holds_up_nobody(chats: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither the rollout nor another receiver, and its end for a bounded time."""
    monkeypatch.setattr(notify, "END_SECONDS", 1.0)
    hanging, other = chats(200, seconds=30), chats(200)
    start = time.monotonic()
    left, seconds = told(receiver(hanging.url), receiver(other.url, name="weir:notify[1]"))
    assert seconds < 0.1
    assert time.monotonic() - start < 3
    assert left == ["weir:notify[0] (127.0.0.1) was not told of begin, step, step, hold, abort: no answer within 0.5 s"]
    assert [body["event"] for _, _, body in other.got] == EVENTS


def test_an_address_that_nobody_can_decrypt_is_said_and_asked_for_once() -> None:
    """With what to do; no rollout fails of it."""
    asked: list[int] = []

    def url() -> str:
        asked.append(1)
        raise EngineError("weir:notify[0].url is a secret that Pulumi cannot decrypt here")

    left, _ = told(Receiver("weir:notify[0]", url), events=["begin", "abort"])
    assert left == [
        "weir:notify[0] was not told of begin, abort: weir:notify[0].url is a secret that Pulumi cannot decrypt here"
    ]
    assert asked == [1]


def test_a_rollout_without_events_starts_nothing() -> None:
    """No thread, and nothing is waited for."""
    before = threading.active_count()
    assert told(receiver("http://127.0.0.1:9/"), events=[])[0] == []
    assert threading.active_count() == before
