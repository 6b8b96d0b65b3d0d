"""Steps of canaries: up by some points at a time, down at once."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from policy.known import UNKNOWN
from policy.last import Last, last, parse
from policy.rule import VIRTUAL_SERVICE, Resource
from policy.steps import COMPARED, STEP, not_compared, too_far
from tests.unit.policy.cases import Case, put, route


def state(*resources: Mapping[str, Any]) -> str:
    """What `pulumi stack export` prints of these resources."""
    return json.dumps({"version": 3, "deployment": {"manifest": {}, "resources": resources}})


def was(**service: Any) -> Last:
    """The last routes of a stack that was up with these keys of its service."""
    return parse(state({"type": VIRTUAL_SERVICE, "inputs": route(**service), "outputs": route(canary={"v2": 99})}))


def step(before: Last, most: float = 25, **service: Any) -> list[str]:
    return too_far(route(**service), before, most, "prod")


def refused(what: str, points: str, first: str, most: str = "25 points", stable: str = "v1") -> list[str]:
    return [
        f"backend: {what}, which is {points} more; at most {most} at a time: leave {stable} stable and go in steps,"
        f" weir set backend {first} --stack prod first"
    ]


V3: dict[str, Any] = {"versions": {"v1": {}, "v2": {}, "v3": {}}}
ANSWERED: dict[str, Any] = {"directResponse": {"status": 503}, "canary": None, "retries": None}
CASES = [
    Case("canary-step", "no step", lambda: step(was())),
    Case("canary-step", "as far as allowed", lambda: step(was(canary={"v2": 20}), canary={"v2": 45})),
    Case(
        "canary-step",
        "a ten-thousandth too far",
        lambda: step(was(canary={"v2": 20}), canary={"v2": 45.0001}),
        refused("v2 would go from 20 % to 45.0001 %", "25.0001 points", "v2=45"),
    ),
    Case(
        "canary-step",
        "a new canary too large",
        lambda: step(was(canary={}), canary={"v2": 50}),
        refused("v2 would go from 0 % to 50 %", "50 points", "v2=25"),
    ),
    Case(
        "canary-step",
        "a fine step",
        lambda: step(was(canary={"v2": 0.5}), most=0.25, canary={"v2": 1}),
        refused("v2 would go from 0.5 % to 1 %", "0.5 points", "v2=0.75", "0.25 points"),
    ),
    Case("canary-step", "an abort of all there is", lambda: step(was(canary={"v2": 100}), canary={"v2": 0})),
    Case("canary-step", "an abort that also removes the version", lambda: step(was(canary={"v2": 100}), canary={}, versions={"v1": {}})),
    Case("canary-step", "an abort of one of two", lambda: step(was(**V3, canary={"v2": 40, "v3": 40}), **V3, canary={"v2": 40})),
    Case(
        "canary-step",
        "an abort beside another canary's step",
        lambda: step(was(**V3, canary={"v2": 40}), **V3, canary={"v3": 30}),
        refused("v3 would go from 0 % to 30 %", "30 points", "v3=25"),
    ),
    Case(
        "canary-step",
        "promote from half",
        lambda: step(was(canary={"v2": 50}), stable="v2", canary={}),
        refused("v2 would go from 50 % to 100 %", "50 points", "v2=75"),
    ),
    Case("canary-step", "promote from three quarters", lambda: step(was(canary={"v2": 75}), stable="v2", canary={})),
    Case(
        "canary-step",
        "back to what was stable before a promotion",
        lambda: step(was(stable="v2", canary={}), stable="v1", canary={}),
        refused("v1 would go from 0 % to 100 %", "100 points", "v1=25", stable="v2"),
    ),
    Case("canary-step", "a service that is new", lambda: step(parse(state()), canary={"v2": 90})),
    Case("canary-step", "a stack that is new", lambda: step(parse('{"deployment": {"manifest": {}}}'), canary={"v2": 90})),
    Case("canary-step", "a state that cannot be read", lambda: step(Last(unreadable="no such stack"), canary={"v2": 90})),
    Case("canary-step", "a spec that is not known yet", lambda: too_far(put(route(), "spec", UNKNOWN), was(), 25, "prod")),
    Case("canary-step", "the stable version is back after the proxy answered by itself", lambda: step(was(**ANSWERED), canary={})),
    Case("canary-step", "the proxy answers by itself", lambda: step(was(), **ANSWERED)),
    Case("canary-step-compared", "a state", lambda: not_compared(was(), "prod")),
    Case("canary-step-compared", "a stack that is new", lambda: not_compared(parse('{"deployment": {"manifest": {}}}'), "prod")),
    Case(
        "canary-step-compared",
        "a state that cannot be read",
        lambda: not_compared(Last(unreadable="no stack named 'prod' found"), "prod"),
        [
            "the last state of prod cannot be read, so that canary-step judged nothing (no stack named 'prod' found); see what pulumi stack"
            " export --stack prod says, and compare by hand: weir diff --stack prod"
        ],
    ),
]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_steps(case: Case) -> None:
    """What rises too far is refused with the first step to take; the stable version takes back whatever it likes."""
    case.check()


@pytest.mark.parametrize("text", ["no", "[]", "{}"])
def test_a_state_that_makes_no_sense_is_not_read(text: str) -> None:
    """It counts as unreadable, and not as a stack without services."""
    assert parse(text) == Last(unreadable="pulumi stack export printed no state")


def test_what_is_to_be_deleted_is_no_route() -> None:
    """A VirtualService that was replaced, and not removed yet, stands in the state beside the one that is there; others do not matter."""
    there = {"type": VIRTUAL_SERVICE, "inputs": route(canary={"v2": 10})}
    gone = {"type": VIRTUAL_SERVICE, "inputs": route(canary={"v2": 90}), "delete": True}
    found = parse(state({"type": "pulumi:pulumi:Stack"}, there, gone))
    assert {name: dict(entry.weights) for name, entry in found.routes.items()} == {"backend": {"v1": 90, "v2": 10}}


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty PATH, and nothing remembered."""
    monkeypatch.setenv("PATH", str(tmp_path))
    last.cache_clear()
    yield tmp_path
    last.cache_clear()


def test_without_pulumi_steps_pass_and_it_is_said(path: Path) -> None:
    """Where Pulumi cannot be asked nothing is refused, and the advisory rule says so."""
    given = route(canary={"v2": 90})
    assert STEP.judge(given, STEP.settings({}), "prod") == []
    [message] = COMPARED.judge([Resource(VIRTUAL_SERVICE, given)], COMPARED.settings({}), "prod")
    assert "the last state of prod cannot be read, so that canary-step judged nothing (pulumi cannot be run: No such file" in message


def test_pulumi_is_asked_once_for_the_stack_that_made_the_objects(path: Path) -> None:
    """The name comes from the annotation of the object, with the organization; what a failing Pulumi says last is the reason."""
    program = path / "pulumi"
    program.write_text(f'#!/bin/sh\necho "$@" >> {path}/asked\necho "error: no stack named $4 found" >&2\nexit 6\n')
    program.chmod(0o755)
    given = put(route(canary={"v2": 90}), "metadata.annotations", {"weir.dev/stack": "acme/weir/prod"})
    for _ in range(2):
        assert STEP.judge(given, STEP.settings({}), "prod") == []
    [message] = COMPARED.judge([Resource(VIRTUAL_SERVICE, given)], COMPARED.settings({}), "prod")
    assert "(no stack named acme/weir/prod found)" in message
    assert (path / "asked").read_text() == "stack export --stack acme/weir/prod\n"
