"""What a rollout does in the cluster and sees there: steps applied as releases, answers counted, checks run."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from decimal import Decimal

from weir.analysis import Counts
from weir.cli.context import Context
from weir.cli.release import Release, release
from weir.measurement.answers import Answers
from weir.measurement.caller import Caller
from weir.measurement.clusters import measured
from weir.measurement.watched import Watched
from weir.model import Service, traffic
from weir.model.config.rollout import Check
from weir.model.values.numbers import plain
from weir.rollout.state import State
from weir.stack.edit import StackEdit


class Moves:
    """A rollout's steps, as changes of the stack file that are applied."""

    def __init__(self, context: Context, reason: str, tell: Callable[[str], None]) -> None:
        self._context, self._reason, self._tell = context, reason, tell

    def move(self, state: State) -> None:
        """Give the version the share of the step."""
        share = state.step.share

        def edit(file: StackEdit, service: str, settings: Service) -> None:
            hold_stable(file, state, settings)
            file.set_canary(service, state.version, share)

        self._release(state, edit, f"step {state.index + 1} of {len(state.steps)}: {plain(share)} %")

    def promote(self, state: State) -> None:
        """Make the version the stable one."""

        def edit(file: StackEdit, service: str, settings: Service) -> None:
            if settings.stable != state.version:
                file.set_stable(service, state.version)
                file.set_canary(service, state.stable, Decimal(0))
                file.set_canary(service, state.version, None)

        self._release(state, edit, "promoted")

    def take_back(self, state: State) -> None:
        """Give the version nothing."""

        def edit(file: StackEdit, service: str, settings: Service) -> None:
            hold_stable(file, state, settings)
            file.set_canary(service, state.version, Decimal(0))

        self._release(state, edit, "taken back", take_back=True)

    def _release(self, state: State, edit: Callable[..., None], what: str, *, take_back: bool = False) -> None:
        self._tell(f"{state.service} {state.version}: {what}")
        release(
            Release(
                self._context.anew(),
                state.service,
                edit,
                f"weir rollout {state.service} {state.version} ({what})",
                yes=True,
                reason=self._reason,
                take_back=take_back,
                about=(state.version,),
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


class Answered:
    """The answers of the two versions, from callers' proxies."""

    def __init__(self, context: Context, state: State) -> None:
        settings = context.service(state.service)
        resolved = traffic(settings, context.namespace)
        of = measured(settings, resolved, context.config.host(state.service, context.namespace))
        self._versions = state.stable, state.version
        self.watched = Watched(lambda: Caller.all(context.kubectl), of)

    def look(self) -> tuple[Counts, Counts] | None:
        """Those of the stable version and of the new one since the last look; None at the first."""
        found = self.watched.look()
        if found is None:
            return None
        stable, version = (found.get(name, Answers()) for name in self._versions)
        # Envoy adds up its histograms every five seconds: most looks have no times.
        timed = stable.timed + version.timed > 0
        return _counts(stable, timed), _counts(version, timed)


def _counts(answers: Answers, timed: bool) -> Counts:
    return Counts(answers.requests, answers.failures, answers.slower() if timed else {}, answers.timed)


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
