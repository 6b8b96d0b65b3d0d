"""The program under Pulumi's mocks: which resources there are, whose children, in which order, and where."""

from __future__ import annotations

import asyncio
import json
import runpy
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pulumi
import pytest
from pulumi import resource_hooks
from pulumi.runtime import mocks, settings, stack
from pulumi.runtime.config import set_all_config

from components.rewriting import Rewriting
from tests.unit.model.test_config import SOUND
from weir import yaml_writer

PROGRAM = Path(__file__).resolve().parents[2] / "__main__.py"
DEPLOYMENT = "kubernetes:apps/v1:Deployment"
RULE = "kubernetes:networking.istio.io/v1:DestinationRule"
ENTRY = "kubernetes:networking.istio.io/v1:ServiceEntry"
ROUTE = "kubernetes:networking.istio.io/v1:VirtualService"


@dataclass
class Recorded:
    """What a run of the program registered: every resource, and its dependencies by URN."""

    resources: dict[tuple[str, str], dict[str, Any]] = field(default_factory=dict)
    requests: dict[tuple[str, str], Any] = field(default_factory=dict)
    outputs: dict[str, Any] = field(default_factory=dict)
    state: dict[str, Any] = field(default_factory=dict)
    """The outputs of each resource that the last update left, by URN."""


class _Mocks(mocks.Mocks):
    def __init__(self, recorded: Recorded) -> None:
        self.recorded = recorded

    def new_resource(self, args: mocks.MockResourceArgs) -> tuple[str | None, dict[str, Any]]:
        self.recorded.resources[(args.typ, args.name)] = dict(args.inputs)
        state = dict(args.inputs)
        if args.typ == "random:index/randomPet:RandomPet":
            return f"{args.inputs['prefix']}-happy-otter", state
        if args.typ == "kubernetes:core/v1:Secret":
            state["metadata"] = {**state["metadata"], "name": f"{args.name}-1a2b3c4d"}
        return f"{args.name}-id", state

    def call(self, args: mocks.MockCallArgs) -> tuple[dict[str, Any], list[tuple[str, str]]]:
        assert args.token == "pulumi:pulumi:readStackResourceOutputs"
        return {"outputs": {urn: {"outputs": outputs} for urn, outputs in self.recorded.state.items()}}, []


class _Monitor(mocks.MockMonitor):
    def __init__(self, recorded: Recorded) -> None:
        super().__init__(_Mocks(recorded))
        self.recorded = recorded

    def RegisterResource(self, request: Any) -> Any:  # noqa: N802
        self.recorded.requests[(request.type, request.name)] = request
        return super().RegisterResource(request)  # type: ignore[no-untyped-call]


def whole_program() -> None:
    """The program of a stack."""
    runpy.run_path(str(PROGRAM), run_name="__main__")


def run(
    config: dict[str, Any],
    into: Recorded | None = None,
    kubectl: str = "/nowhere/kubectl",
    file: Path | None = None,
    program: Callable[[], None] = whole_program,
    preview: bool = False,
) -> Recorded:
    """Run the program on a config, as the engine would, and record what it registers, `into` this where it is given.

    What is `secure: …` in the config is handed over in the clear, with its key as one that has secrets; `file` is the
    stack file, in place of one with this config; `kubectl` asks the cluster: without it none can be asked.
    """
    recorded = Recorded() if into is None else into
    asyncio.set_event_loop(asyncio.new_event_loop())
    mocks.set_mocks(
        _Mocks(recorded), project="weir", stack="dev", monitor=_Monitor(recorded), organization="organization"
    )
    handed = {key: decrypted(value) for key, value in config.items()}
    secret = [f"weir:{key}" for key, value in config.items() if value != handed[key]]
    set_all_config(
        {f"weir:{key}": value if isinstance(value, str) else json.dumps(value) for key, value in handed.items()}, secret
    )

    with without_engine_and_cluster(kubectl), stack_file(config, file):
        loop = asyncio.get_event_loop()
        try:
            loop.run_until_complete(stack.run_pulumi_func(program))
        finally:
            # What a program that failed has left would fail the next one: all of them share Pulumi's settings.
            left = asyncio.all_tasks(loop)
            for task in left:
                task.cancel()
            loop.run_until_complete(asyncio.gather(*left, return_exceptions=True))
            settings.SETTINGS.outputs.clear()
    return recorded


def decrypted(value: Any) -> Any:
    """A value of a stack file as Pulumi hands it over, whose `secure: …` is what was encrypted."""
    if isinstance(value, dict):
        return (
            value["secure"] if value.keys() == {"secure"} else {key: decrypted(inner) for key, inner in value.items()}
        )
    return [decrypted(inner) for inner in value] if isinstance(value, list) else value


@contextmanager
def stack_file(config: dict[str, Any], file: Path | None) -> Iterator[None]:
    """The stack file that the program finds."""
    with tempfile.TemporaryDirectory() as directory, pytest.MonkeyPatch.context() as patch:
        written = Path(directory) / "Pulumi.dev.yaml"
        written.write_text(
            yaml_writer.dump([{"config": {f"weir:{key}": value for key, value in encrypted(config).items()}}])
        )
        patch.setenv("WEIR_STACK_FILE", str(file or written))
        yield


def encrypted(value: Any) -> Any:
    """A value of a stack file as Pulumi writes it: what is in `secure: …` cannot be read."""
    if isinstance(value, dict):
        return (
            {"secure": "v1:unreadable"}
            if value.keys() == {"secure"}
            else {key: encrypted(inner) for key, inner in value.items()}
        )
    return [encrypted(inner) for inner in value] if isinstance(value, list) else value


@contextmanager
def without_engine_and_cluster(kubectl: str) -> Iterator[None]:
    """Hooks are registered with nobody, since mocks know none; and no other cluster can be asked, whatever the machine
    has.
    """

    def registered(_: Any) -> asyncio.Future[None]:
        done: asyncio.Future[None] = asyncio.get_event_loop().create_future()
        done.set_result(None)
        return done

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(resource_hooks, "register_resource_hook", registered)
        patch.setattr(resource_hooks, "register_error_hook", registered)

        async def stands(*_: Any) -> None:
            """Without hooks nobody knows which rules this run changes, and each that is not in the cluster would seem
            to be missing there.
            """

        patch.setattr(Rewriting, "stands", stands)
        patch.setenv("WEIR_TOOL_KUBECTL", kubectl)
        yield


@pytest.fixture(scope="module")
def recorded() -> Recorded:
    """The tutorial's config, run once."""
    return run(SOUND)


def depends(recorded: Recorded, kind: str, name: str) -> str:
    return " ".join(recorded.requests[(kind, name)].dependencies)


def test_the_tutorials_resources_are_there(recorded: Recorded) -> None:
    """Namespace, Service, a Deployment and a subset for each version, one route, one client."""
    for key in [
        ("kubernetes:core/v1:Namespace", "namespace"),
        ("kubernetes:core/v1:Service", "backend"),
        (DEPLOYMENT, "backend-v1"),
        (DEPLOYMENT, "backend-v2"),
        (DEPLOYMENT, "frontend"),
        (RULE, "backend-v1"),
        (RULE, "backend-v2"),
        (ROUTE, "backend"),
    ]:
        assert key in recorded.resources, key


@pytest.mark.parametrize(
    ("kind", "name", "parent"),
    [
        (DEPLOYMENT, "backend-v1", "weir:mesh:MeshService$weir:mesh:BackendVersion::backend-v1"),
        (RULE, "backend-v1", "weir:mesh:MeshService$weir:mesh:DestinationRule::backend-v1"),
        (ROUTE, "backend", "weir:mesh:MeshService$weir:mesh:VirtualService::backend"),
        (DEPLOYMENT, "frontend", "weir:mesh:Client::frontend"),
    ],
)
def test_each_resource_is_the_child_of_its_component(recorded: Recorded, kind: str, name: str, parent: str) -> None:
    """The tree in the preview shows services with their versions, rules and route."""
    found = recorded.requests[(kind, name)].parent
    assert found.split("::")[-1] == parent.split("::")[-1]
    assert parent.split("::")[0].split("$")[-1] in found


def test_pods_come_before_subsets_before_the_route(recorded: Recorded) -> None:
    """The order that keeps a route from naming a subset without ready pods is in the graph."""
    for version in ("v1", "v2"):
        assert f"Deployment::backend-{version}" in depends(recorded, RULE, f"backend-{version}")
        assert f"DestinationRule::backend-{version}" in depends(recorded, ROUTE, "backend")


def test_an_external_host_is_known_before_its_subset_and_the_route() -> None:
    """A route names it once proxies have its cluster, and Pulumi removes it after the subset, in the other direction.
    Another Service is nobody's to make.
    """
    versions = {
        **SOUND["services"]["backend"]["versions"],
        "legacy": {"host": "legacy.example.com", "port": 443, "external": True},
        "other": {"host": "shop.old.svc.cluster.local", "port": 80},
    }
    backend = {**SOUND["services"]["backend"], "versions": versions, "canary": {"legacy": 20, "other": 5}}
    found = run({**SOUND, "services": {"backend": backend}})
    assert "ServiceEntry::backend-legacy" in depends(found, RULE, "backend-legacy")
    assert "DestinationRule::backend-legacy" in depends(found, ROUTE, "backend")
    assert "VirtualService" not in depends(found, ENTRY, "backend-legacy")
    assert "weir:mesh:ServiceEntry::backend-legacy" in found.requests[(ENTRY, "backend-legacy")].parent
    assert not [key for key in found.resources if key[1] == "backend-other"]
    assert ("kubernetes:apps/v1:Deployment", "backend-legacy") not in found.resources


def test_everything_goes_to_the_one_provider(recorded: Recorded) -> None:
    """No Kubernetes resource falls back to a default provider, and so to another cluster."""
    kubernetes = [request for (kind, _), request in recorded.requests.items() if kind.startswith("kubernetes:")]
    assert kubernetes
    assert all("pulumi:providers:kubernetes::cluster" in request.provider for request in kubernetes)


def test_the_route_has_the_weights_of_the_config(recorded: Recorded) -> None:
    """The spec that reaches the engine is the model's."""
    [route] = recorded.resources[(ROUTE, "backend")]["spec"]["http"]
    assert [(entry["destination"]["subset"], entry["weight"]) for entry in route["route"]] == [("v1", 80), ("v2", 20)]


def test_an_ephemeral_stack_lives_in_a_namespace_of_its_own() -> None:
    """The pet's name is in the namespace, in every object's place and in every host."""
    recorded = run({**SOUND, "ephemeral": True})
    name = "demo-happy-otter"
    assert recorded.resources[("kubernetes:core/v1:Namespace", "namespace")]["metadata"]["name"] == name
    assert recorded.resources[(DEPLOYMENT, "backend-v1")]["metadata"]["namespace"] == name
    assert recorded.resources[(ROUTE, "backend")]["spec"]["hosts"] == [f"backend.{name}.svc.cluster.local"]


def test_bad_config_registers_nothing() -> None:
    """A refused config ends the program with weir's lines before any resource is registered."""
    recorded = Recorded()
    with pytest.raises(pulumi.RunError, match="weir:servces: unknown key"):
        run({"servces": {}}, recorded)
    assert recorded.resources == {}
