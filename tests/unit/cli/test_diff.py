"""`weir diff` in words: one change after the other, from previews as Pulumi saves them."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from tests.unit.model.test_rules import service
from weir.cli.diff import MAX_CHARACTERS, command
from weir.model import load, mesh

KINDS = {
    "Namespace": "core/v1",
    "Service": "core/v1",
    "ServiceAccount": "core/v1",
    "Deployment": "apps/v1",
    "PodDisruptionBudget": "policy/v1",
}


def preview(before: dict[str, Any] | None, after: dict[str, Any] | None) -> dict[str, Any]:
    """What `pulumi preview --json` has of the update from one config to another: every object that differs, as Pulumi
    writes it.
    """
    old, new = (_objects(config) for config in (before, after))
    steps: list[dict[str, Any]] = [
        {
            "op": "same",
            "urn": "urn:pulumi:dev::weir::pulumi:pulumi:Stack::weir-dev",
            "newState": {"type": "pulumi:pulumi:Stack"},
        }
    ]
    for key in dict.fromkeys((*new, *old)):
        if old.get(key) == new.get(key):
            continue
        op = "create" if key not in old else "delete" if key not in new else "update"
        states = {
            state: {"type": key[0], "inputs": side[key]}
            for state, side in (("oldState", old), ("newState", new))
            if key in side
        }
        steps.append({"op": op, "urn": f"urn:pulumi:dev::weir::{key[0]}::{key[1]}", **states, "detailedDiff": None})
    return {"config": {}, "steps": steps, "changeSummary": {}}


def _objects(config: dict[str, Any] | None) -> dict[tuple[str, str], dict[str, Any]]:
    if config is None:
        return {}
    objects = mesh(load({"namespace": "demo", **config}), "demo").objects()
    return {
        (f"kubernetes:{KINDS.get(each['kind'], each['apiVersion'])}:{each['kind']}", each["metadata"]["name"]): each
        for each in objects
    }


def backend(**keys: Any) -> dict[str, Any]:
    return {"services": {"backend": service(**keys)}}


BETA = {"name": "beta", "match": [{"headers": {"x-user": {"exact": "beta"}}}], "stable": "v2"}
FAULT = {"delay": {"percentage": 50, "fixedDelay": "3s"}}
CASES: list[tuple[str, dict[str, Any] | None, dict[str, Any] | None, list[str]]] = [
    ("nothing", backend(), backend(), ["nothing changes"]),
    ("a canary", backend(canary={"v2": 0}), backend(canary={"v2": 20}), ["backend: v2 0 % → 20 % (v1 100 % → 80 %)"]),
    (
        "half a percent",
        backend(canary={"v2": 0}),
        backend(canary={"v2": 0.5}),
        ["backend: v2 0 % → 0.5 % (v1 100 % → 99.5 %)"],
    ),
    ("a promotion", backend(canary={"v2": 50}), backend(stable="v2"), ["backend: v2 50 % → 100 % (v1 50 % → 0 %)"]),
    ("prepared", backend(), backend(canary={"v2": 0}), ["backend: v2 is prepared, at 0 %"]),
    (
        "a version retired",
        backend(stable="v2"),
        backend(stable="v2", versions={"v2": {}}),
        ["backend: version v1 retired"],
    ),
    ("a version added", backend(versions={"v1": {}}), backend(), ["backend: new version v2"]),
    ("a fault", backend(), backend(fault=FAULT), ["backend: new fault: 50 % of requests delayed 3 s"]),
    ("a fault ends", backend(fault=FAULT), backend(), ["backend: fault removed: 50 % of requests delayed 3 s"]),
    (
        "a fault changes",
        backend(fault=FAULT),
        backend(fault={"abort": {"percentage": 10, "httpStatus": 503}}),
        ["backend: fault: 50 % of requests delayed 3 s → 10 % of requests aborted with 503"],
    ),
    ("an image", backend(), backend(versions={"v1": {}, "v2": {"image": "app:2"}}), ["backend: v2 image 1 → 2"]),
    (
        "another image",
        backend(),
        backend(versions={"v1": {}, "v2": {"image": "other:2"}}),
        ["backend: v2 image app:1 → other:2"],
    ),
    ("pods", backend(), backend(versions={"v1": {"replicas": 1}, "v2": {"replicas": 0}}), ["backend: v2 pods 1 → 0"]),
    (
        "more pods",
        backend(),
        backend(versions={"v1": {"replicas": 3}, "v2": {}}),
        ["backend: v1 pods 1 → 3", "other objects: 1 PodDisruptionBudget created"],
    ),
    ("timeout", backend(timeout="5s"), backend(timeout="10s"), ["backend: timeout: 5 s → 10 s"]),
    ("the same timeout", backend(timeout="60s"), backend(timeout="1m"), ["backend: timeout: 60 s → 1 m"]),
    (
        "retries",
        backend(),
        backend(retries={"attempts": 3, "perTryTimeout": "2s", "retryOn": ["5xx"]}),
        ["backend: new retries: 3 attempts, 2 s each, on 5xx"],
    ),
    ("copies", backend(), backend(mirrors=[{"version": "v2", "percentage": 25}]), ["backend: new copies: 25 % to v2"]),
    (
        "a route",
        backend(),
        backend(routes=[BETA]),
        ['backend: new route beta: [{"headers": {"x-user": {"exact": "beta"}}}] to v2 100 %'],
    ),
    ("a route ends", backend(routes=[BETA]), backend(), ["backend: route beta removed"]),
    (
        "a route's canary",
        backend(routes=[BETA]),
        backend(routes=[{**BETA, "canary": {"v1": 10}}]),
        ["backend: route beta: v1 0 % → 10 % (v2 100 % → 90 %)"],
    ),
    (
        "closed",
        backend(),
        backend(directResponse={"status": 503}),
        ["backend: answered by the proxy, by no version", 'backend: new direct response: {"status": 503}'],
    ),
    (
        "a policy",
        backend(),
        backend(trafficPolicy={"loadBalancer": {"simple": "RANDOM"}}),
        ['backend: new traffic policy: {"loadBalancer": {"simple": "RANDOM"}}'],
    ),
    (
        "exposed",
        backend(),
        backend(expose={"gateways": ["edge/public"], "hosts": ["shop.example.com"]}),
        ["backend: exposed at gateways: none → edge/public", "backend: exposed as: none → shop.example.com"],
    ),
    (
        "a new service",
        None,
        backend(canary={"v2": 20}),
        [
            "backend: new service: v1 80 %, v2 20 %",
            "other objects: 1 Namespace created, 1 Service created, 1 ServiceAccount created",
        ],
    ),
    (
        "a service removed",
        {"services": {"backend": service(), "other": service()}},
        backend(),
        ["other: service removed; it had v1 100 %", "other objects: 1 Service deleted, 1 ServiceAccount deleted"],
    ),
    (
        "a client",
        backend(),
        {**backend(), "clients": {"web": {"image": "curl"}}},
        ["other objects: 1 Deployment created, 1 ServiceAccount created"],
    ),
]


def said(tmp_path: Path, document: Any, *options: str, code: int = 0) -> str:
    """What the command prints of a saved preview."""
    file = tmp_path / "preview.json"
    file.write_text(json.dumps(document))
    result = CliRunner().invoke(command, ["--preview", str(file), *options])
    assert result.exit_code == code, result.output
    return result.output


@pytest.mark.parametrize(("before", "after", "lines"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_each_change_is_said_in_words(
    tmp_path: Path, before: dict[str, Any] | None, after: dict[str, Any] | None, lines: list[str]
) -> None:
    """Every kind of change is one line that says what happens to traffic; other objects are counted."""
    assert said(tmp_path, preview(before, after)).splitlines() == lines


def test_the_exit_code_is_gits(tmp_path: Path) -> None:
    """0 whether or not something changes, and with --exit-code 1 when it does."""
    changed = preview(backend(), backend(canary={"v2": 20}))
    said(tmp_path, changed)
    said(tmp_path, changed, "--exit-code", code=1)
    said(tmp_path, preview(backend(), backend()), "--exit-code")


def test_a_comment_begins_with_what_matters(tmp_path: Path) -> None:
    """The first line of the Markdown says it all; the rest is folded."""
    lines = said(
        tmp_path, preview(backend(), backend(canary={"v2": 20}, fault=FAULT)), "--format", "markdown"
    ).splitlines()
    assert lines[0] == "**`dev`**: `backend: v2 0 % → 20 % (v1 100 % → 80 %)`; 1 more"
    assert lines[2] == "<details><summary>All changes</summary>"
    assert "- `backend: new fault: 50 % of requests delayed 3 s`" in lines


def test_json_has_the_same_lines(tmp_path: Path) -> None:
    """For programs: whether something changes, the lines by service, the counts by kind."""
    found = json.loads(said(tmp_path, preview(backend(), backend(canary={"v2": 20})), "--format", "json"))
    text = "v2 0 % → 20 % (v1 100 % → 80 %)"
    split = {
        "kind": "split",
        "route": "default",
        "version": "v2",
        "before": {"v1": 100},
        "after": {"v1": 80, "v2": 20},
        "text": text,
    }
    assert found == {
        "changes": True,
        "services": {"backend": [text]},
        "hosts": {},
        "others": {},
        "details": {"backend": [split]},
        "hostDetails": {},
    }


def test_json_has_every_change_as_data(tmp_path: Path) -> None:
    """What a program asks of a change is a value, and not a part of a sentence."""
    until = "2999-01-01T00:00:00Z"
    drill = {**FAULT, "until": until, "match": {"headers": {"x-drill": {"exact": "on"}}}}
    before = backend(
        timeout="5s",
        trafficPolicy={"loadBalancer": {"simple": "RANDOM"}},
        fault={**FAULT, "until": until},
        canary={"v2": 0},
    )
    after = backend(
        timeout="10s",
        canary={"v2": 0.5},
        routes=[BETA],
        mirrors=[{"version": "v2", "percentage": 25}],
        versions={"v1": {"replicas": 3}, "v2": {"image": "app:2"}, "v3": {"env": {"A": "b"}}},
        drill=drill,
        expose={"gateways": ["edge/public"], "hosts": ["shop.example.com"]},
    )
    details = json.loads(said(tmp_path, preview(before, after), "--format", "json"))["details"]["backend"]
    told = {(each["kind"], each["route"], each["version"]): (each["before"], each["after"]) for each in details}
    fault = {"delay": {"percentage": {"value": 50}, "fixedDelay": "3s"}, "until": until}
    assert told == {
        ("split", "default", "v2"): ({"v1": 100, "v2": 0}, {"v1": 99.5, "v2": 0.5}),
        ("fault", "default", None): (fault, None),
        ("timeout", "default", None): ("5s", "10s"),
        ("mirrors", "default", None): ([], [{"version": "v2", "percentage": {"value": 25}}]),
        ("drill", "default", None): (None, fault),
        ("drill", "beta", None): (None, fault),
        ("route", "beta", None): (None, {"match": BETA["match"], "percent": {"v2": 100}, "fault": None}),
        ("version", None, "v3"): (False, True),
        ("trafficPolicy", None, None): ({"loadBalancer": {"simple": "RANDOM"}}, None),
        ("gateways", None, None): ([], ["edge/public"]),
        ("hosts", None, None): ([], ["shop.example.com"]),
        ("replicas", None, "v1"): (1, 3),
        ("image", None, "v2"): ("app:1", "app:2"),
    }
    assert [each["text"] for each in details] == json.loads(said(tmp_path, preview(before, after), "--format", "json"))[
        "services"
    ]["backend"]


def test_a_change_behind_the_end_of_what_is_shown_is_a_change(tmp_path: Path) -> None:
    """Long values are cut where they are shown, and not where they are compared."""
    sets = [{"request": {"set": {"x-long": "a" * 200 + end}}} for end in "xy"]
    [line] = said(tmp_path, preview(*(backend(headers=each) for each in sets))).splitlines()
    assert line.startswith("backend: headers: {")


def test_a_thousand_changes_fit_into_a_comment(tmp_path: Path) -> None:
    """However much changes, the comment is short enough for GitHub and says how much it leaves out."""
    many = {f"service-{number}": service(canary={"v2": 0}) for number in range(1000)}
    moved = copy.deepcopy(many)
    for entry in moved.values():
        entry |= {"canary": {"v2": 20}, "timeout": "10s"}
    text = said(tmp_path, preview({"services": many}, {"services": moved}), "--format", "markdown")
    assert len(text) < MAX_CHARACTERS
    assert "1997 more" in text.splitlines()[0]
    assert "changes more" in text


@pytest.mark.parametrize("document", [[], {"steps": 5, "changeSummary": {}}, {"a": 1}], ids=str)
def test_what_is_no_preview_is_refused(tmp_path: Path, document: Any) -> None:
    """Another JSON says how a preview is made, and shows no traceback."""
    result = CliRunner().invoke(command, ["--preview", str(_written(tmp_path, document))])
    assert "pulumi preview --json" in str(result.exception)


def _written(directory: Path, document: Any) -> Path:
    file = directory / "other.json"
    file.write_text(json.dumps(document))
    return file
