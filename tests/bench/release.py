"""What a canary's move costs from the return key until callers follow, beside what people use otherwise; on a lab of
its own.

- `set`: `weir set SERVICE v2=N --yes`, until it ends, which is when every caller's proxy follows; against `pulumi up
  --yes --skip-preview` of the same
  program and change, which does not wait for proxies.
- `tenth`: the tenth of ten changes in one weir process; against `kubectl patch` of the weights until the caller's Envoy
  follows, read in its own pod.
- `rollout`: `weir rollout` through three steps of five seconds to the promotion; against the pauses alone.
"""

from __future__ import annotations

import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.bench.processes import BenchError
from tests.bench.spans import phases
from tests.live.harness import Project, shell_environment, stack_like_dev

STACK = "bench"
RUNS = 5
STEPS, PROCESSES, PATCHES = 10, 5, 4
TARGET_SET, TARGET_TENTH = 0.7, 4.0
ROLLOUTS, PAUSES = 3, (5, 5, 5)
TARGET_ROLLOUT = 25 / sum(PAUSES)

_FILE = f"Pulumi.{STACK}.yaml"
# In the caller's own pod: each look is a few milliseconds, and says what time it is when the weight is there.
_OBEYS = (
    "echo looking; for look in $(seq 2000); do curl -s 'localhost:15000/config_dump?resource=dynamic_route_configs' "
    "| tr -d ' \\n' |"
    ' grep -q \'"outbound|80|v2|backend.{stack}.svc.cluster.local","weight":{weight}[,}}]\' && date +%s.%N && exit; '
    "done; exit 1"
)


def measure() -> dict[str, Any]:
    """The whole report. Raises BenchError where something does not do what it is measured for."""
    with _stack() as (project, environment):
        shell = _Shell(project.directory, environment)
        shares = iter(range(10, 99))
        ups, sets, patches = [], [], []
        for run in range(RUNS):
            print(f"release: run {run + 1} of {RUNS}", file=sys.stderr)
            shell.edit(next(shares))
            ups.append(shell.timed(f"pulumi up --yes --skip-preview --non-interactive --stack {STACK}"))
            sets.append(shell.timed(f"weir set backend v2={next(shares)} --yes --stack {STACK}"))
        tens = []
        for run in range(PROCESSES):
            print(f"release: kubectl patch, then ten changes in one process, {run + 1} of {PROCESSES}", file=sys.stderr)
            # In turn: a machine has better and worse minutes.
            patches += [_patched(shell, next(shares)) for _ in range(PATCHES)]
            shell.run(f"pulumi up --yes --skip-preview --refresh --non-interactive --stack {STACK}")
            tens.append(shell.steps())
        print("release: ten changes once more, traced", file=sys.stderr)
        traced, where = shell.traced()
        rollouts = [shell.rollout() for _ in range(ROLLOUTS)]
    ratio_set = statistics.median(sets) / statistics.median(ups)
    tenths = [steps[-1] for steps in tens]
    ratio_tenth = statistics.median(tenths) / statistics.median(patches)
    return {
        "method": f"real commands on a lab of their own, in turn, median of {RUNS}; seconds",
        "set": {
            "command": "weir set backend v2=N --yes, until every caller's proxy follows",
            "baseline": "pulumi up --yes --skip-preview of the same program",
            **_beside(sets, ups, ratio_set, TARGET_SET),
        },
        "tenth": {
            "command": (
                f"the last of {STEPS} changes in one weir process, until every caller's proxy follows; median of "
                f"{PROCESSES} processes"
            ),
            "baseline": "kubectl patch of the weights, until the caller's Envoy follows",
            "steps": [[round(step, 3) for step in steps] for steps in tens],
            "where": {
                "what": (
                    "seconds of the tenth change by phase, of another ten with Pulumi's trace on; around: weir "
                    "itself, the CLI's own start and end, callers"
                ),
                **where,
                "around": round(traced[-1] - sum(where.values()), 3),
            },
            **_beside(tenths, patches, ratio_tenth, TARGET_TENTH),
        },
        "rollout": {
            "command": "weir rollout backend v2 --steps 10,25,50 --pause 5s --yes, from 0 % to promoted",
            "baseline": "its pauses",
            **_beside(rollouts, [sum(PAUSES)], statistics.median(rollouts) / sum(PAUSES), TARGET_ROLLOUT),
        },
    }


def _beside(measured: list[float], baseline: list[float], ratio: float, target: float) -> dict[str, Any]:
    return {
        "seconds": round(statistics.median(measured), 3),
        "baselineSeconds": round(statistics.median(baseline), 3),
        "timesBaseline": round(ratio, 2),
        "target": target,
        "met": ratio <= target,
    }


def _patched(shell: _Shell, weight: int) -> float:
    """Seconds from the start of kubectl patch until the caller's Envoy has the weight."""
    watch = _OBEYS.format(stack=STACK, weight=weight)
    command = ["kubectl", "exec", "-n", STACK, "deploy/frontend", "-c", "istio-proxy", "--", "sh", "-c", watch]
    with subprocess.Popen(command, env=shell.environment, stdout=subprocess.PIPE, text=True) as watching:
        assert watching.stdout is not None
        watching.stdout.readline()
        path = "/spec/http/0/route/{}/weight"
        patch = [
            {"op": "replace", "path": path.format(index), "value": value}
            for index, value in enumerate((100 - weight, weight))
        ]
        began = time.time()
        shell.run(f"kubectl patch virtualservice backend -n {STACK} --type=json -p '{json.dumps(patch)}'")
        said, _ = watching.communicate(timeout=120)
    if watching.returncode:
        raise BenchError(f"the caller's Envoy never had the weight {weight} of kubectl patch")
    return float(said) - began


class _Shell:
    """bash in the project, on the lab."""

    def __init__(self, directory: Path, environment: Mapping[str, str]) -> None:
        self.directory, self.environment = directory, environment

    def run(self, command: str, **more: str) -> str:
        done = subprocess.run(
            ["bash", "-c", command], cwd=self.directory, env={**self.environment, **more}, stdin=subprocess.DEVNULL,
            capture_output=True, text=True, timeout=300, check=False,
        )  # fmt: skip
        if done.returncode:
            raise BenchError(f"{command} ended with {done.returncode}:\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
        return done.stdout

    def timed(self, command: str) -> float:
        start = time.perf_counter()
        self.run(command)
        return time.perf_counter() - start

    def steps(self, **more: str) -> list[float]:
        """Seconds of each of ten changes in one weir process."""
        found: list[float] = json.loads(
            self.run(f"python -m tests.bench.steps {STACK} {STEPS}", PYTHONPATH=str(Path(__file__).parents[2]), **more)
        )
        return found

    def rollout(self) -> float:
        """Seconds of a rollout; nobody sends requests, and its steps end with their pauses."""
        print("release: a rollout", file=sys.stderr)
        path = self.directory / _FILE
        before = path.read_text()
        head, _, tail = before.partition("canary: {v2: ")
        settings = "rollout: {analysis: {patience: 1ms, undecided: promote}}"
        line = head[head.rindex("\n") + 1 :]
        path.write_text(
            f"{head}canary: {{v2: 0{tail[tail.index('}') :].replace('}', '}' + chr(10) + line + settings, 1)}"
        )
        self.run(f"pulumi up --yes --skip-preview --non-interactive --stack {STACK}")
        seconds = self.timed(f"weir rollout backend v2 --steps 10,25,50 --pause {PAUSES[0]}s --yes --stack {STACK}")
        path.write_text(before)
        self.run(f"pulumi up --yes --skip-preview --non-interactive --stack {STACK}")
        return seconds

    def traced(self) -> tuple[list[float], dict[str, float]]:
        """The same, with a pulumi that traces itself; and where the seconds of the last change went in it."""
        with tempfile.TemporaryDirectory(prefix="weir-bench-") as directory:
            trace, wrapper = Path(directory, "trace.json"), Path(directory, "pulumi")
            pulumi = shutil.which("pulumi", path=self.environment["PATH"])
            wrapper.write_text(f'#!/bin/sh\nexec {pulumi} "$@" --otel-traces=file://{trace}\n')
            wrapper.chmod(0o755)
            return self.steps(WEIR_TOOL_PULUMI=str(wrapper)), phases(trace)

    def edit(self, share: int) -> None:
        """Another canary in the stack file, as an editor writes it."""
        path = self.directory / _FILE
        head, _, tail = path.read_text().partition("canary: {v2: ")
        path.write_text(f"{head}canary: {{v2: {share}{tail[tail.index('}') :]}")


@contextmanager
def _stack() -> Iterator[tuple[Project, dict[str, str]]]:
    """A stack like dev on a lab of its own, taken down in the end; WEIR_LIVE_PROJECT names a project whose lab is used
    instead.
    """
    given = os.environ.get("WEIR_LIVE_PROJECT")
    project = Project(Path(given)) if given else Project.create(Path(tempfile.mkdtemp(prefix="weir-bench-")))
    end: Callable[[], object] = (lambda: None) if given else (lambda: _down(project))
    try:
        if not given and os.system(f"cd {project.directory} && .venv/bin/weir lab up >&2"):
            raise BenchError("the lab does not start")
        environment = shell_environment(project)
        with stack_like_dev(project, STACK):
            _Shell(project.directory, environment).run(
                f"pulumi up --yes --skip-preview --non-interactive --stack {STACK}"
            )
            yield project, environment
    finally:
        end()


def _down(project: Project) -> None:
    project.weir("lab down", check=False)
    shutil.rmtree(project.directory, ignore_errors=True)
