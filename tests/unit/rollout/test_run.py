"""One process's part in a rollout: what it does follows from what it sees, is written down, and another process goes on
from there.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.unit.rollout.fake_mesh import BAD, BOTH, GOOD, STATE, FakeMesh, both, rollout, write
from weir.analysis import Comparison, Counts
from weir.cluster.errors import ClusterError
from weir.cluster.kubectl import Kubectl
from weir.model.config.rollout import Rollout
from weir.rollout import keeper, patience, record, run
from weir.rollout.metrics import Metrics
from weir.rollout.record import AnotherWroteError, UnreadableError
from weir.rollout.run import Run
from weir.rollout.state import Phase, State, steps_of


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


def test_who_is_killed_while_taking_back_leaves_what_led_to_it(kubectl: Kubectl) -> None:
    """The next process ends it, though the version gets no request any more that could tell."""

    class Killed(BaseException):
        pass

    class Dying(FakeMesh):
        def take_back(self, states: Sequence[State]) -> None:
            super().take_back(states)
            raise Killed

    mesh = Dying(GOOD, BAD)
    with pytest.raises(Killed):
        rollout(kubectl, mesh).until_end()
    kept = record.read_all(kubectl, ["backend"])
    assert kept["backend"].state.phase == "step"
    after = FakeMesh(None)
    state = rollout(kubectl, after, kept, analysis={"patience": "300ms"}).until_end()
    assert (after.done, state.phase) == (["0 %"], "aborted")


def test_what_it_was_compared_with_is_named(kubectl: Kubectl) -> None:
    """The control, where there is one."""
    mesh = FakeMesh(BAD)
    state = rollout(kubectl, mesh, write(kubectl, replace(STATE, control="v1-control"))).until_end()
    assert "v2: 200 of 1,000 requests (20 %) failed, of v1-control 10 of 10,000 requests (0.10 %)" in state.why


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
    second = Run(
        kubectl, {"backend": Rollout()}, {"backend": kept}, traffic=mesh, source=FakeMesh(None),
        check=lambda *_: "", show=shown.extend,
    )  # fmt: skip
    second.until_end(once=True)
    assert mesh.done == ["5 %"]
    assert (shown[0].verdict.against, shown[0].verdict.proof) == (alone.against, alone.proof)


def test_the_second_of_two_that_write_is_refused(kubectl: Kubectl) -> None:
    """Before it moves anything."""
    mesh = FakeMesh(GOOD)
    first = rollout(kubectl, mesh)
    kept = record.read(kubectl, "backend")
    assert kept is not None
    record.write(kubectl, [STATE], {"backend": kept})
    with pytest.raises(AnotherWroteError, match="another process goes on with the rollout of backend"):
        first.until_end()
    with pytest.raises(AnotherWroteError):
        record.write(kubectl, [STATE], {})
    assert mesh.done == []


def test_a_cluster_that_does_not_answer_leaves_all_as_it_is(kubectl: Kubectl, monkeypatch: pytest.MonkeyPatch) -> None:
    """For a while it is asked again; then the state says how far it got."""
    mesh = FakeMesh(None, None, ClusterError("gone"), ClusterError("gone"), GOOD)
    assert rollout(kubectl, mesh).until_end().phase == "promoted"
    monkeypatch.setattr(patience, "PATIENCE_SECONDS", 0.0)
    (Path(kubectl.path).parent / "maps.json").unlink()
    with pytest.raises(ClusterError, match="gone"):
        rollout(kubectl, FakeMesh(None, None, ClusterError("gone"))).until_end()
    kept = record.read(kubectl, "backend")
    assert kept is not None
    assert (kept.state.phase, kept.state.index) == ("step", 0)


class FakeMetrics(Metrics):
    """Says what it is told to."""

    def __init__(self, worse: str = "", waits: str = "", error: Exception | None = None) -> None:
        super().__init__()
        self.said, self.error, self.steps = (worse, waits), error, 0

    worse = property(lambda self: self.said[0])
    waits = property(lambda self: self.said[1])

    def look(self) -> None:
        if self.error:
            raise self.error

    def begin_step(self) -> None:
        self.steps += 1


def with_metrics(kubectl: Kubectl, mesh: FakeMesh, metrics: Metrics, **settings: Any) -> State:
    return Run(
        kubectl, {"backend": Rollout.model_validate(settings)}, write(kubectl, STATE), traffic=mesh, source=mesh,
        check=lambda *_: "", show=lambda _: None, metrics={"backend": metrics},
    ).until_end()  # fmt: skip


def test_a_metric_of_the_users_takes_a_version_back(kubectl: Kubectl) -> None:
    """However good its requests are."""
    mesh = FakeMesh(GOOD)
    state = with_metrics(kubectl, mesh, FakeMetrics(worse="v2: queue is 101 and must be at most 100"))
    assert (mesh.done, state.why) == (["5 %", "0 %"], "v2: queue is 101 and must be at most 100")


def test_a_step_waits_for_the_users_metrics(kubectl: Kubectl) -> None:
    """After its patience it says for what; each step is told to them."""
    mesh, metrics = FakeMesh(GOOD), FakeMetrics(waits="queue has no value yet")
    state = with_metrics(kubectl, mesh, metrics, analysis={"patience": "300ms"})
    assert (mesh.done, metrics.steps) == (["5 %"], 1)
    assert state.why == "undecided after 300ms: queue has no value yet"


def test_what_was_counted_is_not_lost_where_metrics_do_not_answer(kubectl: Kubectl) -> None:
    """A bad version is taken back while Prometheus is away."""
    mesh = FakeMesh(BAD)
    state = with_metrics(kubectl, mesh, FakeMetrics(error=ClusterError("away")))
    assert (mesh.done, state.phase) == (["5 %", "0 %"], "aborted")
    assert (state.hurt, state.requests) == (200, 1_000)


def test_what_was_proven_is_no_reason_to_go_on_blind(kubectl: Kubectl, monkeypatch: pytest.MonkeyPatch) -> None:
    """While no look is answered a step waits."""
    monkeypatch.setattr(patience, "PATIENCE_SECONDS", 0.2)
    mesh = FakeMesh(GOOD)
    with pytest.raises(ClusterError, match="away"):
        with_metrics(kubectl, mesh, FakeMetrics(error=ClusterError("away")))
    assert mesh.done == ["5 %"]


def test_a_step_that_is_applied_is_kept_whoever_answers(kubectl: Kubectl) -> None:
    """Traffic has moved: the state says so, though nobody counts at that moment."""
    mesh = FakeMesh(ClusterError("away"), ClusterError("away"), GOOD)
    state = rollout(kubectl, mesh).until_end()
    assert mesh.done == ["5 %", "50 %", "promoted"]
    assert state.phase == "promoted"


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
    record.write(kubectl, [replace(STATE, phase="aborted", why="weir abort backend")], {"backend": kept})
    assert first.until_end().phase == "aborted"
    assert "aborted" not in [state.phase for state in told]


def test_what_is_no_state_is_said(kubectl: Kubectl) -> None:
    """With the way out."""
    write(kubectl, STATE)
    place = Path(kubectl.path).parent / "maps.json"
    found = json.loads(place.read_text())
    found["weir-rollout-backend"]["data"] = {"state": "{}"}
    place.write_text(json.dumps(found))
    with pytest.raises(UnreadableError, match="kubectl delete configmap -n demo weir-rollout-backend"):
        record.read(kubectl, "backend")
    with pytest.raises(UnreadableError):
        record.read_all(kubectl, ["backend", "cart"])
    assert record.read_all(kubectl, ["backend", "cart"], readable=True) == {}


def test_without_steps_checks_alone_have_a_say(kubectl: Kubectl) -> None:
    """Blue/green: no request before all of them."""
    mesh = FakeMesh(None)
    kept = write(kubectl, replace(STATE, steps=steps_of(Rollout(steps=()))))
    state = rollout(kubectl, mesh, kept, checks=[{"run": "smoke"}]).until_end()
    assert (mesh.done, state.phase, state.checked) == (["0 %", "promoted"], "promoted", ("smoke",))
    mesh = FakeMesh(None)
    state = rollout(
        kubectl, mesh, write(kubectl, kept["backend"].state), "it is red", checks=[{"run": "smoke"}]
    ).until_end()
    assert (mesh.done, state.phase) == (["0 %", "0 %"], "aborted")


def test_several_services_go_on_once_the_last_is_ready(kubectl: Kubectl) -> None:
    """One change for all; a service of which nothing is known is not ready."""
    mesh = FakeMesh(both(GOOD, GOOD), {"backend": GOOD}, {"backend": GOOD}, both(GOOD, GOOD))
    run_of = rollout(kubectl, mesh, write(kubectl, *BOTH))
    run_of.until_end()
    assert mesh.done == ["5 %", "50 %", "promoted"]
    assert [each.phase for each in run_of.states] == ["promoted", "promoted"]
    first, second = (each.requests for each in run_of.states)
    assert first == second + 1_000
    assert [each.state for each in record.read_all(kubectl, ["backend", "cart"]).values()] == run_of.states


def test_where_one_of_several_is_worse_all_are_taken_back(kubectl: Kubectl) -> None:
    """With the name of that one. The chance of a false alarm is that of all of them."""
    mesh = FakeMesh(both(GOOD, GOOD), both(GOOD, GOOD), both(GOOD, BAD))
    run_of = rollout(kubectl, mesh, write(kubectl, *BOTH), analysis={"margin": 1.01})
    run_of.until_end()
    assert mesh.done == ["5 %", "0 %"]
    assert [each.phase for each in run_of.states] == ["aborted", "aborted"]
    assert run_of.state.why.startswith("cart: v2: 200 of 1,000 requests (20 %) failed")
    assert "(chance of a false alarm below 0.50 %)" in run_of.state.why


@pytest.mark.parametrize(
    ("first", "second", "done", "phase"),
    [
        (replace(BOTH[0], phase="step", index=1, since=STATE.began), replace(BOTH[1], phase="step", since=STATE.began),
         ["50 %", "promoted"], "promoted"),
        (replace(BOTH[0], phase="promoted", index=1), replace(BOTH[1], phase="step", index=1, since=STATE.began),
         ["promoted"], "promoted"),
        (replace(BOTH[0], phase="step", since=STATE.began), replace(BOTH[1], phase="aborted", why="red"),
         ["0 %"], "aborted"),
        (replace(BOTH[0], phase="step", since=STATE.began), replace(BOTH[1], phase="held", why="red"), [], "held"),
        (replace(BOTH[0], phase="step", since=STATE.began), BOTH[1], ["5 %", "50 %", "promoted"], "promoted"),
    ],
)  # fmt: skip
def test_what_one_of_several_has_reached_the_others_reach_first(
    kubectl: Kubectl, first: State, second: State, done: list[str], phase: str
) -> None:
    """A process may end between the states of two services, at any change."""
    mesh = FakeMesh(both(GOOD, GOOD))
    run_of = rollout(kubectl, mesh, write(kubectl, first, second))
    run_of.until_end()
    assert mesh.done == done
    assert {each.phase for each in run_of.states} == {phase}


def test_of_mixed_ends_the_abort_is_what_the_others_come_to(kubectl: Kubectl) -> None:
    """None gets requests that is not known to be good, with those that it goes with."""
    names = "backend", "cart", "web"
    phases: tuple[Phase, ...] = "promoted", "aborted", "step"
    states = [
        replace(STATE, service=name, together=names, phase=phase, why="red", since=STATE.began)
        for name, phase in zip(names, phases, strict=True)
    ]
    mesh = FakeMesh({})
    run_of = rollout(kubectl, mesh, write(kubectl, *states))
    run_of.until_end()
    assert (mesh.done, {each.phase for each in run_of.states}) == (["0 %"], {"aborted"})


def test_an_abort_of_one_takes_back_the_others(kubectl: Kubectl, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever is at it hears of it before traffic moves again."""
    monkeypatch.setattr(keeper, "SAVE_SECONDS", 0.0)
    kept = write(kubectl, *BOTH)
    mesh = FakeMesh()

    def aborted_meanwhile() -> Any:
        now = record.read_all(kubectl, ["backend", "cart"])
        if now["cart"].state.phase == "step":
            record.write(kubectl, [replace(now["cart"].state, phase="aborted", why="weir abort cart")], now)
        return {}

    monkeypatch.setattr(mesh, "look", aborted_meanwhile)
    run_of = rollout(kubectl, mesh, kept)
    run_of.until_end()
    assert mesh.done == ["5 %", "0 %"]
    assert [(each.phase, each.why) for each in run_of.states] == [
        ("aborted", "cart: weir abort cart"), ("aborted", "weir abort cart"),
    ]  # fmt: skip


def test_worse_ends_a_rollout_that_another_process_goes_on_with(kubectl: Kubectl) -> None:
    """One that slept hears late that another one goes on; what it has seen counts all the same."""
    mesh = FakeMesh()
    looks = iter([GOOD, GOOD])

    def gone_on_meanwhile() -> Any:
        if counts := next(looks, None):
            return {"backend": counts}
        now = record.read_all(kubectl, ["backend"])
        record.write(kubectl, [replace(now["backend"].state, hurt=7)], now)
        return {"backend": BAD}

    mesh.look = gone_on_meanwhile  # type: ignore[method-assign]
    state = rollout(kubectl, mesh, analysis={"margin": 1.01}).until_end()
    assert (mesh.done, state.phase, state.hurt) == (["5 %", "0 %"], "aborted", 7)
    assert state.why.startswith("v2: 200 of 1,000 requests (20 %) failed")
