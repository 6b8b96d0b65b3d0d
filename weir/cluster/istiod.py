"""istiod's debug interface: what each proxy has been sent and has accepted, and the configuration that istiod makes for it.

istiod answers such questions without a password from its own host alone, so they go through `kubectl port-forward` (`connections`), which needs the right
to forward to pods of istiod's namespace and nothing in anybody else's. Of several istiods each knows the proxies connected to it.
Format: pilot/pkg/xds/debug.go in Istio's source (`syncz`, `config_dump`, `edsz`), used by istioctl as well.
"""

from __future__ import annotations

import http.client
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from threading import Lock
from typing import Any

from weir.cluster.errors import ClusterError

_SECONDS = 10.0
_NONCE_TAIL = 36
"""Characters of the random part behind the version in a nonce."""

CLUSTERS = "type.googleapis.com/envoy.config.cluster.v3.Cluster"
ENDPOINTS = "type.googleapis.com/envoy.config.endpoint.v3.ClusterLoadAssignment"
ROUTES = "type.googleapis.com/envoy.config.route.v3.RouteConfiguration"


@dataclass(frozen=True, slots=True)
class Sent:
    """What a proxy was last sent of one type: the number of istiod's push, whether the proxy has accepted it, and why not if it has not."""

    push: int
    accepted: bool
    refusal: str


@dataclass(frozen=True, slots=True)
class Proxy:
    """A connected proxy, `POD.NAMESPACE`, and what it was sent, by type."""

    name: str
    sent: dict[str, Sent]


class Line:
    """A local port that leads to an istiod, and the one connection through it: kubectl forwards some 2,000 connections, and then none."""

    def __init__(self, port: int) -> None:
        """Nothing is connected yet."""
        self.port = port
        self._http = http.client.HTTPConnection("127.0.0.1", port, timeout=_SECONDS)
        self._asking = Lock()

    def get(self, path: str) -> bytes:
        """The answer to GET `path`. Raises OSError or HTTPException."""
        with self._asking:
            try:
                return self._get(path)
            except (http.client.RemoteDisconnected, ConnectionError):
                # It was closed while nobody had anything to ask.
                self._http.close()
                return self._get(path)
            except BaseException:
                self._http.close()
                raise

    def _get(self, path: str) -> bytes:
        self._http.request("GET", path)
        answer = self._http.getresponse()
        said = answer.read()
        if answer.status != http.HTTPStatus.OK:
            raise http.client.HTTPException(f"{answer.status} {answer.reason}")
        return said


@dataclass(frozen=True, slots=True)
class Istiod:
    """One istiod, reached by a line while that is open; `ready_for`: seconds since it became ready.

    `before`: the newest push of each type when somebody who was about to change something connected; None where nobody was.
    """

    pod: str
    line: Line
    ready_for: float
    before: Mapping[str, int] | None = None

    def proxies(self) -> list[Proxy]:
        """All proxies connected to this istiod. Raises ClusterError when it does not answer."""
        return [
            Proxy(entry["proxy"], {kind: _sent(status) for kind, status in entry.get("resources", {}).items()})
            for entry in self._get("syncz")
            if entry.get("proxy")
        ]

    def configuration(self, proxy: str) -> dict[str, Any]:
        """The configuration istiod makes for a proxy, in the form of Envoy's configuration dump. Raises ClusterError.

        Not to be asked while a push begins: istiod makes it from what the proxy had before, may keep it in its cache as if it were new, and
        then send that to every proxy (docs/decisions/0012-not-to-ask-while-a-push-begins.md).
        """
        found: dict[str, Any] = self._get(f"config_dump?proxyID={proxy}")
        return found

    def endpoints(self, proxy: str) -> list[dict[str, Any]]:
        """The endpoints istiod makes for a proxy, one ClusterLoadAssignment for each of its clusters. Raises ClusterError; as `configuration`."""
        found: list[dict[str, Any]] = self._get(f"edsz?proxyID={proxy}").get("configs", [])
        return found

    def push_anew(self) -> None:
        """Have istiod throw away what it keeps, and send every proxy its configuration, made anew. Raises ClusterError."""
        self._read("cachez?clear=true")
        self._read("adsz?push=true")

    def _get(self, path: str) -> Any:
        try:
            return json.loads(self._read(path))
        except ValueError as broken:
            raise ClusterError(f"{self.pod} does not answer /debug/{path.partition('?')[0]} in JSON: {broken}") from None

    def _read(self, path: str) -> bytes:
        try:
            return self.line.get(f"/debug/{path}")
        except (OSError, http.client.HTTPException) as broken:
            raise ClusterError(f"{self.pod} does not answer /debug/{path.partition('?')[0]}: {broken}") from None


def newest(proxies: Iterable[Proxy], kind: str) -> int:
    """The newest push of a type that any of the proxies was sent; 0 where none was."""
    return max((sent.push for proxy in proxies if (sent := proxy.sent.get(kind))), default=0)


def _sent(status: dict[str, Any]) -> Sent:
    nonce = status.get("sent", "")
    # `2026-11-23T12:57:54Z/9` and the random part: the number counts the pushes of this istiod.
    number = nonce[:-_NONCE_TAIL].rpartition("/")[2]
    return Sent(int(number) if number.isdigit() else 0, bool(nonce) and nonce == status.get("acked"), status.get("lastError", ""))
