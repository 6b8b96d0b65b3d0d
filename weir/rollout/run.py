"""One process's part in a rollout: it looks, decides, and has done what follows, until there is an end, or nothing
is due. Several services go through the steps as one.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from threading import Event
from typing import Literal

from weir.cluster.errors import ClusterError
from weir.cluster.kubectl import Kubectl
from weir.engine.errors import HeldBackError
from weir.model.config.rollout import Check, Rollout
from weir.rollout import patience, record
from weir.rollout.abort import Abort
from weir.rollout.ahead import LEAST_SECONDS, PAUSE_PART, Ahead
from weir.rollout.decide import Next, together
from weir.rollout.keeper import Keeper
from weir.rollout.member import Member
from weir.rollout.metrics import Metrics
from weir.rollout.patience import patiently
from weir.rollout.protocols import Move, Seen, Source, Traffic
from weir.rollout.state import OVER, State

LOOK_SECONDS = 1.0
"""From one look to the next."""

ONCE_SECONDS = 10.0
"""How long a process looks that is to do what is due and no more."""

_PODS_SECONDS = 15.0
"""From one question of what the versions' pods are made of to the next."""


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
        tell: Callable[[str], None] = lambda _: None,
        made_of: Callable[[], Mapping[str, str]] = dict,
    ) -> None:
        """`settings`, `kept`: by service, the first one first. `check`: runs a check; why it failed, or nothing.
        `show`: told of each look. `metrics`: the user's own, by service. `once_seconds`: in place of ONCE_SECONDS, for
        a source that has news less often. `told`: of the begin, of each step and hold, and of the end, by service.
        `tell`: what an operator should know. `made_of`: the templates of the versions' pods, by service
        (`weir.cluster.templates`).
        """
        self._traffic, self._source, self._check, self._show = traffic, source, check, show
        self._told, self._tell, self._made_of = told, tell, made_of
        own = metrics or {}
        self._members = [Member(settings[name], each, own.get(name) or Metrics()) for name, each in kept.items()]
        self._keeper = Keeper(kubectl, self._members, told)
        self._abort = Abort(self._keeper, self._members, traffic, tell)
        self._once_seconds = ONCE_SECONDS if once_seconds is None else once_seconds
        self._looking: float | None = None
        self._pods_asked = -_PODS_SECONDS
        self._took = 0.0  # of the first move, in seconds: later ones, for which all is warm, need less

    @property
    def states(self) -> list[State]:
        """How far it is, service by service."""
        return self._keeper.states

    @property
    def state(self) -> State:
        """How far the first service is."""
        return self.states[0]

    def until_end(self, *, once: bool = False) -> State:
        """Do what is due, one thing after the other. `once`: return where nothing is due.

        Raises WeirError where a step could not be applied, or the cluster did not answer for too long: the state says
        how far it got.
        """
        return self._heard(lambda: self._until_end(once))

    def end(self, how: Literal["hold", "abort"]) -> None:
        """What somebody has said in between; nothing where it is over."""
        if not all(each.over for each in self.states):
            self._heard(lambda: self._do(Next(how, "somebody said so")))

    def _heard(self, action: Callable[[], None]) -> State:
        """Do it, unless another process has ended the rollout meanwhile."""
        try:
            action()
        except record.AnotherWroteError:
            there = patiently(self._keeper.there, self._tell)
            over = [each.state for each in there.values() if each.state.over]
            aborted = [each for each in over if each.phase == "aborted"]
            if not aborted and len(over) < len(self._members):
                raise
            self._keeper.adopt(there)
            if aborted:
                # Of one of its services it ends it for whoever is at it, and for the others. Traffic may have moved
                # since whoever did that has looked.
                self._abort.follow(f"{aborted[0].service}: {aborted[0].why}")
        return self.state

    def _until_end(self, once: bool) -> None:
        self._level()
        if all(each.phase in (*OVER, "held") for each in self.states):
            return
        self._anew()
        started = answered = time.monotonic()
        while not self.state.over:
            began, failed = time.monotonic(), False
            try:
                self._look()
                answered = time.monotonic()
            except ClusterError:
                if time.monotonic() - answered > patience.PATIENCE_SECONDS:
                    raise
                failed = True
            following, ahead = self._next(), None
            if not once:
                following, ahead = self._ahead(following)
            # What nobody has seen is never good; what was seen before may be bad.
            good = following.kind in ("go on", "promote", "check")
            if following.kind == "wait" or (good and (failed or not self._same_pods())):
                if once and time.monotonic() - started >= self._once_seconds and not self._yet_to_look():
                    self._keeper.keep(self.states)
                    return
                time.sleep(max(0.0, LOOK_SECONDS - (time.monotonic() - began)))
            else:
                # What was seen while it was held says what follows in its place.
                with suppress(HeldBackError):
                    self._do(following, ahead)
                answered = time.monotonic()
                if any(each.phase == "held" for each in self.states):
                    return

    def _level(self) -> None:
        """Bring all services to where the foremost is: a process may have ended between one and the next."""
        places = {(each.phase == "begun", each.index) for each in self.states}
        # Where one was promoted and another was taken back, none gets requests that is not known to be good.
        for phase in ("aborted", "promoted"):
            ended = [each for each in self.states if each.phase == phase]
            if ended and len(ended) < len(self._members):
                self._do(Next("promote" if phase == "promoted" else "abort", f"{ended[0].service}: {ended[0].why}"))
                return
        held = [each for each in self.states if each.phase == "held"]
        if held and len(held) < len(self._members):
            self._do(Next("hold", f"{held[0].service}: {held[0].why}", cause=held[0].cause))
            return
        for each in self.states:
            if each.phase == "begun":
                self._told(each)
        if not self.state.over and (len(places) > 1 or self.state.phase == "begun"):
            self._enter(max(index for _, index in places))

    def _look(self) -> None:
        try:
            if time.monotonic() - self._pods_asked >= _PODS_SECONDS:
                self._same_pods()
            counts = self._source.look()
            with self._keeper.turn:
                for member in self._members:
                    service = member.state.service
                    member.answered(service in counts)
                    if service in counts:
                        member.count(*counts[service])
            # After what was counted, which would be lost where these do not answer.
            for member in self._members:
                member.metrics.look()
            self._looking = self._looking or time.monotonic()
        except ClusterError:
            self._looking = None
            for member in self._members:
                member.answered(answered=False)
            raise
        finally:
            # Also of one whose looks fail, others have to see that it is there.
            if self._keeper.due:
                self._keeper.keep(self.states)

    def _same_pods(self) -> bool:
        """Whether the versions' pods are those that evidence is of, as far as anybody can tell. Where not, their step
        begins anew.
        """
        try:
            made_of = self._made_of()
        except ClusterError:
            return False
        self._pods_asked = time.monotonic()
        before, now = self.states, datetime.now(UTC)
        states = [each.made_of(made_of.get(each.state.service, ""), now) for each in self._members]
        others = [state for state, was in zip(states, before, strict=True) if was.pods not in ("", state.pods)]
        if others:
            self._anew()
        if states != before:
            self._write(states)
        for each in others:
            self._tell(
                f"{each.service}: the pods of {each.version} are others than before, so what was seen of it counts no "
                "more: its step begins anew"
            )
        return not others

    def _yet_to_look(self) -> float:
        """How many seconds there are to look yet before what others have seen counts."""
        began = self._looking or time.monotonic()
        return max(member.looking(began, self._once_seconds) for member in self._members)

    def _next(self) -> Next:
        self._keeper.require_own()
        alone = self._alone(datetime.now(UTC))
        self._show([Seen(each.state, each.verdict, alone[each.state.service], each.settings) for each in self._members])
        return together(alone)

    def _alone(self, now: datetime) -> dict[str, Next]:
        looking = self._yet_to_look()
        return {each.state.service: each.next(now, looking) for each in self._members}

    def _ahead(self, waiting: Next) -> tuple[Next, Ahead | None]:
        """What is to be prepared now, and what holds it back until the time has come that alone is waited for."""
        left, most = waiting.seconds, min(self._took, PAUSE_PART * self.state.step.pause)
        if waiting.kind != "wait" or self._took < LEAST_SECONDS or left is None or left > most:
            return waiting, None
        following = together(self._alone(datetime.now(UTC) + timedelta(seconds=left)))
        if following.kind not in ("go on", "promote"):
            return waiting, None
        return following, Ahead(waiting, following.kind, self._look, self._next, LOOK_SECONDS)

    def _do(self, following: Next, ahead: Ahead | None = None) -> None:
        match following.kind:
            case "go on":
                self._enter(self.state.index + 1, ahead)
            case "promote":
                self._move(self._traffic.promote, self.states, ahead)
                now = datetime.now(UTC)
                self._write(
                    [
                        each.state if each.state.over else each.ended("promoted", following.why, now)
                        for each in self._members
                    ]
                )
            case "abort":
                self._abort.abort(following.why)
            case "hold":
                self._write([each if each.over else each.held(following.why, following.cause) for each in self.states])
            case "check":
                self._run_check(following)

    def _run_check(self, following: Next) -> None:
        assert following.check is not None
        state = next((each for each in self.states if each.service == following.service), self.state)
        settings = next(each.settings for each in self._members if each.state is state)
        with self._keeper.alive():
            failed = self._check(following.check, state)
        if failed:
            self._do(Next(settings.on_regression, failed))
            return
        checked = (*state.checked, following.check.run)
        self._write([replace(each, checked=checked) if each.service == state.service else each for each in self.states])

    def _enter(self, index: int, ahead: Ahead | None = None) -> None:
        self._move(self._traffic.move, [replace(each, index=index) for each in self.states], ahead)
        for member in self._members:
            member.begin_step()
        # What was counted while proxies changed over belongs to no step.
        self._anew()
        now = datetime.now(UTC)
        self._write([each.at_step(index, now) for each in self.states])

    def _move(self, how: Move, states: Sequence[State], ahead: Ahead | None) -> None:
        began = time.monotonic()
        # Whoever has ended the rollout meanwhile is heard before traffic moves.
        self._write(self.states)
        with self._keeper.alive():
            how(states, ahead)
            # Where there was nothing to apply, it is early all the same.
            if ahead and not ahead.asked and not ahead(Event()):
                raise HeldBackError
        self._took = self._took or time.monotonic() - began

    def _anew(self) -> None:
        # Traffic has moved, and that is written down, whoever answers: to wait for an answer is for the looks.
        with suppress(ClusterError):
            self._source.anew()

    def _write(self, states: Sequence[State]) -> None:
        """Keep the states. What has happened to the traffic is written down, or nobody knows of it."""
        patiently(lambda: self._keeper.keep(states), self._tell)
