"""Connections to istiod are kept, as long as the pods they lead to are the same."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPException
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Event, Thread
from typing import Any, ClassVar

import pytest

from tests.live.harness import until
from weir.cluster.connections import disconnect, istiods
from weir.cluster.errors import ClusterError, GoneError, UnaskedError
from weir.cluster.istiod import Istiod, Line
from weir.cluster.kubectl import Kubectl
from weir.processes import alive

# A port-forward that says its own process as the port.
_KUBECTL = """#!/bin/sh
case "$*" in
*port-forward*pod/mute*) echo "error: forbidden" >&2; exit 1 ;;
*port-forward*) echo "Forwarding from 127.0.0.1:$$ -> 15014"; exec sleep 60 ;;
*) echo asked >> "$(dirname "$0")/asked"; cat "$(dirname "$0")/pods" ;;
esac
"""


def pod(name: str, *, ready: str = "True", restarts: int = 0) -> dict[str, Any]:
    """A pod of istiod."""
    condition = {"type": "Ready", "status": ready, "lastTransitionTime": "2026-01-01T00:00:00Z"}
    return {
        "metadata": {"name": name, "uid": f"uid-of-{name}"},
        "status": {"conditions": [condition], "containerStatuses": [{"restartCount": restarts}]},
    }


class Cluster:
    """One whose pods are what was last `set`."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        script = directory / "kubectl"
        script.write_text(_KUBECTL)
        script.chmod(0o755)
        self.kubectl = Kubectl(str(script), "istio-system")

    def set(self, *pods: dict[str, Any]) -> None:
        """Have these, from now on."""
        (self.directory / "pods").write_text(json.dumps({"items": pods}))

    def ports(self) -> dict[str, int]:
        """The ports, which are the processes, by pod."""
        return {istiod.pod: istiod.line.port for istiod in istiods(self.kubectl)}

    def asked(self) -> int:
        """How often the pods were asked for."""
        return len((self.directory / "asked").read_text().splitlines())


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Cluster]:
    """A cluster with one istiod."""
    there = Cluster(tmp_path)
    there.set(pod("one"))
    yield there
    disconnect(there.kubectl)


def running(pid: int) -> bool:
    """Whether the process is there."""
    return Path(f"/proc/{pid}").exists()


def test_a_connection_is_kept_while_its_pod_is_the_same(cluster: Cluster) -> None:
    """Another pod gets one of its own; one that is gone, or whose container was started again, loses it."""
    first = cluster.ports()
    assert cluster.ports() == first
    cluster.set(pod("one"), pod("two"))
    both = cluster.ports()
    assert both["one"] == first["one"]
    assert both["two"] != both["one"]
    cluster.set(pod("one", restarts=1))
    again = cluster.ports()
    assert again.keys() == {"one"}
    assert again["one"] != first["one"]
    assert not running(first["one"])
    assert not running(both["two"])


def test_a_connection_that_has_ended_is_opened_again(cluster: Cluster) -> None:
    """kubectl ends a forwarding that has lost its pod; `disconnect` ends all, for whoever has found one to be of no
    use.
    """
    first = cluster.ports()["one"]
    disconnect(cluster.kubectl)
    assert not running(first)
    second = cluster.ports()["one"]
    os.kill(second, signal.SIGKILL)
    until(lambda: not alive(second), 10, "it has ended")
    assert cluster.ports()["one"] not in (first, second)


@pytest.mark.parametrize(
    ("pods", "error", "message"),
    [
        ([], UnaskedError, "there is no istiod in namespace istio-system"),
        (
            [pod("one", ready="False")],
            ClusterError,
            "no istiod in namespace istio-system is ready; see kubectl -n istio-system get pods",
        ),
        ([pod("mute")], UnaskedError, "no connection to mute: kubectl port-forward ended with: error: forbidden"),
    ],
)
def test_what_cannot_be_asked_is_said(
    cluster: Cluster, pods: list[dict[str, Any]], error: type[ClusterError], message: str
) -> None:
    """Whether it may yet be answered is told apart from where nobody can answer."""
    cluster.set(*pods)
    with pytest.raises(error, match=message):
        cluster.ports()


class Answering(BaseHTTPRequestHandler):
    """Answers the path; `/close` ends the connection after that, `/none` is not there."""

    protocol_version = "HTTP/1.1"
    connections: ClassVar[set[int]] = set()

    def do_GET(self) -> None:
        """Answer."""
        self.connections.add(self.client_address[1])
        said = self.path.encode()
        self.send_response(404 if self.path == "/none" else 200)
        self.send_header("Content-Length", str(len(said)))
        self.end_headers()
        self.wfile.write(said)
        self.close_connection = self.path == "/close"

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""


def test_a_line_asks_over_one_connection() -> None:
    """kubectl does not forward any number of them; one that was closed meanwhile is opened
    again, and an error is one.
    """
    with ThreadingHTTPServer(("127.0.0.1", 0), Answering) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        line = Line(server.server_port)
        assert [line.get(f"/{number}") for number in range(5)] == [f"/{number}".encode() for number in range(5)]
        assert len(Answering.connections) == 1
        line.get("/close")
        assert line.get("/after") == b"/after"
        assert len(Answering.connections) == 2
        with pytest.raises(HTTPException, match="404"):
            line.get("/none")
        assert line.get("/again") == b"/again"
        server.shutdown()


class Stalling(BaseHTTPRequestHandler):
    """Answers the first bytes, and then nothing more for long; `date` is what its clock says;
    `status` of its answers.
    """

    protocol_version = "HTTP/1.1"
    date: ClassVar[str] = "Thu, 26 Nov 2026 12:00:00 GMT"
    status: ClassVar[int] = 200
    drip: ClassVar[bool] = True

    def do_GET(self) -> None:
        """Answer."""
        self.send_response_only(self.status)
        self.send_header("Date", self.date)
        self.send_header("Content-Length", "100" if self.drip else "2")
        self.end_headers()
        self.wfile.write(b"[]")
        end = time.monotonic() + 10
        while self.drip and time.monotonic() < end:
            # A byte now and then: a time-out of the socket alone would never come.
            self.wfile.write(b" ")
            time.sleep(0.1)

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""


@pytest.fixture
def stalling(monkeypatch: pytest.MonkeyPatch) -> Iterator[Istiod]:
    """An istiod that hangs in the middle of its answer."""
    with ThreadingHTTPServer(("127.0.0.1", 0), Stalling) as server:
        server.daemon_threads, server.block_on_close = True, False
        Thread(target=server.serve_forever, daemon=True).start()
        yield Istiod("one", Line(server.server_port), ready_since=0)
        server.shutdown()


def test_an_answer_that_hangs_ends_at_the_deadline(stalling: Istiod) -> None:
    """However little of it still comes."""
    began = time.monotonic()
    with pytest.raises(ClusterError, match="one does not answer /debug/syncz"):
        stalling.proxies(0.5)
    assert time.monotonic() - began < 3


def test_a_port_forward_that_hangs_ends_at_the_deadline(cluster: Cluster) -> None:
    """It connects to nothing, says nothing and does not end."""
    script = cluster.directory / "kubectl"
    script.write_text(_KUBECTL.replace('echo "Forwarding from 127.0.0.1:$$ -> 15014"; ', ""))
    began = time.monotonic()
    with pytest.raises(ClusterError, match=r"no connection to istiod within|kubectl port-forward does not connect"):
        istiods(cluster.kubectl, 0.5)
    assert time.monotonic() - began < 5


@pytest.mark.parametrize("status", [401, 403, 404])
def test_a_debug_interface_that_is_off_cannot_be_asked(
    stalling: Istiod, monkeypatch: pytest.MonkeyPatch, status: int
) -> None:
    """Waiting would not help: it is told apart from an istiod that is away."""
    monkeypatch.setattr(Stalling, "drip", False)
    monkeypatch.setattr(Stalling, "status", status)
    with pytest.raises(UnaskedError, match=f"one answers {status}"):
        stalling.proxies()


def test_a_proxy_that_has_gone_is_not_an_istiod_that_cannot_be_asked(
    stalling: Istiod, monkeypatch: pytest.MonkeyPatch
) -> None:
    """istiod answers 404 to a question about a proxy that has left it."""
    monkeypatch.setattr(Stalling, "drip", False)
    monkeypatch.setattr(Stalling, "status", 404)
    with pytest.raises(GoneError):
        stalling.configuration("a.demo")


def test_the_time_of_day_is_the_clusters(stalling: Istiod, monkeypatch: pytest.MonkeyPatch) -> None:
    """This machine's clock may be a day off: what is compared with moments that the cluster wrote down is its own."""
    monkeypatch.setattr(Stalling, "drip", False)
    for date, seconds in (
        ("Thu, 26 Nov 2026 12:00:00 GMT", 1795694400),
        ("Fri, 27 Nov 2026 12:00:00 GMT", 1795694400 + 86400),
    ):
        monkeypatch.setattr(Stalling, "date", date)
        stalling.proxies()
        assert seconds <= stalling.now() < seconds + 5


def test_who_asks_at_the_same_time_shares_the_look(cluster: Cluster) -> None:
    """Each wait for proxies asks for the pods: of twenty at once the first has a look of its own, and the others, which
    ask while that one is under way, have one for all.
    """
    script = cluster.directory / "kubectl"
    script.write_text(_KUBECTL.replace("*) echo asked", "*) sleep 0.5; echo asked"))
    with ThreadPoolExecutor(20) as pool:
        found = list(pool.map(lambda _: cluster.ports(), range(20)))
    assert all(each == found[0] for each in found)
    assert cluster.asked() <= 3


class Held(Answering):
    """Answers in JSON, once it may."""

    asked: ClassVar[list[str]] = []
    may: ClassVar[Event] = Event()

    def do_GET(self) -> None:
        """Answer."""
        self.asked.append(self.path)
        assert self.may.wait(30)
        answer = json.dumps(self.path).encode() if self.path != "/broken" else b"<html>"
        self.send_response_only(200)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)


def test_a_question_that_was_not_asked_yet_is_one_for_all() -> None:
    """Not one that is under way: its answer may be older than the question."""
    with ThreadingHTTPServer(("127.0.0.1", 0), Held) as server, ThreadPoolExecutor(20) as pool:
        Thread(target=server.serve_forever, daemon=True).start()
        line = Line(server.server_port)
        found = [pool.submit(line.json, "/x")]
        until(lambda: bool(Held.asked), 30, "the first question is under way")
        found += [pool.submit(line.json, "/x") for _ in range(19)]
        until(lambda: all(each.running() for each in found), 30, "all have asked")
        Held.may.set()
        assert {each.result() for each in found} == {"/x"}
        assert 2 <= len(Held.asked) <= 3
        assert line.json("/x") == "/x"
        assert 3 <= len(Held.asked) <= 4
        for failed in [pool.submit(line.json, "/broken") for _ in range(5)]:
            with pytest.raises(ValueError, match="Expecting value"):
                failed.result()
        server.shutdown()
