"""Steps against requests one by one: what routes do to each of some hundred requests, told by a reader of matches that
is the test's own.
"""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from hypothesis import event, given, settings
from hypothesis import strategies as st

from policy.last import Last, parse
from policy.steps import STEP, too_far
from tests.unit.policy.cases import VIRTUAL_SERVICE_V1, route

VERSIONS = ("v1", "v2", "v3")
MOST = 25


@dataclass(frozen=True)
class Request:
    """One that comes to a service."""

    path: str
    method: str
    headers: Mapping[str, str]


PATHS = ("/", "/a", "/a/b", "/ab", "/new")
HEADERS = [
    dict(zip(("x-tier", "x-user"), values, strict=True))
    for values in itertools.product(("", "gold", "go"), ("", "beta", "b"))
]
REQUESTS = [
    Request(path, method, {name: value for name, value in headers.items() if value})
    for path in PATHS
    for method in ("GET", "POST")
    for headers in HEADERS
]


def holds(condition: Mapping[str, str], value: str | None) -> bool:
    """Istio's StringMatch; an empty one asks that there is a value."""
    if value is None:
        return False
    [(how, what)] = condition.items() or [("prefix", "")]
    return {"exact": value == what, "prefix": value.startswith(what), "regex": re.fullmatch(what, value) is not None}[
        how
    ]


def meets(match: Mapping[str, Any], request: Request) -> bool:
    """Istio's HTTPMatchRequest."""
    return (
        ("uri" not in match or holds(match["uri"], request.path))
        and ("method" not in match or holds(match["method"], request.method))
        and all(holds(each, request.headers.get(name)) for name, each in match.get("headers", {}).items())
        and not any(holds(each, request.headers.get(name)) for name, each in match.get("withoutHeaders", {}).items())
    )


def taken(service: Mapping[str, Any], request: Request) -> Mapping[str, Any]:
    """The route that a request takes, in the words of the config; behind a redirect it is sent once more."""
    routes = [*service["routes"], {key: service[key] for key in ("stable", "canary", "mirrors")}]
    found = next(
        each for each in routes if "match" not in each or any(meets(match, request) for match in each["match"])
    )
    if "redirect" not in found:
        return dict(found)
    again = Request(found["redirect"]["uri"], request.method, request.headers)
    found = next(each for each in routes if "match" not in each or any(meets(match, again) for match in each["match"]))
    return {} if "redirect" in found else dict(found)


def shares(found: Mapping[str, Any]) -> dict[str, Fraction]:
    canary = {name: Fraction(share) for name, share in found.get("canary", {}).items()}
    return {found["stable"]: 100 - sum(canary.values(), Fraction(0)), **canary} if "stable" in found else {}


def copied(found: Mapping[str, Any]) -> dict[str, Fraction]:
    return {each["version"]: Fraction(each["percentage"]) for each in found.get("mirrors", ())}


def texts(*values: str) -> st.SearchStrategy[dict[str, str]]:
    exact = st.sampled_from(values).map(lambda text: {"exact": text})
    prefix = st.sampled_from([value[:2] for value in values]).map(lambda text: {"prefix": text})
    return st.one_of(exact, prefix, st.sampled_from([{"regex": ".*"}, {"regex": f"{values[0]}.*"}]))


CONDITIONS = st.fixed_dictionaries(
    {},
    optional={
        "uri": texts(*PATHS),
        "method": texts("GET", "POST"),
        "headers": st.dictionaries(
            st.sampled_from(["x-tier", "x-user"]),
            st.one_of(texts("gold", "go", "beta", "b"), st.just({})),
            min_size=1,
            max_size=2,
        ),
        "withoutHeaders": st.dictionaries(st.just("x-tier"), st.one_of(texts("gold", "go"), st.just({})), min_size=1),
    },
).filter(bool)
SPLITS = st.tuples(st.permutations(VERSIONS), st.sampled_from([0, 10, 20, 45, 100])).map(
    lambda drawn: {"stable": drawn[0][0], "canary": {drawn[0][1]: drawn[1]}}
)
MIRRORS = st.one_of(
    st.just(()),
    st.tuples(st.fixed_dictionaries({"version": st.sampled_from(VERSIONS), "percentage": st.sampled_from([20, 60])})),
).map(list)


@st.composite
def services(draw: st.DrawFn) -> dict[str, Any]:
    """The keys of a service with up to three routes."""
    default = {**draw(SPLITS), "mirrors": draw(MIRRORS)}
    routes = []
    for name in draw(st.permutations(("a", "b", "c")))[: draw(st.integers(0, 3))]:
        answer = draw(
            st.one_of(SPLITS, SPLITS, SPLITS, st.sampled_from(PATHS).map(lambda path: {"redirect": {"uri": path}}))
        )
        routes.append({"name": name, "match": draw(st.lists(CONDITIONS, min_size=1, max_size=2)), **answer})
    return {"versions": {name: {} for name in VERSIONS}, "retries": None, "routes": routes, **default}


def state(service: Mapping[str, Any]) -> Last:
    return parse(json.dumps({"deployment": {"resources": [{"type": VIRTUAL_SERVICE_V1, "inputs": route(**service)}]}}))


def too_much(before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[tuple[Request, str]]:
    """Requests that no tester sends, and of which a version newly gets too many. A stable version may take all back."""
    for request in REQUESTS:
        if "x-user" in request.headers:
            continue
        old, new = taken(before, request), taken(after, request)
        free = {old.get("stable"), before["stable"]}
        had = shares(old)
        for version, share in shares(new).items():
            if version not in free and share - had.get(version, 0) > MOST:
                yield request, version
        for version, percentage in copied(new).items():
            if (
                version not in free
                and percentage - max(copied(old).get(version, Fraction(0)), had.get(version, Fraction(0))) > MOST
            ):
                yield request, version


@settings(max_examples=400, deadline=None)
@given(services(), services())
def test_whatever_reaches_too_many_is_refused(before: dict[str, Any], after: dict[str, Any]) -> None:
    """When one request with no header of testers sees a version rise too far, the change is refused, and that version
    is named.
    """
    config = {**STEP.settings({}), "maxPoints": MOST, "narrowHeaders": ["x-user"]}
    said = too_far(route(**after), state(before), config, "prod")
    versions = {version for _, version in too_much(before, after)}
    event("too much" if versions else "no more than allowed")
    for version in versions:
        assert any(f" {version} would go" in line for line in said), (version, said)


@settings(max_examples=200, deadline=None)
@given(services())
def test_what_stays_is_never_refused(service: dict[str, Any]) -> None:
    """Whatever the routes are: an update that does not change them has no step."""
    assert too_far(route(**service), state(service), STEP.settings({}), "prod") == []


@settings(max_examples=200, deadline=None)
@given(services(), st.sampled_from([0, 10, 20, 45]))
def test_a_step_of_the_default_route_is_judged_by_itself(service: dict[str, Any], share: int) -> None:
    """Beside routes that stay, the canary of the default route may rise as far as the config allows."""
    [canary] = service["canary"]
    after = {**service, "canary": {canary: share}}
    said = too_far(route(**after), state(service), STEP.settings({}), "prod")
    assert bool(said) <= (share - service["canary"][canary] > MOST)
