"""What a rollout does in the cluster and sees there: steps applied as releases, answers counted, checks run."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Sequence
from decimal import Decimal

from weir.analysis import Counts
from weir.cli.context import Context
from weir.cli.release import Release, release
from weir.measurement.answers import BOUNDS, Answers
from weir.measurement.caller import Caller
from weir.measurement.clusters import Measured, measured
from weir.measurement.watched import Watched
from weir.model import Service, traffic
from weir.model.config.control import control_share, copied
from weir.model.config.rollout import Check
from weir.model.values.numbers import plain
from weir.rollout.state import State
from weir.stack.edit import StackEdit


class Moves:
    """A rollout's steps, as changes of the stack file that are applied; those of several services at once."""

    def __init__(self, context: Context, reason: str, tell: Callable[[str], None]) -> None:
        self._context, self._reason, self._tell = context, reason, tell

    def move(self, states: Sequence[State]) -> None:
        """Give each version the share of its step."""

        def edit(file: StackEdit, state: State, settings: Service) -> None:
            hold_stable(file, state, settings)
            share_out(file, state, settings)

        first = states[0]
        self._release(states, edit, f"step {first.index + 1} of {len(first.steps)}: {plain(first.step.share)} %")

    def promote(self, states: Sequence[State]) -> None:
        """Make each version the stable one."""

        def edit(file: StackEdit, state: State, settings: Service) -> None:
            if settings.stable != state.version:
                file.set_stable(state.service, state.version)
                file.set_canary(state.service, state.stable, Decimal(0))
                file.set_canary(state.service, state.version, None)
            without_control(file, state, settings)

        self._release(states, edit, "promoted")

    def take_back(self, states: Sequence[State]) -> None:
        """Give none of the versions anything."""

        def edit(file: StackEdit, state: State, settings: Service) -> None:
            hold_stable(file, state, settings)
            file.set_canary(state.service, state.version, Decimal(0))
            without_control(file, state, settings)

        self._release(states, edit, "taken back", take_back=True)

    def _release(
        self,
        states: Sequence[State],
        edit: Callable[[StackEdit, State, Service], None],
        what: str,
        *,
        take_back: bool = False,
    ) -> None:
        who = ", ".join(f"{each.service} {each.version}" for each in states)
        self._tell(f"{who}: {what}")
        by_service = {each.service: each for each in states}

        def edit_one(file: StackEdit, service: str, settings: Service) -> None:
            edit(file, by_service[service], settings)

        release(
            Release(
                self._context.anew(),
                dict.fromkeys(by_service, edit_one),
                f"weir rollout {who} ({what})",
                yes=True,
                reason=self._reason,
                take_back=take_back,
                about={each.service: (each.version,) for each in states},
                tell=self._tell,
                rollout=True,
            )
        )


def hold_stable(file: StackEdit, state: State, settings: Service) -> None:
    """Have the stack file say which version is stable while the rollout is under way.

    Another machine may have a file from before the last promotion, or one in which a promotion stands that was killed:
    by that the requests of the stable version would go to another one.
    """
    if settings.stable != state.stable:
        file.set_stable(state.service, state.stable)
        file.set_canary(state.service, state.stable, None)


def share_out(file: StackEdit, state: State, settings: Service) -> None:
    """Give the version the share of its step, and the control as much."""
    file.set_canary(state.service, state.version, state.step.share)
    if state.control:
        add_control(file, state)
        share = control_share(state.step.share, settings.canary, state.stable, state.version, state.control)
        file.set_canary(state.service, state.control, share)


def add_control(file: StackEdit, state: State) -> None:
    """Have the stack file say what the control is, where it does not: another machine may have one from before."""
    versions = file.settings(state.service)["versions"] if state.control else {}
    if state.control not in versions and state.stable in versions:
        made = copied(versions[state.stable] or {}, versions.get(state.version) or {})
        file.add_version(state.service, state.control, made)


def without_control(file: StackEdit, state: State, settings: Service) -> None:
    """Give the control nothing any more."""
    if state.control in settings.canary:
        file.set_canary(state.service, state.control, Decimal(0))


class Answered:
    """The answers of the two versions of each service, from callers' proxies."""

    def __init__(self, context: Context, states: Sequence[State]) -> None:
        self._versions = {each.service: (each.compared, each.version) for each in states}
        services = {name: measured_service(context, name) for name in self._versions}
        self.watched = Watched(lambda: Caller.all(context.kubectl), services)

    def look(self) -> dict[str, tuple[Counts, Counts]]:
        """Those of the stable version and of the new one since the last look, by service; nothing at the first."""
        seen = {}
        for service, found in self.watched.look().items():
            stable, version = (found.get(name, Answers()) for name in self._versions[service])
            seen[service] = counts(stable, version)
        return seen

    def anew(self) -> None:
        """What callers have counted until now belongs to no look. Raises ClusterError."""
        self.watched.look()


def measured_service(context: Context, name: str) -> Measured:
    """The service of this name, as it is counted."""
    service = context.service(name)
    return measured(service, traffic(service, context.namespace), context.config.host(name, context.namespace))


def counts(stable: Answers, version: Answers, bounds: Sequence[float] = BOUNDS) -> tuple[Counts, Counts]:
    """What one look has seen of both versions."""
    # Envoy adds up its histograms every five seconds: most looks have no times.
    timed = stable.timed + version.timed > 0

    def of(answers: Answers) -> Counts:
        return Counts(answers.requests, answers.failures, answers.slower(bounds) if timed else {}, answers.timed)

    return of(stable), of(version)


def run_check(context: Context) -> Callable[[Check, State], str]:
    """Runs a check of the user's; why it failed, or nothing."""

    def run(check: Check, state: State) -> str:
        known = {
            "WEIR_SERVICE": state.service,
            "WEIR_VERSION": state.version,
            "WEIR_NAMESPACE": context.namespace,
            "WEIR_SHARE": str(plain(state.step.share)),
        }
        try:
            done = subprocess.run(
                ["sh", "-c", check.run],
                cwd=context.project,
                env={**os.environ, **known},
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                timeout=check.timeout.seconds,
                check=False,
            )
        except subprocess.TimeoutExpired:
            return f"check {check.run} did not end within {check.timeout}"
        if done.returncode == 0:
            return ""
        last = (done.stderr.strip() or done.stdout.strip()).splitlines()[-1:] or ["it said nothing"]
        return f"check {check.run} failed with exit code {done.returncode}: {last[0][:300]}"

    return run
