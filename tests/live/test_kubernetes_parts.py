"""Partial Kubernetes objects: weir refuses what the API server refuses by their types, and what it merges is what the
API server merges.

The API server of the lab is asked about each drawn part twice: to merge it itself (a strategic merge patch), and to
take the object that weir has merged. Nothing is changed by either. WEIR_SEED names a run to draw again.
"""

from __future__ import annotations

import functools
import json
import os
import re
import time
from collections import Counter
from collections.abc import Iterator
from http.client import RemoteDisconnected
from random import Random
from typing import Any

import pytest
from ruamel.yaml import YAML

from tests.live.apiserver import ApiServer, path_of
from tests.live.drawn_parts import PATHS, Parts
from tests.live.harness import CHECKOUT, Project, Shell, discard, shell_environment, until
from tests.live.test_accepted import kubeconfig
from tests.live.test_closed import account
from weir.model.manifests.kubernetes_parts import type_of
from weir.model.values.kubernetes_api import problems
from weir.model.values.strategic_merge import merged

NAMESPACE = f"parts-{os.getpid()}"
DRAWS = int(os.environ.get("WEIR_DRAWS", "2000"))
STACK = "pods"
PAGE = CHECKOUT / "docs/guide/pods.md"
BLOCK = re.compile(r"```yaml\n(.*?)```", re.DOTALL)
SELECTOR = {"app.kubernetes.io/name": "shop"}
LABELS = {"version": "2.0", "track": "canary"}
MORE = {"spec": {"template": {"spec": {"terminationGracePeriodSeconds": 90}}}}
DATA = CHECKOUT / "weir/model/values/kubernetes_api.json"
ROOTS = {
    "Deployment": "io.k8s.api.apps.v1.Deployment",
    "Service": "io.k8s.api.core.v1.Service",
    "ServiceAccount": "io.k8s.api.core.v1.ServiceAccount",
    "PodDisruptionBudget": "io.k8s.api.policy.v1.PodDisruptionBudget",
}
_LABELS = {"app": "shop"}
_OBJECTS: list[dict[str, Any]] = [
    {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "spec": {
            "replicas": 0,
            "selector": {"matchLabels": _LABELS},
            "template": {
                "metadata": {"labels": _LABELS},
                "spec": {
                    "containers": [
                        {
                            "name": "shop",
                            "image": "shop:1",
                            "ports": [{"name": "http", "containerPort": 80, "protocol": "TCP"}],
                            "env": [{"name": "a", "value": "1"}],
                        }
                    ]
                },
            },
        },
    },
    {
        "apiVersion": "v1",
        "kind": "Service",
        "spec": {"selector": _LABELS, "ports": [{"name": "http", "port": 80, "targetPort": "http", "protocol": "TCP"}]},
    },
    {"apiVersion": "v1", "kind": "ServiceAccount", "automountServiceAccountToken": False},
    {
        "apiVersion": "policy/v1",
        "kind": "PodDisruptionBudget",
        "spec": {"maxUnavailable": 1, "selector": {"matchLabels": _LABELS}},
    },
]
_ALONE = ("is there twice", "must fit into")
"""What the API server goes on with, but not as written: the last of two items wins, a number wraps round."""
_WRITTEN_ANYWAY = ("managedFields", "generation", "resourceVersion", "status")
_NOT_SHOWN = ("description", "default", "x-kubernetes-group-version-kind")


@pytest.fixture(scope="module")
def server(lab: Project) -> Iterator[ApiServer]:
    """The lab's API server, with an object of each kind."""
    asked = ApiServer(kubeconfig(lab))
    stage = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}}
    asked.create(stage)
    for each in _OBJECTS:
        each["metadata"] = {"name": "shop", "namespace": NAMESPACE, "labels": _LABELS}
        asked.create(each)
        until(functools.partial(settled, asked, each), 30, f"{each['kind']} is settled")
    yield asked
    asked.delete(stage)


def settled(server: ApiServer, made: dict[str, Any]) -> bool:
    """Whether controllers have written what they write of a new object, which is then taken as it stands."""
    _, standing, _ = server.ask("GET", f"{path_of(made)}/shop")
    made.update(standing)
    if made["kind"] == "Deployment":
        return "deployment.kubernetes.io/revision" in standing["metadata"].get("annotations", {})
    return made["kind"] != "PodDisruptionBudget" or bool(standing.get("status", {}).get("observedGeneration"))


def published(server: ApiServer) -> dict[str, Any]:
    """All types of the groups, as the API server describes them."""
    found: dict[str, Any] = {}
    for path in (*PATHS.values(), "apis/autoscaling/v2"):
        status, said, _ = server.ask("GET", f"/openapi/v3/{path}")
        assert status == 200, said
        found |= said["components"]["schemas"]
    return found


def test_the_types_are_those_of_the_api_server(server: ApiServer) -> None:
    """`WEIR_WRITE=1` writes them anew, for another version of Kubernetes."""
    types = published(server)
    roots = [*ROOTS.values(), "io.k8s.api.autoscaling.v2.HorizontalPodAutoscaler"]
    found: dict[str, Any] = {}
    while roots:
        name = roots.pop()
        if name not in found:
            found[name] = types[name]
            roots += references(types[name])
    _, said, _ = server.ask("GET", "/version")
    whole = {
        "version": said["gitVersion"],
        "definitions": {name.removeprefix("io.k8s."): shortened(shape) for name, shape in found.items()},
    }
    if os.environ.get("WEIR_WRITE") == "1":
        DATA.write_text(json.dumps(whole, indent=1, sort_keys=True) + "\n")
    assert json.loads(DATA.read_text()) == whole


def references(shape: Any) -> list[str]:
    if isinstance(shape, dict):
        own = [shape["$ref"].rpartition("/")[2]] if isinstance(shape.get("$ref"), str) else []
        return [*own, *(name for inner in shape.values() for name in references(inner))]
    return [name for inner in shape for name in references(inner)] if isinstance(shape, list) else []


def shortened(shape: Any, *, names: bool = False) -> Any:
    """Without what people read. `names`: the keys are fields, whatever they are called."""
    if isinstance(shape, list):
        return [shortened(inner) for inner in shape]
    if not isinstance(shape, dict):
        return shape
    return {
        key: value.rpartition("/")[2].removeprefix("io.k8s.")
        if key == "$ref" and isinstance(value, str)
        else shortened(value, names=key == "properties" and not names)
        for key, value in shape.items()
        if names or key not in _NOT_SHOWN
    }


def test_what_weir_takes_the_api_server_takes(server: ApiServer) -> None:
    """Neither refuses by its types what the other takes, and both merge it to the same object. What the API server
    refuses for what it means is the API server's to say (docs/decisions/0028).
    """
    seed = int(os.environ.get("WEIR_SEED", time.time()))
    print(f"WEIR_SEED={seed}")
    parts = Parts(published(server), Random(seed))
    ended: Counter[str] = Counter()
    for count in range(DRAWS):
        made = _OBJECTS[(0, 0, 0, 1, 1, 2, 3)[count % 7]]
        patch = parts.draw(ROOTS[made["kind"]])
        ended[judged(server, made, patch)] += 1
    print(dict(ended))
    assert ended["taken"] > DRAWS / 20
    assert ended["refused"] > DRAWS / 20


def judged(server: ApiServer, made: dict[str, Any], patch: dict[str, Any]) -> str:
    where = f"{path_of(made)}/shop?dryRun=All&fieldValidation=Strict"
    try:
        status, said, _ = server.ask("PATCH", where, patch, content="application/strategic-merge-patch+json")
    except RemoteDisconnected:
        # It panics where a merge key is no plain value, and hangs up.
        status, said = 500, {}
    found = list(problems(patch, made, type_of(made)))
    shown = f"{json.dumps(patch, indent=1)}\n{made['kind']}\nweir: {found}\nAPI server: {status} {said.get('message')}"
    if status == 200 and found and all(message.startswith(_ALONE) for _, message in found):
        return "refused by weir alone"
    if found:
        assert status != 200, f"weir refuses it alone:\n{shown}"
        return "refused"
    assert status in (200, 422), f"the API server refuses its types:\n{shown}"
    whole = merged(made, patch, type_of(made))
    if made["kind"] != "PodDisruptionBudget":
        # Controllers go on writing; a budget must name what it replaces.
        whole["metadata"] = {key: value for key, value in whole["metadata"].items() if key != "resourceVersion"}
    put, again, _ = server.ask("PUT", where, whole)
    assert put == status, f"merged by weir it ends otherwise ({put} {again.get('message')}):\n{shown}"
    if status != 200:
        return "refused for what it means"
    assert in_order(again) == in_order(said), (
        f"merged otherwise:\n{shown}\n{json.dumps(in_order(again))}\n{json.dumps(in_order(said))}"
    )
    return "taken"


def in_order(tree: Any) -> Any:
    """Without what an update changes by itself, and lists in one order: weir's own items come first, while Kubernetes
    puts those first that are in the patch alone.
    """
    if isinstance(tree, dict):
        return {key: in_order(inner) for key, inner in tree.items() if key not in _WRITTEN_ANYWAY}
    if isinstance(tree, list):
        return sorted((in_order(inner) for inner in tree), key=lambda inner: json.dumps(inner, sort_keys=True))
    return tree


def test_ten_things_pods_need(lab: Project) -> None:
    """All of the guide's page in one service, brought up by the account of `weir rbac`: each is in the cluster, the pods
    are ready, nothing is left to do; the version after has them too. Its pods are found by labels of their own, and
    requests are divided between the two.
    """
    shell = Shell(lab, shell_environment(lab))
    page = [YAML(typ="safe").load(block) for block in BLOCK.findall(PAGE.read_text())]
    assert len(page) == 10
    service: dict[str, Any] = {
        "image": "hashicorp/http-echo:1.0.0",
        "targetPort": 5678,
        "versions": {"v1": {"args": ["-text=one"]}},
        "stable": "v1",
        "selector": SELECTOR,
        **functools.reduce(together, page),
    }
    config = {
        "namespace": STACK,
        "createNamespace": False,
        "services": {"backend": service},
        "clients": {"frontend": {"image": "curlimages/curl:latest"}},
    }
    shell.write_stack(STACK, config)
    shell.apply(
        {
            "apiVersion": "v1",
            "kind": "Namespace",
            "metadata": {"name": STACK, "labels": {"istio-injection": "enabled"}},
        },
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "settings", "namespace": STACK}},
        {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "key", "namespace": STACK}},
    )
    shell.run(f"pulumi stack init {STACK} --no-select")
    try:
        with account(lab, STACK) as kubeconfig:
            shell.write_stack(STACK, {**config, "kubeconfig": kubeconfig})
            up = f"pulumi up --yes --skip-preview --stack {STACK}"
            shell.run(up)
            service["versions"]["v2"] = {"args": ["-text=two"], "labels": LABELS, "kubernetes": {"deployment": MORE}}
            service["canary"] = {"v2": 50}
            shell.write_stack(STACK, {**config, "kubeconfig": kubeconfig})
            shell.run(up)
            shell.run(f"pulumi preview --expect-no-changes --stack {STACK}")
        shell.write_stack(STACK, config)
        shell.run(f"weir verify backend --requests 400 --stack {STACK}")
        found = json.loads(shell.run(f"kubectl get all,serviceaccounts -n {STACK} -o json"))["items"]
        objects = {(each["kind"], each["metadata"]["name"]): each for each in found}
        for version, seconds in (("v1", 60), ("v2", 90)):
            deployment = objects["Deployment", f"backend-{version}"]
            assert deployment["status"]["readyReplicas"] == 1
            template = deployment["spec"]["template"]
            labels = {**SELECTOR, **(LABELS if version == "v2" else {"version": "v1"})}
            assert deployment["spec"]["selector"] == {"matchLabels": labels}
            pod = template["spec"]
            assert {each["name"] for each in pod["volumes"]} == {"tmp", "settings", "key"}
            assert [each["name"] for each in pod["containers"]] == ["backend", "beside"]
            assert {each["mountPath"] for each in pod["containers"][0]["volumeMounts"]} == {
                "/tmp",
                "/etc/settings",
                "/etc/key",
            }
            assert [each["name"] for each in pod["initContainers"]] == ["first"]
            assert template["metadata"]["annotations"]["prometheus.io/scrape"] == "true"
            assert template["metadata"]["labels"]["team"] == "shop"
            assert pod["automountServiceAccountToken"] is True
            assert pod["imagePullSecrets"] == [{"name": "registry"}]
            assert pod["tolerations"] == [{"key": "spot", "operator": "Exists"}]
            assert pod["terminationGracePeriodSeconds"] == seconds
        assert objects["ServiceAccount", "backend"]["metadata"]["annotations"]["example.com/role"] == "shop"
        assert objects["Service", "backend"]["spec"]["type"] == "LoadBalancer"
        assert objects["Service", "backend"]["spec"]["selector"] == SELECTOR
    finally:
        discard(lab, STACK, STACK)


def together(one: Any, other: Any) -> Any:
    """Two parts of a config in one: mappings by their keys, lists one after the other."""
    if isinstance(one, dict) and isinstance(other, dict):
        return {
            key: together(one[key], other[key]) if key in one and key in other else one.get(key, other.get(key))
            for key in {**one, **other}
        }
    if not (isinstance(one, list) and isinstance(other, list)):
        return other
    named = {each.get("name"): each for each in one}
    for each in other:
        name = each.get("name")
        named[name] = together(named[name], each) if name in named else each
    return list(named.values())
