"""A drill as an SRE runs it: a fault that meets whom it should, for as long as it should, and is gone afterwards
whatever happens to its process.
"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.live.harness import Project, Shell, shell_environment, stack_like_dev, until
from tests.live.terminal import Terminal

STACK = "drill"
ON = "-H 'x-drill: on'"


class DrillStack(Shell):
    """The shell to rehearse on a stack of its own."""

    @property
    def file(self) -> Path:
        return self.project.directory / f"Pulumi.{STACK}.yaml"

    def says(self, command: str, code: int = 0) -> str:
        """What a line of bash prints, both streams; it must end so."""
        done = self.call(command)
        assert done.returncode == code, done.stdout
        return done.stdout

    def weir(self, arguments: str, code: int = 0) -> str:
        return self.says(f"weir {arguments} --stack {STACK}", code)

    def drill(self, arguments: str) -> subprocess.Popen[str]:
        """A drill under way."""
        return self.start(f"weir drill {arguments} --stack {STACK}")

    def statuses(self, options: str = "", count: int = 10) -> set[str]:
        """The HTTP statuses of some requests of the frontend."""
        curl = f"curl -s -o /dev/null -w '%{{http_code}} ' {options} 'http://backend/#[1-{count}]'"
        return set(self.says(f'kubectl exec -n {STACK} deploy/frontend -- sh -c "{curl}"').split())

    def standing(self) -> bool:
        """Whether a fault stands in the cluster."""
        return '"fault"' in self.says(f"kubectl get virtualservice backend -n {STACK} -o json")

    def assert_gone(self, before: str) -> None:
        """Neither the stack file nor the cluster nor the journal has anything of it, and nobody holds the stack's
        lock.
        """
        assert not list((self.project.directory / ".weir/state/.pulumi/locks").glob(f"**/{STACK}/*.json"))
        assert self.file.read_text() == before
        assert not self.standing()
        assert "200" in self.statuses(ON)
        assert not list((self.project.directory / ".weir" / "operations").glob("*"))


@pytest.fixture(scope="module")
def drill_stack(lab: Project) -> Iterator[DrillStack]:
    """The stack, up, with v2 at 20 %."""
    made = DrillStack(lab, {**shell_environment(lab), "PULUMI_STACK": "dev"})
    with stack_like_dev(lab, STACK):
        made.says(f"pulumi up --yes --skip-preview --stack {STACK}")
        yield made
        made.says(f"pulumi cancel --yes --stack {STACK} || true")


def test_a_drill_meets_whom_it_should_and_ends_by_itself(drill_stack: DrillStack) -> None:
    """Requests with the header are aborted, others are not; its end stands on the object; at the end all is as before,
    to the last character.
    """
    before = drill_stack.file.read_text()
    running = drill_stack.drill("backend --abort 503 --match x-drill=on --for 25s --yes --json --reason rehearsal")
    until(lambda: drill_stack.standing() and drill_stack.statuses(ON) == {"503"}, 60, "the fault meets the requests")
    assert drill_stack.statuses() == {"200"}
    route = json.loads(drill_stack.says(f"kubectl get virtualservice backend -n {STACK} -o json"))
    end = route["metadata"]["annotations"]["fault-until.weir.dev/default_drill"]
    assert f"until: '{end}'" in drill_stack.file.read_text()
    assert "backend has a drill until" in drill_stack.weir("drill backend --delay 1s --yes", code=2)
    assert "fault in force, default_drill: 100 % of requests aborted with 503" in drill_stack.weir("status --window 0")
    said, _ = running.communicate(timeout=90)
    assert running.returncode == 0, said
    report = json.loads(said[said.index("\n{") :])
    assert report["during"]["errors"] == report["during"]["requests"] > 0
    assert report["before"]["errors"] == report["others"]["errors"] == 0
    drill_stack.assert_gone(before)
    told = drill_stack.weir("history --json --limit 2")
    ended, began = json.loads(told)["updates"]
    assert (began["reason"], began["command"]) == (
        "rehearsal",
        "weir drill backend --abort 503 --percent 100 --match x-drill=on --for 25s",
    )
    assert ended["changes"]["backend"][0].startswith("drill ended:")


def test_the_time_of_a_drill_begins_when_callers_have_it(drill_stack: DrillStack) -> None:
    """However long the update takes: what `--for` says is what callers have of it, be it shorter than the update."""
    before = drill_stack.file.read_text()
    running = drill_stack.drill("backend --abort 503 --match x-drill=on --for 2s --yes")
    assert running.stdout is not None
    begun = applied = over = 0.0
    said = ""
    for line in running.stdout:
        said += line
        begun = begun or time.monotonic()
        if "applied in" in line:
            applied = applied or time.monotonic()
        if "the drill of backend is over: removing it" in line:
            over = time.monotonic()
    assert running.wait() == 0, said
    assert begun < applied < over, said
    assert over - applied >= 1.9, said
    assert "later than expected" not in said
    drill_stack.assert_gone(before)


def test_a_drill_that_is_interrupted_while_it_is_applied_says_what_is_so(drill_stack: DrillStack) -> None:
    """Ctrl-C in the middle of its update: it is gone whether or not it came to stand, and one sentence says so, with
    none that says otherwise.
    """
    before = drill_stack.file.read_text()
    command = f"weir drill backend --abort 503 --match x-drill=on --for 5m --yes --verbose --stack {STACK}"
    terminal = Terminal(command, 200, drill_stack.project.directory, drill_stack.environment)
    terminal.until(f"Updating ({STACK}):")
    terminal.interrupt()
    code, shown = terminal.end(), terminal.text()
    assert code == 130, shown
    drill_stack.assert_gone(before)
    told = [
        part
        for part in ("nothing was applied: traffic is unchanged", "backend is as before the drill")
        if part in shown
    ]
    assert len(told) == 1, shown
    assert "neither the old traffic" not in shown
    assert "may not have the change" not in shown


def test_ctrl_c_ends_a_drill(drill_stack: DrillStack) -> None:
    """In a terminal of 80 columns the view fits; Ctrl-C removes the fault, shows what was
    measured, and ends with 130.
    """
    before = drill_stack.file.read_text()
    command = f"weir drill backend --delay 300ms --percent 50 --for 5m --stack {STACK}"
    terminal = Terminal(command, 80, drill_stack.project.directory, drill_stack.environment)
    terminal.until(f"apply it to stack {STACK}? [y/N]:")
    terminal.type("y")
    terminal.until("left; Ctrl-C ends it")
    assert drill_stack.standing()
    terminal.interrupt()
    assert terminal.end() == 130
    shown = terminal.text()
    assert "the drill of backend was ended: removing it" in shown
    assert re.search(r"^with the fault +\d+", shown, re.MULTILINE), shown
    assert "\\u001b" not in shown, "what rich draws with is for the terminal"
    drill_stack.assert_gone(before)


def test_a_drill_that_was_killed_is_removed_by_clean(drill_stack: DrillStack) -> None:
    """kill -9 of the process and all that it started: the fault stands, `weir status` says so and leaves it, `weir
    drill --clean` takes it away.
    """
    before = drill_stack.file.read_text()
    running = drill_stack.drill("backend --abort 503 --match x-drill=on --for 5m --yes")
    until(lambda: drill_stack.standing() and drill_stack.statuses(ON) == {"503"}, 60, "the fault meets the requests")
    assert "is under way (process" in drill_stack.weir("drill backend --clean", code=1)
    os.killpg(running.pid, signal.SIGKILL)
    running.communicate()
    assert drill_stack.standing()
    assert (
        "was not removed, because its process was killed; to remove it: weir drill backend --clean"
        in drill_stack.weir("status --window 0")
    )
    assert drill_stack.standing()
    assert "backend has no drill any more" in drill_stack.weir("drill --clean")
    drill_stack.assert_gone(before)


def test_a_drill_that_is_over_is_refused_left_out_and_cleaned(drill_stack: DrillStack) -> None:
    """Whoever wrote it: `weir check` refuses it with its place, an update leaves it out, `weir drill --clean` takes it
    out of the file.
    """
    before = drill_stack.file.read_text()
    over = "      drill: {delay: {percentage: 50, fixedDelay: 1s}, until: '2026-01-01T00:00:00Z'}\n"
    drill_stack.file.write_text(before.replace("  weir:clients:", f"{over}  weir:clients:"))
    said = drill_stack.weir("check", code=2)
    assert re.search(
        rf"Pulumi.{STACK}.yaml:\d+:\d+: weir:services.backend.drill.until: expired \d+ days ago; remove it", said
    ), said
    assert "(the fault is ignored)" in drill_stack.says(f"pulumi up --yes --skip-preview --stack {STACK}")
    assert not drill_stack.standing()
    assert "backend has no drill any more" in drill_stack.weir("drill --clean")
    assert "no drill to remove" in drill_stack.weir("drill --clean")
    drill_stack.assert_gone(before)


def killed_while_it_applies(drill_stack: DrillStack, arguments: str) -> str:
    """What the command said until it, and all that it started, was killed with its own update under way."""
    running = drill_stack.start(f"weir {arguments} --verbose --stack {STACK}")
    assert running.stdout is not None
    said = ""
    for line in running.stdout:
        said += line
        if "VirtualService backend updating" in line and "what changes for traffic" in said:
            break
    os.killpg(running.pid, signal.SIGKILL)
    running.communicate()
    return said


def test_a_change_that_was_killed_while_it_applied(drill_stack: DrillStack) -> None:
    """kill -9 in the middle of set and of promote: status says what state things are in, and the next command compares
    with the cluster.
    """
    killed_while_it_applies(drill_stack, "set backend v2=30 --yes")
    assert "canary: {v2: 30}" in drill_stack.file.read_text()
    said = drill_stack.weir("status --window 0")
    assert "`weir set backend v2=30`, started" in said
    assert (
        "was killed during its update; Pulumi.drill.yaml has its change, and the cluster may not have the change"
        in said
    )
    said = killed_while_it_applies(drill_stack, "promote backend v2 --yes")
    assert "was killed during its update; Pulumi.drill.yaml has its change" in said
    assert re.search("backend: v2 [23]0 % → 100 %", said), said
    said = drill_stack.weir("set backend v1=60 --yes")
    assert "`weir promote backend v2`, started" in said
    assert re.search(r"backend: v1 \d+ % → 60 % \(v2 \d+ % → 40 %\)", said), said
    assert "applied in" in said
    drill_stack.says(f"pulumi preview --expect-no-changes --stack {STACK}")
    assert "was killed" not in drill_stack.weir("status --window 0")


def test_a_set_that_is_interrupted_says_how_things_stand(drill_stack: DrillStack) -> None:
    """Ctrl-C before the yes leaves the file as it was; in the middle of the update the message says whether it was
    applied.
    """
    before = drill_stack.file.read_text()
    terminal = Terminal(
        f"weir set backend v1=45 --stack {STACK}", 120, drill_stack.project.directory, drill_stack.environment
    )
    terminal.until(f"apply it to stack {STACK}? [y/N]:")
    terminal.interrupt()
    assert terminal.end() == 130
    assert f"nothing was applied; Pulumi.{STACK}.yaml is unchanged" in terminal.text()
    assert drill_stack.file.read_text() == before
    terminal = Terminal(
        f"weir set backend v1=45 --yes --verbose --stack {STACK}",
        120,
        drill_stack.project.directory,
        drill_stack.environment,
    )
    terminal.until(f"Updating ({STACK}):")
    terminal.interrupt()
    code, shown = terminal.end(), terminal.text()
    status = json.loads(drill_stack.weir("status --json --window 0"))["services"][0]
    if drill_stack.file.read_text() == before:
        # The interrupt came before anything had been changed.
        assert code == 130, shown
        assert "nothing was applied" in shown
        assert status["drift"] == []
    else:
        # One route is all that an update changes: it has it, or not.
        assert code in (0, 130), shown
        assert status["drift"] == []
