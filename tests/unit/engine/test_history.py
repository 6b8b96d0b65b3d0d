"""Pulumi's history of a stack, read as changes of its traffic."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from tests.unit.model.test_rules import service
from weir.cli.history import document
from weir.engine.history import as_json, read_history


def update(
    minute: int,
    services: dict[str, Any],
    message: str = "",
    kind: str = "update",
    result: str = "succeeded",
    **environment: str,
) -> dict[str, Any]:
    """An entry as `pulumi stack history --json` has it."""
    config = {"weir:namespace": "demo", "weir:services": json.dumps(services), "aws:region": "x", "weir:kubeconfig": ""}
    return {
        "kind": kind,
        "startTime": f"2026-11-25T13:{minute:02}:00.000Z",
        "message": message,
        "environment": {"git.head": "4fd5776ee298135b", "git.author": "Ada", **environment},
        "config": {key: {"value": value, "secret": False} for key, value in config.items()},
        "result": result,
    }


FIRST = update(1, {"backend": service()}, "Add the backend")
MOVED = update(
    2, {"backend": service(canary={"v2": 20})}, "weir set backend v2=20\nreason: it looks good\nby: bob@host"
)
FAILED = update(3, {"backend": service(canary={"v2": 50})}, "More", result="failed", **{"git.dirty": "true"})
AGAIN = update(4, {"backend": service(canary={"v2": 50}, versions={"v1": {}, "v2": {"image": "app:2"}})}, "More")
SAME = update(5, {"backend": service(canary={"v2": 50}, versions={"v1": {}, "v2": {"image": "app:2"}})}, "Nothing")
GONE = update(6, {"backend": service()}, kind="destroy")


def test_each_update_is_told_by_what_it_changed() -> None:
    """From one successful update to the next: who, when, from, to, why, and the commit; a failed one is no step."""
    found = read_history([GONE, SAME, AGAIN, FAILED, MOVED, FIRST])
    assert [(change.number, dict(change.changes)) for change in found] == [
        (6, {"backend": ("service removed; it had v1 50 %, v2 50 %",)}),
        (5, {}),
        (4, {"backend": ("v2 20 % → 50 % (v1 80 % → 50 %)", "v2 image 1 → 2")}),
        (3, {"backend": ("v2 20 % → 50 % (v1 80 % → 50 %)",)}),
        (2, {"backend": ("v2 0 % → 20 % (v1 100 % → 80 %)",)}),
        (1, {"backend": ("new service: v1 100 %",)}),
    ]
    moved = found[4]
    assert (moved.who, moved.command, moved.reason, moved.commit) == (
        "bob@host",
        "weir set backend v2=20",
        "it looks good",
        "4fd5776ee298",
    )
    assert moved.when == datetime(2026, 11, 25, 13, 2, tzinfo=UTC)
    plain = found[5]
    # Who ran pulumi up, and why, stands nowhere: what git says is of the commit.
    assert (plain.who, plain.command, plain.reason, plain.dirty) == ("", "update", "", False)
    assert (plain.subject, plain.author) == ("Add the backend", "Ada")
    assert (moved.subject, moved.author) == ("", "Ada")
    assert (found[3].result, found[3].dirty) == ("failed", True)


def test_a_message_that_somebody_gave_is_the_reason() -> None:
    """`pulumi up --message TEXT`: that is why, and not what the commit is called."""
    [change] = read_history([update(1, {"backend": service()}, "to try it", **{"pulumi.flag.message": "set"})])
    assert (change.reason, change.subject) == ("to try it", "")


def test_a_fault_that_had_ended_by_then_was_no_part_of_it() -> None:
    """An update leaves out a fault whose end has passed, and so does its history."""
    until = "2026-11-25T13:07:30Z"
    drilled = {"backend": service(drill={"delay": {"percentage": 50, "fixedDelay": "3s"}, "until": until})}
    found = read_history([update(8, drilled), update(7, drilled), FIRST])
    assert [dict(change.changes) for change in found[:2]] == [
        {"backend": (f"fault removed: 50 % of requests delayed 3 s, until {until}",)},
        {"backend": (f"new fault: 50 % of requests delayed 3 s, until {until}",)},
    ]


def without_value(entry: dict[str, Any]) -> dict[str, Any]:
    """The entry as Pulumi has it where the services have a secret and nobody asks for it, or can decrypt it."""
    return {**entry, "config": {**entry["config"], "weir:services": {"secret": True}}}


def undecrypted(entry: dict[str, Any]) -> dict[str, Any]:
    """The entry as Pulumi has it where it was asked for secrets and could not decrypt them (pulumi stack history,
    stack_history.go).
    """
    return {
        **entry,
        "config": {**entry["config"], "weir:services": {"secret": True, "value": "ERROR_UNABLE_TO_DECRYPT"}},
    }


ODD = update(2, {"backend": service(nobodyKnows=1)})


@pytest.mark.parametrize(
    "odd", [ODD, without_value(MOVED), undecrypted(MOVED)], ids=["refused today", "secret", "not decrypted"]
)
def test_of_a_config_that_nobody_can_read_nothing_is_told(odd: dict[str, Any]) -> None:
    """Neither of it nor of the update after it, whose changes may be its own; the rest is shown, and so is that they
    are not known.
    """
    found = read_history([SAME, AGAIN, odd, FIRST])
    assert [(change.known, dict(change.changes)) for change in found] == [
        (True, {}),
        (False, {}),
        (False, {}),
        (True, {"backend": ("new service: v1 100 %",)}),
    ]


def test_a_failed_update_that_nobody_can_read_hides_nothing() -> None:
    """It counts for nothing in what comes after it."""
    found = read_history([MOVED, {**without_value(FAILED)}, FIRST])
    assert [change.known for change in found] == [True, False, True]
    assert dict(found[0].changes) == {"backend": ("v2 0 % → 20 % (v1 100 % → 80 %)",)}


def test_the_address_of_a_receiver_hides_nothing() -> None:
    """It is a secret that is no part of any object, whether or not Pulumi can decrypt it."""
    receiver = {**MOVED, "config": {**MOVED["config"], "weir:notify": {"secret": True}}}
    broken = {
        **FIRST,
        "config": {**FIRST["config"], "weir:notify": {"secret": True, "value": "ERROR_UNABLE_TO_DECRYPT"}},
    }
    assert [change.known for change in read_history([receiver, broken])] == [True, True]


def test_a_secret_is_compared_and_never_told() -> None:
    """Decrypted, an update with secrets is told as any other; of a variable, only that it is another one."""

    def secret(minute: int, value: str) -> dict[str, Any]:
        entry = update(minute, {"backend": service(env={"TOKEN": value})})
        entry["config"]["weir:services"]["secret"] = True
        return entry

    found = read_history([secret(3, "hunter3"), secret(2, "hunter2"), FIRST])
    assert [dict(change.changes) for change in found] == [
        {"backend": ("v1 environment changed", "v2 environment changed")},
        {"backend": ("v1 environment changed", "v2 environment changed")},
        {"backend": ("new service: v1 100 %",)},
    ]
    assert "hunter" not in str(found)


def test_programs_get_the_same() -> None:
    """Keys of the JSON, with plain lists and a moment in RFC 3339."""
    [change] = read_history([FIRST])
    assert as_json(change) == {
        "update": 1,
        "time": "2026-11-25T13:01:00Z",
        "result": "",
        "command": "update",
        "reason": "",
        "who": "",
        "commit": "4fd5776ee298",
        "dirty": False,
        "known": True,
        "subject": "Add the backend",
        "author": "Ada",
        "changes": {"backend": ["new service: v1 100 %"]},
    }


def test_programs_get_each_change_as_data() -> None:
    """From one update to the next, by service, with the words that stand in `changes`."""
    [again, moved, first] = map(document, read_history([AGAIN, MOVED, FIRST]))
    assert first["details"]["backend"][0]["after"] == {"v1": 100}
    [split] = moved["details"]["backend"]
    assert (split["kind"], split["route"], split["version"]) == ("split", "default", "v2")
    assert (split["before"], split["after"]) == ({"v1": 100}, {"v1": 80, "v2": 20})
    assert [(each["kind"], each["before"], each["after"]) for each in again["details"]["backend"]] == [
        ("split", {"v1": 80, "v2": 20}, {"v1": 50, "v2": 50}),
        ("image", "app:1", "app:2"),
    ]
    for update in (again, moved, first):
        assert {name: [each["text"] for each in told] for name, told in update["details"].items()} == update["changes"]
