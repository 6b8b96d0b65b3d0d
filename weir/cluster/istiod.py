"""istiod's debug interface: what each proxy has been sent and has accepted, and the configuration that istiod makes for it.

istiod answers such questions without a password from its own host alone, so they go through `kubectl port-forward`, which needs the right
to forward to pods of istiod's namespace and nothing in anybody else's. Of several istiods each knows the proxies connected to it.
Format: pilot/pkg/xds/debug.go in Istio's source (`syncz`, `config_dump`, `edsz`), used by istioctl as well.
"""

from __future__ import annotations

import contextlib
import json
import re
import shutil
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from weir.cluster.errors import ClusterError, UnaskedError
from weir.cluster.kubectl import Kubectl

_PORT = 15014
_SELECTOR = "app=istiod"
_SECONDS = 10.0
_FORWARDING = re.compile(r"Forwarding from 127\.0\.0\.1:(\d+) ")
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


@dataclass(frozen=True, slots=True)
class Istiod:
    """One istiod, reached at a local port while the connection is open; `ready_for`: seconds since it became ready."""

    pod: str
    port: int
    ready_for: float

    def proxies(self) -> list[Proxy]:
        """All proxies connected to this istiod. Raises ClusterError when it does not answer."""
        return [
            Proxy(entry["proxy"], {kind: _sent(status) for kind, status in entry.get("resources", {}).items()})
            for entry in self._get("syncz")
            if entry.get("proxy")
        ]

    def configuration(self, proxy: str) -> dict[str, Any]:
        """The configuration istiod makes for a proxy, in the form of Envoy's configuration dump. Raises ClusterError."""
        found: dict[str, Any] = self._get(f"config_dump?proxyID={proxy}")
        return found

    def endpoints(self, proxy: str) -> list[dict[str, Any]]:
        """The endpoints istiod makes for a proxy, one ClusterLoadAssignment for each of its clusters. Raises ClusterError."""
        found: list[dict[str, Any]] = self._get(f"edsz?proxyID={proxy}").get("configs", [])
        return found

    def _get(self, path: str) -> Any:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/debug/{path}", timeout=_SECONDS) as answer:
                return json.load(answer)
        except (OSError, urllib.error.URLError, ValueError) as broken:
            raise ClusterError(f"{self.pod} does not answer /debug/{path.partition('?')[0]}: {broken}") from None


def _sent(status: dict[str, Any]) -> Sent:
    nonce = status.get("sent", "")
    # `2026-11-23T12:57:54Z/9` and the random part: the number counts the pushes of this istiod.
    number = nonce[:-_NONCE_TAIL].rpartition("/")[2]
    return Sent(int(number) if number.isdigit() else 0, bool(nonce) and nonce == status.get("acked"), status.get("lastError", ""))


@contextlib.contextmanager
def istiods(kubectl: Kubectl) -> Iterator[list[Istiod]]:
    """Every istiod of kubectl's namespace, for as long as the block runs.

    Raises UnaskedError where there is none to ask or no right to, ClusterError when they do not answer.
    """
    try:
        items = kubectl.get(["pods", "-l", _SELECTOR])["items"]
    except ClusterError as error:
        if "denies access" in str(error) or "forbidden" in str(error).lower():
            raise UnaskedError(str(error)) from None
        raise
    if not items:
        raise UnaskedError(f"there is no istiod in namespace {kubectl.namespace} (no pod with the label {_SELECTOR})")
    serving = [pod for pod in items if _serves(pod)]
    if not serving:
        raise ClusterError(
            f"no istiod in namespace {kubectl.namespace} is ready; see kubectl -n {kubectl.namespace} get pods -l {_SELECTOR}"
        )
    with contextlib.ExitStack() as stack:
        yield [stack.enter_context(_forwarded(kubectl, pod)) for pod in serving]


@contextlib.contextmanager
def ahead(kubectl: Kubectl) -> Iterator[Callable[[], list[Istiod] | None]]:
    """Connect to every istiod while the block does something else; what is given returns the connections, or None where there are none."""
    # The thread must live as long as the connections: a forwarding ends with the thread that started it.
    with contextlib.ExitStack() as stack, ThreadPoolExecutor(1) as pool:
        opened = pool.submit(stack.enter_context, istiods(kubectl))

        def there() -> list[Istiod] | None:
            try:
                return opened.result()
            except ClusterError:
                return None  # whoever waits asks again, and says why it cannot

        yield there


def _serves(pod: dict[str, Any]) -> bool:
    return _ready(pod).get("status") == "True" and not pod["metadata"].get("deletionTimestamp")


def _ready(pod: dict[str, Any]) -> dict[str, str]:
    return next((entry for entry in pod.get("status", {}).get("conditions", []) if entry["type"] == "Ready"), {})


@contextlib.contextmanager
def _forwarded(kubectl: Kubectl, found: dict[str, Any]) -> Iterator[Istiod]:
    pod = str(found["metadata"]["name"])
    since = datetime.fromisoformat(_ready(found)["lastTransitionTime"])
    process = subprocess.Popen(
        [*_until_killed(), *kubectl.command(["port-forward", "--address", "127.0.0.1", f"pod/{pod}", f":{_PORT}"])],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # Ctrl-C is meant for whoever asks, who ends this in good order.
        start_new_session=True,
    )
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        match = _FORWARDING.search(line)
        if match is None:
            process.kill()
            said = (process.communicate()[1] or line).strip()[-300:]
            kind = UnaskedError if "forbidden" in said.lower() else ClusterError
            raise kind(f"{pod} cannot be asked: kubectl port-forward ended with: {said or 'nothing said'}")
        yield Istiod(pod, int(match[1]), (datetime.now(UTC) - since).total_seconds())
    finally:
        process.kill()
        process.communicate()


def _until_killed() -> list[str]:
    """What to put before a command that must not outlive whoever asks, not even one that is killed: util-linux has it, and so has every Debian.

    Not a function for the child, which would make it a real fork: gRPC, whose threads that copies, remarks on each.
    """
    setpriv = shutil.which("setpriv") if sys.platform == "linux" else None
    return [setpriv, "--pdeathsig", "KILL", "--"] if setpriv else []
