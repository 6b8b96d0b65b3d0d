"""Connections to istiod: one `kubectl port-forward` to each of its pods, opened once and kept while this process lives.

The pods are asked for each time, so that one that has come or gone since is not missed.
"""

from __future__ import annotations

import atexit
import re
import select
import subprocess
import time
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as NotInTimeError
from dataclasses import dataclass
from datetime import datetime
from threading import Lock
from typing import Any

from weir.cluster.errors import ClusterError, UnaskedError
from weir.cluster.istiod import Istiod, Line
from weir.cluster.kubectl import Kubectl
from weir.processes import until_killed

_PORT = 15014
_SELECTOR = "app=istiod"
_CONNECT_SECONDS = 30.0
"""Seconds to connect, where whoever asks has no deadline that is sooner."""
_FORWARDING = re.compile(r"Forwarding from 127\.0\.0\.1:(\d+) ")


def istiods(kubectl: Kubectl, seconds: float = _CONNECT_SECONDS) -> list[Istiod]:
    """Every istiod of kubectl's namespace that is ready.

    Raises UnaskedError where there is none to ask or no right to, ClusterError when they do not answer within so many
    seconds.
    """
    return _connections(kubectl).get(seconds)


def disconnect(kubectl: Kubectl) -> None:
    """Close what is open: after a connection has failed nobody knows what the others are worth."""
    _connections(kubectl).close()


class _Connections:
    """To the istiods of one namespace."""

    def __init__(self, kubectl: Kubectl) -> None:
        self._kubectl = kubectl
        self._open: dict[str, _Forwarding] = {}
        # One thread, which lives as long as they do: a forwarding ends with the thread that started it.
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="weir-istiod")
        self._next: Future[list[Istiod]] | None = None
        self._lock = Lock()

    def get(self, seconds: float) -> list[Istiod]:
        with self._lock:
            # One that has not begun yet is for all who ask until then.
            if self._next is None:
                self._next = self._pool.submit(self._refresh, seconds)
            asked = self._next
        try:
            return asked.result(seconds)
        except NotInTimeError:
            raise ClusterError(f"no connection to istiod within {seconds:.0f} s") from None

    def close(self) -> None:
        try:
            self._pool.submit(self._close, []).result(_CONNECT_SECONDS)
        except NotInTimeError:
            return  # the thread that opens one still tries; it ends with this process

    def _refresh(self, seconds: float) -> list[Istiod]:
        with self._lock:
            self._next = None
        deadline = time.monotonic() + seconds
        pods = self._pods(seconds)
        self._close([_identity(pod) for pod in pods])
        for pod in pods:
            if _identity(pod) not in self._open:
                self._open[_identity(pod)] = _Forwarding.start(self._kubectl, pod["metadata"]["name"], deadline)
        return [Istiod(pod["metadata"]["name"], self._open[_identity(pod)].line, _ready_since(pod)) for pod in pods]

    def _pods(self, seconds: float) -> list[dict[str, Any]]:
        try:
            items = self._kubectl.get(["pods", "-l", _SELECTOR], timeout=max(1.0, min(20.0, seconds)))["items"]
        except ClusterError as error:
            if "denies access" in str(error) or "forbidden" in str(error).lower():
                raise UnaskedError(str(error)) from None
            raise
        namespace = self._kubectl.namespace
        if not items:
            raise UnaskedError(f"there is no istiod in namespace {namespace} (no pod with the label {_SELECTOR})")
        serving = [
            pod for pod in items if _ready(pod).get("status") == "True" and not pod["metadata"].get("deletionTimestamp")
        ]
        if not serving:
            raise ClusterError(
                f"no istiod in namespace {namespace} is ready; see kubectl -n {namespace} get pods -l {_SELECTOR}"
            )
        return serving

    def _close(self, kept: list[str]) -> None:
        for pod in [pod for pod, forwarding in self._open.items() if pod not in kept or forwarding.ended]:
            self._open.pop(pod).close()


_all: dict[Kubectl, _Connections] = {}


def _connections(kubectl: Kubectl) -> _Connections:
    return _all.setdefault(kubectl, _Connections(kubectl))


@atexit.register
def _close_all() -> None:
    for connections in _all.values():
        connections._close([])


@dataclass(frozen=True, slots=True)
class _Forwarding:
    """A line to a pod, while its process runs."""

    process: subprocess.Popen[str]
    line: Line

    @classmethod
    def start(cls, kubectl: Kubectl, pod: str, deadline: float) -> _Forwarding:
        process = subprocess.Popen(
            [*until_killed(), *kubectl.command(["port-forward", "--address", "127.0.0.1", f"pod/{pod}", f":{_PORT}"])],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            # A Ctrl-C is meant for whoever asks, who ends this in good order.
            start_new_session=True,
        )
        assert process.stdout is not None
        # What hangs says nothing, and does not end either.
        speaks = bool(select.select([process.stdout], [], [], max(0.0, deadline - time.monotonic()))[0])
        line = process.stdout.readline() if speaks else ""
        match = _FORWARDING.search(line)
        if match is None:
            process.kill()
            if not speaks:
                process.communicate()
                raise ClusterError(f"no connection to {pod}: kubectl port-forward does not connect")
            said = (process.communicate()[1] or line).strip()[-300:]
            kind = UnaskedError if "forbidden" in said.lower() else ClusterError
            raise kind(f"no connection to {pod}: kubectl port-forward ended with: {said or 'no output'}")
        return cls(process, Line(int(match[1])))

    @property
    def ended(self) -> bool:
        return self.process.poll() is not None

    def close(self) -> None:
        self.process.kill()
        self.process.communicate()


def _identity(pod: dict[str, Any]) -> str:
    """The pod, and how often its container was started: a connection does not outlive that."""
    restarts = sum(status.get("restartCount", 0) for status in pod.get("status", {}).get("containerStatuses", []))
    return f"{pod['metadata']['uid']}/{restarts}"


def _ready(pod: dict[str, Any]) -> dict[str, str]:
    return next((entry for entry in pod.get("status", {}).get("conditions", []) if entry["type"] == "Ready"), {})


def _ready_since(pod: dict[str, Any]) -> float:
    return datetime.fromisoformat(_ready(pod)["lastTransitionTime"]).timestamp()
