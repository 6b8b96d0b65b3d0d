"""One process's part in a rollout: it looks, decides, and has done what follows, until there is an end, or nothing
is due. Several services go through the steps as one.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Literal, Protocol

from weir.analysis import Counts, Verdict
from weir.cluster.errors import ClusterError
from weir.cluster.kubectl import Kubectl
from weir.model.config.rollout import Check, Rollout
from weir.rollout import record
from weir.rollout.decide import Next, together
from weir.rollout.member import Member
from weir.rollout.metrics import Metrics
from weir.rollout.state import OVER, Phase, State

LOOK_SECONDS = 1.0
"""From one look to the next."""

SAVE_SECONDS = 5.0
"""From one writing down of what was seen to the next."""

ONCE_SECONDS = 10.0
"""How long a process looks that is to do what is due and no more."""

PATIENCE_SECONDS = 60.0
"""How long the cluster may fail to answer before a rollout is left as it is: proxies keep what they have."""


class Traffic(Protocol):
    """Moves requests of all services of a rollout at once. Each returns once proxies have acknowledged it; raises
    WeirError.
    """

    def move(self, states: Sequence[State]) -> None:
        """Give each version the share of its step."""

    def promote(self, states: Sequence[State]) -> None:
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


class Run:
    """A rollout in this process, from where its states say that it is."""

    def __init__(
        self,
        kubectl: Kubectl,
        settings: Mapping[str, Rollout],
        kept: Mapping[str, record.Kept],
        *,
        traffic: Traffic,
        source: Source,
        check: Callable[[Check, State], str],
        show: Callable[[Sequence[Seen]], None],
        metrics: Mapping[str, Metrics] | None = None,
        once_seconds: float | None = None,
        told: Callable[[State], None] = lambda _: None,
    ) -> None:
        """`settings`, `kept`: by service, the first one first. `check`: runs a check; why it failed, or nothing.
        `show`: told of each look. `metrics`: the user's own, by service. `once_seconds`: in place of ONCE_SECONDS, for
        a source that has news less often. `told`: of the begin, of each step and hold, and of the end, by service.
        """
        self._kubectl = kubectl
        self._traffic, self._source, self._check, self._show = traffic, source, check, show
        self._told = told
        own = metrics or {}
        self._members = [Member(settings[name], each, own.get(name) or Metrics()) for name, each in kept.items()]
        self._once_seconds = ONCE_SECONDS if once_seconds is None else once_seconds
        self._saved = time.monotonic()

    @property
    def states(self) -> list[State]:
        """How far it is, service by service."""
        return [each.state for each in self._members]

    @property
    def state(self) -> State:
        """How far the first service is."""
        return self.states[0]

    def until_end(self, *, once: bool = False) -> State:
        """Do what is due, one thing after the other. `once`: return where nothing is due.

        Raises WeirError where a step could not be applied, or the cluster did not answer for too long: the state says
        how far it got.
        """
        try:
            return self._until_end(once)
        except record.AnotherWroteError:
            # An abort of one of its services ends it for whoever is at it, and for the others.
            now = record.read_all(self._kubectl, [each.service for each in self.states])
            if len(now) < len(self._members) or not any(each.state.over for each in now.values()):
                raise
            for member in self._members:
                member.keep(now[member.state.service])
            self._level()
            return self.state

    def _until_end(self, once: bool) -> State:
        self._level()
        if all(each.phase in (*OVER, "held") for each in self.states):
            return self.state
        self._anew()
        started = answered = time.monotonic()
        while not self.state.over:
            began = time.monotonic()
            try:
                self._look()
                answered = time.monotonic()
            except ClusterError:
                if time.monotonic() - answered > PATIENCE_SECONDS:
                    raise
            following = self._next()
            if following.kind == "wait":
                if once and time.monotonic() - started >= self._once_seconds:
                    self._keep(self.states)
                    return self.state
                time.sleep(max(0.0, LOOK_SECONDS - (time.monotonic() - began)))
            else:
                self._do(following)
                if any(each.phase == "held" for each in self.states):
                    return self.state
        return self.state

    def end(self, how: Literal["hold", "abort"]) -> None:
        """What somebody has said in between."""
        self._do(Next(how, "somebody said so"))

    def _level(self) -> None:
        """Bring all services to where the foremost is: a process may have ended between one and the next."""
        places = {(each.phase == "begun", each.index) for each in self.states}
        for phase in ("promoted", "aborted"):
            ended = [each for each in self.states if each.phase == phase]
            if ended and len(ended) < len(self._members):
                self._do(Next("promote" if phase == "promoted" else "abort", f"{ended[0].service}: {ended[0].why}"))
                return
        held = [each for each in self.states if each.phase == "held"]
        if held and len(held) < len(self._members):
            self._do(Next("hold", f"{held[0].service}: {held[0].why}"))
            return
        for each in self.states:
            if each.phase == "begun":
                self._told(each)
        if not self.state.over and (len(places) > 1 or self.state.phase == "begun"):
            self._enter(max(index for _, index in places))

    def _look(self) -> None:
        counts = self._source.look()
        for member in self._members:
            if member.state.service in counts:
                member.count(*counts[member.state.service])
        # After what was counted, which would be lost where these do not answer.
        for member in self._members:
            member.metrics.look()
        # What is not kept yet, a process that is killed loses: a few looks.
        if time.monotonic() - self._saved >= SAVE_SECONDS:
            self._keep(self.states)

    def _next(self) -> Next:
        now = datetime.now(UTC)
        alone = [(member, member.next(now)) for member in self._members]
        self._show([Seen(member.state, member.verdict, each, member.settings) for member, each in alone])
        return together({member.state.service: each for member, each in alone})

    def _do(self, following: Next) -> None:
        states = self.states
        match following.kind:
            case "go on":
                # Whoever has ended the rollout meanwhile is heard before traffic moves.
                self._keep(states)
                self._enter(self.state.index + 1)
            case "promote":
                self._keep(states)
                self._traffic.promote(states)
                self._phase("promoted", following.why)
            case "abort":
                # First the traffic: what is written down can be written later.
                self._traffic.take_back(states)
                self._aborted(following.why)
            case "hold":
                self._phase("held", following.why)
            case "check":
                self._run_check(following)

    def _run_check(self, following: Next) -> None:
        assert following.check is not None
        state = next((each for each in self.states if each.service == following.service), self.state)
        settings = next(each.settings for each in self._members if each.state is state)
        if failed := self._check(following.check, state):
            self._do(Next(settings.on_regression, failed))
        else:
            passed = replace(state, checked=(*state.checked, following.check.run))
            self._keep([passed if each is state else each for each in self.states])

    def _enter(self, index: int) -> None:
        self._traffic.move([replace(each, index=index) for each in self.states])
        for member in self._members:
            member.begin_step()
        # What was counted while proxies changed over belongs to no step.
        self._anew()
        now = datetime.now(UTC)
        self._keep([each.at_step(index, now) for each in self.states])

    def _anew(self) -> None:
        # Traffic has moved, and that is written down, whoever answers: to wait for an answer is for the looks.
        with suppress(ClusterError):
            self._source.anew()

    def _aborted(self, why: str) -> None:
        try:
            self._phase("aborted", why)
        except record.AnotherWroteError:
            # Without requests there is nothing for another process to go on with.
            services = [each.service for each in self.states]
            record.abort(self._kubectl, services, why)
            there = record.read_all(self._kubectl, services)
            for member in self._members:
                member.keep(there[member.state.service])

    def _phase(self, phase: Phase, why: str) -> None:
        """One that ends a step without another one."""
        now = datetime.now(UTC)
        self._keep([each.state if each.state.over else each.ended(phase, why, now) for each in self._members])

    def _keep(self, states: Sequence[State]) -> None:
        """Write the states down, with all that was counted by now."""
        seen = [member.seen(state) for member, state in zip(self._members, states, strict=True)]
        before = {each.state.service: each.kept for each in self._members}
        kept = record.write(self._kubectl, seen, before)
        for member, state in zip(self._members, seen, strict=True):
            changed = (member.state.phase, member.state.index) != (state.phase, state.index)
            member.keep(kept[state.service])
            if changed:
                self._told(state)
        self._saved = time.monotonic()
