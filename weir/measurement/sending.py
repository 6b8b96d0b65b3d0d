"""Sending requests: one curl process in the caller's container sends many and prints a line for each answer.

curl expands `http://backend/#[1-200]` into 200 requests (its URL globbing) and keeps the fragment to itself, so that
every request on the wire is the same. `--parallel` sends them side by side over kept-alive connections; Envoy draws
the route of each anew. Needs curl 7.75 (January 2021) for `%{exitcode}`.
"""

from __future__ import annotations

import math
import secrets
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from weir.cluster.kubectl import Result
from weir.measurement.caller import Caller
from weir.measurement.errors import MeasurementError

MAX_PARALLEL = 300
"""Requests that one curl has in flight at most: above its own limit, curl 7 silently falls back to 50."""

_BATCH = 1000
# The exit codes of curl that a service in a mesh can cause; its words carry durations and so cannot be counted.
_FAILURES = {
    6: "host not resolved",
    7: "connection refused",
    18: "response cut short",
    28: "timed out",
    52: "empty reply",
    56: "connection reset",
}
_FORMAT = "%{http_code} %{time_total} %{exitcode} %{errormsg}"


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of one request.

    `status` is the HTTP status, 0 when no response came; `seconds` is from the start of the request, connecting
    included, to the last byte; `exit_code` is curl's (0: a response came, whatever its status) and `error` curl's
    words when it is not 0. `body` is the response's text where it was asked for, else "".
    """

    status: int
    seconds: float
    exit_code: int = 0
    error: str = ""
    body: str = ""

    @property
    def kind(self) -> str:
        """The HTTP status as text, or what kept a response from coming: a name for curl's exit code, so that failures
        can be counted.
        """
        if self.exit_code == 0:
            return str(self.status)
        return f"{_FAILURES.get(self.exit_code, 'no response')} (curl {self.exit_code})"


@dataclass(frozen=True, slots=True)
class Sending:
    """How to send: `url` without glob characters or fragment, `requests` in all, `parallel` of them in flight,
    `max_time` seconds each, with these `headers`.

    Raises ValueError when a number is not positive, `parallel` is above MAX_PARALLEL, or the URL cannot be globbed.
    """

    url: str
    requests: int
    parallel: int = 20
    max_time: float = 15.0
    headers: tuple[tuple[str, str], ...] = ()

    def __post_init__(self) -> None:
        """Refuse what curl would misread."""
        if self.requests < 1 or self.max_time <= 0:
            raise ValueError("the number of requests and their time limit must be positive")
        if not 1 <= self.parallel <= MAX_PARALLEL:
            raise ValueError(f"1 to {MAX_PARALLEL} requests can be in flight, not {self.parallel}")
        if set(self.url) & set("#[]{}\\ "):
            raise ValueError(f"the URL must be without fragment, blanks and glob characters: {self.url}")

    def batches(self) -> list[int]:
        """The sizes of the single curl runs, 1,000 at most: an interrupted run leaves little behind, and progress can
        be shown.
        """
        size = self.parallel * (_BATCH // self.parallel)
        whole, rest = divmod(self.requests, size)
        return [size] * whole + ([rest] if rest else [])

    def command(self, count: int) -> list[str]:
        """curl's argument vector for `count` requests, bodies dropped."""
        flight = ["--parallel", "--parallel-immediate", "--parallel-max", str(self.parallel)]
        return [
            "curl",
            "-q",
            "-s",
            *flight,
            *self._limits(),
            "-o",
            "/dev/null",
            "-w",
            _FORMAT + "\\n",
            f"{self.url}#[1-{count}]",
        ]

    def sample_command(self, count: int, mark: str) -> list[str]:
        """curl's argument vector for `count` requests one after the other, each body followed by a line that starts
        with `mark`.
        """
        return ["curl", "-q", "-s", *self._limits(), "-w", f"\\n{mark} {_FORMAT}\\n", f"{self.url}#[1-{count}]"]

    def timeout(self, count: int) -> float:
        """Seconds after which a curl run of `count` requests has ended by itself, whatever the network does."""
        return math.ceil(count / self.parallel) * self.max_time + 15.0

    def _limits(self) -> list[str]:
        # No proxy from the container's environment, as -q takes no options from ~/.curlrc; --max-time ends what hangs.
        own = [word for name, value in self.headers for word in ("-H", f"{name}: {value}")]
        return ["--noproxy", "*", "--max-time", f"{self.max_time:g}", *own]


def send(caller: Caller, sending: Sending, advance: Callable[[int], None] = lambda _: None) -> list[Answer]:
    """Send the requests and return an answer for each, in no particular order; `advance` is told the size of each
    batch that is done.

    A refused connection or a time-out of a request is an answer too (`exit_code`). Raises MeasurementError when curl
    cannot be run in the caller, or does not report on every request.
    """
    answers: list[Answer] = []
    for count in sending.batches():
        result = caller.run(sending.command(count), timeout=sending.timeout(count))
        batch = [answer for line in result.stdout.splitlines() if (answer := parse_line(line)) is not None]
        if len(batch) != count:
            raise MeasurementError(_incomplete(caller, result, count, len(batch)))
        answers += batch
        advance(count)
    return answers


def sample(caller: Caller, sending: Sending) -> list[Answer]:
    """As `send`, with the bodies, one request after the other (side by side, curl would mix their bodies); for a few
    hundred at most.
    """
    # A mark that no body can contain by chance: the bodies are the services' own.
    mark = f"weir-{secrets.token_hex(8)}"
    timeout = sending.requests * sending.max_time + 15.0
    result = caller.run(sending.sample_command(sending.requests, mark), timeout=timeout)
    answers = list(parse_sample(result.stdout, mark))
    if len(answers) != sending.requests:
        raise MeasurementError(_incomplete(caller, result, sending.requests, len(answers)))
    return answers


def parse_line(line: str, body: str = "") -> Answer | None:
    """The answer that a line of curl's --write-out tells; None for any other line."""
    fields = line.split(" ", 3)
    try:
        status, seconds, exit_code = int(fields[0]), float(fields[1]), int(fields[2])
    except (IndexError, ValueError):
        return None
    return Answer(status, seconds, exit_code, fields[3].strip() if len(fields) > 3 else "", body)


def parse_sample(text: str, mark: str) -> Iterable[Answer]:
    """The answers in the output of `Sending.sample_command`."""
    start = 0
    while (found := text.find(f"\n{mark} ", start)) >= 0:
        end = text.find("\n", found + 1)
        end = len(text) if end < 0 else end
        answer = parse_line(text[found + len(mark) + 2 : end], text[start:found])
        if answer is not None:
            yield answer
        start = end + 1


def summary(answers: Iterable[Answer]) -> dict[str, int]:
    """How many answers of each `kind`, most frequent first."""
    return dict(Counter(answer.kind for answer in answers).most_common())


def _incomplete(caller: Caller, result: Result, wanted: int, got: int) -> str:
    where = f"pod {caller.pod}, container {caller.container}"
    if "is unknown" in result.stderr or "unknown --write-out" in result.stderr:
        return f"curl in {where} is too old: 7.75 or newer is needed ({result.complaint})"
    return (
        f"curl in {where} reported {got} of {wanted} requests (exit status {result.status}): "
        f"{result.complaint or 'no reason given'}"
    )
