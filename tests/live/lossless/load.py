"""The load: callers inside the mesh that send requests from before the first change until after the last, and what
came of every one.

Each caller is a fortio with a sidecar. Half its threads keep their connections, the others open one for each request.
Three witnesses are heard: fortio itself (codes, socket errors, connections), the callers' Envoys (requests and answers
between any two moments, and which version each was sent to), and their access log of failed requests alone, which has
Envoy's flags.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

from tests.live.harness import until
from tests.live.lossless.callers import CALLERS, ELSEWHERE, Caller, callers, namespace
from tests.live.lossless.lab_stack import LabStack
from weir.measurement.clusters import ClusterName, Measured, read_clusters


@dataclass(frozen=True, slots=True)
class Rate:
    """Requests a second of each caller, on kept and on fresh connections."""

    kept: int
    fresh: int


FULL = Rate(300, 60)
"""Over 1,000 a second in all, which take a core."""
SHORT = Rate(100, 20)
"""For `make test`, where other tests want that core. A change that lost requests of these callers lost 60 and more at
the full rate.
"""
_FROM_ELSEWHERE = Rate(60, 12)
"""That of a caller in another namespace, who is there for what rules others see."""

_THREADS = {"kept": 4, "fresh": 2}
_BOUND = "3600s"
_STATS = (
    r"downstream_rq_(total|[1-5]xx|rx_reset|tx_reset)"
    r"|upstream_rq_(retry|pending_failure_eject|tx_reset|rx_reset)|upstream_cx_connect_fail"
)
_STAT = re.compile(r"^(\S+): (\d+)$", re.MULTILINE)
_ANSWERED = re.compile(r'^\[([^\]]+)\] "\S+ \S+ \S+" (\d+) (\S+) (\S+) (.*)')


SLOW_SECONDS = 4
"""How long a slow request takes: less than a pod serves on after it was told to go, since fortio does not finish what
is under way.
"""


@dataclass(frozen=True, slots=True)
class Stream:
    """Requests of one kind that each caller sends: to `url`, at the address `resolve` (the Service's when left out),
    over kept connections.
    """

    name: str
    url: str
    rate: int
    threads: int
    resolve: str = ""


def slow(stack: LabStack) -> Stream:
    """Requests that take their time; the versions must be fortios that may wait so long (`stack.server`)."""
    return Stream(
        "slow", f"http://backend.{stack.namespace}.svc.cluster.local/?delay={SLOW_SECONDS}s", 1, 2 * SLOW_SECONDS
    )


@dataclass(frozen=True, slots=True)
class Failure:
    """A failed request as the caller's Envoy logged it: when, the code (0: no answer), Envoy's flag, its words for it,
    and all else (whom it asked).
    """

    at: str
    code: int
    flag: str
    details: str
    rest: str


@dataclass(frozen=True)
class Reading:
    """The counters of all callers' Envoys at one moment."""

    sent: Mapping[tuple[str, str, str], int]
    """Requests by caller, version ("": past the versions) and endpoint."""

    stats: Mapping[str, Mapping[str, int]]
    """Envoy's statistics by caller, those of its own listeners added up."""

    def sum(self, name: str) -> int:
        return sum(stats.get(name, 0) for stats in self.stats.values())

    def requests(self) -> int:
        return self.sum("downstream_rq_total")

    def versions_since(self, before: Reading) -> dict[str, int]:
        """Requests sent to each version since an earlier reading, as far as its endpoints are still there; those with
        none are left out.
        """
        counts: Counter[str] = Counter()
        for key, count in self.sent.items():
            earlier = before.sent.get(key, 0)
            # A counter that fell is that of a new cluster.
            counts[key[1]] += count - earlier if count >= earlier else count
        return {version: count for version, count in sorted(counts.items()) if count}


@dataclass
class Tally:
    """What came of all requests of a load."""

    codes: Counter[str] = field(default_factory=Counter)
    """By HTTP status; "-1" is fortio's for a socket error."""

    seconds: float = 0.0
    slowest: float = 0.0
    reconnects: int = 0
    """Connections that should have been kept and were not."""

    failures: list[Failure] = field(default_factory=list)

    @property
    def requests(self) -> int:
        return sum(self.codes.values())

    @property
    def failed(self) -> int:
        return self.requests - self.codes["200"]

    @property
    def flags(self) -> dict[str, int]:
        return dict(Counter(failure.flag for failure in self.failures))

    def figures(self) -> dict[str, Any]:
        return {
            "requests": self.requests,
            "perSecond": round(self.requests / self.seconds) if self.seconds else 0,
            "seconds": round(self.seconds, 1),
            "failed": self.failed,
            "codes": dict(self.codes),
            "flags": self.flags,
            "connectionsLost": self.reconnects,
            "slowestSeconds": round(self.slowest, 3),
        }

    def assert_nothing_lost(self) -> None:
        """Zero errors, zero resets."""
        shown = [f"{one.at} {one.code} {one.flag} {one.details} {one.rest}" for one in self.failures[:20]]
        assert (self.failed, self.reconnects, shown) == (0, 0, []), self.figures() | {"first": shown}
        assert self.requests > 0


class Load:
    """Requests to a service of a stack's namespace, and those of other streams, while the block runs.

    `service`, `port`: which one; `elsewhere`: a caller in another namespace sends some, too; `logged`: the access log
    has every request, not the failed ones alone.
    """

    def __init__(
        self,
        stack: LabStack,
        *streams: Stream,
        rate: Rate = FULL,
        elsewhere: bool = False,
        service: str = "backend",
        port: int = 80,
        logged: bool = False,
    ) -> None:
        self._scene = stack
        self._logged = logged
        self._service, self._port = service, port
        self._rate = rate
        self._counts = {stack.namespace: CALLERS, **({ELSEWHERE: 1} if elsewhere else {})}
        self._streams = streams
        self._threads = _THREADS | {stream.name: stream.threads for stream in streams}
        self._host = f"{service}.{stack.namespace}.svc.cluster.local"
        self._url = f"http://{self._host}{'' if port == 80 else f':{port}'}/"
        self._pods: list[Caller] = []
        self._runs: list[tuple[Caller, str, int, str]] = []
        self._pool = ThreadPoolExecutor(sum(self._counts.values()))
        self._since = ""

    def __enter__(self) -> Load:
        if ELSEWHERE in self._counts:
            self._scene.apply(namespace(ELSEWHERE))
        self._pods = [pod for place, count in self._counts.items() for pod in self._started(place, count)]
        # Every caller's proxy has the route: it answers through it.
        list(self._pool.map(self._reach, self._pods))
        self._since = self._scene.run("date -u +%Y-%m-%dT%H:%M:%SZ").strip()
        address = self._scene.run(
            f"kubectl get service {self._service} -n {self._scene.namespace} -o jsonpath={{.spec.clusterIP}}"
        )
        for pod in self._pods:
            rates = _FROM_ELSEWHERE if pod.namespace == ELSEWHERE else self._rate
            for kind, rate in (("kept", rates.kept), ("fresh", rates.fresh)):
                asked = {
                    "url": self._url,
                    "resolve": address,
                    "qps": rate,
                    "c": _THREADS[kind],
                    "t": _BOUND,
                    "timeout": "15s",
                }
                self._begin(pod, kind, asked | ({"connection-reuse": "1"} if kind == "fresh" else {}))
            for stream in self._streams:
                asked = {
                    "url": stream.url,
                    "resolve": stream.resolve or address,
                    "qps": stream.rate,
                    "c": stream.threads,
                    "t": _BOUND,
                }
                self._begin(pod, stream.name, {**asked, "timeout": "15s"})
        start = self.read().requests()
        until(lambda: self.read().requests() >= start + 100, 30, "the load sends requests")
        return self

    def __exit__(self, *exception: object) -> None:
        for pod, _, run, _ in self._runs:
            self._scene.run(self._curl(pod, f"rest/stop?runid={run}"), check=False)
        self._runs = []
        self._pool.shutdown()

    def stop(self) -> Tally:
        """End the load and count what came of it."""
        tally = Tally()

        def ended(asked: tuple[Caller, str, int, str]) -> dict[str, Any]:
            pod, _, run, result = asked
            self._fortio(pod, f"rest/stop?runid={run}&wait=on")
            return self._result(pod, result)

        for (_, kind, _, _), found in zip(self._runs, self._pool.map(ended, self._runs), strict=True):
            tally.codes.update({code: int(count) for code, count in found["RetCodes"].items()})
            tally.seconds = max(tally.seconds, found["ActualDuration"] / 1e9)
            tally.slowest = max(tally.slowest, found["DurationHistogram"]["Max"])
            if kind != "fresh":
                tally.reconnects += found["SocketCount"] - self._threads[kind]
        self._runs = []
        tally.failures = self.failures(self._since)
        return tally

    def read(self) -> Reading:
        """The counters of every caller's Envoy, at about the same time."""
        sent: dict[tuple[str, str, str], int] = {}
        stats: dict[str, Mapping[str, int]] = {}
        for pod, text in zip(self._pods, self._pool.map(self._counters, self._pods), strict=True):
            for endpoint, count in read_clusters(text, Measured(self._host, 80)).items():
                sent[(pod.name, endpoint.cluster.subset, endpoint.address)] = count
            totals: Counter[str] = Counter()
            for name, value in _STAT.findall(text):
                scope, _, short = name.rpartition(".")
                if short.startswith("downstream"):
                    # Other listeners of the sidecar serve the kubelet's probes and fortio's own interface.
                    totals[short] += int(value) if scope.startswith("http.outbound") else 0
                elif (
                    cluster := ClusterName.parse(scope.removeprefix("cluster.").rstrip(";"))
                ) and cluster.host == self._host:
                    totals[short] += int(value)
            stats[pod.name] = totals
        return Reading(sent, stats)

    def wait(self, count: int) -> None:
        """Until so many more requests have been sent."""
        start = self.read().requests()
        until(lambda: self.read().requests() >= start + count, 60, f"{count} requests")

    @property
    def caller(self) -> Caller:
        """One of the callers."""
        return self._pods[0]

    @property
    def callers(self) -> tuple[Caller, ...]:
        """All of them."""
        return tuple(self._pods)

    def failures(self, since: str) -> list[Failure]:
        """The failed requests in the callers' access logs that began at a moment or later. Kubernetes looks for whole
        seconds: of a moment with parts of one, what is in the same second before it is left out here.
        """
        texts = self._pool.map(
            lambda pod: self._scene.run(
                f"kubectl logs -n {pod.namespace} {pod.name} -c istio-proxy --since-time={since}"
            ),
            self._pods,
        )
        found = [match for text in texts for line in text.splitlines() if (match := _ANSWERED.match(line))]
        failed = (Failure(match[1], int(match[2]), match[3], match[4], match[5]) for match in found)
        lost = [one for one in failed if one.code == 0 or one.code >= 400]
        return sorted((one for one in lost if "." not in since or one.at >= since), key=lambda one: one.at)

    def _started(self, place: str, count: int) -> list[Caller]:
        self._scene.apply(*callers(place, count, logged=self._logged))
        self._scene.run(f"kubectl rollout status -n {place} deploy/caller --timeout=90s")
        selector = f"kubectl get pods -n {place} -l app=caller --field-selector status.phase=Running -o json"
        pods = json.loads(self._scene.run(selector))["items"]
        found = [Caller(place, pod["metadata"]["name"]) for pod in pods if not pod["metadata"].get("deletionTimestamp")]
        assert len(found) == count, found
        return found

    def _begin(self, pod: Caller, kind: str, asked: Mapping[str, Any]) -> None:
        query = urlencode({**asked, "async": "on", "save": "on", "jitter": "on"})
        reply = self._fortio(pod, f"rest/run?{query}")
        self._runs.append((pod, kind, reply["RunID"], reply["ResultID"]))

    def _reach(self, pod: Caller) -> None:
        command = pod.exec("caller", f"/usr/bin/fortio curl -quiet {self._url}")
        until(lambda: self._scene.succeeds(command), 30, f"{pod} reaches {self._host}")

    def _counters(self, pod: Caller) -> str:
        # -g: brackets are the filter's, no pattern of curl's.
        script = f"curl -s localhost:15000/clusters; curl -sg 'localhost:15000/stats?filter={_STATS}'"
        # The API server may be away for a moment, where a test restarts it.
        texts: list[str] = []

        def read() -> bool:
            texts.append(self._scene.run(pod.exec("istio-proxy", f'sh -c "{script}"'), check=False))
            return "downstream_rq_total" in texts[-1]

        until(read, 60, f"the counters of {pod}")
        return texts[-1]

    def _result(self, pod: Caller, result: str) -> dict[str, Any]:
        texts: list[str] = []

        def saved() -> bool:
            texts.append(self._scene.run(self._curl(pod, f"data/{result}.json"), check=False))
            return texts[-1].startswith("{")

        until(saved, 30, f"the result {result} of {pod}")
        return dict(json.loads(texts[-1]))

    def _fortio(self, pod: Caller, path: str) -> dict[str, Any]:
        return dict(json.loads(self._scene.run(self._curl(pod, path))))

    def _curl(self, pod: Caller, path: str) -> str:
        return pod.exec("istio-proxy", f"curl -s --max-time 30 'http://localhost:8080/fortio/{path}'")
