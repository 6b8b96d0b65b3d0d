"""A release by command: what changes is said, applied, and followed by real proxies; the stack file keeps its comments.

False alarms: each `weir verify` fails by chance once in a million runs; with seven of them that is under 1 in 100,000.
"""

from __future__ import annotations

import json
import os
import re
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.live.harness import Project, shell_environment, stack_like_dev, until
from tests.live.lossless.conftest import soak
from tests.live.release_process import ReleaseProcess
from tests.live.terminal import Terminal
from weir.processes import alive

STACK = "release"
FILE = f"Pulumi.{STACK}.yaml"


@pytest.fixture(scope="module")
def stack(lab: Project) -> Iterator[Project]:
    """A stack of its own, up, with v2 at 20 %."""
    with stack_like_dev(lab, STACK):
        lab.run(f"pulumi up --yes --skip-preview --stack {STACK}")
        yield lab


def weir(stack: Project, arguments: str, code: int = 0) -> str:
    """What a weir command on the stack prints, both streams."""
    done = stack.run(f"weir {arguments} --stack {STACK}", check=False)
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout + done.stderr


def verified(stack: Project) -> None:
    """Traffic is what the stack file says."""
    report = json.loads(stack.run(f"weir verify --json --stack {STACK}").stdout)
    assert report["ok"], report


def test_a_canary_moves(stack: Project) -> None:
    """`weir set` says what it does, and when it ends every proxy follows: the traffic is there at once."""
    said = weir(stack, "set backend v2=50 --yes")
    assert "backend: v2 20 % → 50 % (v1 80 % → 50 %)" in said
    phases = r"""  ok checked \([0-9.]+ s\)
  ok routes applied \([0-9.]+ s\)
  ok proxies acknowledged: (\d+) of \1 \([0-9.]+ s\)
applied in [0-9.]+ s: (all \1 proxies have|the one proxy has) acknowledged it
"""
    assert re.search(phases, said), said
    verified(stack)
    text = (stack.directory / FILE).read_text()
    assert "canary: {v2: 50} # version: percent" in text
    assert "stable: v1 # gets what is left" in text


def test_everything_is_shown_to_who_asks_for_it(stack: Project) -> None:
    """--verbose: Pulumi's own lines, as `pulumi up` prints them."""
    said = weir(stack, "set backend v2=40 --yes --verbose")
    assert f"Updating ({STACK}):" in said
    assert "VirtualService backend updated" in said
    assert "  ok routes applied" not in said


@pytest.fixture
def changes(stack: Project) -> Iterator[ReleaseProcess]:
    """A process that makes several changes, in the middle of which v2 stands at 50 % again."""
    made = ReleaseProcess(stack.directory, shell_environment(stack), STACK)
    yield made
    made.kill()
    weir(stack, "set backend v2=50 --yes")


def test_a_process_that_makes_several_changes(stack: Project, changes: ReleaseProcess) -> None:
    """Each reaches the route of the service alone, through one provider; nothing is left to do for a whole update."""
    providers = []
    for share in (5, 8, 11):
        assert changes.make(share), changes.said
        providers.append(changes.providers())
    first, *others = providers
    assert (len(first), others) == (1, [first, first])
    changes.close()
    until(lambda: not alive(first[0]), 30, "the provider has ended with weir")
    done, begun = json.loads(stack.run(f"pulumi stack history --json --stack {STACK} --page-size 3").stdout)[::2]
    assert all("pulumi.flag.target" in each["environment"] for each in (done, begun))
    assert "canary: {v2: 11}" in (stack.directory / FILE).read_text()
    stack.run(f"pulumi preview --expect-no-changes --stack {STACK}")
    verified(stack)


@pytest.mark.parametrize(
    "what", [*(pytest.param(each, marks=soak) for each in ("the provider is killed", "Ctrl-C")), "weir is killed"]
)
def test_what_ends_a_change_of_several_leaves_nothing_half_done(
    stack: Project, changes: ReleaseProcess, what: str
) -> None:
    """In the middle of an update through the provider that is kept: what is said is so, and
    the next change is whole.
    """
    assert changes.make(21), changes.said
    assert changes.make(24), changes.said
    (provider,) = changes.providers()
    changes.begin(27, until="VirtualService backend updating")
    if what == "weir is killed":
        changes.kill()
        until(lambda: not alive(provider), 30, "the provider has ended with weir")
        said = weir(stack, "status --window 0")
        assert "`weir set backend v2=27`, started" in said
        assert "was killed during its update" in said
        # Not carried through: what it had brought about by then is what the next one begins with.
        assert re.search("v2 2[47] % → 30 %", weir(stack, "set backend v2=30 --yes"))
    else:
        if what == "Ctrl-C":
            changes.interrupt()
        else:
            os.kill(provider, signal.SIGKILL)
        made, said = changes.end(), changes.said
        print(what, "the change was made" if made else said)
        stands = "27" if made or "nothing was applied" not in said else "24"
        assert f"canary: {{v2: {stands}}}" in (stack.directory / FILE).read_text(), said
        assert changes.make(30), changes.said
        assert not alive(provider) or (made and changes.providers() == [provider])
    stack.run(f"pulumi preview --expect-no-changes --stack {STACK}")
    assert "differs" not in weir(stack, "status --window 0")


def test_what_is_held_is_written_when_it_may_be(stack: Project, changes: ReleaseProcess) -> None:
    """Not before, and not at all where that is said, or by Ctrl-C: the route and the file are as they were."""

    def stands(share: int) -> bool:
        route = json.loads(stack.run(f"kubectl get virtualservice backend -n {STACK} -o json").stdout)
        return [each["weight"] for each in route["spec"]["http"][0]["route"]] == [100 - share, share]

    def prepared(share: int) -> None:
        changes.begin(share, until="VirtualService backend updating", held=True)

    assert changes.make(15), changes.said
    prepared(18)
    assert all(stands(15) for _ in range(5))
    changes.let(True)
    assert changes.end(), changes.said
    assert stands(18)
    for interrupted in (False, True):
        prepared(40)
        if interrupted:
            changes.interrupt()
        else:
            changes.let(False)
        assert not changes.end()
        assert "nothing was applied: traffic is unchanged" in changes.said
        assert stands(18)
        assert "canary: {v2: 18}" in (stack.directory / FILE).read_text()
    assert changes.make(21), changes.said
    assert stands(21)


def test_a_canary_becomes_stable_and_another_is_taken_back(stack: Project) -> None:
    """After promote v2 gets all; a canary of v1 is taken back by abort."""
    assert "v2 50 % → 100 %" in weir(stack, "promote backend v2 --yes")
    verified(stack)
    weir(stack, "set backend v1=10 --yes")
    assert "v2 90 % → 100 % (v1 10 % → 0 %)" in weir(stack, "abort backend --yes")
    verified(stack)
    assert "already" in weir(stack, "abort backend --yes")


def test_nothing_happens_without_a_yes(stack: Project) -> None:
    """Without a terminal to ask, and for a version that does not exist, the stack file and the cluster stay as they
    are.
    """
    before = (stack.directory / FILE).read_text()
    assert "no terminal to ask on" in weir(stack, "set backend v1=20", code=2)
    assert "backend has no version v9 (versions: v1, v2)" in weir(stack, "set backend v9=20 --yes", code=2)
    assert (stack.directory / FILE).read_text() == before


def test_a_pull_request_only_edits(stack: Project, tmp_path: Path) -> None:
    """--no-apply changes the file; diff says what an update would do, also of a saved preview; status shows both
    sides.
    """
    weir(stack, "set backend v1=25 --no-apply")
    line = "backend: v1 0 % → 25 % (v2 100 % → 75 %)"
    assert line in weir(stack, "diff")
    preview = tmp_path / "preview.json"
    stack.run(f"pulumi preview --json --stack {STACK} > {preview}")
    assert line in weir(stack, f"diff --preview {preview} --format markdown")
    status = json.loads(stack.run(f"weir status --json --stack {STACK}").stdout)["services"][0]
    shares = {
        version["name"]: (version["configuredPercent"], version["livePercent"], version["readyPods"])
        for version in status["versions"]
    }
    assert shares == {"v1": (25.0, 0.0, 1), "v2": (75.0, 100.0, 1)}
    weir(stack, "abort backend --no-apply")
    assert json.loads(stack.run(f"weir status --json --stack {STACK}").stdout)["services"][0]["drift"] == []


@pytest.mark.parametrize("columns", [80, pytest.param(120, marks=soak)])
def test_every_screen_fits_its_terminal(stack: Project, columns: int) -> None:
    """What a person looks at is whole on 80 columns and on 120: no column is cut, and what matters stands there."""
    environment = shell_environment(stack)
    for command, texts in {
        "status --window 1": ["version config live observed errors p50 p99 pods ready"],
        "history": ["when (UTC)", "weir promote backend v2 by"],
        "verify": ["traffic is what the config says", "split v2"],
        "diff": ["nothing changes"],
        "check": ["sound; 1 service, 2 versions, 1 client"],
        "drill --help": ["--match HEADER=VALUE", "--clean"],
    }.items():
        terminal = Terminal(
            f"weir {command}{'' if 'help' in command else f' --stack {STACK}'}", columns, stack.directory, environment
        )
        assert terminal.end() == 0, terminal.text()
        shown = terminal.text()
        assert all(text in " ".join(shown.split()) for text in texts), shown
        assert "…" not in shown, shown
    terminal = Terminal(f"weir status --watch --window 0.2 --stack {STACK}", columns, stack.directory, environment)
    terminal.until("seen by")
    terminal.until("seen by")
    terminal.interrupt()
    # Behind the other screen, on which it drew, the last table stays on this one.
    terminal.until("\x1b[?1049l")
    terminal.until("seen by")
    assert terminal.end() == 130
    # The first has nothing to wait for, however long the window is.
    terminal = Terminal(f"weir status --watch --window 3600 --stack {STACK}", columns, stack.directory, environment)
    terminal.until("pods ready")
    terminal.interrupt()
    assert terminal.end() == 130


def test_the_selected_stack_is_meant(stack: Project) -> None:
    """As for pulumi: what `pulumi stack select` has selected, before it PULUMI_STACK, before that --stack; each report
    names it.
    """
    try:
        for setup, option, named in (
            (f"pulumi stack select {STACK}", "", STACK),
            ("export PULUMI_STACK=dev", "", "dev"),
            ("", "--stack dev", "dev"),
        ):
            said = stack.run(f"{setup or 'true'} >&2; weir status --window 0 {option}").stdout
            assert f"stack {named}, namespace" in said
            assert f"Pulumi.{named}.yaml: sound" in stack.run(f"{setup or 'true'} >&2; weir check {option}").stdout
    finally:
        stack.run("pulumi stack select dev")


def test_an_edit_by_hand_is_shown_refused_and_undone(stack: Project) -> None:
    """Somebody adds a timeout with kubectl: status says so, set refuses with the editor's name, and a refresh puts it
    back.
    """
    patch = '[{"op": "add", "path": "/spec/http/0/timeout", "value": "5s"}]'
    stack.run(f"kubectl patch virtualservice backend -n {STACK} --type=json -p '{patch}'")
    assert "timeout removed: 5 s" in weir(stack, "status")
    refused = weir(stack, "set backend v1=10 --yes", code=1)
    assert f"VirtualService {STACK}/backend was edited since the last update (field manager kubectl-patch)" in refused
    assert f"{FILE} is as it was" in refused
    assert "nothing was applied: traffic is unchanged" in refused
    stack.run(f"pulumi up --refresh --yes --skip-preview --stack {STACK}")
    assert "differs" not in weir(stack, "status")
    stack.run(f"pulumi preview --expect-no-changes --stack {STACK}")
    verified(stack)
