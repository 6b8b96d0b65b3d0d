"""How a rollout is shown: a picture that fits a terminal, and a line where there is none."""

from __future__ import annotations

import io
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from weir.analysis import Comparison, Counts, Verdict
from weir.cli.rolloutview import latency, line, picture
from weir.console import Console
from weir.model.config.rollout import Rollout
from weir.rollout.decide import Next
from weir.rollout.protocols import Seen
from weir.rollout.state import State, Step

BEGAN = datetime(2026, 11, 27, 12, tzinfo=UTC)
STEPS = tuple(Step(Decimal(share), 60.0) for share in ("5", "25", "50.5"))
STATE = State(
    "backend", "v2", "v1", STEPS, "weir rollout backend v2", "ann@host", BEGAN, phase="step", index=1, since=BEGAN
)
PAUSE = Next("wait", "the step's pause is not over", 17.0)
NOW = BEGAN + timedelta(seconds=43)


def counts(requests: int, failures: int, *slower: int) -> Counts:
    """Those of a look, with so many answers slower than 0.1 s, 0.25 s and 1 s."""
    return Counts(requests, failures, dict(zip((0.1, 0.25, 1.0), slower, strict=bool(slower))))


def verdict(stable: Counts, canary: Counts) -> Verdict:
    return Comparison().look(stable=stable, canary=canary)


def drawn(seen: Seen, columns: int) -> str:
    """The picture on a screen, without blanks at the ends of lines."""
    console = Console()
    console.width, console.file = columns, (screen := io.StringIO())
    console.print(picture(seen, NOW))
    assert max(len(each) for each in screen.getvalue().splitlines()) <= columns
    return "\n".join(each.rstrip() for each in screen.getvalue().splitlines())


@pytest.mark.parametrize("columns", [80, 120])
def test_the_picture_fits(columns: int) -> None:
    """Steps and share, failures and times of both versions with their intervals, the evidence as bars, the time left."""
    found = verdict(counts(9000, 9, 900, 90, 4), counts(1000, 8, 100, 12, 3))
    assert drawn(Seen(STATE, found, PAUSE, Rollout()), columns).splitlines() == [
        "rollout of backend: v2 takes over from v1; Ctrl-C asks what to do",
        "steps  5 %  →  25 % for 0:43 of 1:00  →  50.5 %  →  stable",
        "     requests            failed    95 % at all times",
        "v2      1,000        8 (0.80 %)      0.18 % to 2.1 %",
        "v1      9,000        9 (0.10 %)    0.025 % to 0.25 %",
        "        timed   slower than 1 s    95 % at all times",
        "v2      1,000        3 (0.30 %)     0.016 % to 1.3 %",
        "v1      9,000       4 (0.044 %)   0.0041 % to 0.16 %",
        "worse     ━━━━━━━━━━━━━━━━━━━━━╸          28.3 of 100",
        "no worse                                  1.0 of 20",
        "the step's pause is not over (0:17 left)",
    ]


@pytest.mark.parametrize("columns", [80, 120])
def test_a_picture_without_times(columns: int) -> None:
    """Where nobody has any, and where nobody has answered anything yet."""
    found = verdict(counts(9000, 9), counts(1000, 1))
    assert drawn(Seen(STATE, found, PAUSE, Rollout()), columns).splitlines()[2:5] == [
        "     requests       failed     95 % at all times",
        "v2      1,000   1 (0.10 %)   0.00011 % to 0.82 %",
        "v1      9,000   9 (0.10 %)     0.025 % to 0.25 %",
    ]
    waiting = Next("wait", "no request of v2 was seen yet", 1800.0)
    assert drawn(Seen(STATE, Comparison().verdict(), waiting, Rollout()), columns).splitlines() == [
        "rollout of backend: v2 takes over from v1; Ctrl-C asks what to do",
        "steps  5 %  →  25 % for 0:43 of 1:00  →  50.5 %  →  stable",
        "     requests   failed   95 % at all times",
        "v2          0        –                   –",
        "v1          0        –                   –",
        "worse                                     1.0 of 100",
        "no worse                                  1.0 of 20",
        "no request of v2 was seen yet (30:00 left)",
    ]


def test_a_picture_of_a_long_rollout_fits_80_columns() -> None:
    """More steps, longer names and reasons than a line holds, and millions of requests."""
    steps = tuple(Step(Decimal(share), 86400.0) for share in range(1, 20))
    state = State(
        "a-service-with-a-long-name", "a-version-with-a-long-name", "another-version-of-it", steps, "", "", BEGAN
    )
    looks = counts(900_000_000, 90_000_000, 9, 9, 9), counts(900_000_000, 80_000_000, 9, 9, 9)
    shown = drawn(Seen(state, verdict(*looks), Next("wait", 30 * "why it waits "), Rollout()), 80)
    for part in ("80,000,000 (8.9 %)", "90,000,000 (10 %)", "19 %", "a-version-with-a-long-name", "900,000,000"):
        assert part in shown


@pytest.mark.parametrize(
    ("stable", "canary", "bound"),
    [
        (counts(9000, 9), counts(1000, 1), None),
        # Nothing is slower than it should be: the bound that few answers of the stable version exceed.
        (counts(9000, 9, 900, 90, 4), counts(1000, 1, 90, 9, 0), 0.25),
        (counts(9000, 9, 400, 90, 4), counts(1000, 1, 40, 9, 0), 0.1),
        (counts(0, 0, 0, 0, 0), counts(10, 0, 5, 5, 5), 0.1),
        # What is slower than it should be.
        (counts(9000, 9, 900, 90, 4), counts(1000, 1, 100, 10, 9), 1.0),
        (counts(9000, 9, 900, 90, 4), counts(1000, 1, 900, 10, 0), 0.1),
    ],
)
def test_the_times_that_are_shown(stable: Counts, canary: Counts, bound: float | None) -> None:
    """Those that say most."""
    found = latency(verdict(stable, canary))
    assert (found and found.bound) == bound


def test_without_a_terminal_a_line_has_it() -> None:
    """Share, time, failures of both versions, what is slower than it should be, and what is waited for."""
    well, slow = (
        verdict(counts(9000, 9, 900, 90, 4), canary)
        for canary in (counts(1000, 1, 90, 9, 0), counts(1000, 8, 100, 12, 9))
    )
    assert line(Seen(STATE, well, PAUSE, Rollout()), NOW) == (
        "backend: v2 at 25 % for 0:43; failed: 1 of 1,000 requests (0.10 %), v1 9 of 9,000 requests (0.10 %); the step's "
        "pause is not over (0:17 left)"
    )
    assert line(Seen(STATE, slow, Next("hold", "somebody said so"), Rollout()), NOW) == (
        "backend: v2 at 25 % for 0:43; failed: 8 of 1,000 requests (0.80 %), v1 9 of 9,000 requests (0.10 %); slower than "
        "1 s: 9 (0.90 %), v1 4 (0.044 %); somebody said so"
    )
