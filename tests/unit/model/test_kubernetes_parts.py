"""Partial Kubernetes objects over weir's own: what is merged, and in which order. What the API server makes of the same
is asked on the lab (tests/live/test_kubernetes_parts.py).
"""

from __future__ import annotations

from typing import Any

import pytest

from weir.model import load, mesh

SHOP: dict[str, Any] = {"image": "shop:1", "versions": {"v1": {}, "v2": {}}, "stable": "v1", "canary": {"v2": 5}}


def deployment(service: Any = None, version: Any = None) -> dict[str, Any]:
    """That of v2, with these parts of the service and of the version."""
    keys = {
        **SHOP,
        "kubernetes": {"deployment": service},
        "versions": {"v1": {}, "v2": {"kubernetes": {"deployment": version}}},
    }
    found = mesh(load({"namespace": "demo", "services": {"shop": keys}}), "demo").services["shop"]
    made = found.versions["v2"].deployment
    assert made is not None
    return made


def pods(**parts: Any) -> dict[str, Any]:
    """A part of the pods' spec."""
    return {"spec": {"template": {"spec": parts}}}


def of_pods(made: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = made["spec"]["template"]["spec"]
    return found


def test_nothing_is_merged_where_nothing_is_said() -> None:
    """Empty parts leave the object as it is."""
    assert deployment({}, {}) == deployment()


def test_a_version_goes_before_its_service() -> None:
    """Field by field, in lists item by item."""
    tmp, data = {"name": "tmp", "emptyDir": {}}, {"name": "data", "emptyDir": {"sizeLimit": "1Gi"}}
    made = of_pods(
        deployment(pods(volumes=[tmp], hostname="a"), pods(volumes=[data, {**tmp, "emptyDir": {"medium": "Memory"}}]))
    )
    assert made["volumes"] == [{"name": "tmp", "emptyDir": {"medium": "Memory"}}, data]
    assert made["hostname"] == "a"


def test_labels_of_a_service_may_differ_by_version() -> None:
    """Only those by which pods are found stay."""
    labels = [{"spec": {"template": {"metadata": {"labels": {"team": team}}}}} for team in ("one", "two")]
    assert deployment(*labels)["spec"]["template"]["metadata"]["labels"]["team"] == "two"


@pytest.mark.parametrize(
    ("patch", "found"),
    [
        ({"name": "tmp", "$patch": "delete"}, []),
        ({"name": "tmp", "emptyDir": None, "configMap": {"name": "c"}}, [{"name": "tmp", "configMap": {"name": "c"}}]),
        (
            {"name": "tmp", "emptyDir": {"$patch": "replace", "medium": "Memory"}},
            [{"name": "tmp", "emptyDir": {"medium": "Memory"}}],
        ),
    ],
)
def test_what_the_service_says_can_be_taken_back(patch: dict[str, Any], found: list[Any]) -> None:
    """By Kubernetes' own directives, and by an empty value."""
    before = pods(volumes=[{"name": "tmp", "emptyDir": {"sizeLimit": "1Gi"}}])
    assert of_pods(deployment(before, pods(volumes=[patch])))["volumes"] == found


def test_a_list_can_be_replaced_as_a_whole() -> None:
    """`$patch: replace` beside nothing else."""
    before = pods(volumes=[{"name": "a", "emptyDir": {}}, {"name": "b", "emptyDir": {}}])
    after = pods(volumes=[{"$patch": "replace"}, {"name": "c", "emptyDir": {}}])
    assert of_pods(deployment(before, after))["volumes"] == [{"name": "c", "emptyDir": {}}]


def test_the_container_of_weir_stays_the_first() -> None:
    """What is beside it comes after it, whatever the order in the config."""
    beside = {"name": "beside", "image": "beside:1"}
    made = of_pods(deployment(pods(containers=[beside, {"name": "shop", "imagePullPolicy": "Always"}])))
    assert [each["name"] for each in made["containers"]] == ["shop", "beside"]
    assert made["containers"][0]["imagePullPolicy"] == "Always"
    assert made["containers"][0]["lifecycle"]["preStop"] == {"sleep": {"seconds": 5}}
