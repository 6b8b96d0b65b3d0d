"""A version is taken back: the traffic first, whatever it takes, and then the end is written down."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime

from weir.cluster.errors import ClusterError
from weir.rollout import record
from weir.rollout.keeper import Keeper
from weir.rollout.member import Member
from weir.rollout.patience import patiently
from weir.rollout.protocols import Traffic


class Abort:
    """That of one process's rollout."""

    def __init__(
        self, keeper: Keeper, members: Sequence[Member], traffic: Traffic, tell: Callable[[str], None]
    ) -> None:
        self._keeper, self._members, self._traffic, self._tell = keeper, members, traffic, tell

    def abort(self, why: str) -> None:
        """Take all versions back; nothing where another process has promoted them meanwhile. Raises WeirError where
        that could not be done for a minute.
        """
        try:
            # Killed in between, it leaves a version without requests: what led here is all that could tell then.
            self._keeper.keep(self._keeper.states)
        except ClusterError:
            pass
        except record.AnotherWroteError:
            there = patiently(self._keeper.there, self._tell)
            if {each.state.phase for each in there.values()} == {"promoted"}:
                self._keeper.adopt(there)
                return
        self.follow(why)

    def follow(self, why: str) -> None:
        """Take back what is aborted, or is to be. Raises as above."""

        def once() -> None:
            # That another one goes on with it is no reason to leave requests at a version that is worse.
            with self._keeper.alive(whoever=True):
                self._traffic.take_back(self._keeper.states)

        # The end can be written down later.
        patiently(once, self._tell)
        self._written(why)

    def _written(self, why: str) -> None:
        now = datetime.now(UTC)
        states = [
            each.state if each.state.phase == "aborted" else each.ended("aborted", why, now) for each in self._members
        ]
        if states == self._keeper.states:
            return
        try:
            patiently(lambda: self._keeper.keep(states), self._tell)
        except record.AnotherWroteError:
            # Without requests there is nothing for another process to go on with.
            patiently(lambda: self._keeper.end(why), self._tell)
