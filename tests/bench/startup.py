"""What commands that need no cluster cost beside Python itself: `weir --help`, and `weir diff` of a saved preview of
1,000 resources.
"""

from __future__ import annotations

import gzip
import sys
from pathlib import Path
from typing import Any

from tests.bench.processes import Cost, cost

RUNS = 5
HELP_TIMES, DIFF_SECONDS = 5.0, 1.0
PREVIEW = Path(__file__).resolve().parents[1] / "unit" / "engine" / "previews" / "a-thousand-resources.json.gz"

_WEIR = str(Path(sys.executable).with_name("weir"))


def measure(directory: Path) -> dict[str, Any]:
    """The report; best of some runs, in turn."""
    preview = directory / "preview.json"
    preview.write_bytes(gzip.decompress(PREVIEW.read_bytes()))
    commands = {
        "python": [sys.executable, "-c", "pass"],
        "help": [_WEIR, "--help"],
        "diff": [_WEIR, "diff", "--preview", str(preview)],
    }
    costs: dict[str, Cost] = {}
    for _ in range(RUNS):
        for name, command in commands.items():
            costs[name] = cost(command, directory / "out").best(costs.get(name))
    python, shown, diff = (costs[name].seconds for name in commands)
    return {
        "baseline": {"command": "python -c pass", "seconds": round(python, 3)},
        "help": {
            "command": "weir --help",
            "seconds": round(shown, 3),
            "timesBaseline": round(shown / python, 2),
            "target": HELP_TIMES,
            "met": shown <= HELP_TIMES * python,
        },
        "diff": {
            "command": "weir diff --preview FILE, of 1,000 resources that are created",
            "seconds": round(diff, 3),
            "secondsOverBaseline": round(diff - python, 3),
            "target": DIFF_SECONDS,
            "met": diff - python < DIFF_SECONDS,
        },
    }
