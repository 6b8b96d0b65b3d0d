"""What a plan looks like, for people and for programs, and where its numbers come from."""

from __future__ import annotations

import io
import json
import sys
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from rich.console import Console

from weir.analysis import Share
from weir.cli import rollout_plan
from weir.cli.context import Context
from weir.cli.rollout import command
from weir.cli.rollout_plan import first_screen, plan, seen
from weir.cli.rollout_planview import Plan, for_programs, view
from weir.measurement.answers import Answers
from weir.measurement.errors import MeasurementError
from weir.model.config.rollout import Analysis
from weir.rollout.plan import Expected, Recent, Regression
from weir.rollout.state import State, Step

GUIDE = Path(__file__).parents[3] / "docs" / "guide" / "rollouts.md"
STEPS = Step(Decimal(5), 60.0), Step(Decimal("12.5"), 60.0, manual=True), Step(Decimal(50), 60.0)
STATE = State("backend", "v2", "v1", STEPS, "", "", datetime(2026, 11, 27, 12, tzinfo=UTC))
RECENT = Recent(10.02, 10020, Share(9000, 9), timed=True)
PLAN = Plan(
    STATE,
    Analysis(),
    RECENT,
    (
        Expected(STEPS[0], 1560.0, 1560.0, Regression(0.0046, 900.0, 20.4), Regression(0.05, 12.0, 4.0)),
        Expected(STEPS[1], 210.0, 210.0, Regression(0.0051, 100.0, 1037.0), None),
        Expected(STEPS[2], 60.0, 7.0, None, Regression(0.05, 8.0, 23.0)),
    ),
)
STACK = """\
config:
  weir:namespace: demo
  weir:services:
    backend: {image: 'app:1', port: 80, versions: {v1: {}, v2: {}}, stable: v1, canary: {v2: 5}}
"""
# A caller whose Envoy has counted more at each call: 900 requests of v1, 9 of them failed, and 100 of v2. To anything
# that is no question it fails.
KUBECTL = f"""#!{sys.executable} -IS
import json, sys
from pathlib import Path
place = Path(__file__).with_name("calls")
if "pods" in sys.argv:
    ready = [dict(name=name, ready=True) for name in ("app", "istio-proxy")]
    spec = dict(containers=[dict(name=name["name"]) for name in ready])
    print(json.dumps(dict(items=[dict(metadata=dict(name="web"), spec=spec, status=dict(phase="Running", containerStatuses=ready))])))
elif "get" in sys.argv and "configmap" in sys.argv:
    pass  # there is no rollout
elif "exec" in sys.argv and "pilot-agent" in sys.argv:
    times = int(place.read_text()) + 1 if place.exists() else 1
    place.write_text(str(times))
    for version, requests, failures in (("v1", 900, 9), ("v2", 100, 1)):
        name = f"cluster.outbound|80|{{version}}|backend.demo.svc.cluster.local;"
        print(f"{{name}}.upstream_rq_5xx: {{times * failures}}")
        print(f"{{name}}.upstream_rq_completed: {{times * requests}}")
else:
    sys.exit("changes something: " + " ".join(sys.argv[1:]))
"""


def shown(plan: Plan, columns: int = 80) -> str:
    """On a terminal."""
    out = io.StringIO()
    Console(file=out, width=columns, no_color=True).print(view(plan))
    return "\n".join(line.rstrip() for line in out.getvalue().splitlines())


def test_a_plan_fits_a_terminal_of_80_columns() -> None:
    """Each step with its time, the smallest regression, and what a bad version hurts."""
    assert (
        shown(PLAN)
        == """\
rollout of backend: v2 takes over from v1
measured for 10 s: 1,000 requests/s; v1: 9 of 9,000 requests (0.10 %) failed,
which may mean 0.025 % to 0.25 %

                          taken back in 9 of               5 % failing:
step     takes            10 cases: from            hurt     back after   hurt
5 %      26 min           0.10 % → 0.46 % (4.6×)      20           12 s      4
12.5 %   3.5 min + gate   0.10 % → 0.51 % (5.1×)   1,037              –      –
50 %     60 s             none                         –            8 s     23

A version as good as v1 is promoted after 30 min, and the time that gates take.
hurt: requests of v2 that fail until it is taken back. Simulated, for such
traffic: good to some 20 %; answers are timed: a step may take twice as long."""
    )


def test_a_plan_at_120_columns() -> None:
    """What ends undecided is said, and what follows, by the config; a share of none has no factor."""
    step = Expected(STEPS[0], 1800.0, None, Regression(0.0112, 900.0, 3.0), None)
    plan = Plan(
        STATE, Analysis.model_validate({"undecided": "abort"}), Recent(10.0, 6, Share(5, 0), timed=False), (step,)
    )
    assert (
        shown(plan, 120)
        == """\
rollout of backend: v2 takes over from v1
measured for 10 s: 0.6 requests/s; v1: 0 of 5 requests (0 %) failed, which may mean 0 % to 61 %

                  taken back in 9 of          5 % failing:
step   takes      10 cases: from       hurt     back after   hurt
5 %    > 30 min   0 % → 1.1 %             3              –      –

5 %: so few requests do not prove within 30m (analysis.patience) that v2 is no worse. Such a step ends undecided, and v2
is taken back (analysis.undecided: abort). Larger steps prove sooner.
hurt: requests of v2 that fail until it is taken back. Simulated, for such traffic: good to some 20 %."""
    )


def test_the_guide_shows_what_a_plan_looks_like(stack: Path) -> None:
    """The page has what comes of such traffic, from the first line to the last."""
    steps = tuple(Step(Decimal(share), 60.0) for share in (5, 25, 50))
    recent = Recent(10.0, 1000, Share(900, 1), timed=False)
    [found] = plan(Context("dev"), [replace(STATE, steps=steps)], lambda _: {"backend": recent})
    assert f"$ weir rollout backend v2 --plan\n{shown(found)}\n```" in GUIDE.read_text()


@pytest.mark.parametrize(("requests", "which"), [(0, "no request reached"), (1200, "none of 1,200 requests reached")])
def test_without_traffic_nothing_is_promised(requests: int, which: str) -> None:
    """The steps would end undecided, in words."""
    said = " ".join(shown(Plan(STATE, Analysis(), Recent(10.0, requests, Share(0, 0), timed=False))).split())
    assert said == (
        f"rollout of backend: v2 takes over from v1 {which} v1 in 10 s: nothing can be said of how long a step takes or "
        "what it sees. Without requests nothing is proven: after 30m (analysis.patience) the step ends undecided, and v2 "
        "is held there (analysis.undecided: hold)."
    )


def test_a_plan_for_programs() -> None:
    """Seconds and shares; null for what is not known, or never."""
    found = for_programs(PLAN)
    assert json.loads(json.dumps(found)) == found
    assert found["seconds"] == 1830.0
    assert found["steps"][1] == {
        "share": 12.5, "pause": 60.0, "manual": True, "seconds": 210.0, "proven": 210.0,
        "smallest": {"share": 0.0051, "times": pytest.approx(5.1), "seconds": 100.0, "hurt": 1037.0}, "example": None,
    }  # fmt: skip
    undecided = Plan(STATE, Analysis(), RECENT, (Expected(STEPS[0], 1800.0, None, None, None),))
    assert for_programs(undecided)["seconds"] is None
    assert for_programs(Plan(STATE, Analysis(), RECENT))["seconds"] is None


def test_what_the_split_divides_is_what_all_versions_got() -> None:
    """Without the requests that no version was chosen for."""
    answers = {"v1": Answers(90, 3), "v2": Answers(10, 5), "": Answers(1000, 1000)}
    assert seen(answers, "v1", 2.0) == Recent(2.0, 100, Share(90, 3), timed=False)
    assert seen({}, "v1", 2.0).stable == Share(0, 0)
    answers["v1"].seconds[0.01] = 90
    assert seen(answers, "v1", 2.0).timed


@pytest.fixture
def stack(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project, and a cluster with one caller, which is measured for a second."""
    (tmp_path / "Pulumi.yaml").write_text("name: weir\nruntime: python\n")
    (tmp_path / "Pulumi.dev.yaml").write_text(STACK)
    (tmp_path / "kubectl").write_text(KUBECTL)
    (tmp_path / "kubectl").chmod(0o755)
    monkeypatch.setenv("WEIR_TOOL_KUBECTL", str(tmp_path / "kubectl"))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(rollout_plan, "WINDOW", 1)
    return tmp_path


def run(*arguments: str) -> Any:
    return CliRunner().invoke(command, [*arguments, "--stack", "dev"])


def test_a_plan_changes_nothing(stack: Path) -> None:
    """It is made of what callers' Envoys count meanwhile: 1,000 requests, whose rate is that of the measured time."""
    result = run("backend", "v2", "--steps", "10,50", "--pause", "5s", "--plan", "--json")
    assert (result.exit_code, result.stderr) == (0, "measuring the traffic of backend for 1 s …\n")
    found = json.loads(result.stdout)
    assert (found["service"], found["version"], found["stable"]) == ("backend", "v2", "v1")
    assert found["measured"]["requests"] == 1000
    assert (found["measured"]["stable"]["requests"], found["measured"]["stable"]["failures"]) == (900, 9)
    assert 1 <= found["measured"]["seconds"] < 60
    assert [step["share"] for step in found["steps"]] == [10, 50]
    assert (stack / "Pulumi.dev.yaml").read_text() == STACK


def test_a_plan_is_one_of_a_version(stack: Path) -> None:
    """There is nothing to plan without."""
    result = run("backend", "--plan")
    assert str(result.exception) == "--plan wants to know which version: weir rollout backend VERSION --plan"


@pytest.mark.parametrize(
    ("options", "ends"), [([], "no terminal to ask on"), (["--yes"], "changes something: -n demo create")]
)
def test_where_nobody_is_asked_nothing_is_measured(stack: Path, options: list[str], ends: str) -> None:
    """A rollout that need not ask begins at once; one that cannot ask says so at once."""
    result = run("backend", "v2", *options)
    assert ends in str(result.exception)
    assert "measuring" not in result.stderr


def test_what_is_not_known_keeps_nobody_from_a_rollout(capsys: pytest.CaptureFixture[str]) -> None:
    """It is said, and the question follows."""

    def source(_: Any) -> Any:
        raise MeasurementError("pod web is gone")

    first_screen(Context("dev"), [STATE], source)
    assert capsys.readouterr().err == "what to expect is not known: pod web is gone\n"
