"""istiod's debug interface: what each proxy has been sent and has accepted, and the configuration that istiod makes
for it.

istiod answers such questions without a password from its own host alone, so they go through `kubectl port-forward`
(`connections`), which needs the right to forward to pods of istiod's namespace and nothing in anybody else's. Of
several istiods each knows the proxies connected to it. Format: pilot/pkg/xds/debug.go in Istio's source (`syncz`,
`config_dump`, `edsz`), used by istioctl as well.
"""

from __future__ import annotations

import http.client
import json
import time
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from threading import Lock
from typing import Any

from weir.cluster.errors import ClusterError, GoneError, UnaskedError

_SECONDS = 10.0
"""Seconds for an answer, where whoever asks has no deadline that is sooner."""

_REFUSED = (http.HTTPStatus.UNAUTHORIZED, http.HTTPStatus.FORBIDDEN, http.HTTPStatus.NOT_FOUND)
"""Answers of an istiod whose debug interface is switched off, or not for us."""

_CHUNK_BYTES = 65536

_NONCE_TAIL = 36
"""Characters of the random part behind the version in a nonce."""

CLUSTERS = "type.googleapis.com/envoy.config.cluster.v3.Cluster"
ENDPOINTS = "type.googleapis.com/envoy.config.endpoint.v3.ClusterLoadAssignment"
LISTENERS = "type.googleapis.com/envoy.config.listener.v3.Listener"
ROUTES = "type.googleapis.com/envoy.config.route.v3.RouteConfiguration"


@dataclass(frozen=True, slots=True)
class Sent:
    """What a proxy was last sent of one type: the number of istiod's push, whether the proxy has accepted it, and why
    not if it has not.

    `acknowledged`: the number of the newest push that it has accepted.
    """

    push: int
    accepted: bool
    refusal: str
    acknowledged: int = 0

    @property
    def rejected(self) -> bool:
        """Whether the proxy has refused it (NACK)."""
        return bool(self.refusal) and not self.accepted


@dataclass(frozen=True, slots=True)
class Proxy:
    """A connected proxy, `POD.NAMESPACE`, and what it was sent, by type; `gateway`: whether it is one, and not a
    sidecar.
    """

    name: str
    sent: dict[str, Sent]
    gateway: bool = False

    @property
    def namespace(self) -> str:
        """The namespace of its pod."""
        return self.name.rpartition(".")[2]

    @property
    def workload(self) -> str:
        """What the pods of one Deployment share: their configuration is alike. For any other pod at most too little."""
        pod, _, namespace = self.name.rpartition(".")
        return f"{pod.rsplit('-', 2)[0]}.{namespace}"


class AnswerError(http.client.HTTPException):
    """An answer that is an error; `status` is HTTP's."""

    def __init__(self, status: int, reason: str) -> None:
        self.status = status
        super().__init__(f"{status} {reason}")


class Line:
    """A local port that leads to an istiod, and the one connection through it: kubectl forwards some 2,000
    connections, and then none.
    """

    def __init__(self, port: int) -> None:
        """Nothing is connected yet."""
        self.port = port
        self.ahead: float | None = None
        """By how many seconds istiod's clock is ahead of this process's monotonic one, as its last answer says (Date);
        None before there is one.
        """
        self._http = http.client.HTTPConnection("127.0.0.1", port, timeout=_SECONDS)
        self._asking, self._joining = Lock(), Lock()
        self._to_ask: dict[str, Future[Any]] = {}

    def json(self, path: str, seconds: float = _SECONDS) -> Any:
        """The answer to GET `path`, decoded; nobody is to change it: a question that is not asked yet is the same one
        for all who have it by then. Raises OSError, HTTPException, or ValueError for what is no JSON.
        """
        deadline = time.monotonic() + seconds
        with self._joining:
            joined = self._to_ask.get(path)
            if joined is None:
                mine = self._to_ask[path] = Future[Any]()
        if joined is not None:
            try:
                return joined.result(max(0.0, seconds))
            except TimeoutError:
                # Whose question it is may have had less time.
                return self.json(path, deadline - time.monotonic())
        try:
            mine.set_result(json.loads(self.get(path, seconds, lambda: self._asked(path))))
        except BaseException as error:
            self._asked(path)
            mine.set_exception(error if isinstance(error, Exception) else OSError("interrupted"))
            raise
        return mine.result()

    def _asked(self, path: str) -> None:
        with self._joining:
            self._to_ask.pop(path, None)

    def get(self, path: str, seconds: float = _SECONDS, begins: Callable[[], None] = lambda: None) -> bytes:
        """The answer to GET `path`, within so many seconds; `begins` is called before it is asked for. Raises OSError
        or HTTPException.
        """
        deadline = time.monotonic() + seconds
        if not self._asking.acquire(timeout=max(0.0, seconds)):
            raise TimeoutError("somebody else's question is not answered")
        try:
            begins()
            try:
                return self._get(path, deadline)
            except (http.client.RemoteDisconnected, ConnectionError):
                # It was closed while nobody had anything to ask.
                self._http.close()
                return self._get(path, deadline)
        except BaseException:
            self._http.close()
            raise
        finally:
            self._asking.release()

    def _get(self, path: str, deadline: float) -> bytes:
        self._within(deadline)
        self._http.request("GET", path)
        self._within(deadline)
        answer = self._http.getresponse()
        parts = []
        while part := answer.read1(_CHUNK_BYTES):
            parts.append(part)
            self._within(deadline)
        # All is there; the connection can take the next question only once this is known.
        answer.read()
        if (date := answer.getheader("Date")) is not None:
            self.ahead = parsedate_to_datetime(date).timestamp() - time.monotonic()
        if answer.status != http.HTTPStatus.OK:
            raise AnswerError(answer.status, answer.reason)
        return b"".join(parts)

    def _within(self, deadline: float) -> None:
        """A socket's time-out is for each byte anew; the deadline is for all."""
        left = deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError("timed out")
        self._http.timeout = left
        if self._http.sock is not None:
            self._http.sock.settimeout(left)


@dataclass(frozen=True, slots=True)
class Mark:
    """How far an istiod had come before a change: the newest push of each type, and what proxies rejected already, by
    proxy and type.
    """

    newest: Mapping[str, int] = field(default_factory=dict)
    rejected: frozenset[tuple[str, str]] = frozenset()

    @classmethod
    def of(cls, proxies: Iterable[Proxy]) -> Mark:
        """As these proxies of one istiod are."""
        proxies = list(proxies)
        return cls(
            {kind: newest(proxies, kind) for kind in (CLUSTERS, ROUTES, LISTENERS)},
            frozenset((proxy.name, kind) for proxy in proxies for kind, sent in proxy.sent.items() if sent.rejected),
        )


@dataclass(frozen=True, slots=True)
class Istiod:
    """One istiod, reached by a line while that is open; `ready_since`: when it became ready, by the cluster's clock
    (seconds of the epoch).
    """

    pod: str
    line: Line
    ready_since: float

    def proxies(self, seconds: float = _SECONDS) -> list[Proxy]:
        """All proxies connected to this istiod. Raises ClusterError when it does not answer within so many seconds."""
        return [
            Proxy(
                entry["proxy"],
                {kind: _sent(status) for kind, status in entry.get("resources", {}).items()},
                entry.get("proxy_type") == "router",
            )
            for entry in self._get("syncz", seconds)
            if entry.get("proxy")
        ]

    def now(self, seconds: float = _SECONDS) -> float:
        """The time of day by the cluster's clock, in seconds of the epoch: this machine's may be set otherwise. Raises
        ClusterError.
        """
        if self.line.ahead is None:
            self.proxies(seconds)
        return time.monotonic() + (self.line.ahead or 0.0)

    def configuration(self, proxy: str, seconds: float = _SECONDS) -> dict[str, Any]:
        """The configuration istiod makes for a proxy, in the form of Envoy's configuration dump. Raises ClusterError.

        Not to be asked while a push begins: istiod makes it from what the proxy had before, may keep it in its cache
        as if it were new, and then send that to every proxy (docs/decisions/0012-not-to-ask-while-a-push-begins.md).
        """
        found: dict[str, Any] = self._get(f"config_dump?proxyID={proxy}", seconds)
        return found

    def endpoints(self, proxy: str, seconds: float = _SECONDS) -> list[dict[str, Any]]:
        """The endpoints istiod makes for a proxy, one ClusterLoadAssignment for each of its clusters. Raises
        ClusterError; as `configuration`.
        """
        found: list[dict[str, Any]] = self._get(f"edsz?proxyID={proxy}", seconds).get("configs", [])
        return found

    def push_anew(self, seconds: float = _SECONDS) -> None:
        """Have istiod throw away what it keeps, and send every proxy its configuration, created again. Raises
        ClusterError.
        """
        self._read("cachez?clear=true", seconds, self.line.get)
        self._read("adsz?push=true", seconds, self.line.get)

    def _get(self, path: str, seconds: float) -> Any:
        return self._read(path, seconds, self.line.json)

    def _read(self, path: str, seconds: float, read: Callable[[str, float], Any]) -> Any:
        question, _, about = path.partition("?")
        try:
            return read(f"/debug/{path}", seconds)
        except ValueError as broken:
            raise ClusterError(f"{self.pod} does not answer /debug/{question} in JSON: {broken}") from None
        except AnswerError as error:
            if about.startswith("proxyID=") and error.status == http.HTTPStatus.NOT_FOUND:
                raise GoneError(f"{self.pod} no longer knows the proxy {about.removeprefix('proxyID=')}") from None
            kind = UnaskedError if error.status in _REFUSED else ClusterError
            raise kind(f"{self.pod} answers {error} to /debug/{question}, istiod's debug interface") from None
        except (OSError, http.client.HTTPException) as broken:
            raise ClusterError(
                f"{self.pod} does not answer /debug/{question}: {broken or type(broken).__name__}"
            ) from None


def newest(proxies: Iterable[Proxy], kind: str) -> int:
    """The newest push of a type that any of the proxies was sent; 0 where none was."""
    return max((sent.push for proxy in proxies if (sent := proxy.sent.get(kind))), default=0)


def _sent(status: dict[str, Any]) -> Sent:
    sent, acked = status.get("sent", ""), status.get("acked", "")
    return Sent(_push(sent), bool(sent) and sent == acked, status.get("lastError", ""), _push(acked))


def _push(nonce: str) -> int:
    """`2026-11-23T12:57:54Z/9` and the random part: the number counts the pushes of this istiod."""
    number = nonce[:-_NONCE_TAIL].rpartition("/")[2]
    return int(number) if number.isdigit() else 0
