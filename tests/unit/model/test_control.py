"""The control of a rollout: what it is of the stable version, how many requests it gets, and who can have none."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from weir.model import Service, load
from weir.model.config.control import control_of, control_share, copied, why_no_control, with_control

VERSIONS: list[tuple[dict[str, Any], dict[str, Any], dict[str, Any]]] = [
    ({}, {}, {}),
    ({"args": ["-a"], "env": {"A": "1"}}, {"args": ["-b"]}, {"args": ["-a"], "env": {"A": "1"}}),
    ({"replicas": 9, "image": "app:1"}, {"replicas": 2, "image": "app:2"}, {"replicas": 2, "image": "app:1"}),
    ({"autoscaling": {"minReplicas": 5, "maxReplicas": 9}}, {"replicas": 2}, {"replicas": 2}),
    ({"replicas": 9}, {}, {}),
    ({"labels": {"version": "1.0"}}, {"labels": {"version": "2.0"}}, {}),
]


def service(versions: dict[str, Any], **keys: Any) -> Service:
    backend = {"image": "app:1", "port": 80, "versions": versions, "stable": "v1", **keys}
    return load({"namespace": "demo", "services": {"backend": backend}}).services["backend"]


@pytest.mark.parametrize(("stable", "version", "control"), VERSIONS)
def test_it_is_the_stable_version_with_as_many_pods_as_the_new_one(
    stable: dict[str, Any], version: dict[str, Any], control: dict[str, Any]
) -> None:
    """In the file, and in the config of a file that lacks it; its pods are told apart from those of both."""
    assert copied(stable, version) == control
    both = {"v1": stable, "v2": version}
    found = with_control(service(both), "v1", "v2", control_of("v1"))
    written = service({**both, "v1-control": control})
    assert list(found.versions) == ["v1", "v2", "v1-control"]
    assert (found.workload("v1-control"), found.told_apart_by("v1-control")) == (
        written.workload("v1-control"), {"version": "v1-control"},
    )  # fmt: skip
    assert found.versions == written.versions
    assert with_control(written, "v1", "v2", "v1-control") is written


@pytest.mark.parametrize(
    ("share", "canary", "control"),
    [
        ("5", {}, "5"),
        ("50", {}, "50"),
        ("75", {"v2": "50", "v1-control": "50"}, "25"),
        ("100", {}, "0"),
        ("30", {"v3": "60", "v2": "5"}, "10"),
        ("0.5", {"v3": "99.5"}, "0"),
        ("0", {}, "0"),
    ],
)
def test_it_gets_as_much_as_the_new_version_or_what_is_left(share: str, canary: dict[str, str], control: str) -> None:
    """All together get no more than there is."""
    given = {name: Decimal(percent) for name, percent in canary.items()}
    assert control_share(Decimal(share), given, "v2", "v1-control") == Decimal(control)


@pytest.mark.parametrize(
    ("versions", "keys", "why"),
    [
        ({"v1": {}, "v2": {}}, {}, ""),
        ({"v1": {}, "v2": {"workload": "deployment/shop"}}, {}, ""),
        ({"v1": {"workload": "deployment/shop"}, "v2": {}}, {}, "weir makes no pods of v1, and so cannot make more of them"),
        ({"v1": {"host": "a.example.com", "port": 80}, "v2": {}}, {},
         "weir makes no pods of v1, and so cannot make more of them"),
        ({"v1": {}, "v2": {}}, {"image": None}, "weir makes no pods of v1, and so cannot make more of them"),
        ({"v1": {}, "v2": {}}, {"replicas": "external"},
         "the number of pods of v2 is somebody else's, who does not know of the control's"),
        ({"v1": {"replicas": "external"}, "v2": {"replicas": 2}}, {}, ""),
    ],
)  # fmt: skip
def test_where_weir_cannot_make_its_pods_there_is_none(
    versions: dict[str, Any], keys: dict[str, Any], why: str
) -> None:
    """With the reason."""
    settings = {key: value for key, value in {"image": "app:1", **keys}.items() if value is not None}
    backend = {"port": 80, "versions": versions, "stable": "v1", **settings}
    found = load({"namespace": "demo", "services": {"backend": backend}}).services["backend"]
    assert why_no_control(found, "v1", "v2") == why
