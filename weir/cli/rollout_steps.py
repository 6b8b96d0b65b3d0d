"""What a rollout does in the cluster and sees there: steps applied as releases, answers counted, checks run."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Sequence
from decimal import Decimal

from weir.analysis import Counts
from weir.cli.context import Context
from weir.cli.release import Release, release
from weir.cluster.templates import made_of
from weir.measurement.answers import BOUNDS, Answers
from weir.measurement.caller import Caller
from weir.measurement.clusters import Measured, measured
from weir.measurement.watched import MAX_CALLERS, Watched
from weir.model import Service, traffic
from weir.model.config.control import control_share, copied
from weir.model.config.rollout import Check
from weir.model.values.numbers import plain
from weir.rollout.ahead import Ahead
from weir.rollout.given_up import GivenUp
from weir.rollout.member import since_begin
from weir.rollout.state import State
from weir.rollout.times import Times
from weir.stack.edit import StackEdit

TIMES_SECONDS = 7.0
"""How long a step waits for the first times: what was answered before a look, Envoy adds up within five seconds."""


class Moves:
    """A rollout's steps, as changes of the stack file that are applied; those of several services at once."""

    def __init__(self, context: Context, reason: str, tell: Callable[[str], None]) -> None:
        self._context, self._reason, self._tell = context, reason, tell

    def move(self, states: Sequence[State], ahead: Ahead | None) -> None:
        """Give each version the share of its step."""

        def edit(file: StackEdit, state: State, settings: Service) -> None:
            hold_stable(file, state, settings)
            share_out(file, state, settings)

        first = states[0]
        self._release(
            states, edit, f"step {first.index + 1} of {len(first.steps)}: {plain(first.step.share)} %", ahead=ahead
        )

    def promote(self, states: Sequence[State], ahead: Ahead | None) -> None:
        """Make each version the stable one."""

        def edit(file: StackEdit, state: State, settings: Service) -> None:
            if settings.stable != state.version:
                file.set_stable(state.service, state.version)
                file.set_canary(state.service, state.stable, Decimal(0))
                file.set_canary(state.service, state.version, None)
            without_control(file, state, settings)

        self._release(states, edit, "promoted", ahead=ahead)

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
        ahead: Ahead | None = None,
        take_back: bool = False,
    ) -> None:
        who = ", ".join(f"{each.service} {each.version}" for each in states)
        self._tell(f"{who}: {what}{' is prepared' if ahead else ''}")
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
                shielded=take_back,
                rollout=True,
                hold=ahead,
                again=f"weir {'abort' if take_back else 'rollout'} {states[0].service}",
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
    """Give the control nothing any more. It stays until an update of its own removes it: what a file does not have
    would go with the split, or keep it from being applied.
    """
    add_control(file, state)
    if state.control in settings.canary:
        file.set_canary(state.service, state.control, Decimal(0))


class Answered:
    """The answers of the two versions of each service, from callers' proxies."""

    def __init__(self, context: Context, states: Sequence[State], tell: Callable[[str], None]) -> None:
        """`tell`: told once how the counts are less than all."""
        self._tell, self._told = tell, set[str]()
        self._versions = {each.service: (each.compared, each.version) for each in states}
        self._times = {each.service: Times(each, TIMES_SECONDS, tell) for each in states}
        self._given_up = {
            each.service: GivenUp(each, since_begin(each, context.service(each.service).rollout).analysis)
            for each in states
        }
        services = {name: measured_service(context, name) for name in self._versions}
        self.watched = Watched(lambda: Caller.all(context.kubectl), services)

    def look(self) -> dict[str, tuple[Counts, Counts]]:
        """Those of the stable version and of the new one since the last look, by service; nothing at the first."""
        seen = {}
        for service, found in self.watched.look().items():
            stable, version = (found.get(name, Answers()) for name in self._versions[service])
            seen[service] = counts(stable, version)
            self._times[service].count(seen[service][1])
            self._given_up[service].count(stable, version)
        self._say()
        return seen

    def anew(self) -> None:
        """What callers have counted until now belongs to no look. Raises ClusterError."""
        for service in self._versions:
            self._given_up[service].anew()
            self._times[service].anew()
        self.watched.anew()

    def waits(self, service: str) -> str:
        """Why a step of the service does not end, whatever the answers say; empty where nothing does."""
        times = "" if service in self.watched.attempts else self._times[service].waits
        return self._given_up[service].waits or times

    def _say(self) -> None:
        for service in sorted(self.watched.attempts):
            self._once(
                f"attempts {service}",
                f"{service}: the Envoy of a caller keeps no statistics of it, so attempts are counted for its "
                "requests: a failure that a retry hides counts, times are not compared, and a version that nothing "
                "reaches has no counts. Set proxyStatsMatcher: docs/guide/rollouts.md",
            )
        if (number := len(self.watched.callers)) > MAX_CALLERS:
            self._once(
                "sample",
                f"{' and '.join(self._versions)}: of {number} callers, {MAX_CALLERS} are asked, those that have "
                "counted most",
            )

    def _once(self, what: str, text: str) -> None:
        if what not in self._told:
            self._told.add(what)
            self._tell(text)


def templates_of_versions(context: Context, states: Sequence[State]) -> dict[str, str]:
    """Of which templates the versions' pods are made, by service, of those that are pods. Raises ClusterError."""
    services = {each.service: (context.service(each.service), each.version) for each in states}
    labels = {
        name: service.pod_labels(name, version)
        for name, (service, version) in services.items()
        if version in service.with_pods
    }
    return made_of(context.kubectl, labels)


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
