"""Waiting until proxies have acknowledged a change: until every caller of a service knows a version, or has drained
it, or has taken a rule.

For one proxy, the configuration that istiod makes for it shows whether a change has reached istiod and is on its way,
and the number of the push it came with; from then on istiod's sync status tells which proxies have accepted a push of
that number or a later one, and which have rejected it. A proxy that was passed over by that push may have no use for
the service at all, and is not counted then: it is asked about, one for all of its namespace.

The sync status can be looked at as often as one likes. The configuration cannot: asked for while a push begins, it may
spoil that push (docs/decisions/0012-not-to-ask-while-a-push-begins.md). So it is asked for once the push has gone out,
or when none is about to.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from weir.cluster.errors import ClusterError, GoneError
from weir.cluster.istiod import Istiod, Mark, Proxy
from weir.cluster.kubectl import Kubectl
from weir.cluster.pushes import CALM, Watch
from weir.cluster.rejections import RejectedError, Rejection, rejection
from weir.cluster.want import Want, concerned, declared, push_of, resolved, serving, told

LEAST = 0.05
"""Seconds that an answer is given at the least: the last look comes at the deadline."""

_INTERVALS = (*[0.01] * 20, 0.05)
"""Seconds between looks, the last again and again. A push begins 0.1 s after the change; 0.1 s is the least between
two, so that none is missed.
"""

_SOON = 0.005
"""Seconds until the next look where a push has just been found: proxies need as little to accept it."""


_STALE = 5.0
"""Seconds after which istiod, should it still make what it made before the change, is told to make everything anew."""

_LONG = 2.0
"""Seconds after which a wait is spoken of."""

_PASSED_OVER = 0.5
"""Seconds after which a proxy that the push did not reach is asked about by itself."""

_NOBODY = 2.0
"""Seconds without any push of a type after which a change has none: no proxy uses what was changed."""

_QUESTIONS = 8
"""Configurations to ask an istiod for in one look, at the most: each is created again for us."""


class LaggingError(ClusterError):
    """Proxies did not acknowledge a change in time; the text names them."""


@dataclass(frozen=True, slots=True)
class Acknowledged:
    """How many proxies use the service and have acknowledged the change, and how long it took them, in seconds."""

    proxies: int
    seconds: float


class Waiting:
    """One wait for all proxies of these istiods."""

    def __init__(
        self,
        kubectl: Kubectl,
        there: list[Istiod],
        want: Want,
        since: Mapping[str, Mark],
        start: float,
        deadline: float,
        tell: Callable[[str], None],
        clock: Callable[[], float],
        pause: Callable[[float], None],
    ) -> None:
        self._kubectl = kubectl
        self._there, self._want, self._since, self._kind = there, want, since, want.types[0]
        self._start, self._deadline, self._tell, self._clock, self._pause = start, deadline, tell, clock, pause
        self._watches: dict[str, Watch] = {}
        self._questions = 0

    def result(self) -> Acknowledged:
        """What came of it; raises as `wait_for` does."""
        clock, want = self._clock, self._want
        said, long = 0, clock() + _LONG
        anew = self._start + _STALE
        for interval in itertools.chain(_INTERVALS, itertools.repeat(_INTERVALS[-1])):
            lagging = {proxy.name: proxy for istiod in self._there for proxy in self._lagging(istiod)}
            total = len(lagging) + sum(len(watch.done) + len(watch.rejected) for watch in self._watches.values())
            self._refuse_rejections(total, over=not lagging or clock() >= self._deadline)
            if not lagging:
                return Acknowledged(total, clock() - self._start)
            if clock() >= self._deadline:
                seconds = self._deadline - self._start
                raise LaggingError(
                    f"after {seconds:g} s {len(lagging)} of {total} proxies have not {want}: {_names(lagging)}"
                )
            if clock() >= long and len(lagging) != said:
                said = len(lagging)
                self._tell(f"{said} of {total} proxies have not {want} yet: {_names(lagging)}")
            if clock() >= anew and any(watch.stale for watch in self._watches.values()):
                for istiod in self._there:
                    istiod.push_anew(self._left)
                    watch = self._watches[istiod.pod]
                    watch.ask_from, watch.patience = clock(), CALM
                anew = math.inf
            self._pause(_SOON if any(watch.found for watch in self._watches.values()) else interval)
        raise AssertionError("it looks for ever")

    @property
    def _left(self) -> float:
        return max(LEAST, self._deadline - self._clock())

    def _refuse_rejections(self, total: int, *, over: bool) -> None:
        """Raise what proxies reject: at once where the change is at fault; what they rejected before it, once nobody
        else is waited for.
        """
        found = [
            (istiod, name, *what) for istiod in self._there for name, what in self._watches[istiod.pod].rejected.items()
        ]
        fresh = [each for each in found if (each[1], each[2]) not in self._watches[each[0].pod].before.rejected]
        if not fresh and not (over and found):
            return
        first, *others = fresh or found
        told_of = (rejection(self._kubectl, *first), *(Rejection(name, kind, text) for _, name, kind, text in others))
        raise RejectedError(told_of, total, standing=not fresh)

    def _lagging(self, istiod: Istiod) -> list[Proxy]:
        """The proxies of this istiod of which it is not known what they do; what is found out is noted."""
        want, now = self._want, self._clock()
        proxies = [
            proxy
            for proxy in istiod.proxies(self._left)
            if (want.host or proxy.gateway) and want.concerns(proxy.namespace)
        ]
        if istiod.pod not in self._watches:
            before = self._since.get(istiod.pod) or Mark.of(proxies)
            base = before.newest.get(self._kind, 0)
            self._watches[istiod.pod] = Watch(before, base, base, now, ask_from=now)
        watch = self._watches[istiod.pod]
        behind = watch.see(proxies, self._kind, now)
        self._questions = 0
        if watch.push is None and behind:
            self._find(istiod, behind, watch, now)
        # A version that a proxy has just been told of has pods only once it has asked for those: that is for the next
        # look to see.
        if watch.push is not None and not (watch.found and want.known):
            for proxy in behind:
                self._judge(istiod, proxy, watch, watch.push, now)
        elif watch.declared is not None:
            # Who rejects a version's cluster never asks for its pods, which are waited for.
            for proxy in behind:
                self._note_rejection(proxy, watch, watch.declared)
        seen = watch.done | watch.free | watch.rejected.keys()
        return [proxy for proxy in behind if proxy.name not in seen]

    def _find(self, istiod: Istiod, behind: list[Proxy], watch: Watch, now: float) -> None:
        """Find the push that has brought the change."""
        if self._want.changed and not self._want.routes:
            self._take_newest(watch, now)
        elif watch.may_ask(now):
            self._ask(istiod, behind, watch, now)

    def _take_newest(self, watch: Watch, now: float) -> None:
        """Where what istiod makes does not tell: the newest push, once no other follows; none at all where there is
        none.
        """
        pushed = watch.newest > watch.base or self._want.again
        if now - watch.risen >= (CALM if pushed else _NOBODY):
            watch.push, watch.found = watch.newest if pushed else math.inf, True

    def _ask(self, istiod: Istiod, behind: list[Proxy], watch: Watch, now: float) -> None:
        want, kind = self._want, self._kind
        # First one that has been sent the latest: what istiod makes for it is what it made for that push; then one
        # beside the service.
        order = sorted(behind, key=lambda proxy: (_push(proxy, kind) < watch.newest, proxy.namespace != want.namespace))
        for proxy in order:
            if proxy.workload in watch.unconcerned and _push(proxy, kind) <= watch.base:
                watch.free.add(proxy.name)
                continue
            dump = self._dump(istiod, proxy)
            if dump is None:
                return
            if want.host and not concerned(dump, want):
                watch.free.add(proxy.name)
                watch.unconcerned.add(proxy.workload)
                continue
            there = told(dump, want) if want.routes else True
            if there is None:
                self._take_newest(watch, now)
                return
            watch.stale = not (there and declared(dump, want))
            watch.declared = None if watch.stale else push_of(dump)
            if not watch.stale and self._served(istiod, proxy, dump):
                watch.push, watch.found = watch.declared, True
            # Where one waits for the change, all do: no need to ask about the others yet.
            return

    def _judge(self, istiod: Istiod, proxy: Proxy, watch: Watch, push: float, now: float) -> None:
        """Note what a proxy does about a push, where that can be told."""
        first, others = proxy.sent.get(self._kind), self._want.types[1:]
        # Whatever it was sent later, and may reject, is another matter.
        if first is not None and first.acknowledged >= push and _accepted(proxy, others):
            watch.done.add(proxy.name)
        elif not self._note_rejection(proxy, watch, push) and (first is None or first.push < push):
            self._passed_over(istiod, proxy, watch, now)

    def _note_rejection(self, proxy: Proxy, watch: Watch, push: float) -> bool:
        """Note what of this push, or a later one, the proxy rejects; whether it does."""
        refused = next(
            ((kind, sent.refusal) for kind in self._want.types if (sent := proxy.sent.get(kind)) and sent.rejected),
            None,
        )
        if refused is None or (refused[0] == self._kind and _push(proxy, self._kind) < push):
            return False
        watch.rejected[proxy.name] = refused
        return True

    def _passed_over(self, istiod: Istiod, proxy: Proxy, watch: Watch, now: float) -> None:
        """See whether a proxy that the push did not reach has no use for it: now and then, and for all pods of a
        workload at once.
        """
        want, workload = self._want, proxy.workload
        if workload in watch.unconcerned or watch.push == math.inf:
            watch.free.add(proxy.name)
            return
        since = watch.since.setdefault(workload, now)
        if now < watch.again.setdefault(workload, since + _PASSED_OVER) or not watch.quiet(now):
            return
        watch.again[workload] = now + _PASSED_OVER
        dump = self._dump(istiod, proxy) if want.host else {}
        if dump is None:
            return
        if not concerned(dump, want):
            watch.unconcerned.add(workload)
            watch.free.add(proxy.name)
        elif now - since >= 2 * _PASSED_OVER and _accepted(proxy, want.types) and self._content(istiod, proxy, dump):
            watch.done.add(proxy.name)

    def _content(self, istiod: Istiod, proxy: Proxy, dump: dict[str, Any]) -> bool:
        """Whether a proxy that was passed over has it all the same: a later push, of another type, has moved the
        number on, and this one's own was accepted long ago; or the change is nothing to it.
        """
        return bool(self._want.changed) or (declared(dump, self._want) and self._served(istiod, proxy, dump))

    def _dump(self, istiod: Istiod, proxy: Proxy) -> dict[str, Any] | None:
        """The configuration that istiod makes for the proxy; None where enough was asked in this look, or the proxy
        has gone.
        """
        if self._questions >= _QUESTIONS:
            return None
        self._questions += 1
        try:
            return istiod.configuration(proxy.name, self._left)
        except GoneError:
            return None

    def _served(self, istiod: Istiod, proxy: Proxy, dump: dict[str, Any]) -> bool:
        """Whether each version that is to be known has a pod that takes requests, as far as istiod can tell."""
        asked = self._want.known - resolved(dump, self._want.host) if self._want.known else self._want.known
        return not asked or asked <= serving(istiod.endpoints(proxy.name, self._left), self._want.host)


def _accepted(proxy: Proxy, kinds: Iterable[str]) -> bool:
    """Whether the proxy has accepted all that it was sent of these types."""
    return all((sent := proxy.sent.get(kind)) is None or sent.accepted for kind in kinds)


def _push(proxy: Proxy, kind: str) -> int:
    """The number of the push of a type that the proxy was last sent; 0 where it was sent none."""
    return sent.push if (sent := proxy.sent.get(kind)) else 0


def _names(proxies: Iterable[str]) -> str:
    """Up to five names."""
    names = list(proxies)
    return ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")
