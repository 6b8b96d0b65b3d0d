"""A `weir rollout` that is killed at a moment of its own: at a call of kubectl or pulumi, in whose place it finds a
script that kills it and all that it has started.
"""

from __future__ import annotations

import json
import shlex
import shutil
import signal
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from tests.live.lossless.lab_stack import LabStack
from tests.live.lossless.running_update import RunningUpdate

_MIDDLE_SECONDS = 0.6
"""An update of one route takes 0.7 to 1.5 s."""

Shares = Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Moment:
    """`tool`: at whose call it dies: pulumi's with this `text` among its arguments, or kubectl's that writes a state
    with this text down. `when`: before the call is made, in its middle, or after it. `number`: at which of such calls.

    `kept`: phase and step that the cluster has then, none where no rollout is under way. `safe`: what the route may
    give the versions. `version`: the one that is rolled out.
    """

    tool: Literal["kubectl", "pulumi"]
    text: str
    when: Literal["before", "during", "after"]
    kept: tuple[str, int] | None
    safe: tuple[Shares, ...]
    number: int = 1
    version: str = "v2"


def _written(phase: str, index: int | None = None) -> str:
    """A part of the state, as it stands in the JSON of its ConfigMap."""
    text = f'"phase": "{phase}",' + ("" if index is None else f'\n "index": {index},')
    return json.dumps(text)[1:-1]


_NONE, _TENTH, _HALF, _ALL = {"v1": 100}, {"v1": 90, "v2": 10}, {"v1": 50, "v2": 50}, {"v2": 100}
_BAD = {"v1": 90, "v3": 10}

MOMENTS = {
    "before the begin is written down": Moment("kubectl", _written("begun"), "before", None, (_NONE,)),
    "the begin is written down": Moment("kubectl", _written("begun"), "after", ("begun", 0), (_NONE,)),
    "before the first step's update": Moment("pulumi", "step 1 of 2", "before", ("begun", 0), (_NONE,)),
    "during the first step's update": Moment("pulumi", "step 1 of 2", "during", ("begun", 0), (_NONE, _TENTH)),
    "before the first step is written down": Moment("kubectl", _written("step", 0), "before", ("begun", 0), (_TENTH,)),
    "in the first step": Moment("kubectl", _written("step", 0), "after", ("step", 0), (_TENTH,), number=2),
    "before the second step is written down": Moment("kubectl", _written("step", 1), "before", ("step", 0), (_HALF,)),
    "during the promotion's update": Moment("pulumi", "(promoted)", "during", ("step", 1), (_HALF, _ALL)),
    "before the promotion is written down": Moment("kubectl", _written("promoted"), "before", ("step", 1), (_ALL,)),
    "during the update that takes it back": Moment(
        "pulumi", "(taken back)", "during", ("step", 0), (_BAD, _NONE), version="v3"
    ),
    "before it is written down that it was taken back": Moment(
        "kubectl", _written("aborted"), "before", ("step", 0), (_NONE,), version="v3"
    ),
}


def kill_at(stack: LabStack, moment: Moment, arguments: str) -> None:
    """Run `weir rollout` until it is killed at this moment."""
    with tempfile.TemporaryDirectory(prefix="weir-killed-") as name:
        directory = Path(name)
        tool = directory / moment.tool
        real = shutil.which(moment.tool, path=stack.environment["PATH"])
        assert real is not None
        tool.write_text(script(moment, real, directory))
        tool.chmod(0o755)
        environment = {f"WEIR_TOOL_{moment.tool.upper()}": str(tool)}
        with RunningUpdate(stack, f".venv/bin/weir rollout {arguments}", env=environment) as running:
            # It is the first of its session, and its number that of the group.
            (directory / "group").write_text(str(running.process.pid))
            update = running.wait()
    assert update.code == -signal.SIGKILL, f"it ended with {update.code} before it was killed:\n{update.said[-3000:]}"


def script(moment: Moment, real: str, directory: Path) -> str:
    """What stands in the place of the tool. Every other call is the tool's."""
    call = f'{shlex.quote(real)} "$@"'
    if moment.tool == "pulumi":
        lines = [f'case "$*" in *{shlex.quote(moment.text)}*) ;; *) exec {call} ;; esac']
    else:
        # Of kubectl's calls those read an object on stdin that write a state down.
        lines = [
            f'case "$*" in *" -f - "*) ;; *) exec {call} ;; esac',
            f"input=$(mktemp {directory}/input.XXXXXX)",
            'cat > "$input"',
            'exec < "$input"',
            f'grep -qF -e {shlex.quote(moment.text)} "$input" || exec {call}',
        ]
    lines += [
        f"echo >> {directory}/seen",
        f'[ "$(wc -l < {directory}/seen)" -eq {moment.number} ] || exec {call}',
        *({"before": [], "during": [f"{call} & sleep {_MIDDLE_SECONDS}"], "after": [call]}[moment.when]),
        f'kill -s KILL -- "-$(cat {directory}/group)"',
    ]
    return "\n".join(["#!/bin/sh", *lines, ""])
