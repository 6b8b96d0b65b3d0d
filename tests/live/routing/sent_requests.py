"""Requests and what came of them: as the caller saw the answers, and as the backend's own log saw the arrivals.

The backend is fortio, Istio's load generator, as a server. Any path is answered with the header `version`; a query
changes the answer (`?status=503:50`, `?delay=1s`, `?header=name:value`), and then that header is left out. `/debug`
answers with the name of the pod and the request as it arrived. fortio writes each request into its log, one JSON
object a line.
"""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

_SEPARATOR = "<<<weir>>>"
_POD = re.compile(r" on (\S+) - request from ")


@dataclass(frozen=True)
class Request:
    """A request, sent `count` times. `host` is where it goes; a header `host` says otherwise than the address does."""

    path: str = "/"
    count: int = 1
    method: str = "GET"
    headers: Mapping[str, str] = field(default_factory=dict)
    host: str = "backend"


@dataclass(frozen=True)
class Answer:
    """An answer to the request number `request` of those asked; status 0 for none. Header names are in lower case."""

    request: int
    status: int
    seconds: float
    headers: Mapping[str, str]
    body: str

    @property
    def pod(self) -> str:
        """Which pod answered, by the text of /debug; "" where nothing says it."""
        found = _POD.search(self.body)
        return found[1] if found else ""

    @property
    def version(self) -> str:
        """Which version answered; "" where nothing says it."""
        return self.headers.get("version", "") or _version(self.pod)


@dataclass(frozen=True)
class Arrival:
    """A request as it arrived at a pod of the backend. Header names are in lower case."""

    pod: str
    method: str
    url: str
    host: str
    status: int | None
    headers: Mapping[str, str]

    @property
    def version(self) -> str:
        return _version(self.pod)


def curl_config(requests: Sequence[Request], bodies: bool) -> str:
    """A config file for one curl that sends all requests, and after each body writes a line by which `answers` knows
    it.
    """
    entries = []
    for number, request in enumerate(requests):
        # What stands behind # is not sent: the range repeats the request without changing it.
        lines = [
            f'url = "http://{request.host}{request.path}#[1-{request.count}]"',
            f'request = "{request.method}"',
            "max-time = 30",
        ]
        lines += [f'header = "{name}: {value}"' for name, value in request.headers.items()]
        # Side by side, answers would be mixed up line by line. curl 7.88 ends header_json at a header that comes twice,
        # so it is second best.
        lines += ["include"] if bodies else ['output = "/dev/null"']
        lines += [
            (
                f'write-out = "{_SEPARATOR} {number} %{{http_code}} %{{time_total}} '
                f'{"" if bodies else "%{header_json}"}{_SEPARATOR}"'
            )
        ]
        entries.append("\n".join(lines))
    return "\nnext\n".join(entries) + "\n"


def answers(printed: str) -> list[Answer]:
    """What curl printed, told apart."""
    pieces = printed.split(_SEPARATOR)
    found = []
    for received, said in zip(pieces[0::2], pieces[1::2], strict=False):
        number, status, seconds, *names = said.split(maxsplit=3)
        head, _, body = received.partition("\n\n")
        several = defaultdict(list, json.loads(names[0]) if names else {})
        for line in head.splitlines()[1:]:
            name, _, value = line.partition(": ")
            several[name.lower()].append(value)
        headers = {name: ",".join(values) for name, values in several.items()}
        found.append(Answer(int(number), int(status), float(seconds), headers, body))
    return found


def arrivals(log: str, path: str) -> list[Arrival]:
    """The requests to `path`, whatever their query, in logs of fortio with kubectl's prefix `[pod/NAME/CONTAINER]`."""
    found = []
    for line in log.splitlines():
        prefix, _, entry = line.partition(" ")
        if f'"url":"{path}' not in entry:
            continue
        said: dict[str, Any] = json.loads(entry)
        if said["msg"] in ("Echo", "Debug") and said["url"].partition("?")[0] == path:
            headers = {
                name.removeprefix("header."): str(value) for name, value in said.items() if name.startswith("header.")
            }
            found.append(
                Arrival(prefix.split("/")[1], said["method"], said["url"], said["host"], said.get("status"), headers)
            )
    return found


def _version(pod: str) -> str:
    """The version of a pod named backend-VERSION-REPLICASET-POD; "" for any other."""
    parts = pod.split("-")
    return parts[-3] if len(parts) == 4 else ""
