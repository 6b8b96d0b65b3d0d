"""Promotions: in production by a rollout, and whatever goes back is let pass."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from policy.known import UNKNOWN
from policy.last import Last, last, parse
from policy.promotions import BY_ROLLOUT, unproven
from tests.unit.policy import test_shared_hosts as shared
from tests.unit.policy.cases import VIRTUAL_SERVICE_V1, Case, put, route
from tests.unit.policy.test_steps import ANSWERED, state, was

ROLLED = {"backend": ["v2"]}
THREE: dict[str, Any] = {"versions": {"v1": {}, "v2": {}, "v3": {}}}
PROMOTED: dict[str, Any] = {"stable": "v2", "canary": {"v1": 0}}
RULE = "promotion-by-rollout"


def judged(before: Last, rolled: dict[str, list[str]] | None = None, **service: Any) -> list[str]:
    return unproven(route(**service), before, rolled or {}, "prod")


def refused(version: str, stable: str) -> list[str]:
    return [
        f"backend: {version} would take over from {stable}, and no rollout has shown that it is no worse: leave {stable} "
        f"stable, then weir rollout backend {version} --stack prod"
    ]


CASES = [
    Case(RULE, "weir promote", lambda: judged(was(canary={"v2": 75}), **PROMOTED), refused("v2", "v1")),
    Case(RULE, "a rollout's promotion", lambda: judged(was(canary={"v2": 75}), ROLLED, **PROMOTED)),
    Case(
        RULE,
        "a rollout of another service",
        lambda: judged(was(canary={"v2": 75}), {"cart": ["v2"]}, **PROMOTED),
        refused("v2", "v1"),
    ),
    Case(
        RULE,
        "a rollout of another version",
        lambda: judged(was(**THREE, canary={"v2": 75}), {"backend": ["v3"]}, **THREE, stable="v2", canary={}),
        refused("v2", "v1"),
    ),
    Case(RULE, "a merge that promotes from nothing", lambda: judged(was(canary={}), **PROMOTED), refused("v2", "v1")),
    Case(
        RULE,
        "a promotion that removes the old version",
        lambda: judged(was(canary={"v2": 75}), versions={"v2": {}}, stable="v2", canary={}),
        refused("v2", "v1"),
    ),
    Case(
        RULE,
        "all requests for a canary",
        lambda: judged(was(canary={"v2": 75}), canary={"v2": 100}),
        refused("v2", "v1"),
    ),
    Case(
        RULE, "all requests for a rollout's canary", lambda: judged(was(canary={"v2": 75}), ROLLED, canary={"v2": 100})
    ),
    Case(RULE, "nearly all requests for a canary", lambda: judged(was(canary={"v2": 75}), canary={"v2": 99})),
    Case(RULE, "a canary that has all requests becomes stable", lambda: judged(was(canary={"v2": 100}), **PROMOTED)),
    Case(RULE, "an update after a promotion", lambda: judged(was(**PROMOTED), **PROMOTED)),
    Case(RULE, "an abort", lambda: judged(was(canary={"v2": 75}), canary={"v2": 0})),
    Case(RULE, "an abort from all requests", lambda: judged(was(canary={"v2": 100}), canary={"v2": 0})),
    Case(
        RULE,
        "an abort that also removes the version",
        lambda: judged(was(canary={"v2": 100}), canary={}, versions={"v1": {}}),
    ),
    Case(RULE, "a file that never heard of the promotion", lambda: judged(was(**PROMOTED)), refused("v1", "v2")),
    Case(RULE, "a service that is new", lambda: judged(parse(state()), canary={"v2": 100})),
    Case(RULE, "a state that cannot be read", lambda: judged(Last(unreadable="no such stack"), **PROMOTED)),
    Case(RULE, "the proxy answered by itself", lambda: judged(was(**ANSWERED), **PROMOTED)),
    Case(RULE, "the proxy answers by itself", lambda: judged(was(), **ANSWERED)),
    Case(
        RULE,
        "testers get the version alone",
        lambda: judged(
            was(),
            routes=[{"name": "beta", "match": [{"headers": {"x-user": {"exact": "beta"}}}], "stable": "v2"}],
        ),
    ),
    Case(
        RULE,
        "a spec that is not known yet",
        lambda: unproven(put(route(**PROMOTED), "spec", UNKNOWN), was(), {}, "prod"),
    ),
]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_promotions(case: Case) -> None:
    """What takes over without a rollout is refused with the way to take; what goes back, and what is new, passes."""
    case.check()


def test_a_host_that_services_share_tells_them_apart() -> None:
    """Each of its services is promoted by its own rollout."""
    after = shared.host(stable="v2", canary={"v1": 0})
    [message] = unproven(after, shared.was(), {"web": ["v2"]}, "prod")
    assert message == (
        "host shop.example.com: v2 would take over from v1, and no rollout has shown that it is no worse: leave v1 "
        "stable, then weir rollout cart v2 --stack prod"
    )
    assert unproven(after, shared.was(), {"cart": ["v2"]}, "prod") == []


@pytest.fixture
def pulumi(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A pulumi on PATH that exports the state in a file beside it, and nothing remembered of another."""
    program = tmp_path / "pulumi"
    program.write_text(f"#!/bin/sh\nexec /bin/cat {tmp_path}/state.json\n")
    program.chmod(0o755)
    resource = {"type": VIRTUAL_SERVICE_V1, "inputs": route(canary={"v2": 75})}
    (tmp_path / "state.json").write_text(state(resource))
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("WEIR_ROLLED_OUT", raising=False)
    last.cache_clear()
    yield tmp_path
    last.cache_clear()


@pytest.mark.parametrize(
    ("given", "passes"),
    [
        (json.dumps(ROLLED), True),
        ("", False),
        ('{"backend": ["v1"]}', False),
        ("backend=v2", False),
        ('["v2"]', False),
    ],
)
def test_a_rollout_says_itself_which_versions_it_steers(
    pulumi: Path, monkeypatch: pytest.MonkeyPatch, given: str, passes: bool
) -> None:
    """In the environment of the update; what is not in that form counts for nothing."""
    monkeypatch.setenv("WEIR_ROLLED_OUT", given)
    said = BY_ROLLOUT.judge(route(**PROMOTED), BY_ROLLOUT.settings({}), "prod")
    assert said == ([] if passes else refused("v2", "v1"))
