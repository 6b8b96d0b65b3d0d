"""What a rollout has of the world: who moves its traffic, who counts its answers, and what it shows of itself."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeAlias

from weir.analysis import Counts, Verdict
from weir.model.config.rollout import Rollout
from weir.rollout.ahead import Ahead
from weir.rollout.decide import Next
from weir.rollout.state import State

Move: TypeAlias = Callable[[Sequence[State], Ahead | None], None]


class Traffic(Protocol):
    """Moves requests of all services of a rollout at once. Each returns once proxies have acknowledged it; raises
    WeirError. `ahead`: holds back requests, while all else is prepared. HeldBackError: it has said that none are to
    move. It is not asked where there is nothing to apply.
    """

    def move(self, states: Sequence[State], ahead: Ahead | None) -> None:
        """Give each version the share of its step."""

    def promote(self, states: Sequence[State], ahead: Ahead | None) -> None:
        """Make each version the stable one."""

    def take_back(self, states: Sequence[State]) -> None:
        """Give none of the versions anything."""


class Source(Protocol):
    """Counts answers."""

    def look(self) -> Mapping[str, tuple[Counts, Counts]]:
        """Those of the stable version and of the new one since the last look, by service; not of one of which nobody
        can tell. Raises ClusterError.
        """

    def anew(self) -> None:
        """What was counted until now belongs to another split of the traffic, and to no look. Raises ClusterError."""


@dataclass(frozen=True, slots=True)
class Seen:
    """What there is to show of a service: the state, the verdict over the whole rollout and the step, and what is
    waited for.
    """

    state: State
    verdict: Verdict
    next: Next
    settings: Rollout
