"""`make bench`: what weir costs; one JSON document on stdout, progress on stderr.

`weir check` and `weir render` by the number of services, commands that need no cluster beside Python itself, and a
canary's move on a lab of its own (`--no-lab` leaves that out). Everything is a real process, and is set beside a named
baseline of the same run: another machine has other seconds. Beside these, how often the analysis of rollouts is wrong
and how long it takes, by simulation (`--analysis` is that alone).
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import sys
import tempfile
from pathlib import Path
from typing import Any

from tests.bench import configs, startup
from tests.bench.growth import CRITERION, growth
from tests.bench.processes import BenchError, Cost, cost

RUNS = 3
SIZES = (10, 50, 200, 1000)
TARGET_SIZE, TARGET_SECONDS, TARGET_MEBIBYTES = 200, 2.0, 300.0
COMMANDS = {
    "read": "reading the stack file alone, with the function that the commands use",
    "check": "weir check --file FILE",
    "refuse": "weir check --file FILE, of a file with a mistake in its last service: exit code 2, with line and column",
    "render": "weir render --file FILE",
    "parts": "weir render --file FILE, where each service has partial Kubernetes objects",
}

_WEIR = str(Path(sys.executable).with_name("weir"))

Costs = dict[str, dict[int, Cost]]
"""By command and number of services."""


def main() -> int:
    """Measure, and print the report."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("--no-lab", action="store_true", help="only what needs no cluster")
    parser.add_argument("--analysis", action="store_true", help="only the simulation of the analysis")
    parser.add_argument("--rollouts", type=int, default=10_000, help="so many without a difference")
    parser.add_argument("--seed", type=int, default=2026, help="of the simulation")
    parser.add_argument("--processes", type=int, help="of the simulation; one a processor when left out")
    parser.add_argument("--docs", action="store_true", help="write the simulation's table and plot into docs/")
    options = parser.parse_args()
    # Bytecode is kept, as on a user's machine: to compile weir at each start would be a tenth of a second.
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    try:
        report: dict[str, Any] = {}
        if not options.analysis:
            with tempfile.TemporaryDirectory(prefix="weir-bench-") as directory:
                report = {"configs": measure(Path(directory)), "startup": startup.measure(Path(directory))}
        # Imported now, as what follows: the processes measured above would begin with the memory that it takes.
        from tests.bench.analysis import measure as simulation
        from tests.bench.analysis import pages

        report["analysis"] = simulation.measure(options.seed, options.rollouts, options.processes)
        if options.docs:
            pages.write(report["analysis"])
        if not (options.no_lab or options.analysis):
            from tests.bench import release

            report["release"] = release.measure()
    except BenchError as error:
        print(error, file=sys.stderr)
        return 1
    print(json.dumps(report, indent=2))
    return 0


def measure(directory: Path) -> dict[str, Any]:
    """The whole report."""
    baseline: Cost | None = None
    costs: Costs = {name: {} for name in COMMANDS}
    sizes = {size: _size(size, directory) for size in (1, *SIZES)}
    for run in range(1, RUNS + 1):
        baseline = cost([sys.executable, "-c", "pass"], directory / "out").best(baseline)
        for size in sizes:
            print(f"run {run} of {RUNS}, {size} services", file=sys.stderr)
            for name, measured in _costs(size, directory):
                costs[name][size] = measured.best(costs[name].get(size))
    assert baseline is not None
    return {
        "method": f"real processes, best of {RUNS} rounds over all sizes, each quantity by itself",
        "machine": {
            "processors": os.cpu_count(),
            "load": round(os.getloadavg()[0], 2),
            "python": platform.python_version(),
            # A process's peak memory begins at that of the process that started it.
            "least_mebibytes": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, 1),
        },
        "baseline": {"command": "python -c pass", **_shown(baseline)},
        "commands": COMMANDS,
        "sizes": [{**sizes[size], **_beside(size, costs, baseline)} for size in SIZES],
        "growth": {"criterion": CRITERION, **{name: growth(by_size) for name, by_size in costs.items()}},
        "target": _target(costs),
    }


def _size(size: int, directory: Path) -> dict[str, int]:
    """Writes the files of this size."""
    file = configs.write(size, directory / f"{size}.yaml")
    configs.write(size, directory / f"{size}.bad.yaml", mistake=True)
    configs.write(size, directory / f"{size}.parts.yaml", parts=True)
    return {"services": size, "versions": size * configs.VERSIONS, "bytes": file.stat().st_size}


def _costs(size: int, directory: Path) -> list[tuple[str, Cost]]:
    file, bad, out = str(directory / f"{size}.yaml"), str(directory / f"{size}.bad.yaml"), directory / "out"
    found = [
        ("read", cost([sys.executable, "-m", "tests.bench.read", file], out)),
        ("check", cost([_WEIR, "check", "--file", file], out)),
        ("refuse", cost([_WEIR, "check", "--file", bad], out, exit_code=2)),
        ("parts", cost([_WEIR, "render", "--file", str(directory / f"{size}.parts.yaml")], out)),
        ("render", cost([_WEIR, "render", "--file", file], out)),
    ]
    with out.open("rb") as rendered:
        routes = sum(line == b"kind: VirtualService\n" for line in rendered)
    if routes != size:
        raise BenchError(f"{size} services were rendered as {routes} VirtualServices")
    return found


def _beside(size: int, costs: Costs, baseline: Cost) -> dict[str, Any]:
    return {
        name: {
            **_shown(by_size[size]),
            "times_baseline": round(by_size[size].seconds / baseline.seconds, 2),
            "times_read": round(by_size[size].seconds / costs["read"][size].seconds, 2),
        }
        for name, by_size in costs.items()
    }


def _target(costs: Costs) -> dict[str, Any]:
    measured = [costs[name][TARGET_SIZE] for name in ("check", "render")]
    met = all(each.seconds < TARGET_SECONDS and each.mebibytes < TARGET_MEBIBYTES for each in measured)
    return {"services": TARGET_SIZE, "seconds": TARGET_SECONDS, "mebibytes": TARGET_MEBIBYTES, "met": met}


def _shown(each: Cost) -> dict[str, float]:
    return {
        "seconds": round(each.seconds, 3),
        "processor_seconds": round(each.processor_seconds, 3),
        "mebibytes": round(each.mebibytes, 1),
    }


if __name__ == "__main__":
    sys.exit(main())
