"""The config of earlier updates, from histories that Pulumi has written (histories/README.md)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from weir.engine.earlier import Last, last_update, update, updates
from weir.errors import UsageError

HISTORIES = Path(__file__).parent / "histories"


def history(name: str = "decrypted") -> list[dict[str, Any]]:
    """As `pulumi stack history --json` prints it."""
    found: list[dict[str, Any]] = json.loads((HISTORIES / f"{name}.json").read_text())
    return found


def test_an_update_has_the_services_that_it_was_made_with() -> None:
    """Decrypted, with the numbers that weir history has."""
    found = update(history(), 3)
    assert (found.number, found.title, f"{found.when:%Y-%m-%d}") == (3, "weir set backend v2=20", "2026-11-28")
    assert found.services == {
        "backend": {
            "image": "app:1",
            "port": 80,
            "env": {"LOG": "info", "PORT": 8080, "TOKEN": "hunter1"},
            "versions": {"v1": {"args": ["-text=one"]}, "v2": None},
            "stable": "v1",
            "canary": {"v2": 20},
            "retries": {"attempts": 3, "perTryTimeout": "2s"},
            "routes": [{"name": "beta", "match": [{"headers": {"x-user": {"exact": "beta"}}}], "stable": "v2"}],
        }
    }
    assert found.config["clusterDomain"] == "corp.internal"
    assert (set(found.hiding), set(found.unknown)) == ({"services"}, set())


@pytest.mark.parametrize("value", [None, "ERROR_UNABLE_TO_DECRYPT"])
def test_what_pulumi_cannot_decrypt_is_not_known(value: str | None) -> None:
    """The rest is; that text it gives in its place (pulumi stack history, stack_history.go)."""
    entries = history("encrypted")
    for entry in entries if value else ():
        entry["config"]["weir:services"]["value"] = value
    found = update(entries, 3)
    assert (set(found.unknown), found.services) == ({"services"}, {})
    assert found.config == {"namespace": "demo", "clusterDomain": "corp.internal"}


def test_those_that_succeeded_can_be_gone_back_to() -> None:
    """Newest first; a rollout's steps are told from the rest."""
    assert [(each.number, each.is_step) for each in updates(history())] == [
        (4, False), (3, False), (2, True), (1, False),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("message", "step"),
    [
        ("weir rollout backend v2 (step 1 of 3: 5 %)\nby: ann@host", True),
        ("weir rollout backend v2 (promoted)\nby: ann@host", False),
        ("weir rollout backend v2 (taken back)\nby: ann@host", False),
        ("Explain weir rollout backend v2 (step 1 of 3: 5 %)", False),
    ],
)
def test_a_step_is_known_by_its_message(message: str, step: bool) -> None:
    """As `weir.cli.rollout_steps` writes it; the end of a rollout is none."""
    entries = history()
    entries[-1]["message"] = message
    assert update(entries, 1).is_step is step


@pytest.mark.parametrize(
    ("number", "said"),
    [
        (7, "there is no update 7 in the history of the stack: it has 1 to 6; weir history lists them"),
        (6, "update 6 is a refresh, which applied no config; weir history --all lists all updates"),
        (5, "update 5 did not succeed (failed): what its config says may never have stood. Name one that succeeded: weir history"),
    ],
)  # fmt: skip
def test_an_update_to_which_nobody_can_go_back_is_refused(number: int, said: str) -> None:
    """With what to do."""
    with pytest.raises(UsageError) as refused:
        update(history(), number)
    assert str(refused.value) == said


@pytest.mark.parametrize(
    ("title", "result", "last"),
    [
        ("weir set backend v2=20", "succeeded", Last(True, None, 8)),
        ("weir set backend v2=20", "failed", Last(False, None, 8)),
        ("weir rollback backend --to 3", "succeeded", Last(True, None, 3)),
        ("weir rollback backend --to 3", "failed", Last(False, 3, 3)),
        ("weir rollback --to 3", "succeeded", Last(True, None, 3)),
        ("weir rollback shop backend --to 3", "failed", Last(False, 3, 3)),
        ("weir rollback shop --to 3", "failed", Last(False, None, 8)),
    ],
)
def test_a_rollback_is_no_update_to_go_back_from(title: str, result: str, last: Last) -> None:
    """Said again, it goes on where it failed, and further back where it succeeded; never to what it has left."""
    newest = {**history()[1], "message": f"{title}\nby: ann@host", "result": result}
    # A refresh since is none.
    assert last_update([history()[0], newest, *history()[1:]], ["backend"]) == last


def test_a_stack_that_was_never_updated_has_none() -> None:
    """And says so."""
    with pytest.raises(UsageError, match="it has none yet"):
        update([], 1)
    assert list(updates([])) == []
