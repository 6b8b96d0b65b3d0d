"""The process of one update, which Ctrl-C reaches in good order."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from weir.engine.events import EVENT_LOG, EventLog
from weir.engine.gate import Gate
from weir.engine.shown import Shown
from weir.engine.warm.program import GO
from weir.processes import until_killed


def run(
    command: Sequence[str],
    project: Path,
    shown: Shown,
    log: EventLog | None,
    environment: Mapping[str, str],
    gate: Gate | None,
    *,
    shielded: bool,
) -> tuple[int, bool]:
    """Run it in the project's directory; its exit code, and whether Ctrl-C came meanwhile.

    `shown`, `log`: where its output and its events go. `environment`: what it has besides. `gate`: is closed by Ctrl-C.
    `shielded`: Ctrl-C does not reach it.
    """
    # Ctrl-C reaches pulumi as well, which ends its operation in good order; this process waits for that. It is told the
    # same when this process is killed, which ends its waiting for pods too.
    process = subprocess.Popen(
        [*until_killed("INT"), *command, *([log.option] if log else [])],
        cwd=project,
        start_new_session=shielded,
        stdout=shown.end,
        stderr=shown.end,
        env={**GO, **os.environ, **(EVENT_LOG if log else {}), **environment},
        pass_fds=[log.descriptor] if log else (),
    )
    shown.started()
    if log:
        log.started()
    interrupted = False
    while True:
        try:
            code = process.wait()
            shown.rest()
            if log:
                log.rest()
            return code, interrupted
        except KeyboardInterrupt:
            interrupted = not shielded
            if interrupted and gate:
                gate.end()
