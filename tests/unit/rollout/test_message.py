"""What receivers are told of a rollout: what a chat shows, and the data."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import get_args

import pytest

from weir.model.config.notify import Event
from weir.rollout.message import EVENTS, message
from weir.rollout.state import Phase, State, Step

AT = datetime(2026, 11, 27, 12, 30, 5, 999, tzinfo=UTC)
STATE = State(
    "backend", "v2", "v1", (Step(Decimal("0.5"), 60), Step(Decimal(25), 60)), "weir rollout backend v2", "ann@host",
    datetime(2026, 11, 27, 12, tzinfo=UTC), phase="step", index=1, hurt=12, requests=3000,
)  # fmt: skip


def test_all_of_it_stands_in_the_message() -> None:
    """Under the names that the documentation has."""
    state = replace(STATE, phase="aborted", why="v2: 12 of 300 failed")
    assert message(state, "dev", "demo", AT) == {
        "text": "dev: v2 of backend was taken back at 25 %: v2: 12 of 300 failed; 12 of its 3,000 requests failed",
        "event": "abort",
        "service": "backend",
        "version": "v2",
        "stable": "v1",
        "stack": "dev",
        "namespace": "demo",
        "share": 0,
        "step": 2,
        "of": 2,
        "why": "v2: 12 of 300 failed",
        "requests": 3000,
        "hurt": 12,
        "who": "ann@host",
        "command": "weir rollout backend v2",
        "at": "2026-11-27T12:30:05Z",
    }


@pytest.mark.parametrize(
    ("phase", "index", "event", "share", "step", "text"),
    [
        ("begun", 0, "begin", 0, 0, "dev: v2 of backend begins to take over from v1 (0.5, 25 %), by ann@host"),
        ("step", 0, "step", 0.5, 1, "dev: v2 of backend gets 0.5 % of the requests (step 1 of 2)"),
        ("held", 1, "hold", 25, 2, "dev: v2 of backend is held at 25 %: odd; 12 of its 3,000 requests failed. To go on: weir rollout backend --continue; to end it: weir abort backend"),
        ("promoted", 1, "promotion", 100, 2, "dev: v2 of backend is the stable version now, in place of v1; 12 of its 3,000 requests failed"),
    ],
)  # fmt: skip
def test_each_event_has_its_sentence(phase: Phase, index: int, event: str, share: float, step: int, text: str) -> None:
    """And its share and step."""
    found = message(replace(STATE, phase=phase, index=index, why="odd"), "dev", "demo", AT)
    assert (found["event"], found["share"], found["step"], found["text"]) == (event, share, step, text)


def test_each_event_of_the_config_is_one_of_a_rollout() -> None:
    """Each phase has one, and no event can be asked for that never comes."""
    assert set(EVENTS) == set(get_args(Phase))
    assert sorted(EVENTS.values()) == sorted(get_args(Event))


def test_text_from_outside_is_shown_in_one_visible_line() -> None:
    """Such as the last line of a check."""
    found = message(replace(STATE, phase="aborted", why="a\x1b[2Jb\nc"), "dev", "demo", AT)
    assert "a\\u001b[2Jb\\nc" in found["text"]
