"""The node's first process: it lays out the namespaces it was born into, starts the units and keeps them running.

It is process 1 of a PID namespace of its own. When it ends, however it ends, the kernel ends every process of the node
and every container with it, and with them go the node's mounts and network namespaces: a lab cannot leave anything
behind that lives. Only the parent's directories (data, cgroups) are left, which ``weir lab down`` removes.

Run as ``python -m lab.node.supervisor PLAN`` by :mod:`lab.node.launch`; PLAN is a JSON file (:class:`Plan`).
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import ssl
import subprocess
import sys
import time
import urllib.error
import urllib.request
from dataclasses import asdict, dataclass, field
from pathlib import Path

from lab.node.layout import lay_out
from lab.node.units import Unit

_TICK_SECONDS = 0.1
_PROBE_SECONDS = 1.0
# A unit that dies more often than this within the window is given up: something is wrong that a restart does not fix.
_RESTARTS = 5
_RESTART_WINDOW_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Plan:
    """What the supervisor is told: where the lab's directory is, its cgroup, and its units."""

    directory: str
    cgroup: str
    units: list[Unit]

    @classmethod
    def read(cls, path: Path) -> Plan:
        """The plan that `write` left at `path`."""
        content = json.loads(path.read_text())
        units = [
            Unit(**{**unit, "command": tuple(unit["command"]), "after": tuple(unit["after"])})
            for unit in content["units"]
        ]
        return cls(content["directory"], content["cgroup"], units)

    def write(self, path: Path) -> None:
        """Leave the plan at `path` for the process that reads it."""
        path.write_text(json.dumps(asdict(self), indent=2))


@dataclass(slots=True)
class _Running:
    """A unit and what became of it: ``waiting``, ``starting``, ``ready``, ``done``, ``failed``."""

    unit: Unit
    state: str = "waiting"
    process: subprocess.Popen[bytes] | None = None
    exit_code: int | None = None
    deaths: list[float] = field(default_factory=list)
    probed: float = 0.0


class Supervisor:
    """Starts units in the order of their ``after``, restarts what dies once it was ready, and writes down the state."""

    def __init__(self, plan: Plan, directory: Path) -> None:
        self._directory = directory
        self._units = {unit.name: _Running(unit) for unit in plan.units}
        self._written = ""

    def run(self) -> None:
        """Supervise until SIGTERM or SIGINT; the caller then exits, and the kernel ends the rest."""
        signals = {signal.SIGCHLD, signal.SIGTERM, signal.SIGINT}
        signal.pthread_sigmask(signal.SIG_BLOCK, signals)
        while True:
            self._reap()
            self._start_due()
            self._probe_starting()
            self._write()
            received = signal.sigtimedwait(signals, _TICK_SECONDS if self._unsettled() else _PROBE_SECONDS)
            if received and received.si_signo != signal.SIGCHLD:
                return

    def _unsettled(self) -> bool:
        return any(running.state in ("waiting", "starting") for running in self._units.values())

    def _reap(self) -> None:
        # Process 1 inherits every orphan of the node, so it waits for any child, not only for its own.
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            for running in self._units.values():
                if running.process is not None and running.process.pid == pid:
                    running.process.returncode = os.waitstatus_to_exitcode(status)
                    self._ended(running, running.process.returncode)

    def _ended(self, running: _Running, code: int) -> None:
        running.process = None
        running.exit_code = code
        if running.unit.once and code == 0:
            running.state = "done"
            return
        now = time.monotonic()
        running.deaths = [death for death in running.deaths if now - death < _RESTART_WINDOW_SECONDS] + [now]
        # Dying before it was ever ready is a mistake in the set-up: said at once, not tried again.
        worked = running.state == "ready" or len(running.deaths) > 1
        running.state = "waiting" if worked and len(running.deaths) <= _RESTARTS and not running.unit.once else "failed"

    def _start_due(self) -> None:
        for running in self._units.values():
            if running.state == "waiting" and all(
                self._units[name].state in ("ready", "done") for name in running.unit.after
            ):
                log = self._directory / "logs" / f"{running.unit.name}.log"
                with log.open("ab") as output:
                    try:
                        running.process = subprocess.Popen(
                            running.unit.command,
                            stdin=subprocess.DEVNULL,
                            stdout=output,
                            stderr=subprocess.STDOUT,
                            # The blocked signals of this process must not be the child's.
                            preexec_fn=_unblock,
                        )
                    except OSError as error:
                        output.write(f"cannot be started: {error}\n".encode())
                        running.state = "failed"
                        continue
                running.state = "starting"

    def _probe_starting(self) -> None:
        now = time.monotonic()
        for running in self._units.values():
            if running.state == "starting" and not running.unit.once and now - running.probed >= 2 * _TICK_SECONDS:
                running.probed = now
                if not running.unit.ready or _answers(running.unit.ready):
                    running.state = "ready"

    def _write(self) -> None:
        state = {
            name: {
                "state": running.state,
                "pid": running.process.pid if running.process else None,
                "exit": running.exit_code,
                "restarts": len(running.deaths),
            }
            for name, running in self._units.items()
        }
        text = json.dumps(state, indent=2)
        if text != self._written:
            partial = self._directory / "node.json.partial"
            partial.write_text(text)
            partial.rename(self._directory / "node.json")
            self._written = text


def _unblock() -> None:
    signal.pthread_sigmask(signal.SIG_SETMASK, ())


def _answers(probe: str) -> bool:
    if probe.startswith("unix:"):
        with contextlib.closing(socket.socket(socket.AF_UNIX)) as connection:
            connection.settimeout(_PROBE_SECONDS)
            return connection.connect_ex(probe.removeprefix("unix:")) == 0
    # Health endpoints of the node's own loopback: who answers there is not in question.
    context = ssl._create_unverified_context() if probe.startswith("https:") else None
    try:
        with urllib.request.urlopen(probe, timeout=_PROBE_SECONDS, context=context) as response:
            return bool(response.status == 200)
    except (urllib.error.URLError, OSError):
        return False


def main() -> None:
    """Process 1 of the node."""
    plan = Plan.read(Path(sys.argv[1]))
    inside = lay_out(Path(plan.directory), plan.cgroup)
    Supervisor(plan, inside).run()


if __name__ == "__main__":
    main()
