"""Steps of canaries: up by some points at a time, down at once."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from policy.known import UNKNOWN
from policy.last import Last, last, parse
from policy.requests import NARROW_HEADERS
from policy.rule import VIRTUAL_SERVICE, Resource
from policy.steps import COMPARED, STEP, not_compared, too_far
from tests.unit.policy.cases import VIRTUAL_SERVICE_V1, Case, put, route


def state(*resources: Mapping[str, Any]) -> str:
    """What `pulumi stack export` prints of these resources."""
    return json.dumps({"version": 3, "deployment": {"manifest": {}, "resources": resources}})


def was(**service: Any) -> Last:
    """The last routes of a stack that was up with these keys of its service."""
    return parse(state({"type": VIRTUAL_SERVICE_V1, "inputs": route(**service), "outputs": route(canary={"v2": 99})}))


def was_of(version: str, **service: Any) -> Last:
    """The same, of an object in another version of Istio's API."""
    return parse(
        state({"type": f"kubernetes:networking.istio.io/{version}:VirtualService", "inputs": route(**service)})
    )


def step(before: Last, most: float = 25, **service: Any) -> list[str]:
    return too_far(route(**service), before, {"maxPoints": most, "narrowHeaders": NARROW_HEADERS.default}, "prod")


def refused(what: str, points: str, first: str, most: str = "25 points", stable: str = "v1") -> list[str]:
    return [
        f"backend: {what}, which is {points} more; at most {most} at a time: leave {stable} stable and go in steps,"
        f" weir set backend {first} --stack prod first"
    ]


def on_route(name: str, what: str, points: str, first: str, version: str = "v2", before: str = "default") -> list[str]:
    """The message about a version on a route that is not the default one, or was not before."""
    others = "" if before == name else f" and route {before} took before"
    how = (
        f"leave v1 stable in the route, canary: {{{version}: {first}}} first, or match the route on an exact value "
        "of a header that few"
    )
    if name == "default":
        how = f"leave v1 stable and go in steps, weir set backend {version}={first} --stack prod first"
    else:
        how += " requests have (narrowHeaders)"
    return [
        f"backend: {version} would go from {what} of the requests that route {name} takes{others}, which is {points} "
        f"points more; at most 25 points at a time: {how}"
    ]


def taking(*match: dict[str, Any], name: str = "some", stable: str = "v2", **keys: Any) -> dict[str, Any]:
    """A route of a service."""
    return {"name": name, "match": list(match), "stable": stable, **keys}


def new_route(*match: dict[str, Any], **settings: Any) -> list[str]:
    """What is said of a route of v2 that comes before a default route with a canary of 5 %."""
    after = route(canary={"v2": 5}, routes=[taking(*match)])
    return too_far(after, was(canary={"v2": 5}), STEP.settings(settings), "prod")


def headers(**conditions: dict[str, str]) -> dict[str, Any]:
    return {"headers": {name.replace("_", "-"): condition for name, condition in conditions.items()}}


REFUSED = on_route("some", "5 % to 100 %", "95", "30")
A, B = {"uri": {"prefix": "/a"}}, {"uri": {"prefix": "/b"}}
ALL = {"uri": {"prefix": "/"}}
BETA = headers(x_user={"exact": "beta"})
MIRRORED = "set percentage: {} on its mirror first"
ROUTES = [
    Case("canary-step", "a route of every path, by expression", lambda: new_route({"uri": {"regex": ".*"}}), REFUSED),
    Case("canary-step", "a route of every path, by prefix", lambda: new_route(ALL), REFUSED),
    Case("canary-step", "a header that everybody has", lambda: new_route(headers(accept={"exact": "*/*"})), REFUSED),
    Case("canary-step", "a pseudo-header", lambda: new_route({"headers": {":method": {"exact": "GET"}}}), REFUSED),
    Case(
        "canary-step",
        "who does not have a header",
        lambda: new_route({"withoutHeaders": {"x-user": {"exact": "beta"}}}),
        REFUSED,
    ),
    Case("canary-step", "whoever has the header of testers", lambda: new_route(headers(x_user={})), REFUSED),
    Case("canary-step", "many testers, by expression", lambda: new_route(headers(x_user={"regex": ".*"})), REFUSED),
    Case(
        "canary-step",
        "whoever comes by a gateway",
        lambda: too_far(
            route(
                expose={"gateways": ["edge/public"], "hosts": ["a.example.com"]},
                canary={"v2": 5},
                routes=[taking({"gateways": ["edge/public"]})],
            ),
            was(canary={"v2": 5}),
            STEP.settings({}),
            "prod",
        ),
        REFUSED,
    ),
    Case("canary-step", "testers beside everybody", lambda: new_route(BETA, {"method": {"exact": "GET"}}), REFUSED),
    Case("canary-step", "testers", lambda: new_route(BETA)),
    Case("canary-step", "testers on a path", lambda: new_route({**BETA, **A}, headers(x_beta={"exact": "on"}))),
    Case(
        "canary-step",
        "testers that the config does not know",
        lambda: new_route(BETA, narrowHeaders=["x-team-*"]),
        REFUSED,
    ),
    Case(
        "canary-step",
        "testers that the config knows",
        lambda: new_route(headers(x_team_a={"exact": "yes"}), narrowHeaders=["X-Team-*"]),
    ),
    Case(
        "canary-step",
        "several routes together",
        lambda: step(was(canary={}), canary={}, routes=[taking(A, name="a"), taking(B, name="b")]),
        [*on_route("b", "0 % to 100 %", "100", "25"), *on_route("a", "0 % to 100 %", "100", "25")],
    ),
    Case(
        "canary-step",
        "a route that is small at first",
        lambda: step(was(canary={}), canary={}, routes=[taking(A, stable="v1", canary={"v2": 25})]),
    ),
    Case(
        "canary-step",
        "a route with a match for testers becomes one for all",
        lambda: step(was(canary={}, routes=[taking(BETA)]), canary={}, routes=[taking(ALL)]),
        on_route("some", "0 % to 100 %", "100", "25", before="default"),
    ),
    Case(
        "canary-step",
        "a route that takes more paths than before",
        lambda: step(was(canary={}, routes=[taking({"uri": {"prefix": "/a/b"}})]), canary={}, routes=[taking(A)]),
        on_route("some", "0 % to 100 %", "100", "25", before="default"),
    ),
    Case(
        "canary-step",
        "a route that takes fewer",
        lambda: step(was(canary={}, routes=[taking(A)]), canary={}, routes=[taking({"uri": {"prefix": "/a/b"}})]),
    ),
    Case("canary-step", "a route goes", lambda: step(was(canary={}, routes=[taking(ALL)]), canary={})),
    Case(
        "canary-step",
        "a route goes, and the default one has another canary",
        lambda: step(was(**V3, canary={"v3": 90}, routes=[taking(ALL)]), **V3, canary={"v3": 90}),
        on_route("default", "0 % to 90 %", "90", "25", version="v3", before="some"),
    ),
    Case(
        "canary-step",
        "a step beside routes that stay",
        lambda: step(
            was(canary={}, routes=[taking(A), taking(B, name="b", stable="v1")]),
            canary={"v2": 25},
            routes=[taking(A), taking(B, name="b", stable="v1")],
        ),
    ),
    Case(
        "canary-step",
        "routes of other paths in another order",
        lambda: step(
            was(canary={}, routes=[taking(A), taking(B, name="b", stable="v1")]),
            canary={},
            routes=[taking(B, name="b", stable="v1"), taking(A)],
        ),
    ),
    Case(
        "canary-step",
        "routes of the same paths in another order",
        lambda: step(
            was(**V3, canary={}, routes=[taking(A), taking({"method": {"exact": "GET"}}, name="b", stable="v3")]),
            **V3,
            canary={},
            routes=[taking({"method": {"exact": "GET"}}, name="b", stable="v3"), taking(A)],
        ),
        [
            line.replace("leave v1", "leave v1")
            for line in on_route("b", "0 % to 100 %", "100", "25", version="v3", before="some")
        ],
    ),
    Case(
        "canary-step",
        "a drill of some requests",
        lambda: step(
            was(canary={"v2": 90}),
            canary={"v2": 90},
            drill={
                "delay": {"percentage": 50, "fixedDelay": "3s"},
                "until": "2999-01-01T00:00:00Z",
                "match": headers(accept={}),
            },
        ),
    ),
    Case(
        "canary-step",
        "copies of every request",
        lambda: step(was(canary={}), canary={}, mirrors=[{"version": "v2"}]),
        [
            "backend: copies to v2 would go from 0 % to 100 %, which is 100 points more; at most 25 points at a time: "
            + MIRRORED.format(25)
        ],
    ),
    Case(
        "canary-step",
        "copies of a quarter",
        lambda: step(was(canary={}), canary={}, mirrors=[{"version": "v2", "percentage": 25}]),
    ),
    Case(
        "canary-step",
        "copies for the stable version",
        lambda: step(was(canary={"v2": 50}), canary={"v2": 50}, mirrors=[{"version": "v1"}]),
    ),
    Case(
        "canary-step",
        "what got copies gets requests",
        lambda: step(was(canary={}, mirrors=[{"version": "v2"}]), canary={"v2": 100}),
        refused("v2 would go from 0 % to 100 %", "100 points", "v2=25"),
    ),
    Case(
        "canary-step",
        "a redirect to where another version is",
        lambda: step(
            was(canary={}, routes=[taking({"uri": {"exact": "/new"}})]),
            canary={},
            routes=[taking({"uri": {"exact": "/new"}}), {"name": "all", "match": [ALL], "redirect": {"uri": "/new"}}],
        ),
        on_route("all", "0 % to 100 %", "100", "25", before="default"),
    ),
    Case(
        "canary-step",
        "a redirect to another host",
        lambda: step(
            was(canary={}, routes=[taking({"uri": {"exact": "/new"}})]),
            canary={},
            routes=[
                taking({"uri": {"exact": "/new"}}),
                {"name": "all", "match": [ALL], "redirect": {"uri": "/new", "authority": "elsewhere.example.com"}},
            ],
        ),
    ),
    Case(
        "canary-step",
        "a state of an older API",
        lambda: step(was_of("v1alpha3", canary={}), canary={"v2": 50}),
        refused("v2 would go from 0 % to 50 %", "50 points", "v2=25"),
    ),
    Case(
        "canary-step",
        "a state that only another tool reads",
        lambda: step(
            parse(state({"type": VIRTUAL_SERVICE_V1, "inputs": put(route(), "spec.http.0.route", 5)})),
            canary={"v2": 50},
        ),
        refused("v2 would go from 0 % to 50 %", "50 points", "v2=25"),
    ),
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
    Case(
        "canary-step",
        "an abort that also removes the version",
        lambda: step(was(canary={"v2": 100}), canary={}, versions={"v1": {}}),
    ),
    Case(
        "canary-step",
        "an abort of one of two",
        lambda: step(was(**V3, canary={"v2": 40, "v3": 40}), **V3, canary={"v2": 40}),
    ),
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
    Case(
        "canary-step", "a stack that is new", lambda: step(parse('{"deployment": {"manifest": {}}}'), canary={"v2": 90})
    ),
    Case(
        "canary-step", "a state that cannot be read", lambda: step(Last(unreadable="no such stack"), canary={"v2": 90})
    ),
    Case(
        "canary-step",
        "a spec that is not known yet",
        lambda: too_far(put(route(), "spec", UNKNOWN), was(), STEP.settings({}), "prod"),
    ),
    Case(
        "canary-step",
        "the stable version is back after the proxy answered by itself",
        lambda: step(was(**ANSWERED), canary={}),
    ),
    Case("canary-step", "the proxy answers by itself", lambda: step(was(), **ANSWERED)),
    *ROUTES,
    Case("canary-step-compared", "a state", lambda: not_compared(was(), "prod")),
    Case(
        "canary-step-compared",
        "a stack that is new",
        lambda: not_compared(parse('{"deployment": {"manifest": {}}}'), "prod"),
    ),
    Case(
        "canary-step-compared",
        "a state that cannot be read",
        lambda: not_compared(Last(unreadable="no stack named 'prod' found"), "prod"),
        [
            "the last state of prod cannot be read, so that canary-step judged nothing (no stack named 'prod' found); "
            "see what pulumi stack export --stack prod says, and compare by hand: weir diff --stack prod"
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
    """A VirtualService that was replaced, and not removed yet, stands in the state beside the one that is there;
    others do not matter.
    """
    there = {"type": VIRTUAL_SERVICE_V1, "inputs": route(canary={"v2": 10})}
    gone = {"type": VIRTUAL_SERVICE_V1, "inputs": route(canary={"v2": 90}), "delete": True}
    found = parse(state({"type": "pulumi:pulumi:Stack"}, there, gone))
    assert {name: dict(entry[-1].weights) for name, entry in found.routes.items()} == {
        "backend.demo.svc.cluster.local": {"v1": 90, "v2": 10}
    }


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
    assert (
        "the last state of prod cannot be read, so that canary-step judged nothing (pulumi cannot be run: No such file"
        in message
    )


def test_pulumi_is_asked_once_for_the_stack_that_made_the_objects(path: Path) -> None:
    """The name comes from the annotation of the object, with the organization; what a failing Pulumi says last is the
    reason.
    """
    program = path / "pulumi"
    program.write_text(f'#!/bin/sh\necho "$@" >> {path}/asked\necho "error: no stack named $4 found" >&2\nexit 6\n')
    program.chmod(0o755)
    given = put(route(canary={"v2": 90}), "metadata.annotations", {"weir.dev/stack": "acme/weir/prod"})
    for _ in range(2):
        assert STEP.judge(given, STEP.settings({}), "prod") == []
    [message] = COMPARED.judge([Resource(VIRTUAL_SERVICE, given)], COMPARED.settings({}), "prod")
    assert "(no stack named acme/weir/prod found)" in message
    assert (path / "asked").read_text() == "stack export --stack acme/weir/prod\n"
