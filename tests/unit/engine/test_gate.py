"""What holds the rules of an update back: the program is told once, and what ended the update is not mistaken for it."""

from __future__ import annotations

from threading import Event
from typing import Any

import pytest

from weir.engine.gate import Gate
from weir.errors import WeirError


class Program:
    """The process of the program: notes what it is told."""

    def __init__(self) -> None:
        self.told: list[bool] = []
        self.heard = Event()

    def let(self, may: bool) -> None:
        self.told.append(may)
        self.heard.set()


def failing(_: Event) -> bool:
    raise WeirError("callers do not answer")


@pytest.mark.parametrize(("hold", "may"), [(lambda _: True, True), (lambda _: False, False), (failing, False)])
def test_the_program_is_told_what_the_hold_says(hold: Any, may: bool) -> None:
    """While the update runs; a hold that fails is a no."""
    program: Any = Program()
    gate = Gate(hold)
    with gate.beside(program):
        assert program.heard.wait(10)
    assert program.told == [may]
    assert (gate.opened is not None, gate.closed) == (may, not may)


def test_an_update_that_ends_before_is_not_held_back() -> None:
    """It has failed for a reason of its own, or Ctrl-C has come: nothing is written any more."""
    program: Any = Program()
    gate = Gate(lambda ended: not ended.wait(10))
    with gate.beside(program):
        assert program.told == []
    assert (program.told, gate.opened, gate.closed) == ([False], None, False)


@pytest.mark.parametrize(("hold", "may"), [(lambda _: True, True), (failing, False)])
def test_where_no_program_can_be_told_nothing_is_prepared(hold: Any, may: bool) -> None:
    """The hold is over before the update begins."""
    assert Gate(hold).ask() is may
