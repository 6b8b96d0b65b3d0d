"""Whose a rollout is: one process writes down what it sees, and hears where another one has ended the rollout or goes
on with it.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace

from weir.cluster.errors import ClusterError
from weir.cluster.kubectl import Kubectl
from weir.errors import WeirError
from weir.rollout import record
from weir.rollout.member import Member
from weir.rollout.state import State

SAVE_SECONDS = 5.0
"""From one writing down to the next: who is silent for longer is gone."""


class Keeper:
    """What there is in the cluster of the rollout that this process goes on with."""

    def __init__(self, kubectl: Kubectl, members: Sequence[Member], told: Callable[[State], None]) -> None:
        """`told`: of each phase and step that is written down, by service."""
        self._kubectl, self._members, self._told = kubectl, members, told
        self._saved = time.monotonic()
        self.turn = threading.RLock()
        """Held by whoever counts, or writes down what was counted: one thread may look while another keeps."""
        self._lost: record.AnotherWroteError | None = None

    @property
    def states(self) -> list[State]:
        """As they were last kept."""
        return [each.state for each in self._members]

    @property
    def due(self) -> bool:
        """Whether it is time to write something down. What is not kept yet, a process that is killed loses."""
        return time.monotonic() - self._saved >= SAVE_SECONDS

    def keep(self, states: Sequence[State]) -> None:
        """Write the states down, with all that was counted by now. Raises AnotherWroteError, ClusterError."""
        with self.turn:
            self._keep(states)

    def _keep(self, states: Sequence[State]) -> None:
        seen = [member.seen(state) for member, state in zip(self._members, states, strict=True)]
        try:
            kept = record.write(self._kubectl, seen, {each.state.service: each.kept for each in self._members})
        except record.AnotherWroteError:
            there = self.there()
            if not all(state.owner and state.service in there for state in seen) or any(
                there[state.service].state.owner != state.owner for state in seen
            ):
                raise
            # This process' own write, of which the answer was lost, or somebody has opened the gate that it waits at.
            seen = [_opened(state, there[state.service].state) for state in seen]
            kept = record.write(self._kubectl, seen, there)
        for member, state in zip(self._members, seen, strict=True):
            changed = (member.state.phase, member.state.index) != (state.phase, state.index)
            member.keep(kept[state.service])
            if changed:
                self._told(state)
        self._saved = time.monotonic()

    def require_own(self) -> None:
        """Raise AnotherWroteError where this process has heard that the rollout is not its own any more."""
        if self._lost:
            raise self._lost

    def there(self) -> dict[str, record.Kept]:
        """What the cluster has, by service. Raises ClusterError, UnreadableError."""
        return record.read_all(self._kubectl, [each.service for each in self.states])

    def adopt(self, there: dict[str, record.Kept]) -> None:
        """What another one has written, is so."""
        self._lost = None
        for member in self._members:
            if member.state.service in there:
                member.keep(there[member.state.service])

    def end(self, why: str) -> None:
        """The rollout is over, without requests, whoever goes on with it. Raises ClusterError, AnotherWroteError."""
        record.abort(self._kubectl, [each.service for each in self.states], why)
        there = self.there()
        self.adopt(there)
        for member in self._members:
            if member.state.service not in there:
                member.keep(record.Kept(replace(member.state, phase="aborted", why=why), ""))

    @contextmanager
    def alive(self, *, whoever: bool = False) -> Iterator[None]:
        """Within the block, which writes nothing down itself, others can see that this process is there.

        Raises AnotherWroteError at its end where it hears that the rollout is not its own any more, also in place of
        what the block fails with; not where the block is to be done `whoever` goes on with it.
        """
        done, self._lost = threading.Event(), None

        def beat() -> None:
            while not self._lost and not done.wait(SAVE_SECONDS):
                self._beat()

        thread = threading.Thread(target=beat, daemon=True)
        thread.start()
        try:
            yield
        except WeirError:
            done.set()
            thread.join()
            if not self._lost:
                self._beat()
            if self._lost and not whoever:
                raise self._lost from None
            raise
        finally:
            done.set()
            thread.join()
        if not whoever:
            self.require_own()

    def _beat(self) -> None:
        try:
            with suppress(ClusterError, record.UnreadableError):
                self.keep(self.states)
        except record.AnotherWroteError as error:
            self._lost = error


def _opened(state: State, there: State) -> State:
    """With its gate open, where somebody has opened it meanwhile."""
    same = (state.phase, state.index) == ("step", there.index)
    return replace(state, released=True) if same and there.released else state
