"""A cluster as it would be: the lab's API server with other objects in it, for a reader that must believe they are
there.

`istioctl analyze` reads pods, Services, Secrets and namespaces from a cluster alone and passes over those in files. To
create thousands of them would take minutes; here a proxy stands before the API server and puts them into the lists it
answers with.
"""

from __future__ import annotations

import json
import re
import threading
from collections import defaultdict
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from tests.live.apiserver import ApiServer, resource
from weir.model.manifests.kubernetes import Manifest

_LIST = re.compile(r"/(?:api/v1|apis/[^/]+/[^/]+)/(?:namespaces/[^/]+/)?(?P<resource>[a-z]+)")
_REAL = "customresourcedefinitions"
# By this answer a client knows that it must list first and then watch.
_NO_STREAMED_LISTS = {
    "kind": "Status",
    "apiVersion": "v1",
    "status": "Failure",
    "reason": "Invalid",
    "code": 422,
    "message": "list instead",
}


@contextmanager
def supposed(server: ApiServer, objects: Iterable[Manifest], directory: Path) -> Iterator[Path]:
    """The kubeconfig of the cluster with these objects and, of what lists show, no others."""
    items: defaultdict[str, list[Manifest]] = defaultdict(list)
    for number, manifest in enumerate(objects):
        metadata = {**manifest["metadata"], "resourceVersion": "1", "uid": str(number)}
        items[resource(manifest)].append({**manifest, "metadata": metadata})
    over = threading.Event()
    lock = threading.Lock()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            address = urlsplit(self.path)
            query = parse_qs(address.query)
            # By labels it looks for other clusters and for control planes, which there are as there are in the lab.
            listed = _LIST.fullmatch(address.path) if "labelSelector" not in query else None
            if "watch" in query:
                self._watch(streamed="sendInitialEvents" in query)
                return
            with lock:
                status, content, _ = server.ask("GET", self.path, accept=_without_protobuf(self.headers["Accept"]))
            if status == 200 and listed is not None and "items" in content and listed["resource"] != _REAL:
                content |= {"items": items[listed["resource"]], "metadata": {"resourceVersion": "1"}}
            self._answer(status, content)

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            with lock:
                status, content, _ = server.ask("POST", self.path, body)
            self._answer(status, content)

        def _watch(self, streamed: bool) -> None:
            if streamed:
                self._answer(422, _NO_STREAMED_LISTS)
                return
            # Nothing ever happens.
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            self.wfile.flush()
            over.wait()
            self.close_connection = True

        def _answer(self, status: int, content: dict[str, Any]) -> None:
            body = json.dumps(content).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            pass

    proxy = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    proxy.daemon_threads = True
    threading.Thread(target=proxy.serve_forever, daemon=True).start()
    try:
        yield _kubeconfig(directory / "kubeconfig", f"http://127.0.0.1:{proxy.server_port}")
    finally:
        over.set()
        proxy.shutdown()
        proxy.server_close()


def _without_protobuf(accepted: str | None) -> str:
    """What the client reads, but for the one format that this proxy cannot change."""
    readable = [form for form in (accepted or "").split(",") if form and "protobuf" not in form]
    return ",".join(readable) or "application/json"


def _kubeconfig(path: Path, address: str) -> Path:
    named = {
        "clusters": [{"name": "supposed", "cluster": {"server": address}}],
        "users": [{"name": "nobody", "user": {}}],
    }
    context = {"name": "supposed", "context": {"cluster": "supposed", "user": "nobody"}}
    path.write_text(
        json.dumps(
            {"apiVersion": "v1", "kind": "Config", **named, "contexts": [context], "current-context": "supposed"}
        )
    )
    return path
