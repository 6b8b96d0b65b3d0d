"""`make soak`: the life of a service under load, round after round, then random changes of all kinds, then rollouts of
good and bad versions; JSON figures on stdout, progress on stderr.

A lab of its own. The first measurement is the naive program's, which must lose requests. Ctrl-C takes the lab down as
the end does.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import signal
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.live.harness import Project
from tests.live.lossless import soaked_rollouts
from tests.live.lossless.baseline import NaiveStack
from tests.live.lossless.callers import CALLERS
from tests.live.lossless.conftest import temporary_stack
from tests.live.lossless.driver import RandomRun, drive
from tests.live.lossless.lab_stack import LabStack
from tests.live.lossless.load import FULL, Load, Tally
from tests.live.lossless.service_lifecycle import START, STEPS, Step, live, told
from tests.live.lossless.soaked_rollouts import held


def main() -> int:
    """Run, print the report; exit code 1 when a request was lost, when the naive program lost none, or when rollouts
    did not decide as they have to.
    """
    parser = argparse.ArgumentParser(prog="python -m tests.live.lossless.soak", description=__doc__)
    parser.add_argument("--rounds", type=int, default=3, help="rounds of the life (%(default)s)")
    parser.add_argument("--minutes", type=float, default=50, help="minutes of random changes (%(default)s)")
    parser.add_argument(
        "--rollouts",
        type=int,
        default=20,
        help="rollouts of bad versions, and as many of good ones: 20 of each take 16 minutes, 200 take 160 (%(default)s)",
    )
    parser.add_argument(
        "--seed",
        type=int,
        default=int(time.time()),
        help="what the random changes and rollouts are drawn from; printed (the time of day)",
    )
    parser.add_argument(
        "--project", type=Path, help="directory of a project whose lab is up; without it, one is started and taken down"
    )
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, _interrupt)
    directory = options.project or Path(tempfile.mkdtemp(prefix="weir-soak-"))
    project = Project.create(directory)
    try:
        if not options.project and os.system(f"cd {directory} && .venv/bin/weir lab up >&2"):
            _tell("the lab does not start")
            return 1
        report = soak(project, options.rounds, options.minutes, options.seed, options.rollouts)
    except KeyboardInterrupt:
        _tell("interrupted")
        return 130
    except AssertionError as error:
        _tell(f"the soak could not go on: {error}")
        return 1
    finally:
        if not options.project:
            # A second Ctrl-C would leave a lab behind.
            signal.signal(signal.SIGINT, signal.SIG_IGN)
            _tell("taking the lab down")
            project.weir("lab down", check=False)
            shutil.rmtree(directory, ignore_errors=True)
    print(json.dumps(report, indent=2))
    return 0 if report["lossless"] and report["baseline"]["failed"] and held(report["rollouts"]) else 1


def soak(project: Project, rounds: int, minutes: float, seed: int, rollouts: int) -> dict[str, Any]:
    """The whole report."""
    _tell("the naive program, as baseline")
    with NaiveStack(project) as naive:
        lost = list(naive.measure())
    for each in lost:
        _tell(f"  {each.step}: {each.failed} of {each.requests} requests failed {dict(each.flags)}")
    stack = LabStack.create(project, "soak")
    steps: list[Step] = []
    tallies: list[Tally] = []
    try:
        for number in range(1, rounds + 1):
            # Without previews, which change nothing in the cluster: more updates in the same time.
            stack.up(START, "--skip-preview")
            with Load(stack) as load:
                for step in live(stack, load, "--skip-preview"):
                    _tell(f"round {number}: {told(step)}")
                    steps.append(step)
                tallies.append(load.stop())
            _tell(f"round {number}: {tallies[-1].figures()}")
        drawn = drive(stack, seed, minutes * 60, _tell) if minutes else RandomRun(seed)
    finally:
        project.run(f"pulumi cancel --yes --stack {stack.name}; pulumi destroy --yes --stack {stack.name}", check=False)
    with temporary_stack(project, "soaked") as other:
        decided = soaked_rollouts.drive(other, rollouts, seed, _tell) if rollouts else ([], "")
    return {
        "soak": "the life of a service under load",
        "machine": {
            "processors": os.cpu_count(),
            "load": round(os.getloadavg()[0], 2),
            "python": platform.python_version(),
        },
        "load": {
            "callers": CALLERS,
            "keptPerSecond": CALLERS * FULL.kept,
            "freshPerSecond": CALLERS * FULL.fresh,
            "retries": 0,
        },
        "baseline": {"failed": sum(each.failed for each in lost), "steps": [each.figures() for each in lost]},
        "rounds": [tally.figures() for tally in tallies],
        "random": drawn.figures(),
        "rollouts": soaked_rollouts.figures(*decided),
        "requests": sum(tally.requests for tally in (*tallies, *drawn.tallies)),
        "failed": sum(tally.failed for tally in (*tallies, *drawn.tallies)),
        "connectionsLost": sum(tally.reconnects for tally in tallies),
        "steps": [_of(name, [step for step in steps if step.name == name]) for name in STEPS],
        "lossless": not any(tally.failed or tally.reconnects or tally.failures for tally in tallies)
        and not any(step.stray for step in steps)
        and drawn.lossless,
    }


def _of(name: str, steps: Sequence[Step]) -> dict[str, Any]:
    seconds = [step.seconds for step in steps]
    return {
        "step": name,
        "times": len(steps),
        "requests": sum(step.requests for step in steps),
        "failed": sum(step.failed for step in steps),
        "stray": sum(sum(step.stray.values()) for step in steps),
        "codes": _sum([step.codes for step in steps]),
        "flags": _sum([step.flags for step in steps]),
        "secondsOfUpdate": {"median": round(statistics.median(seconds), 1), "most": round(max(seconds), 1)}
        if seconds
        else {},
        "secondsUntilFollowed": round(max((step.followed for step in steps), default=0.0), 2),
    }


def _sum(counts: Sequence[Any]) -> dict[str, int]:
    return {key: sum(each.get(key, 0) for each in counts) for key in sorted({key for each in counts for key in each})}


def _interrupt(*_: object) -> None:
    raise KeyboardInterrupt


def _tell(what: str) -> None:
    print(what, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
