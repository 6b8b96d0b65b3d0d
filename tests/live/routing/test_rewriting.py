"""What a route changes in requests and answers, and what it answers by itself; `/debug` answers with the request as it
arrived.
"""

from __future__ import annotations

import re

import pytest

from tests.live.routing.routing_stack import RoutingStack
from tests.live.routing.sent_requests import Answer, Request

SHOP, EVIL = "https://shop.example.com", "https://evil.example.net"


def at(path: str, **actions: object) -> dict[str, object]:
    """A route for everything below a path."""
    return {"name": path.strip("/"), "match": [{"uri": {"prefix": path}}], **actions}


@pytest.fixture(scope="module")
def changed(stage: RoutingStack) -> RoutingStack:
    """A route for each change; the default route has CORS for one origin."""
    stage.apply_settings(
        corsPolicy={
            "allowOrigins": [{"exact": SHOP}],
            "allowMethods": ["GET", "PUT"],
            "allowHeaders": ["x-token"],
            "maxAge": "1h",
        },
        routes=[
            at("/legacy", rewrite={"uri": "/debug"}),
            at("/elsewhere", rewrite={"uri": "/debug", "authority": "inner.example.com"}),
            {
                "name": "pattern",
                "match": [{"uri": {"regex": "/v[0-9]+/debug"}}],
                "rewrite": {"uriRegexRewrite": {"match": "^/v[0-9]+(/.*)$", "rewrite": "\\1"}},
            },
            at("/moved", redirect={"uri": "/here", "authority": "new.example.com", "redirectCode": 302}),
            at("/teapot", directResponse={"status": 418, "body": {"string": "short and stout"}}),
        ],
    )
    return stage


def test_18_headers_are_added_set_and_removed(stage: RoutingStack) -> None:
    """In the request as it arrives, and in the answer as it comes back: one more, another value, and none."""
    stage.apply_settings(
        headers={
            "request": {"add": {"x-trail": "weir"}, "set": {"x-stage": "test"}, "remove": ["x-internal"]},
            "response": {"add": {"x-via": "weir"}, "set": {"x-cache": "none"}, "remove": ["x-secret"]},
        }
    )
    path = "/debug?header=x-via:backend&header=x-cache:hit&header=x-secret:1&header=x-plain:1"
    [answer] = stage.ask(
        Request(path, headers={"x-trail": "caller", "x-stage": "prod", "x-internal": "1", "x-other": "1"})
    )
    arrived = headers_of(answer)
    assert (arrived["x-trail"], arrived["x-stage"], arrived["x-other"]) == ("caller,weir", "test", "1")
    assert "x-internal" not in arrived
    assert (answer.headers["x-via"], answer.headers["x-cache"], answer.headers["x-plain"]) == (
        "backend,weir",
        "none",
        "1",
    )
    assert "x-secret" not in answer.headers


def test_headers_of_a_version_are_on_its_answers_alone(stage: RoutingStack) -> None:
    """A header that only v2 sets is on each of its answers, and on none of v1's."""
    stage.apply_settings(canary={"v2": 50}, versions={"v2": {"headers": {"response": {"set": {"x-canary": "v2"}}}}})
    answers = stage.ask(Request(count=60))
    assert {(answer.version, answer.headers.get("x-canary")) for answer in answers} == {("v1", None), ("v2", "v2")}


def test_19_a_uri_is_rewritten(changed: RoutingStack) -> None:
    """The matched prefix is replaced, and what a regular expression finds; the version is asked for the new path."""
    answers = changed.ask(Request("/legacy"), Request("/v2/debug"), Request("/v2/other"))
    assert [answer.body.splitlines()[2] for answer in answers[:2]] == ["GET /debug HTTP/1.1"] * 2
    assert (answers[2].status, answers[2].body) == (200, "")


def test_19_an_authority_is_rewritten(changed: RoutingStack) -> None:
    """The version is asked under the new name, where without a rewrite it is asked under the caller's."""
    answers = changed.ask(Request("/elsewhere"), Request("/debug"))
    assert [headers_of(answer)["host"] for answer in answers] == ["inner.example.com", "backend"]


def test_20_a_redirect_is_answered_by_the_proxy(changed: RoutingStack) -> None:
    """The answer has the status and the place set, and no version is asked."""
    [answer] = changed.ask(Request("/moved/far"))
    assert (answer.status, answer.headers["location"], answer.version) == (302, "http://new.example.com/here", "")


def test_21_a_direct_response_is_answered_by_the_proxy(changed: RoutingStack) -> None:
    """The answer has the status and the body set, and no version is asked."""
    [answer] = changed.ask(Request("/teapot"))
    assert (answer.status, answer.body, answer.version) == (418, "short and stout", "")


def test_22_cors_answers_the_preflight_of_an_allowed_origin(changed: RoutingStack) -> None:
    """The proxy itself answers what is allowed to the origin of the policy; another origin is told of no permission."""
    preflight = {"access-control-request-method": "PUT"}
    asked = [Request("/cors", method="OPTIONS", headers={"origin": origin, **preflight}) for origin in (SHOP, EVIL)]
    allowed, refused = changed.ask(*asked)
    assert (allowed.status, allowed.version, allowed.headers["access-control-allow-origin"]) == (200, "", SHOP)
    assert set(re.split(", *", allowed.headers["access-control-allow-methods"])) == {"GET", "PUT"}
    assert (allowed.headers["access-control-allow-headers"], allowed.headers["access-control-max-age"]) == (
        "x-token",
        "3600",
    )
    assert not [name for name in refused.headers if name.startswith("access-control")]


def test_22_cors_marks_the_answers_for_an_allowed_origin(changed: RoutingStack) -> None:
    """A plain request of either origin is answered by the version, and only the allowed one's with the permission to
    read it.
    """
    allowed, refused = changed.ask(*[Request("/cors", headers={"origin": origin}) for origin in (SHOP, EVIL)])
    assert (allowed.version, refused.version) == ("v1", "v1")
    assert allowed.headers.get("access-control-allow-origin") == SHOP
    assert "access-control-allow-origin" not in refused.headers


def headers_of(answer: Answer) -> dict[str, str]:
    """The headers of the request as /debug says they arrived, names in lower case."""
    block = answer.body.partition("headers:\n\n")[2].partition("\n\n")[0]
    return {name.lower(): value for name, _, value in (line.partition(": ") for line in block.splitlines())}
