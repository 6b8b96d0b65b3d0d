"""A Prometheus on loopback that answers what a real one has answered, word for word.

samples/prometheus.json was recorded from Debian's Prometheus 2.42.0, which scraped each three seconds:

- an Envoy 1.40 with the stats_config of Istio 1.31's bootstrap and three clusters as istiod names them (v1 fails now and
  then, v2 has no endpoint, at v3's nobody listens), before and after 60 requests each: of the first 60 its caller saw
  28 times 200 and 32 times 503, of the second 60 29 and 31 times;
- two texts of Istio's statistics, with the labels of istio/proxy's testdata/metric/client_request_total*.yaml.tmpl, of
  two callers: of the second one the counters have fallen at the third look, as those of a proxy that was restarted.

Of each series the last sample was kept. `looks` are three moments, `others` are answers of other kinds.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

RECORDED = json.loads((Path(__file__).parent / "measurement" / "samples" / "prometheus.json").read_text())
LOOKS: list[dict[str, Any]] = RECORDED["looks"]


class Answering:
    """`answers`: by query, the status and the body. `asked`: the headers of each request, and its path."""

    def __init__(self, url: str, answers: Mapping[str, Any]) -> None:
        self.url, self.answers = url, dict(answers)
        self.asked: list[dict[str, str]] = []


@contextmanager
def answering(answers: Mapping[str, Any], path: str = "/api/v1/query") -> Iterator[Answering]:
    """It answers within the block; a query that it does not know with 404."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            place = urlsplit(self.path)
            [query] = parse_qs(place.query)["query"]
            server.asked.append({"path": place.path, "query": query, **{k.lower(): v for k, v in self.headers.items()}})
            status, body = server.answers.get(query, (404, "")) if place.path == path else (404, "")
            text = body.encode() if isinstance(body, str) else json.dumps(body).encode()
            self.send_response(status)
            if 300 <= status < 400:
                self.send_header("Location", text.decode())
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        def log_message(self, *_: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as http:
        server = Answering(f"http://127.0.0.1:{http.server_address[1]}", answers)
        thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server
        finally:
            http.shutdown()
            thread.join()


def vector(*values: float) -> list[Any]:
    """An instant vector as the API has it: https://prometheus.io/docs/prometheus/latest/querying/api/#instant-vectors"""
    result = [{"metric": {"n": str(number)}, "value": [1.0, str(value)]} for number, value in enumerate(values)]
    return [200, {"status": "success", "data": {"resultType": "vector", "result": result}}]


def matrix(at: float, *series: tuple[Mapping[str, str], float]) -> list[Any]:
    """A range vector with a sample of each series."""
    result = [{"metric": dict(labels), "values": [[at, str(value)]]} for labels, value in series]
    return [200, {"status": "success", "data": {"resultType": "matrix", "result": result}}]


def clock(at: float) -> list[Any]:
    """What time() is."""
    return [200, {"status": "success", "data": {"resultType": "scalar", "result": [at, str(at)]}}]
