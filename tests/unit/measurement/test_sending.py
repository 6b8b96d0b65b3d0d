"""Sending through curl: what it is told, what it prints, and a real curl against a real server."""

from __future__ import annotations

import http.server
import shutil
import threading
import time
from collections import Counter
from collections.abc import Iterator

import pytest

from weir.cluster.kubectl import Kubectl
from weir.measurement.caller import Caller
from weir.measurement.errors import MeasurementError
from weir.measurement.sending import MAX_PARALLEL, Answer, Sending, parse_line, parse_sample, sample, send, summary

from .fake_cluster import FakeCluster


class Server(http.server.ThreadingHTTPServer):
    """A server that writes down what it was asked, and answers after `pause` seconds."""

    daemon_threads = True
    request_queue_size = 256

    def __init__(self) -> None:
        """Listen on a free port of localhost."""
        super().__init__(("127.0.0.1", 0), Handler)
        self.seen: Counter[str] = Counter()
        self.pause = 0.0
        self.status = 200

    @property
    def url(self) -> str:
        """The address to send to."""
        return f"http://127.0.0.1:{self.server_port}/"

    def handle_error(self, *_: object) -> None:
        """A client that went away, as the one that times out does, is no news."""


class Handler(http.server.BaseHTTPRequestHandler):
    """Answers every GET alike."""

    protocol_version = "HTTP/1.1"
    server: Server

    def do_GET(self) -> None:
        """Answer with two lines."""
        self.server.seen[self.path] += 1
        time.sleep(self.server.pause)
        self.send_response(self.server.status)
        self.send_header("Content-Length", "9")
        self.end_headers()
        self.wfile.write(b"Hello\nyou")

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def server() -> Iterator[Server]:
    """A running server."""
    with Server() as running:
        thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield running
        running.shutdown()
        thread.join()


@pytest.fixture
def local(cluster: FakeCluster) -> Caller:
    """A caller whose pod is this machine: its kubectl runs what stands after `--`."""
    curl = shutil.which("curl", path="/usr/local/bin:/usr/bin:/bin")
    if curl is None:
        pytest.skip("no curl on this machine; the live tests run one in the lab")
    cluster.kubectl.write_text(f'#!/bin/sh\nwhile [ "$1" != "--" ]; do shift; done\nshift 2\nexec {curl} "$@"\n')
    return Caller(Kubectl(str(cluster.kubectl), "demo"), "frontend", "frontend-1", "frontend")


def test_one_curl_sends_many_equal_requests(local: Caller, server: Server) -> None:
    """curl expands the fragment into requests and keeps it to itself: the server sees one path, as often as asked."""
    told: list[int] = []
    answers = send(local, Sending(server.url, 1050, parallel=20), told.append)
    assert server.seen == {"/": 1050}
    assert summary(answers) == {"200": 1050}
    assert told == [1000, 50]


def test_requests_fly_side_by_side(local: Caller, server: Server) -> None:
    """Twenty requests of 0.3 s each take less than ten of them in a row would, and each knows its own time."""
    server.pause = 0.3
    start = time.monotonic()
    answers = send(local, Sending(server.url, 20, parallel=20))
    assert time.monotonic() - start < 3.0
    assert all(answer.seconds >= 0.3 for answer in answers)


def test_refused_connections_and_time_outs_are_answers_and_not_errors_of_http(local: Caller, server: Server) -> None:
    """A closed port and a server that is too slow are told by curl's exit code, with status 0; a 503 is a status."""
    refused = send(local, Sending("http://127.0.0.1:1/", 3))
    assert summary(refused) == {"connection refused (curl 7)": 3}
    assert {answer.status for answer in refused} == {0}
    server.pause = 0.6
    assert summary(send(local, Sending(server.url, 2, max_time=0.2))) == {"timed out (curl 28)": 2}
    server.pause, server.status = 0.0, 503
    assert summary(send(local, Sending(server.url, 2))) == {"503": 2}


def test_samples_come_with_their_bodies(local: Caller, server: Server) -> None:
    """The text of each answer is kept apart from the next, newlines and all."""
    answers = sample(local, Sending(server.url, 3))
    assert [(answer.status, answer.body) for answer in answers] == [(200, "Hello\nyou")] * 3


def test_a_command_bounds_time_and_number() -> None:
    """Every run of curl carries its limits, and its time-out covers the worst case."""
    sending = Sending("http://backend/", 500, parallel=200, max_time=5.0)
    command = sending.command(500)
    assert command[command.index("--max-time") + 1] == "5"
    assert command[command.index("--parallel-max") + 1] == "200"
    assert command[-1] == "http://backend/#[1-500]"
    assert sending.timeout(500) == 3 * 5.0 + 15.0


@pytest.mark.parametrize("requests", [1, 299, 1000, 1001, 12_345])
@pytest.mark.parametrize("parallel", [1, 20, 300])
def test_batches_add_up_and_stay_small(requests: int, parallel: int) -> None:
    """No run has more than a thousand requests, and none is lost or doubled."""
    batches = Sending("http://backend/", requests, parallel).batches()
    assert sum(batches) == requests
    assert all(0 < size <= 1000 for size in batches)


@pytest.mark.parametrize(
    "change",
    [
        {"requests": 0},
        {"parallel": 0},
        {"parallel": MAX_PARALLEL + 1},
        {"max_time": 0.0},
        {"url": "http://x/{a,b}"},
        {"url": "http://x/#y"},
    ],
)
def test_what_curl_would_misread_is_refused(change: dict[str, object]) -> None:
    """Numbers out of range and URLs that curl would expand raise ValueError."""
    with pytest.raises(ValueError, match=r"must be|can be in flight"):
        Sending(**{"url": "http://backend/", "requests": 1, **change})  # type: ignore[arg-type]


def test_lines_of_curl_are_parsed_and_others_passed_over() -> None:
    """A line is status, seconds, exit code and words; anything else is none."""
    assert parse_line("200 0.004570 0 ") == Answer(200, 0.00457)
    assert parse_line("000 15.001 28 Operation timed out after 15001 milliseconds") == Answer(
        0, 15.001, 28, "Operation timed out after 15001 milliseconds"
    )
    assert parse_line("Defaulted container frontend out of: frontend, istio-proxy") is None
    assert parse_line("") is None


def test_a_body_that_looks_like_curls_line_stays_a_body() -> None:
    """Only lines with the run's own mark end a body."""
    text = "200 0.1 0 \nbody\nmark 200 0.2 0 \n\nmark 404 0.3 0 \n"
    assert [(answer.status, answer.body) for answer in parse_sample(text, "mark")] == [
        (200, "200 0.1 0 \nbody"),
        (404, ""),
    ]


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ("curl: option --parallel: is unknown\ncommand terminated with exit code 2", "too old: 7.75 or newer"),
        (
            'OCI runtime exec failed: exec: "curl": executable file not found in $PATH',
            "has no curl; name another client with --client",
        ),
        ("command terminated with exit code 137", r"reported 0 of 5 requests \(exit status 1\)"),
    ],
)
def test_a_curl_that_does_not_report_is_an_error(cluster: FakeCluster, said: str, told: str) -> None:
    """No curl, an old one and one that was killed are told apart."""
    caller = Caller.find(Kubectl.find("demo"), "frontend")
    cluster.set(broken={"curl": [1, said]})
    with pytest.raises(MeasurementError, match=told):
        send(caller, Sending("http://backend/", 5))
