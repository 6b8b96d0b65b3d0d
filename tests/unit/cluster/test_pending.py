"""Which objects of a config the cluster has not as written: what Kubernetes adds by itself does not count, what
somebody took away does.
"""

from __future__ import annotations

import copy
from typing import Any

import pytest

from tests.unit.model.test_rules import backend
from weir.cluster.pending import pending
from weir.model import load, mesh
from weir.secret import Secret

OWNER = "weir.dev/stack"
KEYS: dict[str, Any] = {
    "canary": {"v2": 20},
    "targetPort": 5678,
    "env": {"A": "1"},
    "args": ["-x"],
    "resources": {"requests": {"cpu": "0.1", "memory": "1024Mi"}},
    "trafficPolicy": {"loadBalancer": {"simple": "RANDOM"}},
}
# By hand, from Kubernetes' API reference: what the API server fills in, and how it writes quantities.
STORED: dict[str, Any] = {
    "spec": {"progressDeadlineSeconds": 600, "revisionHistoryLimit": 10},
    "pod": {"dnsPolicy": "ClusterFirst", "schedulerName": "default-scheduler", "restartPolicy": "Always"},
    "container": {
        "imagePullPolicy": "IfNotPresent",
        "terminationMessagePath": "/dev/termination-log",
        "terminationMessagePolicy": "File",
    },
}


def objects(**keys: Any) -> list[dict[str, Any]]:
    return list(mesh(load(backend(**{"image": "i:1", **KEYS, **keys})), "demo").objects())


def stored(**keys: Any) -> dict[tuple[str, str], dict[str, Any]]:
    """The objects as the API server has them."""
    found = {}
    for each in copy.deepcopy(objects(**keys)):
        if each["kind"] == "Namespace":
            continue
        each["metadata"]["annotations"] = {
            **each["metadata"].get("annotations", {}),
            OWNER: "organization/weir/dev",
            "weir.dev/spec": "abc",
        }
        each["metadata"]["uid"] = "1"
        if each["kind"] == "Deployment":
            pod = each["spec"]["template"]["spec"]
            each["spec"] |= STORED["spec"]
            pod |= STORED["pod"]
            container = pod["containers"][0]
            container |= STORED["container"]
            if "readinessProbe" in container:
                container["readinessProbe"] |= {"failureThreshold": 3, "successThreshold": 1}
            requests = container.get("resources", {}).get("requests", {})
            requests |= {name: {"0.1": "100m", "1024Mi": "1Gi"}.get(value, value) for name, value in requests.items()}
        found[each["kind"], each["metadata"]["name"]] = each
    return found


def test_what_the_api_server_adds_is_no_difference() -> None:
    """Defaults, and quantities written otherwise."""
    assert pending(objects(), stored(), "weir/dev") == ()


@pytest.mark.parametrize(
    ("keys", "what"),
    [
        ({"canary": {"v2": 30}}, ["VirtualService backend"]),
        ({"image": "i:2"}, ["Deployment backend-v1", "Deployment backend-v2"]),
        ({"replicas": 2}, ["Deployment backend-v1", "Deployment backend-v2"]),
        ({"env": {}}, ["Deployment backend-v1", "Deployment backend-v2"]),
        ({"env": {"A": "2"}}, ["Deployment backend-v1", "Deployment backend-v2"]),
        ({"args": []}, ["Deployment backend-v1", "Deployment backend-v2"]),
        (
            {"resources": {"requests": {"cpu": "0.2", "memory": "1Gi"}}},
            ["Deployment backend-v1", "Deployment backend-v2"],
        ),
        ({"port": 81}, ["Service backend"]),
        ({"trafficPolicy": {"loadBalancer": {"simple": "LEAST_REQUEST"}}}, ["DestinationRule backend"]),
        ({"trafficPolicy": None}, ["DestinationRule backend"]),
        ({"versions": {"v1": {}, "v2": {}, "v3": {}}}, ["Deployment backend-v3", "DestinationRule backend-v3"]),
        (
            {"versions": {"v1": {}}, "canary": {}},
            ["Deployment backend-v2", "DestinationRule backend-v2", "VirtualService backend"],
        ),
    ],
    ids=str,
)
def test_what_a_file_has_that_was_not_applied(keys: dict[str, Any], what: list[str]) -> None:
    """Every object that another update would make, change or remove is named, and no other."""
    assert set(what) <= set(pending(objects(**keys), stored(), "weir/dev"))
    kinds = {name.split()[0] for name in pending(objects(**keys), stored(), "weir/dev")} - {"PodDisruptionBudget"}
    assert kinds == {name.split()[0] for name in what}


def test_a_port_may_have_another_name() -> None:
    """A Service keeps the one that it has; what the port is and speaks counts."""
    there = stored()
    there["Service", "backend"]["spec"]["ports"][0]["name"] = "http2"
    assert pending(objects(), there, "weir/dev") == ()
    assert pending(objects(protocol="grpc"), there, "weir/dev") == ("Service backend",)


def test_what_is_somebody_elses_or_left_out_is_not_named() -> None:
    """Another stack's objects in the namespace are not to go; and what the command itself changes is no news."""
    there = stored()
    other = copy.deepcopy(there["VirtualService", "backend"])
    other["metadata"] |= {"name": "other", "annotations": {OWNER: "organization/weir/other"}}
    there["VirtualService", "other"] = other
    assert pending(objects(), there, "weir/dev") == ()
    assert pending(objects(canary={"v2": 30}), there, "weir/dev", {("VirtualService", "backend")}) == ()


def test_a_secret_is_looked_for_where_pods_take_it() -> None:
    """Nobody reads Secrets, whose names are generated: what can be seen is that a version's pods take a variable from
    its own.
    """
    hidden = {"env": {"A": "1", "TOKEN": Secret("v1:a", "v1:a")}}
    there = {key: item for key, item in stored(**hidden).items() if key[0] != "Secret"}
    for (kind, name), item in there.items():
        if kind == "Deployment":
            _, variable = item["spec"]["template"]["spec"]["containers"][0]["env"]
            variable["valueFrom"]["secretKeyRef"]["name"] = f"{name}-1a2b3c4d"
    assert pending(objects(**hidden), there, "weir/dev") == ()
    both = ("Deployment backend-v1", "Deployment backend-v2")
    assert pending(objects(), there, "weir/dev") == both
    assert pending(objects(**hidden), stored(), "weir/dev") == both
    assert pending(objects(env={"A": Secret("v1:a"), "TOKEN": Secret("v1:a")}), there, "weir/dev") == both
    # Encrypted anew, it may be another value; nobody decrypts it to look.
    assert pending(objects(env={"A": "1", "TOKEN": Secret("v1:b", "v1:b")}), there, "weir/dev") == both
