"""The pack as Pulumi meets it: a process that is told of resources; and what all rules have in common."""

from __future__ import annotations

import importlib
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.protobuf import empty_pb2, struct_pb2
from pulumi.runtime.proto import analyzer_pb2 as proto
from pulumi.runtime.proto import analyzer_pb2_grpc
from pulumi_policy.proxy import UNKNOWN_OBJECT_VALUE, UNKNOWN_STRING_VALUE, unknown_checking_proxy

from policy.known import UNKNOWN, complete, known
from policy.pack import RULES, STACK_RULES
from policy.rule import Rule, StackRule
from tests.unit.policy.cases import DEPLOYMENT_V1, VIRTUAL_SERVICE_V1, Case, pods, put, route

CHECKOUT = Path(__file__).resolve().parents[3]
PAGE = (CHECKOUT / "docs" / "reference" / "policy.md").read_text()
ALL: tuple[Rule | StackRule, ...] = (*RULES, *STACK_RULES)
MODULES = [
    importlib.import_module(f"tests.unit.policy.{file.stem}")
    for file in sorted(Path(__file__).parent.glob("test_*.py"))
    if file != Path(__file__)
]
CASES: list[Case] = [case for module in MODULES for case in getattr(module, "CASES", [])]


@pytest.mark.parametrize("rule", ALL, ids=lambda rule: rule.name)
def test_every_rule_is_tested_and_documented(rule: Rule | StackRule) -> None:
    """Each has a case that passes and one that fails, and a section with its options and their defaults."""
    cases = [case for case in CASES if case.rule == rule.name]
    assert any(not case.says for case in cases)
    assert any(case.says for case in cases)
    section = PAGE.split(f"\n## `{rule.name}`\n")[1].split("\n## ")[0]
    assert ("advisory" in section.split("\n- ")[0]) == rule.advisory
    for name, option in rule.all_options().items():
        shown = ", ".join(option.default) if isinstance(option.default, list) else option.default
        assert f"`{name}`: {option.description} (`{shown}`)" in section.replace("\n", " ")


def test_no_case_is_of_a_rule_that_is_not_there() -> None:
    """A rule that was renamed takes its cases with it."""
    assert {case.rule for case in CASES} == {rule.name for rule in ALL}


def test_messages_in_the_reference_are_those_of_the_rules() -> None:
    """Each message that the page shows is one that a case has, word for word."""
    said = {message for case in CASES for message in case.says}
    shown = [line for block in PAGE.split("```text\n")[1:] for line in block.split("\n```")[0].splitlines()]
    assert shown
    assert set(shown) <= said


def test_unknown_values_are_marked_and_numbers_are_whole() -> None:
    """Pulumi's proxies raise where something unknown is touched; a rule gets plain values, and one that stands for
    what is unknown.
    """
    given = unknown_checking_proxy(
        {"spec": UNKNOWN_OBJECT_VALUE, "list": [1.0, 0.5, UNKNOWN_STRING_VALUE], "deep": {"flag": True, "text": "a"}}
    )
    plain = known(given)
    assert plain == {"spec": UNKNOWN, "list": [1, 0.5, UNKNOWN], "deep": {"flag": True, "text": "a"}}
    assert isinstance(plain["list"][0], int)
    assert not complete(plain)
    assert complete(plain["deep"])


class Pack:
    """A policy pack that runs, and the calls that Pulumi's engine makes."""

    def __init__(self, port: int) -> None:
        self.stub: Any = analyzer_pb2_grpc.AnalyzerStub(grpc.insecure_channel(f"127.0.0.1:{port}"))

    def analyze(self, kind: str, props: dict[str, Any], stack: str = "prod") -> dict[str, str]:
        """Message of each policy that is broken, behind its description."""
        name = props["metadata"]["name"]
        properties = struct_pb2.Struct()
        properties.update(props)
        request = proto.AnalyzeRequest(
            urn=f"urn:pulumi:{stack}::weir::{kind}::{name}", type=kind, name=name, properties=properties
        )
        return {found.policyName: found.message for found in self.stub.Analyze(request).diagnostics}

    def configure(self, **config: dict[str, Any]) -> None:
        request = proto.ConfigureAnalyzerRequest()
        for name, values in config.items():
            request.policyConfig[name.replace("_", "-")].enforcementLevel = proto.MANDATORY
            request.policyConfig[name.replace("_", "-")].properties.update(values)
        self.stub.Configure(request)


@pytest.fixture(scope="module")
def pack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pack]:
    """The pack, started as the language host does, from another directory, and without a pulumi to ask."""
    process = subprocess.Popen(
        [sys.executable, str(CHECKOUT / "policy"), "127.0.0.1:1"],
        cwd=tmp_path_factory.mktemp("project"),
        env={**os.environ, "PATH": "/nowhere"},
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout
    try:
        port = process.stdout.readline()
        assert port.strip().isdigit(), f"the pack does not start: {port}"
        yield Pack(int(port))
    finally:
        process.terminate()
        process.wait(30)
        process.stdout.close()


def test_the_engine_learns_every_rule(pack: Pack) -> None:
    """All are mandatory but the one that only says what could not be judged; each says its defaults."""
    info = pack.stub.GetAnalyzerInfo(empty_pb2.Empty())
    assert info.supportsConfig
    levels = {found.name: found.enforcementLevel for found in info.policies}
    assert levels == {rule.name: proto.ADVISORY if rule.advisory else proto.MANDATORY for rule in ALL}
    for found, rule in zip(info.policies, ALL, strict=True):
        schema = found.configSchema.properties
        assert {name: known(schema[name])["default"] for name in schema} == {
            name: option.default for name, option in rule.all_options().items()
        }


def test_a_resource_is_judged_by_the_rules_about_its_type(pack: Pack) -> None:
    """In production a fault without an end is refused, in another stack it is not; what is sound passes."""
    assert pack.analyze(VIRTUAL_SERVICE_V1, route()) == {}
    assert pack.analyze(DEPLOYMENT_V1, pods()) == {}
    faulty = route(fault={"abort": {"percentage": 1, "httpStatus": 503}})
    said = pack.analyze(VIRTUAL_SERVICE_V1, faulty)
    assert said.keys() == {"fault-has-end"}
    assert said["fault-has-end"].startswith(
        "A fault in production says when it ends.\nbackend: the fault of route default has no end (1 % of requests "
        "aborted with 503)"
    )
    assert pack.analyze(VIRTUAL_SERVICE_V1, faulty, stack="staging") == {}
    assert pack.analyze("kubernetes:core/v1:ConfigMap", faulty) == {}


@pytest.mark.parametrize("version", ["v1", "v1beta1", "v1alpha3"])
def test_every_version_of_istios_api_is_judged(pack: Pack, version: str) -> None:
    """Istio serves three; what one of them may not say, the others may not say either, nor may a patch."""
    wild = put(
        route(fault={"abort": {"percentage": 1, "httpStatus": 503}}),
        "spec.hosts",
        ["backend.demo.svc.cluster.local", "*"],
    )
    group = f"kubernetes:networking.istio.io/{version}"
    assert pack.analyze(f"{group}:VirtualService", wild).keys() == {"fault-has-end", "no-wildcard-host"}
    assert pack.analyze(f"{group}:VirtualServicePatch", wild).keys() == {"fault-has-end", "no-wildcard-host"}
    gateway = {"metadata": {"name": "public"}, "spec": {"servers": [{"hosts": ["*"]}]}}
    assert pack.analyze(f"{group}:Gateway", gateway).keys() == {"no-wildcard-host"}


POD = {"containers": [{"name": "app", "image": "shop/app"}]}
TEMPLATE = {"metadata": {"labels": {"app": "store"}}, "spec": POD}
WORKLOADS: dict[str, dict[str, Any]] = {
    "core/v1:Pod": POD,
    "core/v1:ReplicationController": {"template": TEMPLATE},
    "apps/v1:Deployment": {"template": TEMPLATE},
    "apps/v1beta1:Deployment": {"template": TEMPLATE},
    "extensions/v1beta1:DaemonSet": {"template": TEMPLATE},
    "apps/v1:StatefulSet": {"template": TEMPLATE},
    "apps/v1:DaemonSet": {"template": TEMPLATE},
    "apps/v1:ReplicaSet": {"template": TEMPLATE},
    "batch/v1:Job": {"template": TEMPLATE},
    "batch/v1:CronJob": {"jobTemplate": {"spec": {"template": TEMPLATE}}},
    "batch/v1beta1:CronJob": {"jobTemplate": {"spec": {"template": TEMPLATE}}},
    "argoproj.io/v1alpha1:Rollout": {"template": TEMPLATE},
    "serving.knative.dev/v1:Service": {"template": TEMPLATE},
}


@pytest.mark.parametrize("token", WORKLOADS)
def test_pods_are_judged_whatever_makes_them(pack: Pack, token: str) -> None:
    """Of every kind of workload, and of those that no rule knows by name, image and settings
    are what they have to be.
    """
    kind = token.rpartition(":")[2]
    said = pack.analyze(f"kubernetes:{token}", {"kind": kind, "metadata": {"name": "store"}, "spec": WORKLOADS[token]})
    assert said.keys() == {"image-pinned", "restricted-pods"}
    who = "client store" if kind == "Deployment" else f"{kind} store"
    assert f'{who}: image "shop/app" has no tag' in said["image-pinned"]
    assert (
        f"{who}: securityContext.seccompProfile.type must be RuntimeDefault or Localhost, was left out"
        in said["restricted-pods"]
    )


def test_what_messages_quote_is_visible(pack: Pack) -> None:
    """A value of an object does not reach the terminal of whoever runs pulumi as it is."""
    props = put(pods(), "spec.template.spec.containers.0.image", "shop/\x1b[2J\u202eapp")
    assert 'image "shop/\\u001b[2J\\u202eapp" has no tag' in pack.analyze(DEPLOYMENT_V1, props)["image-pinned"]


@pytest.mark.parametrize("path", ["spec", "metadata.annotations", "metadata.namespace"])
def test_what_a_preview_does_not_know_stops_no_rule(pack: Pack, path: str) -> None:
    """The first preview of an ephemeral stack passes, without a word of rules that could not run."""
    assert pack.analyze(VIRTUAL_SERVICE_V1, put(route(), path, UNKNOWN_OBJECT_VALUE)) == {}
    assert pack.analyze(DEPLOYMENT_V1, put(pods(), path, UNKNOWN_OBJECT_VALUE)) == {}


def test_rules_take_their_config(pack: Pack) -> None:
    """Numbers and the stacks in which a rule holds come from the file of --policy-pack-config; the rest keeps its
    default, and a key that is misspelt is refused.
    """
    try:
        pack.configure(retries_within_timeout={"maxAttempts": 2}, image_pinned={"stacks": ["prod", "stag*"]})
        assert (
            "retries.attempts is 3, at most 2 are allowed"
            in pack.analyze(VIRTUAL_SERVICE_V1, route())["retries-within-timeout"]
        )
        assert "has no tag" in pack.analyze(DEPLOYMENT_V1, pods(image="shop/backend"), stack="staging")["image-pinned"]
        assert pack.analyze(DEPLOYMENT_V1, pods(image="shop/backend"), stack="dev") == {}
        pack.configure(retries_within_timeout={"maxAttemps": 2})
        said = pack.analyze(VIRTUAL_SERVICE_V1, route(), stack="dev")["retries-within-timeout"]
        assert said.endswith("config of retries-within-timeout: maxAttemps: unknown key, did you mean maxAttempts?")
    finally:
        pack.configure()


def test_the_stack_as_a_whole_is_judged(pack: Pack) -> None:
    """Shares and pods are held together, and where the state cannot be read that is said once, as advice."""
    request = proto.AnalyzeStackRequest()
    for kind, props in ((VIRTUAL_SERVICE_V1, route()), (DEPLOYMENT_V1, pods("v1")), (DEPLOYMENT_V1, pods("v2"))):
        resource = request.resources.add(urn=f"urn:pulumi:prod::weir::{kind}::x", type=kind, name="x")
        resource.properties.update(props)
    said = {
        found.policyName: (found.enforcementLevel, found.message)
        for found in pack.stub.AnalyzeStack(request).diagnostics
    }
    assert said.keys() == {"replicas-for-share", "canary-step-compared"}
    level, message = said["replicas-for-share"]
    assert level == proto.MANDATORY
    assert "backend: v1 gets 80 % of the requests and has replicas: 1" in message
    level, message = said["canary-step-compared"]
    assert level == proto.ADVISORY
    assert "the last state of prod cannot be read" in message
