"""What two states of a service's traffic differ in, as data, and the words that are made from it."""

from __future__ import annotations

import dataclasses
import json
from fractions import Fraction
from typing import Any

import pytest

from tests.unit.model.test_rules import service
from weir.model import ServiceTraffic, load, mesh, traffic
from weir.model.manifests.diff import differences
from weir.model.routing.diff import TrafficChange, changes
from weir.model.routing.words import as_json, describe

FAULT = {"delay": {"percentage": 50, "fixedDelay": "3s"}}
BETA = {"name": "beta", "match": [{"headers": {"x-user": {"exact": "beta"}}}], "stable": "v2"}
ANY_DRILL = {**FAULT, "until": "2999-01-01T00:00:00Z", "match": {"headers": {"x-drill": {}}}}


def of(**keys: Any) -> ServiceTraffic:
    config = load({"namespace": "demo", "services": {"backend": service(**keys)}})
    return traffic(config.services["backend"], "demo")


def found(before: dict[str, Any], after: dict[str, Any], about: tuple[str, ...] = ()) -> list[TrafficChange]:
    return changes("backend", of(**before), of(**after), about)


def test_a_change_is_a_value() -> None:
    """It names its service and its route, has both sides as values of the model, and cannot be changed."""
    [change] = found({"timeout": "5s"}, {"timeout": "10s"})
    assert (change.kind, change.service, change.route, change.version) == ("timeout", "backend", "default", None)
    assert (change.before.seconds, change.after.seconds) == (5, 10)
    assert change == found({"timeout": "5s"}, {"timeout": "10s"})[0]
    with pytest.raises(dataclasses.FrozenInstanceError):
        change.kind = "fault"  # type: ignore[misc]


def test_a_split_has_percents() -> None:
    """Exact ones, of each version; as JSON plain numbers."""
    [change] = found({"canary": {"v2": 0}}, {"canary": {"v2": 0.5}})
    assert change.before == {"v1": Fraction(100), "v2": Fraction(0)}
    assert change.after == {"v1": Fraction(199, 2), "v2": Fraction(1, 2)}
    assert change.version == "v2"
    assert change.data()["after"] == {"v1": 99.5, "v2": 0.5}


def test_words_are_made_from_the_data_alone() -> None:
    """Whoever has a change has its words; those that somebody asked for come first, then what gains."""
    split = TrafficChange(
        "split",
        "backend",
        "beta",
        before={"v1": Fraction(70), "v2": Fraction(30)},
        after={"v1": Fraction(80), "v2": Fraction(20)},
    )
    assert describe(split) == "route beta: v1 70 % → 80 % (v2 30 % → 20 %)"
    assert describe(dataclasses.replace(split, about=("v2",))) == "route beta: v2 30 % → 20 % (v1 70 % → 80 %)"
    assert describe(TrafficChange("image", "backend", version="v2", before="app:1", after="app:2")) == "v2 image 1 → 2"
    assert describe(TrafficChange("env", "backend", version="v2")) == "v2 environment changed"


VERSIONS: dict[str, Any] = {"v1": {}, "v2": {}, "v3": {}}


@pytest.mark.parametrize(
    ("about", "words"),
    [
        ((), "v1 60 % → 70 % (v2 0 % → 10 %, v3 40 % → 20 %)"),
        (("v3",), "v3 40 % → 20 % (v1 60 % → 70 %, v2 0 % → 10 %)"),
        (("v2", "v3"), "v2 0 % → 10 % (v3 40 % → 20 %, v1 60 % → 70 %)"),
    ],
    ids=str,
)
def test_what_was_asked_for_comes_first(about: tuple[str, ...], words: str) -> None:
    """`weir set backend v2=10 v3=20` is told by these two, and then by what follows from them."""
    before = {"versions": VERSIONS, "canary": {"v2": 0, "v3": 40}}
    after = {"versions": VERSIONS, "canary": {"v2": 10, "v3": 20}}
    [change] = found(before, after, about)
    assert describe(change) == words


@pytest.mark.parametrize(
    ("before", "after", "kind", "route", "old", "new"),
    [
        (
            {},
            {"routes": [BETA]},
            "route",
            "beta",
            None,
            {"match": BETA["match"], "percent": {"v2": 100}, "fault": None},
        ),
        (
            {"routes": [BETA]},
            {},
            "route",
            "beta",
            {"match": BETA["match"], "percent": {"v2": 100}, "fault": None},
            None,
        ),
        ({"fault": FAULT}, {}, "fault", "default", {"delay": {"percentage": {"value": 50}, "fixedDelay": "3s"}}, None),
        (
            {},
            {"drill": ANY_DRILL},
            "drill",
            "default",
            None,
            {"delay": {"percentage": {"value": 50}, "fixedDelay": "3s"}, "until": ANY_DRILL["until"]},
        ),
        ({}, {"exportTo": ["."]}, "exportTo", None, ["*"], ["."]),
        ({}, {"canary": {"v2": 0}}, "prepared", "default", None, 0),
    ],
    ids=["a route", "a route ends", "a fault ends", "a drill", "visibility", "prepared"],
)
def test_json_has_plain_values(
    before: dict[str, Any], after: dict[str, Any], kind: str, route: str | None, old: Any, new: Any
) -> None:
    """As Istio's messages have them; null where there is none. The words stand beside them."""
    [change] = found(before, after)
    document = as_json(change)
    assert json.loads(json.dumps(document)) == document
    assert (document["kind"], document["route"], document["before"], document["after"]) == (kind, route, old, new)
    assert document["text"] == describe(change)
    assert list(document) == ["kind", "route", "version", "before", "after", "text"]


def pod_changes(before: dict[str, Any], after: dict[str, Any]) -> list[str]:
    """What a preview says of the service, in words."""
    sides = [
        [
            (manifest["kind"], manifest)
            for manifest in mesh(
                load({"namespace": "demo", "services": {"backend": service(**keys)}}), "demo"
            ).objects()
        ]
        for keys in (before, after)
    ]
    return [describe(change) for told in differences(*sides).values() for change in told]


MOUNTED = {"spec": {"template": {"spec": {"volumes": [{"name": "tmp", "emptyDir": {}}]}}}}


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        ({"command": ["/shop"]}, "command changed"),
        ({"args": ["-v"]}, "arguments changed"),
        ({"kubernetes": {"deployment": MOUNTED}}, "other settings of its pods changed"),
        ({"kubernetes": {"deployment": {"metadata": {"annotations": {"a": "b"}}}}}, ""),
    ],
)
def test_what_changes_in_pods_is_told(keys: dict[str, Any], words: str) -> None:
    """New pods have a reason, whatever the key is that makes them; what makes none is no change of pods."""
    assert pod_changes({}, keys) == ([f"v1 {words}", f"v2 {words}"] if words else [])


def test_other_labels_of_a_version_are_told() -> None:
    """Its subset is other pods."""
    assert pod_changes({}, {"versions": {"v1": {}, "v2": {"labels": {"version": "2.0"}}}}) == [
        "pods of v2 are those with version=v2 → version=2.0",
        "v2 other settings of its pods changed",
    ]


SEVERAL = [{"name": "http", "port": 80}, {"name": "raw", "port": 9000, "protocol": "tcp"}]
EDGE = {"gateways": ["edge/public"], "hosts": ["shop.example.com"]}


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        ({}, {"ports": SEVERAL}, ["requests go to port 80", "ports: 80 http → 80 http, 9000 tcp"]),
        (
            {"ports": SEVERAL},
            {"ports": [SEVERAL[0], {**SEVERAL[1], "protocol": "grpc"}]},
            ["requests go to the port that they asked for", "ports: 80 http, 9000 tcp → 80 http, 9000 grpc"],
        ),
        (
            {"ports": SEVERAL, "expose": EDGE},
            {"ports": [{**SEVERAL[1], "protocol": "grpc"}, SEVERAL[0]], "expose": EDGE},
            [
                "requests go to the port that they asked for",
                "requests from gateways go to port 9000",
                "ports: 80 http, 9000 tcp → 9000 grpc, 80 http",
            ],
        ),
        ({"ports": SEVERAL}, {"ports": [SEVERAL[0], {**SEVERAL[1], "targetPort": 9001}]}, []),
    ],
)
def test_ports_that_change_are_told(before: dict[str, Any], after: dict[str, Any], told: list[str]) -> None:
    """Those of the Service, and where requests go for it; each once."""
    sides = [
        [
            (each["kind"], json.loads(json.dumps(each)))
            for each in mesh(load({"namespace": "demo", "services": {"backend": service(**keys)}}), "demo").objects()
        ]
        for keys in (before, after)
    ]
    found = differences(*sides).get("backend", ())
    assert [describe(change) for change in found if change.kind not in ("kubernetes", "probes")] == told
    assert all(json.dumps(as_json(change)) for change in found)


def test_pods_that_come_or_go_alone_are_told() -> None:
    """An update that was killed has left the rest of the version: that nothing changes would be wrong."""
    kinds = ("Deployment", "DestinationRule", "VirtualService")
    standing = [
        (each["kind"], each)
        for each in mesh(load({"namespace": "demo", "services": {"backend": service()}}), "demo").objects()
        if each["kind"] in kinds
    ]
    [pods] = [each for each in standing if each[1]["metadata"]["name"] == "backend-v2" and each[0] == "Deployment"]
    rest = [each for each in standing if each != pods]
    [one] = differences([], [pods])["backend"]
    assert describe(one) == "v2 pods 0 → 1"
    [one] = differences([pods], [])["backend"]
    assert describe(one) == "v2 pods 1 → 0"
    # With the rest of the version they are what is told of that.
    assert [each.kind for each in differences(rest, standing).get("backend", ())] == []
    assert [each.kind for each in differences([], standing)["backend"]] == ["service"]
