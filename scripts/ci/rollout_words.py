"""The message of a commit with what a rollout changed in the stack file, from the JSON that `weir rollout` prints."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from weir.visible import visible

_GIVEN = (("reason", "reason"), ("because", "why"), ("afterwards", "retired"))


def rolled(stack: str, states: str, exit_code: str) -> str:
    """What `weir rollout` says of each of its rollouts, the title first. STATES has its JSON documents, one after the
    other; none where it ended before.
    """
    found = list(_states(Path(states).read_text(encoding="utf-8")))
    if not found:
        return f"weir rollout of {stack}: " + ("nothing was due" if exit_code == "0" else f"exit code {exit_code}")
    lines = [f"weir rollout of {stack}: {', '.join(_short(state) for state in found)}"]
    for state in found:
        lines += ["", f"{state['service']}: {state['version']} takes over from {state['stable']} ({state['command']})"]
        lines += [f"begun by: {state['who']}", f"requests: {state['requests']:,}, of which {state['hurt']:,} failed"]
        lines += [f"{name}: {' '.join(state[key].split())}" for name, key in _GIVEN if state.get(key)]
    return "\n".join(lines)


def _states(text: str) -> Iterator[Mapping[str, Any]]:
    """Of several services that go through their steps as one there is one document."""
    text = text.strip()
    while text:
        document, end = json.JSONDecoder().raw_decode(text)
        yield from document.get("services", [document])
        text = text[end:].strip()


def _short(state: Mapping[str, Any]) -> str:
    share = f"{state['steps'][state['index']]['share']} %"
    ways = {"promoted": "is stable", "aborted": "is taken back", "held": f"is held at {share}"}
    return f"{state['service']} {state['version']} {ways.get(state['phase'], f'at {share}')}"


if __name__ == "__main__":
    print(visible(rolled(*sys.argv[1:])))
