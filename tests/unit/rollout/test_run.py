"""One process's part in a rollout: what it does follows from what it sees, is written down, and another process goes on
from there.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from weir.analysis import Comparison, Counts
from weir.cluster.errors import ClusterError
from weir.cluster.kubectl import Kubectl
from weir.model.config.rollout import Rollout
from weir.rollout import record, run
from weir.rollout.record import AnotherWroteError, UnreadableError
from weir.rollout.run import Run
from weir.rollout.state import State, Step

# A ConfigMap in a file, which is written as the API server does: https://kubernetes.io/docs/reference/using-api/api-concepts/#resource-versions
KUBECTL = f"""#!{sys.executable} -IS
import json, sys
from pathlib import Path
place = Path(__file__).with_name("map.json")
there = json.loads(place.read_text()) if place.exists() else None
if "get" in sys.argv:
    print(json.dumps(there) if there else "")
    sys.exit()
new = json.load(sys.stdin)
if "create" in sys.argv and there:
    sys.exit('Error from server (AlreadyExists): configmaps "a" already exists')
if "replace" in sys.argv and (not there or new["metadata"]["resourceVersion"] != there["metadata"]["resourceVersion"]):
    sys.exit('Error from server (Conflict): Operation cannot be fulfilled on configmaps "a": the object has been modified')
new["metadata"]["resourceVersion"] = str(int(there["metadata"]["resourceVersion"]) + 1 if there else 1)
place.write_text(json.dumps(new))
print(json.dumps(new))
"""
STATE = State(
    "backend", "v2", "v1", (Step(Decimal(5), 0.0), Step(Decimal(50), 0.0)), "weir rollout backend v2", "ann@host",
    datetime(2026, 11, 27, 12, tzinfo=UTC),
)  # fmt: skip
GOOD = Counts(10_000, 10), Counts(1_000, 1)
BAD = Counts(10_000, 10), Counts(1_000, 200)


@pytest.fixture
def kubectl(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Kubectl:
    monkeypatch.setattr(run, "LOOK_SECONDS", 0.0)
    (tmp_path / "kubectl").write_text(KUBECTL)
    (tmp_path / "kubectl").chmod(0o755)
    return Kubectl(str(tmp_path / "kubectl"), "demo")


class FakeMesh:
    """Notes what is done to the traffic, and answers each look with the next of some counts, the last one for ever."""

    def __init__(self, *looks: Any) -> None:
        self.done: list[str] = []
        self._looks: Iterator[Any] = iter(looks)
        self._last: Any = None

    def move(self, state: State) -> None:
        self.done.append(f"{state.step.share} %")

    def promote(self, state: State) -> None:
        self.done.append("promoted")

    def take_back(self, state: State) -> None:
        self.done.append("0 %")

    def look(self) -> Any:
        self._last = next(self._looks, self._last)
        if isinstance(self._last, Exception):
            raise self._last
        return self._last


def rollout(
    kubectl: Kubectl,
    mesh: FakeMesh,
    kept: record.Kept | None = None,
    check: str = "",
    told: Callable[[State], None] = lambda _: None,
    **settings: Any,
) -> Run:
    return Run(
        kubectl,
        Rollout.model_validate(settings),
        kept or record.write(kubectl, STATE, None),
        traffic=mesh,
        source=mesh,
        check=lambda *_: check,
        show=lambda _: None,
        told=told,
    )


def test_a_good_version_is_promoted_after_its_steps(kubectl: Kubectl) -> None:
    """Each step once; the end is written down with all that was seen."""
    mesh = FakeMesh(GOOD)
    state = rollout(kubectl, mesh).until_end()
    assert mesh.done == ["5 %", "50 %", "promoted"]
    kept = record.read(kubectl, "backend")
    assert kept is not None
    assert (kept.state, state.phase) == (state, "promoted")
    assert state.hurt * 1_000 == state.requests > 0


def test_a_bad_version_is_taken_back_at_once(kubectl: Kubectl) -> None:
    """With what its requests got, and what the stable version's did."""
    mesh = FakeMesh(GOOD, GOOD, BAD)
    state = rollout(kubectl, mesh, analysis={"margin": 1.01}).until_end()
    assert mesh.done == ["5 %", "0 %"]
    assert state.phase == "aborted"
    assert "v2: 200 of 1,000 requests (20 %) failed, of v1 10 of 10,000 requests (0.10 %)" in state.why


def test_a_bad_version_is_held_where_the_config_says_so(kubectl: Kubectl) -> None:
    """Its share stays."""
    mesh = FakeMesh(BAD)
    state = rollout(kubectl, mesh, onRegression="hold").until_end()
    assert (mesh.done, state.phase) == (["5 %"], "held")


def test_a_check_that_fails_takes_the_version_back(kubectl: Kubectl) -> None:
    """For its own reason, whatever the requests say."""
    mesh = FakeMesh(GOOD)
    state = rollout(kubectl, mesh, check="check smoke failed", checks=[{"run": "smoke"}]).until_end()
    assert (mesh.done, state.why) == (["5 %", "0 %"], "check smoke failed")


def test_nothing_seen_is_never_good(kubectl: Kubectl) -> None:
    """Without a request nothing is proven, and after its patience the step is held."""
    mesh = FakeMesh(None)
    state = rollout(kubectl, mesh, analysis={"patience": "300ms"}).until_end()
    assert (mesh.done, state.phase) == (["5 %"], "held")
    assert state.why == "undecided after 300ms: no request of v2 was seen yet"


def test_another_process_goes_on_with_the_same_evidence(kubectl: Kubectl, monkeypatch: pytest.MonkeyPatch) -> None:
    """From what was written down, to the last bit."""
    monkeypatch.setattr(run, "ONCE_SECONDS", 0.0)
    mesh = FakeMesh(*[(Counts(1_000, 1), Counts(100, 0))] * 4)
    first = rollout(kubectl, mesh)
    state = first.until_end(once=True)
    kept = record.read(kubectl, "backend")
    assert kept is not None
    assert kept.state == state
    alone = Comparison.from_state(state.evidence).verdict()
    shown: list[Any] = []
    second = Run(kubectl, Rollout(), kept, traffic=mesh, source=FakeMesh(None), check=lambda *_: "", show=shown.append)
    second.until_end(once=True)
    assert mesh.done == ["5 %"]
    assert (shown[0].verdict.against, shown[0].verdict.proof) == (alone.against, alone.proof)


def test_the_second_of_two_that_write_is_refused(kubectl: Kubectl) -> None:
    """It moves nothing any more."""
    mesh = FakeMesh(GOOD)
    first = rollout(kubectl, mesh)
    kept = record.read(kubectl, "backend")
    assert kept is not None
    record.write(kubectl, STATE, kept)
    with pytest.raises(AnotherWroteError, match="another process goes on with the rollout of backend"):
        first.until_end()
    with pytest.raises(AnotherWroteError):
        record.write(kubectl, STATE, None)
    assert mesh.done == ["5 %"]


def test_a_cluster_that_does_not_answer_leaves_all_as_it_is(kubectl: Kubectl, monkeypatch: pytest.MonkeyPatch) -> None:
    """For a while it is asked again; then the state says how far it got."""
    mesh = FakeMesh(None, None, ClusterError("gone"), ClusterError("gone"), GOOD)
    assert rollout(kubectl, mesh).until_end().phase == "promoted"
    monkeypatch.setattr(run, "PATIENCE_SECONDS", 0.0)
    (Path(kubectl.path).parent / "map.json").unlink()
    with pytest.raises(ClusterError, match="gone"):
        rollout(kubectl, FakeMesh(None, None, ClusterError("gone"))).until_end()
    kept = record.read(kubectl, "backend")
    assert kept is not None
    assert (kept.state.phase, kept.state.index) == ("step", 0)


def test_whoever_listens_is_told_of_each_step_and_of_the_end(kubectl: Kubectl) -> None:
    """Once each, with what was seen by then; of what is written down in between, of nothing."""
    told: list[State] = []
    rollout(kubectl, FakeMesh(GOOD), told=told.append).until_end()
    assert [(state.phase, state.index) for state in told] == [("begun", 0), ("step", 0), ("step", 1), ("promoted", 1)]
    assert [state.requests > 0 for state in told] == [False, False, True, True]


@pytest.mark.parametrize(("settings", "end"), [({}, "aborted"), ({"onRegression": "hold"}, "held")])
def test_whoever_listens_is_told_why(kubectl: Kubectl, settings: dict[str, Any], end: str) -> None:
    """Of an abort, and of a hold."""
    told: list[State] = []
    rollout(kubectl, FakeMesh(GOOD, BAD), told=told.append, **settings).until_end()
    assert [state.phase for state in told] == ["begun", "step", end]
    assert "200 of 1,000 requests" in told[-1].why


def test_who_is_ended_by_another_tells_nothing_of_it(kubectl: Kubectl) -> None:
    """`weir abort` does, which has ended it."""
    told: list[State] = []
    mesh = FakeMesh(GOOD)
    first = rollout(kubectl, mesh, told=told.append)
    kept = record.read(kubectl, "backend")
    assert kept is not None
    record.write(kubectl, replace(STATE, phase="aborted", why="weir abort backend"), kept)
    assert first.until_end().phase == "aborted"
    assert "aborted" not in [state.phase for state in told]


def test_what_is_no_state_is_said(kubectl: Kubectl) -> None:
    """With the way out."""
    record.write(kubectl, STATE, None)
    place = Path(kubectl.path).parent / "map.json"
    found = json.loads(place.read_text())
    place.write_text(json.dumps({**found, "data": {"state": "{}"}}))
    with pytest.raises(UnreadableError, match="kubectl delete configmap -n demo weir-rollout-backend"):
        record.read(kubectl, "backend")
