"""Where the seconds of an update go inside of Pulumi, from the CLI's own trace (`pulumi --otel-traces=file://FILE`)."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.bench.processes import BenchError

_ROOT, _ABOUT, _PLAN, _RUN = "pulumi", "pulumirpc.LanguageRuntime/About", "pulumi-plan", "pulumirpc.LanguageRuntime/Run"
_REGISTER = "pulumirpc.ResourceMonitor/RegisterResource"
_CONFIGURE, _UPDATE = "pulumirpc.ResourceProvider/Configure", "pulumirpc.ResourceProvider/Update"


def phases(trace: Path) -> dict[str, float]:
    """Seconds of the last update in the file, one phase after the other. Raises BenchError where it has not the parts
    of one.

    `start`: until the CLI asks about the program; `passphrase`: until it has read the state, nearly all of it the key
    made from the passphrase (PBKDF2, a million rounds); `plan`: until the program runs; `program`: until it registers
    its first resource; `provider`: until the Kubernetes provider is configured, for which it is started unless it is
    kept; `resources`: until the one that changed is written; `write`: that; `end`: the rest.
    """
    spans = sorted(_spans(trace), key=lambda span: span[1])
    roots = [start for name, start, _ in spans if name == _ROOT]
    if not roots:
        raise BenchError(f"{trace} has no update")
    last = [span for span in spans if span[1] >= roots[-1]]
    marks = {
        "start": _first(last, _ABOUT)[0],
        "passphrase": _first(last, _PLAN)[0],
        "plan": _first(last, _RUN)[0],
        "program": _first(last, _REGISTER)[0],
        "provider": _first(last, _CONFIGURE)[1],
        "resources": _first(last, _UPDATE)[0],
        "write": _first(last, _UPDATE)[1],
        "end": _first(last, _ROOT)[1],
    }
    before, found = roots[-1], {}
    for phase, until in marks.items():
        found[phase] = round((until - before) / 1e9, 3)
        before = until
    return found


def _first(spans: list[tuple[str, int, int]], wanted: str) -> tuple[int, int]:
    for name, start, end in spans:
        if name == wanted:
            return start, end
    raise BenchError(f"the trace of the update has no {wanted}")


def _spans(trace: Path) -> Iterator[tuple[str, int, int]]:
    """Name, begin and end in nanoseconds."""
    for line in trace.read_text(encoding="utf-8").splitlines():
        document: dict[str, Any] = json.loads(line)
        for resource in document.get("resourceSpans", []):
            for scope in resource.get("scopeSpans", []):
                for span in scope["spans"]:
                    yield span["name"], int(span["startTimeUnixNano"]), int(span["endTimeUnixNano"])
