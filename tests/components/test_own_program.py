"""Components in a program of one's own: what the stack config takes they take, with the same words where it is wrong,
and Outputs in their places.
"""

from __future__ import annotations

import ast
import gc
import json
import re
import runpy
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pulumi
import pulumi_kubernetes
import pytest
from hypothesis import given
from pydantic.alias_generators import to_snake

from components import (
    BackendVersion,
    BackendVersionArgs,
    ClusterArgs,
    DestinationRule,
    DestinationRuleArgs,
    MeshService,
    MeshServiceArgs,
    VersionArgs,
    VirtualService,
    VirtualServiceArgs,
)
from components import args as generated
from components.checked import Checked
from tests.components.test_program import DEPLOYMENT, ROUTE, RULE, Recorded, depends, run
from tests.unit.model.hypothesis_rounds import in_rounds, tens
from tests.unit.model.strategies import configs
from weir.model import ConfigError, load, mesh
from weir.model.python_types import module

if TYPE_CHECKING:
    from components.args import NamedPort

ECHO = "hashicorp/http-echo:1.0.0"
LABELS = {"app": "backend", "version": "v2"}
README = Path(__file__).parents[2] / "README.md"


def arguments(written: Mapping[str, Any], **more: Any) -> MeshServiceArgs:
    """A service of a stack file as arguments."""
    versions = {name: VersionArgs(**_snake(each or {})) for name, each in written.get("versions", {}).items()}
    return MeshServiceArgs(**{**_snake(written), "versions": versions, **more})


def _snake(written: Mapping[str, Any]) -> dict[str, Any]:
    return {to_snake(key): value for key, value in written.items()}


def own(program: Callable[[], None], into: Recorded | None = None) -> Recorded:
    """A program of one's own, run: it has no stack config."""
    return run({}, into, program=program)


def deployment(name: str, labels: Mapping[str, str], port: str = "http") -> pulumi_kubernetes.apps.v1.Deployment:
    container = {"name": "app", "image": ECHO, "ports": [{"name": port, "containerPort": 5678}]}
    pod = {"metadata": {"labels": dict(labels)}, "spec": {"containers": [container]}}
    return pulumi_kubernetes.apps.v1.Deployment(name, spec={"selector": {"matchLabels": dict(labels)}, "template": pod})


def test_the_arguments_are_those_of_the_model() -> None:
    """`make docs` has written the module after the last change of the model."""
    assert syntax(Path(generated.__file__).read_text()) == syntax(module())


def syntax(text: str) -> str:
    """The syntax tree. What other tests left for the garbage collector must not be collected meanwhile: CPython 3.11
    then fails with `AST constructor recursion depth mismatch` (python/cpython#106905).
    """
    gc.collect()
    gc.disable()
    try:
        return ast.dump(ast.parse(text))
    finally:
        gc.enable()


@in_rounds(15)
@tens
@given(configs(least=1))
def test_what_the_config_takes_arguments_take(raw: dict[str, Any]) -> None:
    """Every key but `rollout`, which is for a command and becomes part of no object, and they become the same service;
    a gateway of the stack alone has no name in a program of one's own.
    """
    for service in raw["services"].values():
        service.pop("rollout", None)
    checked = load(raw)
    for name, written in raw["services"].items():
        if (written.get("expose") or {}).get("gateways") and any(
            "/" not in each for each in written["expose"]["gateways"]
        ):
            continue
        domain = ClusterArgs(cluster_domain=raw.get("clusterDomain") or "cluster.local")
        made = Checked("MeshService", "services", name, arguments(written, namespace=raw["namespace"], cluster=domain))
        assert made.config.services[name] == checked.services[name]


def test_what_is_wrong_is_said_as_of_a_stack_file() -> None:
    """All of it at once, each with the path of the argument."""
    wrong = MeshServiceArgs(
        namespace="demo",
        image=ECHO,
        versions={"v1": VersionArgs(replicas=-1), "v2": VersionArgs()},
        stable="v3",
        retries={"atempts": 3},  # type: ignore[arg-type]
    )
    with pytest.raises(pulumi.RunError) as refused:
        Checked("MeshService", "services", "backend", wrong)
    keys = {"image": ECHO, "versions": {"v1": {"replicas": -1}, "v2": {}}, "stable": "v3", "retries": {"atempts": 3}}
    with pytest.raises(ConfigError) as same:
        load({"namespace": "demo", "services": {"backend": keys}})
    said = [
        str(problem).replace("weir:services.backend.", 'MeshService "backend": ') for problem in same.value.problems
    ]
    assert len(said) == 4
    assert sorted(str(refused.value).splitlines()) == sorted(said)


def test_a_program_gets_the_objects_that_a_stack_gets() -> None:
    """Word for word, without a stack config."""
    written = {
        "image": ECHO,
        "targetPort": 5678,
        "versions": {"v1": {"args": ["-text=one"]}, "v2": {}},
        "stable": "v1",
        "canary": {"v2": 20},
    }
    recorded = own(lambda: _none(MeshService("backend", arguments(written, namespace="demo"))))
    wanted = mesh(load({"namespace": "demo", "services": {"backend": written}}), "demo").services["backend"]
    for kind, name, manifest in [
        (DEPLOYMENT, "backend-v1", wanted.versions["v1"].deployment),
        (RULE, "backend-v2", wanted.versions["v2"].destination_rule),
        (ROUTE, "backend", wanted.virtual_service),
    ]:
        assert manifest is not None
        assert recorded.resources[(kind, name)]["spec"] == manifest["spec"]
        assert recorded.resources[(kind, name)]["metadata"]["name"] == manifest["metadata"]["name"]
    assert "DestinationRule::backend-v1" in depends(recorded, ROUTE, "backend")


def test_outputs_are_put_in_their_places() -> None:
    """Namespace, image, replicas and variables may be known only while the program runs; a variable of those is in a
    Secret.
    """

    def program() -> None:
        known = pulumi.Output.from_input
        versions = {
            "v1": VersionArgs(image=known("app:1"), replicas=known(3), env={"TOKEN": known("t0ken"), "LOG": "info"})
        }
        MeshService("backend", MeshServiceArgs(namespace=known("later"), versions=versions, stable="v1"))

    recorded = own(program)
    pods = recorded.resources[(DEPLOYMENT, "backend-v1")]
    assert (pods["metadata"]["namespace"], pods["spec"]["replicas"]) == ("later", 3)
    [container] = pods["spec"]["template"]["spec"]["containers"]
    assert container["image"] == "app:1"
    secret = recorded.resources[("kubernetes:core/v1:Secret", "backend-v1")]
    assert "t0ken" in json.dumps(secret["stringData"])
    assert "t0ken" not in json.dumps(pods)
    assert recorded.resources[(ROUTE, "backend")]["spec"]["hosts"] == ["backend.later.svc.cluster.local"]


def test_pods_of_the_programs_own_come_before_what_sends_them_requests() -> None:
    """weir makes none of them, and its subset and route wait for them."""

    def program() -> None:
        versions = {"v1": VersionArgs(), "v2": VersionArgs(workload=deployment("mine", LABELS))}
        MeshService(
            "backend", MeshServiceArgs(namespace="demo", image=ECHO, versions=versions, stable="v1", canary={"v2": 20})
        )

    recorded = own(program)
    assert (DEPLOYMENT, "backend-v1") in recorded.resources
    assert (DEPLOYMENT, "backend-v2") not in recorded.resources
    for kind, name in ((RULE, "backend-v2"), (ROUTE, "backend")):
        assert "Deployment::mine" in depends(recorded, kind, name)


def test_pods_of_the_programs_own_need_the_labels_that_select_them() -> None:
    """Else the route would send requests to nobody."""

    def program() -> None:
        versions = {"v2": VersionArgs(workload=deployment("mine", {"app": "backend"}))}
        MeshService("backend", MeshServiceArgs(namespace="demo", image=ECHO, versions=versions, stable="v2"))

    recorded = Recorded()
    with pytest.raises(
        pulumi.RunError, match="the pods of v2 get no requests without the labels version: v2; add them to"
    ):
        own(program, recorded)
    assert (ROUTE, "backend") not in recorded.resources


def test_pods_of_the_programs_own_name_their_port() -> None:
    """The Service sends to the port by its name, so that pods of one service may listen at different ones."""

    def program() -> None:
        versions = {"v2": VersionArgs(workload=deployment("mine", LABELS, port="web"))}
        MeshService("backend", MeshServiceArgs(namespace="demo", image=ECHO, versions=versions, stable="v2"))

    with pytest.raises(
        pulumi.RunError, match=r"the pods of v2 get no requests without a port named http, .* \[\{name: http, "
    ):
        own(program)


def test_pods_of_the_programs_own_name_all_ports() -> None:
    """The name of each port of the pods to which a port of the Service leads; two may lead to one."""

    def program(*ports: NamedPort) -> None:
        versions = {"v2": VersionArgs(workload=deployment("mine", LABELS, port="web"))}
        MeshService(
            "backend", MeshServiceArgs(namespace="demo", image=ECHO, versions=versions, stable="v2", ports=ports)
        )

    web: NamedPort = {"name": "web", "port": 80, "targetPort": 5678}
    own(lambda: program(web, {"name": "old", "port": 81, "targetPort": 5678}))
    with pytest.raises(
        pulumi.RunError, match=r"without ports named raw and grpc, .* \[\{name: raw, containerPort: …\}, \{name: grpc, "
    ):
        own(
            lambda: program(
                web, {"name": "raw", "port": 90, "protocol": "tcp"}, {"name": "grpc", "port": 91, "protocol": "grpc"}
            )
        )


def test_parts_of_a_service_with_several_ports_stand_alone() -> None:
    """Pods listen at each, and a route goes to the one that speaks HTTP."""
    ports: list[NamedPort] = [{"name": "raw", "port": 90, "protocol": "tcp"}, {"name": "web", "port": 80}]

    def program() -> None:
        BackendVersion(
            "pods", BackendVersionArgs(namespace="demo", service="backend", version="v1", image=ECHO, ports=ports)
        )
        VirtualService(
            "route",
            VirtualServiceArgs(namespace="demo", service="backend", versions=["v1"], stable="v1", ports=ports),
        )

    recorded = own(program)
    [container] = recorded.resources[(DEPLOYMENT, "pods")]["spec"]["template"]["spec"]["containers"]
    assert [port["name"] for port in container["ports"]] == ["raw", "web"]
    assert container["readinessProbe"]["tcpSocket"] == {"port": 80}
    [route] = recorded.resources[(ROUTE, "route")]["spec"]["http"]
    assert route["route"][0]["destination"]["port"] == {"number": 80}


def test_each_part_of_a_service_stands_alone() -> None:
    """Pods, subset and route of a service that nothing else here is made of."""

    def program() -> None:
        pods = BackendVersion(
            "pods", BackendVersionArgs(namespace="demo", service="backend", version="v1", image=ECHO, target_port=5678)
        )
        rule = DestinationRule(
            "rule",
            DestinationRuleArgs(
                namespace="demo", service="backend", version="v1", traffic_policy={"loadBalancer": {"simple": "RANDOM"}}
            ),
            pulumi.ResourceOptions(depends_on=[pods]),
        )
        VirtualService(
            "route",
            VirtualServiceArgs(namespace="demo", service="backend", versions=["v1"], stable="v1", timeout="3s"),
            pulumi.ResourceOptions(depends_on=[rule]),
        )

    recorded = own(program)
    assert recorded.resources[(DEPLOYMENT, "pods")]["metadata"]["name"] == "backend-v1"
    subset = {"name": "v1", "labels": {"version": "v1"}, "trafficPolicy": {"loadBalancer": {"simple": "RANDOM"}}}
    assert recorded.resources[(RULE, "rule")]["spec"]["subsets"] == [subset]
    [route] = recorded.resources[(ROUTE, "route")]["spec"]["http"]
    assert (route["timeout"], [each["destination"]["subset"] for each in route["route"]]) == ("3s", ["v1"])


def test_a_rule_for_all_versions_names_none() -> None:
    """Its policy and who sees it; the subsets are those of other rules."""

    def program() -> None:
        policy: Any = {"loadBalancer": {"simple": "RANDOM"}}
        DestinationRule(
            "rule", DestinationRuleArgs(namespace="demo", service="backend", traffic_policy=policy, export_to=["*"])
        )

    assert own(program).resources[(RULE, "rule")]["spec"] == {
        "host": "backend.demo.svc.cluster.local",
        "trafficPolicy": {"loadBalancer": {"simple": "RANDOM"}},
        "exportTo": ["*"],
    }


def test_the_program_of_the_readme_runs(tmp_path: Path) -> None:
    """As it stands there, given what it takes for granted: a namespace, a Deployment and a provider."""
    found = re.search(r"## In your own program.*?```python\n(.*?)```", README.read_text(), re.DOTALL)
    assert found
    (tmp_path / "program.py").write_text(f"import pulumi\n{found[1]}")

    def program() -> None:
        there = {
            "namespace": pulumi_kubernetes.core.v1.Namespace("shop", metadata={"name": "shop"}),
            "my_deployment": deployment("mine", LABELS),
            "provider": pulumi_kubernetes.Provider("cluster"),
        }
        runpy.run_path(str(tmp_path / "program.py"), init_globals=there)

    recorded = own(program)
    [route] = recorded.resources[(ROUTE, "backend")]["spec"]["http"]
    assert [(each["destination"]["subset"], each["weight"]) for each in route["route"]] == [("v1", 80), ("v2", 20)]
    assert recorded.resources[(ROUTE, "backend")]["metadata"]["namespace"] == "shop"


def _none(_: object) -> None:
    """A lambda's result is nobody's."""
