"""Connections to istiod: one `kubectl port-forward` to each of its pods, opened once and kept while this process lives.

The pods are asked for each time, so that one that has come or gone since is not missed.
"""

from __future__ import annotations

import atexit
import re
import subprocess
import time
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from weir.cluster.errors import ClusterError, UnaskedError
from weir.cluster.istiod import CLUSTERS, ROUTES, Istiod, Line, newest
from weir.cluster.kubectl import Kubectl
from weir.processes import until_killed

_PORT = 15014
_SELECTOR = "app=istiod"
_FRESH_SECONDS = 30.0
_FORWARDING = re.compile(r"Forwarding from 127\.0\.0\.1:(\d+) ")


def istiods(kubectl: Kubectl) -> list[Istiod]:
    """Every istiod of kubectl's namespace that is ready.

    Raises UnaskedError where there is none to ask or no right to, ClusterError when they do not answer.
    """
    return _connections(kubectl).get()


def connect_ahead(kubectl: Kubectl) -> None:
    """Begin to connect, and note how far istiod has come, for whoever changes something and asks for `istiods` after that."""
    _connections(kubectl).begin()


def disconnect(kubectl: Kubectl) -> None:
    """Close what is open: after a connection has failed nobody knows what the others are worth."""
    _connections(kubectl).close()


class _Connections:
    """To the istiods of one namespace."""

    def __init__(self, kubectl: Kubectl) -> None:
        self._kubectl = kubectl
        self._open: dict[str, _Forwarding] = {}
        self._begun: tuple[float, Future[list[Istiod]]] | None = None
        # One thread, which lives as long as they do: a forwarding ends with the thread that started it.
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="weir-istiod")

    def begin(self) -> None:
        self._begun = time.monotonic(), self._pool.submit(self._before)

    def get(self) -> list[Istiod]:
        begun, self._begun = self._begun, None
        if begun is None or time.monotonic() - begun[0] > _FRESH_SECONDS:
            return self._pool.submit(self._refresh).result()
        return begun[1].result()

    def close(self) -> None:
        self._pool.submit(self._close, []).result()

    def _before(self) -> list[Istiod]:
        found = []
        for istiod in self._refresh():
            proxies = istiod.proxies()
            found.append(replace(istiod, before={kind: newest(proxies, kind) for kind in (CLUSTERS, ROUTES)}))
        return found

    def _refresh(self) -> list[Istiod]:
        pods = self._pods()
        self._close([_identity(pod) for pod in pods])
        for pod in pods:
            if _identity(pod) not in self._open:
                self._open[_identity(pod)] = _Forwarding.start(self._kubectl, pod["metadata"]["name"])
        return [Istiod(pod["metadata"]["name"], self._open[_identity(pod)].line, _ready_for(pod)) for pod in pods]

    def _pods(self) -> list[dict[str, Any]]:
        try:
            items = self._kubectl.get(["pods", "-l", _SELECTOR])["items"]
        except ClusterError as error:
            if "denies access" in str(error) or "forbidden" in str(error).lower():
                raise UnaskedError(str(error)) from None
            raise
        namespace = self._kubectl.namespace
        if not items:
            raise UnaskedError(f"there is no istiod in namespace {namespace} (no pod with the label {_SELECTOR})")
        serving = [pod for pod in items if _ready(pod).get("status") == "True" and not pod["metadata"].get("deletionTimestamp")]
        if not serving:
            raise ClusterError(f"no istiod in namespace {namespace} is ready; see kubectl -n {namespace} get pods -l {_SELECTOR}")
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
    def start(cls, kubectl: Kubectl, pod: str) -> _Forwarding:
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
        line = process.stdout.readline()
        match = _FORWARDING.search(line)
        if match is None:
            process.kill()
            said = (process.communicate()[1] or line).strip()[-300:]
            kind = UnaskedError if "forbidden" in said.lower() else ClusterError
            raise kind(f"{pod} cannot be asked: kubectl port-forward ended with: {said or 'nothing said'}")
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


def _ready_for(pod: dict[str, Any]) -> float:
    return (datetime.now(UTC) - datetime.fromisoformat(_ready(pod)["lastTransitionTime"])).total_seconds()
