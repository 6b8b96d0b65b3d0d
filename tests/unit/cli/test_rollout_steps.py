"""A step leaves a stack file that says what the rollout says, whatever it said before."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from weir.cli import rollout_steps
from weir.cli.context import Context
from weir.cli.release import Release
from weir.cli.rollout_source import sources
from weir.cli.rollout_steps import Answered, Moves
from weir.measurement.caller import Caller
from weir.rollout.state import State, Step
from weir.stack.edit import StackEdit

STATE = State(
    "backend", "v3", "v2", (Step(Decimal(25), 0.0),), "weir rollout backend v3", "ann@host",
    datetime(2026, 11, 27, 12, tzinfo=UTC),
)  # fmt: skip
FILE = """config:
  weir:namespace: demo
  weir:services:
    backend: {{image: "app:1", port: 80, versions: {{v1: {{}}, v2: {{}}, v3: {{}}}}, stable: {split}}}
"""


@pytest.fixture
def edited(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[Moves], None], str], str]:
    """What a file with this split says after a move, which is taken at the point where a release would apply it."""
    path = tmp_path / "Pulumi.dev.yaml"
    (tmp_path / "Pulumi.yaml").write_text("name: weir\nruntime: python\n")
    monkeypatch.chdir(tmp_path)

    def edit(change: Release) -> None:
        file = StackEdit(path)
        change.edits[change.service](file, change.service, change.context.config.services[change.service])
        file.write()

    def after(move: Callable[[Moves], None], split: str) -> str:
        path.write_text(FILE.format(split=split))
        monkeypatch.setattr(rollout_steps, "release", edit)
        move(Moves(Context("dev"), "", lambda _: None))
        assert Context("dev").config  # raises where it is unsound
        return path.read_text().partition("stable: ")[2].removesuffix("}\n")

    return after


@pytest.mark.parametrize(
    ("before", "step", "promoted", "taken_back"),
    [
        # As the rollout has it.
        ("v2, canary: {v3: 5}", "v2, canary: {v3: 25}", "v3, canary: {v2: 0}", "v2, canary: {v3: 0}"),
        ("v2", "v2, canary: {v3: 25}", "v3, canary: {v2: 0}", "v2, canary: {v3: 0}"),
        # From before the last promotion, as in an image of last week.
        ("v1, canary: {v2: 50}", "v2, canary: {v3: 25}", "v3, canary: {v2: 0}", "v2, canary: {v3: 0}"),
        ("v1", "v2, canary: {v3: 25}", "v3, canary: {v2: 0}", "v2, canary: {v3: 0}"),
        # A promotion was killed once the file had it.
        ("v3, canary: {v2: 0}", "v2, canary: {v3: 25}", "v3, canary: {v2: 0}", "v2, canary: {v3: 0}"),
    ],
)
def test_the_stable_version_is_the_rollouts(
    edited: Callable[[Callable[[Moves], None], str], str], before: str, step: str, promoted: str, taken_back: str
) -> None:
    """No request goes to a version that is neither of the two."""
    assert edited(lambda moves: moves.move([STATE], None), before) == step
    assert edited(lambda moves: moves.promote([STATE], None), before) == promoted
    assert edited(lambda moves: moves.take_back([STATE]), before) == taken_back


class Pod:
    """A caller, and what its Envoy answers."""

    def __init__(self, pod: str, statistics: str) -> None:
        self.pod, self.statistics = pod, statistics

    def envoy(self, path: str) -> str:
        cluster = "outbound|80|v3|backend.demo.svc.cluster.local"
        return f"{cluster}::198.18.0.1:80::rq_total::1\n" if path == "clusters" else self.statistics


@pytest.mark.parametrize(
    ("pods", "statistics", "said"),
    [
        (20, "cluster.outbound|80|v3|backend.demo.svc.cluster.local;.upstream_rq_completed: 1\n", []),
        (
            21,
            "cluster.outbound|80|v3|backend.demo.svc.cluster.local;.upstream_rq_completed: 1\n",
            ["backend: of 21 callers, 20 are asked, those that have counted most"],
        ),
        (
            1,
            "",
            [
                "backend: the Envoy of a caller keeps no statistics of it, so attempts are counted for its requests: a "
                "failure that a retry hides counts, times are not compared, and a version that nothing reaches has no "
                "counts. Set proxyStatsMatcher: docs/guide/rollouts.md"
            ],
        ),
    ],
)
def test_counts_that_are_less_than_all_are_told_of_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pods: int, statistics: str, said: list[str]
) -> None:
    """Whoever reads the verdict knows what it is of."""
    (tmp_path / "Pulumi.yaml").write_text("name: weir\nruntime: python\n")
    (tmp_path / "Pulumi.dev.yaml").write_text(FILE.format(split="v2"))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "kubectl").touch(0o755)
    monkeypatch.setenv("WEIR_TOOL_KUBECTL", str(tmp_path / "kubectl"))
    callers = [Pod(f"pod-{number}", statistics) for number in range(pods)]
    monkeypatch.setattr(Caller, "all", lambda _: callers)
    told: list[str] = []
    answered = Answered(Context("dev"), [STATE], told.append)
    for _ in range(3):
        answered.look()
    assert told == said


def test_a_step_does_not_end_while_requests_get_no_answer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is said by what also says what the user's metrics wait for."""
    (tmp_path / "Pulumi.yaml").write_text("name: weir\nruntime: python\n")
    (tmp_path / "Pulumi.dev.yaml").write_text(FILE.format(split="v2"))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "kubectl").touch(0o755)
    monkeypatch.setenv("WEIR_TOOL_KUBECTL", str(tmp_path / "kubectl"))
    cluster = "cluster.outbound|80|v3|backend.demo.svc.cluster.local;"
    pod = Pod("pod", f"{cluster}.upstream_rq_completed: 100\n{cluster}.upstream_rq_total: 100\n")
    monkeypatch.setattr(Caller, "all", lambda _: [pod])
    source, metrics = sources(Context("dev"), [STATE], print)
    source.look()
    pod.statistics = f"{cluster}.upstream_rq_completed: 105\n{cluster}.upstream_rq_total: 110\n"
    source.look()
    said = "5 of 10 requests of v3 got no answer until their callers gave them up, of v2 0 of 0"
    assert metrics["backend"].waits == said
    source.anew()
    assert metrics["backend"].waits == ""


CONTROLLED = replace(STATE, control="v2-control")
CONTROL = "v3: {}, v2-control: {}"


@pytest.mark.parametrize("known", [True, False])
@pytest.mark.parametrize(
    ("before", "step", "promoted", "taken_back"),
    [
        ("v2", "v2, canary: {v3: 25, v2-control: 25}", "v3, canary: {v2: 0}", "v2, canary: {v3: 0}"),
        ("v2, canary: {v1: 60}", "v2, canary: {v1: 60, v3: 25, v2-control: 15}", "v3, canary: {v1: 60, v2: 0}",
         "v2, canary: {v1: 60, v3: 0}"),
        ("v1, canary: {v2: 50}", "v2, canary: {v3: 25, v2-control: 25}", "v3, canary: {v2: 0}", "v2, canary: {v3: 0}"),
    ],
)  # fmt: skip
def test_the_control_gets_as_much_as_the_version(
    edited: Callable[[Callable[[Moves], None], str], str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    known: bool,
    before: str,
    step: str,
    promoted: str,
    taken_back: str,
) -> None:
    """Also in a file that has none, as that of another machine; where it has no share it gets none."""
    if known:
        monkeypatch.setitem(globals(), "FILE", FILE.replace("v3: {{}}", "v3: {{}}, v2-control: {{}}"))
    steps: list[tuple[Callable[[Moves], None], str]] = [
        (lambda moves: moves.move([CONTROLLED], None), step),
        (lambda moves: moves.promote([CONTROLLED], None), promoted),
        (lambda moves: moves.take_back([CONTROLLED]), taken_back),
    ]
    for act, expected in steps:
        assert edited(act, before) == expected
        # What the file lacks would keep the split from being applied: Pulumi would have to remove it.
        assert CONTROL in (tmp_path / "Pulumi.dev.yaml").read_text()


def test_at_the_end_the_control_gets_nothing(
    edited: Callable[[Callable[[Moves], None], str], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the same change."""
    monkeypatch.setitem(globals(), "FILE", FILE.replace("v3: {{}}", "v3: {{}}, v2-control: {{}}"))
    before = "v2, canary: {v3: 25, v2-control: 25}"
    assert edited(lambda moves: moves.promote([CONTROLLED], None), before) == "v3, canary: {v2-control: 0, v2: 0}"
    assert edited(lambda moves: moves.take_back([CONTROLLED]), before) == "v2, canary: {v3: 0, v2-control: 0}"
