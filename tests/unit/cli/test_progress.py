"""How an update goes, as it is shown: lines of a phase each, what is said once, and Pulumi's own lines only where nobody
else says why it failed. A shell script stands for pulumi, and writes event logs that pulumi has written.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pexpect
import pytest

from tests.live.harness import CHECKOUT
from tests.live.terminal import Terminal
from tests.unit.cli.test_visible import HOSTILE, raw
from tests.unit.engine.test_events import BY_HAND, ENDLESS, EVENTS, GRACE, NOT_READY, ROUTE, STEP
from tests.unit.engine.test_shown import project
from weir.cli.progress import Progress
from weir.engine.events import Changed, Changing, Said, Settled

UPDATE = """
import sys
from pathlib import Path
from weir.cli.progress import Progress
from weir.engine.errors import EngineError
from weir.engine.stack import Stack
from weir.visible import guard
guard()
try:
    with Progress(Path("report")) as listener:
        Stack("dev", Path.cwd()).up("why", listener=listener)
    print("applied")
except EngineError as error:
    print(error)
"""
PULUMI = f"""
[ "$1" = up ] || exit 0
for each; do case $each in --event-log=*) log=${{each#*=}};; esac; done
events={EVENTS}
[ "$PULUMI_DEBUG_COMMANDS" = true ] || {{ echo 'error: unknown flag: --event-log'; exit 255; }}
echo 'Updating (dev):'
"""
COMMAND = f'{sys.executable} -c "$UPDATE"'
ENDED = "pulumi up of stack dev ended with exit code 1; what it did is recorded, and the next run goes on from there"
WAITS = "2 of 3 proxies have not acknowledged the change of backend yet: frontend-5d4-x, orders-77f-y"
DONE = "  ok checked (… s)\n  ok routes applied (… s)\n  ok proxies acknowledged: 3 of 3 (… s)\n"
# As far as proxies being waited for, and the rest.
HALF = "{before}; head -n 26 $events/set.jsonl >$log; {between}; tail -n +27 $events/set.jsonl >>$log"


def timeless(text: str) -> str:
    """The text, whatever it took, and however far the spinner is."""
    return re.sub("[⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏]", "*", re.sub(r"\d+\.\d s", "… s", text))


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Mapping[str, str]:
    """The environment of an update whose pulumi is a script; the program has seen three proxies acknowledge it."""
    (tmp_path / "report").write_text(json.dumps({"backend.demo.svc.cluster.local": 3}))
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.delenv("PULUMI_DEBUG_COMMANDS", raising=False)
    project(tmp_path, "", monkeypatch)
    return {**os.environ, "UPDATE": UPDATE, "PYTHONPATH": str(CHECKOUT)}


def plays(directory: Path, script: str) -> None:
    """What pulumi does."""
    (directory / "pulumi").write_text(f"#!/bin/sh\n{PULUMI}\n{script}\n")


def said(directory: Path, environment: Mapping[str, str], script: str) -> str:
    """What an update prints where there is no terminal."""
    plays(directory, script)
    done = subprocess.run(
        ["sh", "-c", COMMAND],
        cwd=directory,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=60,
        check=True,
    )
    return timeless(done.stdout.decode())


def test_a_phase_is_a_line(tmp_path: Path, settings: Mapping[str, str]) -> None:
    """Without a terminal: nothing moves, nothing has a colour, and nothing of Pulumi's is there."""
    assert said(tmp_path, settings, "cat $events/set.jsonl >$log") == f"{DONE}applied\n"


def test_a_warning_is_said_once(tmp_path: Path, settings: Mapping[str, str]) -> None:
    """Preview and update have the same ones, and Pulumi lists them again at the end of each."""
    script = "cat $events/warned-preview.jsonl >$log; sleep 0.3; cat $events/warned.jsonl >$log"
    assert said(tmp_path, settings, script) == (
        f"warning: {GRACE.text}\nwarning: {BY_HAND.text}\n  ok checked (… s)\n  ok routes applied (… s)\n"
        "no proxy uses backend, so the change affects no caller\n  ok proxies acknowledged: 3 of 3 (… s)\napplied\n"
    )


@pytest.mark.parametrize(
    ("name", "lines"),
    [
        ("refused", [f"error: {NOT_READY}", "  !! checking: stopped after … s"]),
        ("policy", [f"error: {STEP}", f"warning: {ENDLESS}", "  !! checking: stopped after … s"]),
        (
            "hook",
            [
                "  ok checked (… s)",
                "error: VirtualService demo/backend was edited by hand",
                "  !! applying routes: stopped after … s",
            ],
        ),
        (
            "lagging",
            [
                "  ok checked (… s)",
                "  ok routes applied (… s)",
                "error: after 30 s 2 of 3 proxies have not acknowledged the change of backend: frontend-5d4-x, "
                "orders-77f-y",
                "The rules are in the cluster; weir status shows the observed traffic (weir:propagation.timeout: 30s)",
                "  !! waiting for proxies: stopped after … s",
            ],
        ),
        (
            "crash",
            [
                "  ok checked (… s)",
                "  ok routes applied (… s)",
                "error: Program failed with an unhandled exception:",
                "Traceback (most recent call last):",
                '  File "/home/ada/weir/__main__.py", line 49, in <module>',
                '    raise ValueError("surprise")',
                "ValueError: surprise",
                "  !! waiting for proxies: stopped after … s",
            ],
        ),
    ],
)
def test_a_failure_says_why(tmp_path: Path, settings: Mapping[str, str], name: str, lines: list[str]) -> None:
    """In the words of whoever refused or failed, once; in which phase; and then what weir says of it."""
    told = said(tmp_path, settings, f"cat $events/{name}.jsonl >$log; echo 'error: update failed'; exit 1")
    assert told.splitlines() == [*lines, ENDED]


def test_a_failure_that_no_event_explains_is_told_by_pulumi(tmp_path: Path, settings: Mapping[str, str]) -> None:
    """Nothing is swallowed: all that it has printed is there."""
    locked = "error: the stack is currently locked by 1 lock(s)."
    assert said(tmp_path, settings, f"echo '{locked}'; exit 1") == (
        f"Updating (dev):\n{locked}\n  !! checking: stopped after … s\n{ENDED}\n"
    )
    unexplained = said(tmp_path, settings, "grep -v edited $events/hook.jsonl >$log; exit 1")
    assert unexplained.startswith("  ok checked (… s)\n  !! applying routes: stopped after … s\nUpdating (dev):\n")


def test_a_stack_that_is_not_there_needs_no_words_of_pulumis(tmp_path: Path, settings: Mapping[str, str]) -> None:
    """weir has its own."""
    assert said(tmp_path, settings, "echo \"error: no stack named 'dev' found\"; exit 6") == (
        "  !! checking: stopped after … s\nstack dev does not exist in this backend, and nothing was done; to create it: "
        "pulumi stack init dev\n"
    )


def test_nobody_knows_what_proxies_have_done(tmp_path: Path, settings: Mapping[str, str]) -> None:
    """Where istiod could not be asked the program has counted none: that is no success."""
    (tmp_path / "report").unlink()
    assert said(tmp_path, settings, "cat $events/set.jsonl >$log") == (
        "  ok checked (… s)\n  ok routes applied (… s)\n"
        "  !! waited for proxies; it is not known whether they have acknowledged it (… s)\napplied\n"
    )


@pytest.mark.parametrize(
    ("columns", "detail"),
    [(80, f"{WAITS[:47]}…"), (120, f"{WAITS[:87]}…"), (140, WAITS)],
)
def test_on_a_terminal_one_line_moves(tmp_path: Path, settings: Mapping[str, str], columns: int, detail: str) -> None:
    """The phase under way, its seconds and what it waits for, cut at the edge; what is done stays above it, and at the
    end nothing else.
    """
    until = "until [ -e {} ]; do sleep 0.02; done"
    plays(tmp_path, HALF.format(before=until.format("begun"), between=until.format("seen")))
    terminal = Terminal(COMMAND, columns, tmp_path, settings)
    terminal.until("checking ")
    assert timeless(terminal.text()).splitlines() == ["   * checking"]
    (tmp_path / "begun").touch()
    terminal.until(detail)
    moving = f"   * waiting for proxies … s: {detail}"
    assert len(moving) + 2 <= columns
    assert timeless(terminal.text()).splitlines() == [*DONE.splitlines()[:2], moving]
    (tmp_path / "seen").touch()
    assert terminal.end() == 0
    assert timeless(terminal.text()) == f"{DONE}applied"


@pytest.mark.parametrize("columns", [80, 120])
def test_after_ctrl_c_no_line_is_half_drawn(tmp_path: Path, settings: Mapping[str, str], columns: int) -> None:
    """Pulumi, which it reaches as well, ends in good order; that it was cancelled needs no words of its own."""
    ends = "tail -n +25 $events/interrupted.jsonl >>$log; exit 1"
    plays(
        tmp_path,
        f"trap '{ends}' INT; head -n 24 $events/interrupted.jsonl >$log; while :; do sleep 0.05; done",
    )
    terminal = Terminal(COMMAND, columns, tmp_path, settings)
    terminal.until("waiting for proxies ")
    terminal.interrupt()
    assert terminal.end() == 0
    told = timeless(terminal.text()).replace("\n", " ")
    assert told == (
        "  ok checked (… s)   ok routes applied (… s)   !! waiting for proxies: stopped after … s "
        + {
            80: "pulumi up of stack dev was interrupted; what it did is recorded, and the next ru n goes on from there",
            120: "pulumi up of stack dev was interrupted; what it did is recorded, and the next run goes on from there",
        }[columns]
    )


def colours(directory: Path, environment: Mapping[str, str]) -> set[str]:
    """The colours that an update with a warning has on a terminal."""
    plays(directory, "cat $events/warned.jsonl >$log; sleep 0.5; cat $events/warned.jsonl >$log")
    shown, code = pexpect.run(
        f"sh -c '{COMMAND}'", cwd=str(directory), env=dict(environment), withexitstatus=True, encoding="utf-8"
    )
    assert code == 0, shown
    assert "\x1b[2K" in shown, "a line moves"
    return set(re.findall(r"\x1b\[[0-9;]*m([^\x1b]*)\x1b\[0m", shown))


def test_colours_are_for_terminals(tmp_path: Path, settings: Mapping[str, str]) -> None:
    """And for those who want them: https://no-color.org."""
    terminal = {**settings, "TERM": "xterm-256color"}
    assert colours(tmp_path, terminal) == {"warning: ", "  ok "}
    assert colours(tmp_path, {**terminal, "NO_COLOR": "1"}) == set()


def test_nothing_comes_raw(tmp_path: Path, settings: Mapping[str, str]) -> None:
    """What a program or a provider says may steer a screen: it is told visibly, in a line that stays or that moves."""
    said_of = {"severity": "info", "message": HOSTILE}
    events = [
        {"diagnosticEvent": {**said_of, "ephemeral": True}},
        {"diagnosticEvent": {**said_of, "severity": "error"}},
    ]
    for name, event in zip(("passing", "error"), events, strict=True):
        (tmp_path / name).write_text(json.dumps(event) + "\n")
    escaped = "\\u001b[2J\\u001b]0;owned\\u0007\\u009b31m\\u202etxt\\u200b\\rnothing changes"
    told = said(tmp_path, settings, "cat error >$log; exit 1")
    assert not raw(told)
    assert told.startswith(f"error: {escaped}\n")
    plays(tmp_path, "cat passing >$log; until [ -e seen ]; do sleep 0.02; done; cat error >>$log; exit 1")
    terminal = Terminal(COMMAND, 120, tmp_path, settings)
    moving = escaped.replace("\\r", " ")
    terminal.until(moving)
    assert timeless(terminal.text()) == f"   * checking … s: {moving}"
    (tmp_path / "seen").touch()
    terminal.end()
    assert timeless(terminal.text()).startswith(f"error: {escaped}\n  !! checking: stopped after … s\n")


class Clock:
    """Seconds, set by a test."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def test_without_a_terminal_a_phase_that_lasts_is_spoken_of_every_ten_seconds(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """With what it waits for; pods have a phase of their own, and so has what is removed."""
    clock = Clock()

    def change(kind: str, name: str, *, removed: bool = False) -> Changing:
        return Changing(f"urn::{name}", kind, name, removed)

    (tmp_path / "report").write_text('{"backend": 0}')
    with Progress(tmp_path / "report", clock) as progress:
        for seconds, event in (
            (3.0, change("Deployment", "backend-v2")),
            (1.0, Said("info", "[1/2] Waiting for app ReplicaSet\nto be available", passing=True)),
            (75.0, Changed("urn::backend-v2", failed=False)),
            (0.5, change("VirtualService", "backend")),
            (0.5, Changed("urn::backend", failed=False)),
            (1.0, Settled()),
            (0.5, change("DestinationRule", "backend-v1", removed=True)),
            (0.5, Changed("urn::backend-v1", failed=False)),
        ):
            for _ in range(int(seconds * 4)):
                clock.now += 0.25
                progress.pass_time()
            progress.hear(event)
    assert capfd.readouterr().err.splitlines() == [
        "  ok checked (3.0 s)",
        *(
            f"  .. waiting for pods of backend-v2: {after} so far: [1/2] Waiting for app ReplicaSet to be available"
            for after in ("10.0 s", "20.0 s", "30.0 s", "40.0 s", "50.0 s", "1 min 0 s", "1 min 10 s")
        ),
        "  ok pods of backend-v2 ready (1 min 16 s)",
        "  ok routes applied (0.5 s)",
        "  ok no proxy uses it (1.0 s)",
        "  ok removed what is not used any more (0.5 s)",
    ]


def test_a_route_that_fails_is_waited_for_by_nobody(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Two routes at once are one phase; no proxy can acknowledge what was not applied."""
    with Progress(tmp_path / "report", Clock()) as progress:
        for event in (
            Changing(ROUTE, "VirtualService", "backend", removed=False),
            Changing("urn::shop", "VirtualService", "shop", removed=False),
            Changed(ROUTE, failed=False),
            Changed("urn::shop", failed=True),
        ):
            progress.hear(event)
    assert capfd.readouterr().err == "  ok checked (0.0 s)\n  !! applying routes: stopped after 0.0 s\n"
