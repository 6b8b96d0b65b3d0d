"""Receivers of a real rollout: an address that Pulumi has encrypted, and what comes there."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from tests.live.harness import Project, stack_like_dev, until

STACK = "notified"


class Chat(ThreadingHTTPServer):
    """Keeps what it is sent."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Answer)
        self.got: list[tuple[str, dict[str, Any]]] = []


class _Answer(BaseHTTPRequestHandler):
    server: Chat

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.got.append((self.path, body))
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_: Any) -> None: ...


@pytest.fixture
def chat() -> Iterator[Chat]:
    with Chat() as made:
        threading.Thread(target=made.serve_forever, daemon=True).start()
        yield made
        made.shutdown()


@pytest.fixture(scope="module")
def stack(lab: Project) -> Iterator[Path]:
    """A stack of its own, up."""
    with stack_like_dev(lab, STACK) as file:
        # Nobody sends requests: a step ends undecided, and the next begins.
        settings = "      rollout: {steps: [10, 50], pause: 1s, analysis: {patience: 2s, undecided: promote}}\n"
        file.write_text(file.read_text().replace("      canary: {v2: 20}", f"{settings}      canary: {{v2: 0}}"))
        lab.run(f"pulumi up --yes --skip-preview --stack {STACK}")
        yield file


def test_a_rollout_tells_an_encrypted_address(lab: Project, stack: Path, chat: Chat) -> None:
    """Of its begin, each step, and its end, by whichever process ends it; the address is shown nowhere."""
    url = f"http://127.0.0.1:{chat.server_port}/hunter2"
    lab.run(f"pulumi config set --secret --path 'weir:notify[0].url' {url} --stack {STACK}")
    assert "hunter2" not in stack.read_text()
    done = lab.run(f"weir rollout backend v2 --yes --stack {STACK}")
    assert "hunter2" not in done.stdout + done.stderr
    assert [(path, body["event"], body["share"]) for path, body in chat.got] == [
        ("/hunter2", "begin", 0), ("/hunter2", "step", 10), ("/hunter2", "step", 50), ("/hunter2", "promotion", 100),
    ]  # fmt: skip
    assert {(body["stack"], body["namespace"], body["service"]) for _, body in chat.got} == {(STACK, STACK, "backend")}
    chat.got.clear()
    begun = threading.Thread(
        target=lab.run, args=(f"weir rollout backend v1 --pause 5m --yes --stack {STACK}",), kwargs={"check": False}
    )
    begun.start()
    until(lambda: [body["event"] for _, body in chat.got] == ["begin", "step"], 60, "the first step is told")
    lab.run(f"weir abort backend --yes --stack {STACK}")
    begun.join(60)
    assert [body["event"] for _, body in chat.got] == ["begin", "step", "abort"]
    assert chat.got[-1][1]["why"] == "weir abort backend"
