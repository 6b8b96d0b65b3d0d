"""A stack, driven through the Pulumi CLI that the user has: what it does here is what it does when typed."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import nullcontext, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from weir.engine.errors import (
    EngineError,
    HeldBackError,
    InterruptedPreviewError,
    InterruptedUpdateError,
    NoStackError,
    RefusedError,
)
from weir.engine.events import EventLog, Listener
from weir.engine.file_backend import held
from weir.engine.gate import Gate
from weir.engine.said import diagnostics, too_old, words
from weir.engine.shown import Shown
from weir.engine.update_process import run
from weir.engine.updates import updates
from weir.engine.warm.program import ATTACHED, GO, can_serve, let_go, plugin_to_keep, server
from weir.processes import alive, until_killed
from weir.program_environment import HELD, STACK_FILE

if TYPE_CHECKING:
    from weir.cluster.kubectl import Kubectl

TOOL_VARIABLE = "WEIR_TOOL_PULUMI"
"""Environment variable that names the pulumi to use; without it, the first one on PATH."""

_ASK_SECONDS = 60.0
_PREVIEW_SECONDS = 300.0
# Without a dialogue it has no colours either, unless somebody asks for them: they are escape sequences, as those that a
# value may have.
_PLAIN = ("--non-interactive", "--color", "never")
# pulumi's exit code for a stack that does not exist (its documentation, "Exit codes").
_NO_STACK = 6


@dataclass(frozen=True, slots=True)
class Stack:
    """A stack of the project in `project`, in whichever backend the environment names."""

    name: str
    project: Path

    def ensure(self) -> None:
        """Select the stack, so that `pulumi up` needs no --stack; create it first where the backend has none of that
        name.
        """
        selected = self.ask("stack", "select", self.name)
        if selected.returncode == 0:
            return
        if selected.returncode != _NO_STACK and "no stack named" not in selected.stderr:
            raise EngineError(f"stack {self.name} cannot be selected: {words(selected)}")
        created = self.ask("stack", "init", self.name)
        if created.returncode:
            raise EngineError(f"stack {self.name} cannot be created: {words(created)}")

    def up(
        self,
        message: str = "",
        *,
        shielded: bool = False,
        preview: bool = False,
        asking: Kubectl | None = None,
        only: Sequence[str] = (),
        config: Path | None = None,
        policies: str = "",
        environment: Mapping[str, str] | None = None,
        quiet: bool = False,
        listener: Listener | None = None,
        gate: Gate | None = None,
    ) -> None:
        """`pulumi up --yes`, its output on this terminal. Raises EngineError when it fails: Pulumi has said why.

        `message` goes into the stack's history; with one, the output goes to stderr. `shielded`: Ctrl-C does not reach
        it, because it is what Ctrl-C itself asks for. `preview`: preview first, in the same run; where that refuses,
        RefusedError says that nothing was changed. `asking`: how the program is going to ask the cluster; what it asks
        is read while pulumi starts. `only`: patterns of the URNs of the resources that may change (`--target`); all
        others are taken to be as they were. `config`: the stack file to go by in place of the stack's own. `policies`:
        the directory of a policy pack that is asked. `environment`: what the program finds there besides. `quiet`: its
        output is shown only where it fails. `listener`: is told how it goes, in place of its output; that is shown
        where it fails and no error says why. `gate`: holds its rules back; HeldBackError where they stay so.
        """
        # Interactive, pulumi would take Ctrl-C from the terminal as a key, and this process would never hear of it.
        command = [self._pulumi(), "up", "--yes", *_PLAIN, "--stack", self.name]
        command += [] if preview else ["--skip-preview"]
        command += [f"--target={pattern}" for pattern in only]
        # Rules that are held have a place each among Pulumi's workers, beside as many as it has.
        command += [f"--parallel={4 * (os.cpu_count() or 1) + len(only)}"] if gate else []
        command += [f"--config-file={config}"] if config else []
        command += [f"--policy-pack={policies}"] if policies else []
        if message:
            command += ["--message", message, "--suppress-outputs"]
        options = self._served() if message else []
        program = server(self.project) if options else None
        before = program.updates() if program else None
        if program and asking:
            program.look_ahead(asking)
        # The program reads in the stack file which values are secret.
        given = {**(environment or {}), STACK_FILE: str(config) if config else os.environ.get(STACK_FILE, "")}
        given[HELD] = "1" if gate and program else ""
        if program:
            program.give(given)
        # With --target all else is as it was, the provider's settings too: it can be the same process for one update
        # after the other.
        plugin = plugin_to_keep(self.project) if program and only else None
        more = dict(given)
        if program and plugin and program.keep(plugin):
            more[ATTACHED] = f"kubernetes:{program.address.rpartition(':')[2]}"
        if gate and not program:
            self._pass_alone(gate)
        shown = Shown(2 if message else 1, kept=quiet or listener is not None)
        log = EventLog(listener) if listener else None
        with gate.beside(program) if gate and program else nullcontext():
            code, interrupted = run([*command, *options], self.project, shown, log, more, gate, shielded=shielded)
        if code and gate and gate.closed and not interrupted:
            let_go()
            raise HeldBackError
        if code and not (log and (log.explained or interrupted or code == _NO_STACK)):
            shown.tell()
        if interrupted:
            # Where Ctrl-C comes while pulumi takes its lock, it ends without the lock, and leaves it.
            with suppress(EngineError):
                self.unlock()
        if code == _NO_STACK:
            raise self._no_stack()
        after = program.updates() if program else None
        updated = before is None or after is None or after > before
        if code:
            let_go()
        if code and not updated:
            raise (InterruptedPreviewError if interrupted else RefusedError)(
                f"the preview of stack {self.name} "
                f"{'was interrupted' if interrupted else f'ended with exit code {code}{self._too_old()}'}"
            )
        if interrupted:
            raise InterruptedUpdateError(
                f"pulumi up of stack {self.name} was interrupted; what it did is recorded, and the next run goes on "
                "from there"
            )
        if code:
            raise EngineError(
                f"pulumi up of stack {self.name} ended with exit code {code}{self._too_old()}; what it did is "
                "recorded, and the next run goes on from there"
            )

    def _served(self) -> list[str]:
        """Options with which pulumi has the program run by the process that weir keeps; none where it cannot."""
        address = server(self.project).address if can_serve(self.project) else ""
        return [f"--client={address}"] if address else []

    def unlock(self) -> str:
        """Remove the locks that updates of this machine have left which are gone, as `pulumi cancel` does. Returns
        what was done, in words.

        Only of a file backend such locks are left: others end them by themselves. Raises EngineError while an update
        still runs.
        """
        asked = self.ask("stack", "export", "--stack", self.name)
        if asked.returncode:
            raise EngineError(f"the state of stack {self.name} cannot be read: {words(asked)}")
        if not (locks := held(self.project, self.name)):
            return ""
        if running := [pid for pid in locks if alive(pid)]:
            raise EngineError(
                f"an update of stack {self.name} still runs (process {running[0]}); wait for its end, then try again"
            )
        cancelled = self.ask("cancel", "--yes", "--stack", self.name)
        if cancelled.returncode:
            raise EngineError(f"the lock of stack {self.name} cannot be removed: {words(cancelled)}; see pulumi cancel")
        return f"removed the lock of an update whose process is gone ({locks[0]})"

    def history(self, newest: int = 0) -> list[dict[str, Any]]:
        """The stack's updates as `pulumi stack history --json` has them, newest first; so many of them, or all. Raises
        EngineError.
        """
        asked, found = updates(self, newest)
        if asked.returncode:
            raise EngineError(f"the history of stack {self.name} cannot be read: {words(asked)}{self._too_old()}")
        return found

    def revealed_history(self, newest: int = 0) -> list[dict[str, Any]]:
        """The same with the values of secrets, for comparing, where a config of weir's has any; without them where
        they cannot be decrypted.
        """
        found = self.history(newest)
        config = [item for entry in found for item in (entry.get("config") or {}).items()]
        if not any(value.get("secret") for key, value in config if key.startswith("weir:")):
            return found
        asked, revealed = updates(self, newest, "--show-secrets")
        return found if asked.returncode else revealed

    def preview(self, config: Path | None = None) -> str:
        """`pulumi preview --json`; `config`: the stack file to go by in place of the stack's own. Raises EngineError
        with Pulumi's own words when it fails: a refusal of weir's stands there.
        """
        options = self._served()
        given = {} if config is None else {STACK_FILE: str(config)}
        if options and given:
            server(self.project).give(given)
        options += [f"--config-file={config}"] if config else []
        asked = self.ask(
            "preview", "--json", "--stack", self.name, *options, seconds=_PREVIEW_SECONDS, environment=given
        )
        if asked.returncode:
            let_go()
            raise EngineError(f"the preview of stack {self.name} failed: {diagnostics(asked)}{self._too_old()}")
        return asked.stdout

    def output(self, name: str) -> str:
        """A stack output as text. Raises EngineError when the stack, or the output, is not there."""
        asked = self.ask("stack", "output", name, "--stack", self.name)
        if asked.returncode or not asked.stdout.strip():
            raise EngineError(
                f"pulumi does not know the {name} of stack {self.name} ({words(asked) or 'no output'}); run pulumi up"
            )
        return asked.stdout.strip()

    def ask(
        self,
        *arguments: str,
        seconds: float = _ASK_SECONDS,
        given: str = "",
        environment: Mapping[str, str] | None = None,
    ) -> subprocess.CompletedProcess[str]:
        """What pulumi answers to a command that changes nothing of the stack. `given`: what it reads on stdin.
        `environment`: what it finds there besides. Raises EngineError where it does not end, NoStackError.
        """
        try:
            done = subprocess.run(
                [*until_killed("INT"), self._pulumi(), *arguments, *_PLAIN],
                cwd=self.project,
                input=given,
                capture_output=True,
                text=True,
                timeout=seconds,
                check=False,
                env={**GO, **os.environ, **(environment or {})},
            )
        except subprocess.TimeoutExpired:
            raise EngineError(f"pulumi {' '.join(arguments)} did not end within {seconds:.0f} s") from None
        if (
            done.returncode
            and "--stack" in arguments
            and (done.returncode == _NO_STACK or "no stack named" in done.stderr)
        ):
            raise self._no_stack()
        return done

    def _pass_alone(self, gate: Gate) -> None:
        """Where no program can be told, nothing is prepared before it is known. Raises EngineError."""
        try:
            may = gate.ask()
        except KeyboardInterrupt:
            raise InterruptedUpdateError(f"pulumi up of stack {self.name} was interrupted before it began") from None
        if not may:
            raise HeldBackError

    def _no_stack(self) -> NoStackError:
        return NoStackError(
            f"stack {self.name} does not exist in this backend, and nothing was done; to create it: pulumi stack "
            f"init {self.name}"
        )

    def _too_old(self) -> str:
        return too_old(self._pulumi())

    def _pulumi(self) -> str:
        named = os.environ.get(TOOL_VARIABLE)
        found = shutil.which(named or "pulumi")
        if found is None:
            if named:
                raise EngineError(
                    f"{TOOL_VARIABLE} names {named}, which is not an executable file; correct it or unset it"
                )
            raise EngineError(
                f'no pulumi on PATH; for the lab: eval "$(.venv/bin/weir env)"; else install it, or set {TOOL_VARIABLE}'
            )
        return found
