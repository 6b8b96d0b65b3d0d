"""What a rollout has of the world: who moves its traffic, who counts its answers, and what it shows of itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from weir.analysis import Counts, Verdict
from weir.model.config.rollout import Rollout
from weir.rollout.decide import Next
from weir.rollout.state import State


class Traffic(Protocol):
    """Moves requests of all services of a rollout at once. Each returns once proxies have acknowledged it; raises
    WeirError. `at`: the moment before which no request moves, in seconds of the epoch.
    """

    def move(self, states: Sequence[State], at: float) -> None:
        """Give each version the share of its step."""

    def promote(self, states: Sequence[State], at: float) -> None:
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
