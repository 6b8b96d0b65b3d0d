"""Rollouts of one service one after the other, each of a version with a fault or of a good one, by `weir rollout` under
load; what users' requests saw of each.
"""

from __future__ import annotations

import json
import shlex
import statistics
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from tests.live.lossless.faults import BASE_CODE, GOOD, TIMEOUT_SECONDS, Kind, Stage
from tests.live.lossless.lab_stack import LabStack, backend
from tests.live.lossless.load import Load, Rate
from tests.live.lossless.request_log import Request, RequestLog
from tests.live.lossless.running_update import RunningUpdate

RATE = Rate(30, 6)
"""108 requests a second of all three callers."""

ACKNOWLEDGED_SECONDS = 2
"""From the decision until no request reaches the version any more."""

_PODS = 2
_LONGEST = 240
_VERSION = {"replicas": _PODS, "answers": GOOD}
STANDING = {
    "services": {
        "backend": {
            **backend("v1", {"v2": 0}, v1=_VERSION, v2=_VERSION),
            "retries": {"attempts": 2, "retryOn": ["gateway-error"]},
            "timeout": f"{TIMEOUT_SECONDS}s",
            # Each trial is over with its pauses: what is looked for is whether it was taken back until then.
            "rollout": {"analysis": {"patience": "1ms", "undecided": "promote"}},
        }
    }
}


@dataclass(frozen=True, slots=True)
class Trial:
    """One rollout, as users saw it.

    `aborted`: the version was taken back. `seconds`: from the begin of the fault, or the version's first request where
    that came later, to its last one. `acknowledged`: from weir's decision to that. `requests`, `hurt`: those of the
    version, and which of them failed. `slower`: how many times as long they took, on average, as those of the stable
    version. `stray`: failures that nobody has injected.
    """

    kind: str
    aborted: bool
    seconds: float | None
    acknowledged: float | None
    requests: int
    hurt: int
    slower: float
    stray: tuple[str, ...] = ()

    def in_time(self, kind: Kind) -> bool:
        """Whether a fault was noticed as soon as it has to be, and callers had it soon after."""
        return (
            kind.within is not None
            and self.seconds is not None
            and self.acknowledged is not None
            and self.seconds <= kind.within + ACKNOWLEDGED_SECONDS
            and self.acknowledged <= ACKNOWLEDGED_SECONDS
        )


def judged(
    kind: Kind, version: str, seen: Sequence[Request], *, aborted: bool, began: float, decided: float | None
) -> Trial:
    """What became of a rollout of `version`. `seen`: all requests of its time. `began`: when its pods were told of the
    fault; `decided`: when weir said that it takes the version back. Both in seconds since 1970.
    """
    mine = [each for each in seen if each.version == version]
    assert mine, f"no request has reached {version}"
    injected = {BASE_CODE} | kind.codes
    stray = [
        f"{each.version or 'no version'} {each.code} {each.flag} {each.at:.3f}"
        for each in seen
        if each.failed and each.code not in (injected if each.version == version else {BASE_CODE})
    ]
    last = max(each.at for each in mine)
    return Trial(
        kind.name,
        aborted,
        round(last - max(began, min(each.at for each in mine)), 3) if aborted else None,
        round(last - decided, 3) if aborted and decided is not None else None,
        len(mine),
        sum(each.failed for each in mine),
        round(_mean(mine) / _mean([each for each in seen if each.version not in ("", version)]), 2),
        tuple(stray),
    )


def _mean(requests: Sequence[Request]) -> float:
    return statistics.fmean(each.seconds for each in requests)


class Trials:
    """The service, from whichever version is stable to the other one."""

    def __init__(self, stack: LabStack, log: RequestLog) -> None:
        self._stack, self._log = stack, log
        [self._stable] = self._receiving()
        self._version = "v1" if self._stable == "v2" else "v2"
        self._tellers: list[subprocess.Popen[str]] = []

    def run(self, kind: Kind) -> Trial:
        """One rollout; afterwards all pods are good again."""
        try:
            found = self._rolled_out(kind)
        finally:
            self._heal(kind)
        if not found.aborted:
            self._stable, self._version = self._version, self._stable
        receiving = self._receiving()
        assert receiving == {self._stable}, f"{kind.name}: {receiving} get requests"
        return found

    def _rolled_out(self, kind: Kind) -> Trial:
        stages = list(kind.stages)
        began = self._begin(stages.pop(0)) if stages and stages[0].after == 0 else 0.0
        decided: float | None = None
        self._log.take()
        seen: list[Request] = []
        start = time.time()
        command = f".venv/bin/weir rollout backend {self._version} --steps {kind.steps} --pause {kind.pause} --yes"
        with RunningUpdate(self._stack, command) as running:
            while running.process.poll() is None:
                assert time.time() < start + _LONGEST, f"{kind.name}: it does not end:\n{running.said[-3000:]}"
                seen += self._log.take()
                if stages and sum(each.version == self._version for each in seen) >= stages[0].after:
                    at = self._begin(stages.pop(0))
                    began = began or at
                if decided is None and f"{self._version}: taken back" in running.said:
                    decided = time.time()
                time.sleep(0.1)
            code, said = running.process.returncode, running.said
        assert code in (0, 3), f"{kind.name}: weir rollout ended with {code}:\n{said[-3000:]}"
        assert not stages, f"{kind.name}: it was over before the fault:\n{said[-3000:]}"
        # An Envoy logs a request at its end: those that had begun are there once later ones are.
        seen += self._log.take_until(time.time() + kind.settles)
        # What was under way at the begin belongs to the trial before.
        seen = [each for each in seen if each.service == "backend" and each.at >= start]
        return judged(kind, self._version, seen, aborted=code == 3, began=began, decided=decided)

    def _begin(self, stage: Stage) -> float:
        """Tell the pods; when it counts from, in seconds since 1970."""
        if stage.answers is None:
            before = time.time()
            self._stack.kubectl(f"scale deployment backend-{self._version} --replicas=0")
            return before
        versions = (self._stable, self._version) if stage.whose == "both" else (self._version,)
        pods = self._pods(*versions)[: 1 if stage.whose == "one pod" else None]
        # All at one moment, by their own clocks: what both versions suffer, they suffer at the same time.
        at = int(time.time()) + 2
        self._tellers += [self._tell(pod, at, stage.answers, stage.seconds) for pod in pods]
        return float(at)

    def _heal(self, kind: Kind) -> None:
        """What the kind does to pods is over; that it was done is asserted now, when nobody waits for it."""
        self._told()
        if any(stage.answers is None for stage in kind.stages):
            self._stack.kubectl(f"scale deployment backend-{self._version} --replicas={_PODS}")
            self._stack.kubectl(f"rollout status deployment/backend-{self._version} --timeout=90s")
        if kind.stages:
            self._tellers = [self._tell(pod, 0, GOOD, None) for pod in self._pods(self._stable, self._version)]
            self._told()

    def _told(self) -> None:
        tellers, self._tellers = self._tellers, []
        for teller in tellers:
            said, _ = teller.communicate(timeout=60)
            assert teller.returncode == 0, said

    def _tell(self, pod: str, at: int, answers: str, seconds: int | None) -> subprocess.Popen[str]:
        """Have the server of a pod answer so from a second on, and well again after so many seconds."""

        def say(what: str) -> str:
            flag = f"name=echo-server-default-params&value={quote(what, safe='')}"
            return f"curl -sSf --max-time 10 'http://localhost:8080/fortio/flags/set?{flag}'"

        script = f"while [ $(date +%s) -lt {at} ]; do sleep 0.02; done; {say(answers)}"
        script += f"; sleep {seconds}; {say(GOOD)}" if seconds else ""
        return self._stack.start(
            f"kubectl exec -n {self._stack.namespace} {pod} -c istio-proxy -- sh -ec {shlex.quote(script)}"
        )

    def _pods(self, *versions: str) -> list[str]:
        selector = f"app=backend,version in ({','.join(versions)})"
        found = json.loads(self._stack.kubectl(f"get pods -l {shlex.quote(selector)} -o json"))["items"]
        names = sorted(each["metadata"]["name"] for each in found if not each["metadata"].get("deletionTimestamp"))
        assert len(names) == _PODS * len(versions), names
        return names

    def _receiving(self) -> set[str]:
        """The versions that the cluster's route gives requests."""
        found = json.loads(self._stack.kubectl("get virtualservice backend -o json"))
        route: list[dict[str, Any]] = found["spec"]["http"][-1]["route"]
        return {each["destination"]["subset"] for each in route if int(each.get("weight", 100)) > 0}


@contextmanager
def trials(stack: LabStack) -> Iterator[Trials]:
    """Those of a stack that stands as `STANDING` has it, under load, for an hour at most (`Load`)."""
    with Load(stack, rate=RATE, logged=True) as load, RequestLog(stack, load) as log:
        yield Trials(stack, log)
