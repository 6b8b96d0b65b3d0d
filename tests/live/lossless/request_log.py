"""Every request of a load as the callers' Envoys log it, while the load goes on: when it began, which version it went
to, and what came of it.

An Envoy logs a request when it has ended, and writes its log down each second.
"""

from __future__ import annotations

import re
import subprocess
from dataclasses import dataclass
from datetime import datetime
from typing import IO, Self

from tests.live.harness import until
from tests.live.lossless.lab_stack import LabStack
from tests.live.lossless.load import Load

# The format that Istio gives Envoy where none is configured:
# https://istio.io/latest/docs/tasks/observability/logs/access-log/#default-access-log-format
_LINE = re.compile(
    r'^\[(?P<at>[^\]]+)\] "\S+ \S+ \S+" (?P<code>\d+) (?P<flag>\S+) \S+ .*?"[^"]*" \d+ \d+ (?P<milliseconds>\d+) '
    r'.*" (?:outbound\|\d+\|(?P<version>[^|]*)\|(?P<service>[^. ]+)\.|\S+ )'
)


@dataclass(frozen=True, slots=True)
class Request:
    """`at`: when it began, in seconds since 1970. `service`, `version`: whom it was sent to, "" for nobody, and past the
    versions. `code`: 0 where there was no answer. `seconds`: until its end.
    """

    at: float
    service: str
    version: str
    code: int
    flag: str
    seconds: float

    @property
    def failed(self) -> bool:
        return self.code == 0 or self.code >= 500


def parsed(line: str) -> Request | None:
    """The request of a line of the log; None for what else a sidecar says."""
    match = _LINE.match(line)
    if match is None:
        return None
    at = datetime.fromisoformat(match["at"]).timestamp()
    seconds = int(match["milliseconds"]) / 1000
    return Request(at, match["service"] or "", match["version"] or "", int(match["code"]), match["flag"], seconds)


class RequestLog:
    """The log of a load that was begun with `logged`, followed within the block: kubelet keeps no more than the last
    10 MB of one.
    """

    def __init__(self, stack: LabStack, load: Load) -> None:
        self._stack, self._load = stack, load
        self._followed: list[tuple[subprocess.Popen[str], IO[str]]] = []
        self._rest: list[str] = []
        self._newest: list[float] = []

    def __enter__(self) -> Self:
        for caller in self._load.callers:
            path = self._stack.project.directory / f"{caller.name}.log"
            command = f"kubectl logs --follow --since=1s -n {caller.namespace} {caller.name} -c istio-proxy"
            with path.open("w") as output:
                process = self._stack.start(command, stdout=output)
            self._followed.append((process, path.open()))
            # Nobody else reads it, and it is gone with the block.
            path.unlink()
        self._rest, self._newest = [""] * len(self._followed), [0.0] * len(self._followed)
        return self

    def __exit__(self, *_: object) -> None:
        for process, file in self._followed:
            process.kill()
            process.wait()
            file.close()

    def take(self) -> list[Request]:
        """What was logged since it was last asked."""
        found: list[Request] = []
        for number, (process, file) in enumerate(self._followed):
            assert process.poll() is None, f"the log of {self._load.callers[number]} is not followed any more"
            *lines, self._rest[number] = (self._rest[number] + file.read()).split("\n")
            requests = [each for line in lines if (each := parsed(line))]
            self._newest[number] = max((self._newest[number], *(each.at for each in requests)))
            found += requests
        return found

    def take_until(self, moment: float) -> list[Request]:
        """The same, once every caller has logged a request that began after this moment."""
        found: list[Request] = []

        def logged() -> bool:
            found.extend(self.take())
            return min(self._newest) > moment

        until(logged, 30, "every caller has logged what it has sent")
        return found
