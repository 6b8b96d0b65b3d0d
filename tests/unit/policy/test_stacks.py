"""The stack files of the checkout are examples that people copy: they pass the check without
warnings, and every rule.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from policy.last import Last
from policy.pack import RULES, STACK_RULES
from policy.routes import host
from policy.routes import routes as routed
from policy.rule import Resource, kind_of
from tests.live.harness import CHECKOUT
from weir.model import load, mesh, warnings
from weir.stack.stackfile import read


def judged(
    stack: str, monkeypatch: pytest.MonkeyPatch, change: Callable[[dict[str, Any]], None] | None = None
) -> dict[str, list[str]]:
    """What each rule that holds in the stack says of its file, as it is or changed, when the stack was last up with
    the file as it is.
    """
    raw = read(CHECKOUT / f"Pulumi.{stack}.yaml").config
    before = load(raw)
    written = {name: service.virtual_service for name, service in mesh(before, before.namespace).services.items()}
    there = Last({host(props): routed(props) for props in written.values()})
    for place in ("steps", "promotions"):
        monkeypatch.setattr(f"policy.{place}.last", lambda _: there)
    if change:
        change(raw)
    config = load(raw)
    assert change or not warnings(config)
    tokens = [
        (f"kubernetes:{each['apiVersion']}:{each['kind']}", each) for each in mesh(config, config.namespace).objects()
    ]
    resources = [Resource(kind_of(token), each) for token, each in tokens]
    said: dict[str, list[str]] = {}
    for rule in RULES:
        if rule.holds_in(stack, rule.settings({})):
            about = [each for token, each in tokens if rule.is_about(token)]
            said[rule.name] = [message for props in about for message in rule.judge(props, rule.settings({}), stack)]
    for stack_rule in STACK_RULES:
        if stack_rule.holds_in(stack, stack_rule.settings({})):
            said[stack_rule.name] = list(stack_rule.judge(resources, stack_rule.settings({}), stack))
    return said


@pytest.mark.parametrize("stack", ["dev", "staging", "prod"])
def test_stack_files_keep_the_rules(stack: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is said of them."""
    said = judged(stack, monkeypatch)
    assert said
    assert not any(said.values()), said


def test_every_rule_holds_in_production(monkeypatch: pytest.MonkeyPatch) -> None:
    """No rule passes over the stack that needs it most."""
    assert judged("prod", monkeypatch).keys() == {rule.name for rule in (*RULES, *STACK_RULES)}


def test_production_with_all_that_is_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each rule that a config can break says so, each once, beside the others."""

    def spoil(config: dict[str, Any]) -> None:
        config["clients"]["frontend"]["image"] = "curlimages/curl"
        backend = config["services"]["backend"]
        backend |= {
            "replicas": 1,
            "canary": {"v2": 60},
            "timeout": "5s",
            "fault": {"abort": {"percentage": 1, "httpStatus": 503}},
        }
        backend["expose"] = {"gateways": ["istio-ingress/public"], "hosts": ["*.example.com"]}
        backend["versions"]["v2"]["securityContext"] = {"allowPrivilegeEscalation": True}

    counts = {name: len(messages) for name, messages in judged("prod", monkeypatch, spoil).items() if messages}
    assert counts == {
        "fault-has-end": 1,
        "canary-step": 1,
        "retries-within-timeout": 1,
        "image-pinned": 1,
        "no-wildcard-host": 1,
        "restricted-pods": 1,
        "replicas-for-share": 2,
    }


def test_rules_of_production_leave_others_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """What may not be in production may be in staging, on its way there."""

    def endless(config: dict[str, Any]) -> None:
        config["services"]["backend"]["fault"] = {"abort": {"percentage": 1, "httpStatus": 503}}

    assert not any(judged("staging", monkeypatch, endless).values())
