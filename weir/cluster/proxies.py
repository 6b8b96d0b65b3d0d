"""Knowing when proxies obey: whether every caller of a service knows a version, or has let go of it.

For one proxy, the configuration that istiod makes for it shows whether a change has reached istiod and is on its way, and the number of the
push it came with; from then on istiod's own books tell which proxies have accepted a push of that number or a later one. Only a
proxy that was passed over by that push is asked about one by one: it may have no use for the service at all.

The books can be looked at as often as one likes. The configuration cannot: asked for while a push begins, it may spoil that push
(docs/decisions/0012-not-to-ask-while-a-push-begins.md). So it is asked for once the push has gone out, or when none is about to.
"""

from __future__ import annotations

import itertools
import math
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from weir.cluster.connections import disconnect, istiods
from weir.cluster.errors import ClusterError, UnaskedError
from weir.cluster.istiod import Istiod, Proxy, newest
from weir.cluster.kubectl import Kubectl
from weir.cluster.want import Want, concerned, declared, push_of, serving

_INTERVALS = (*[0.01] * 20, 0.05)
"""Seconds between looks, the last again and again. A push begins 0.1 s after the change; 0.1 s is the least between two, so that none is missed."""

_SOON = 0.005
"""Seconds until the next look where a push has just been found: proxies need as little to accept it."""

_CALM = 0.25
"""Seconds without a push after which none is about to begin: istiod sends out a change 0.1 s after it has heard of it, if no other follows. Where
the change does not come, it is twice as long each time, _CALM_AT_MOST in the end."""
_CALM_AT_MOST = 2.0

_STALE = 5.0
"""Seconds after which istiod, should it still make what it made before the change, is told to make everything anew."""

_LONG = 2.0
"""Seconds after which a wait is spoken of."""

_PASSED_OVER = 0.5
"""Seconds after which a proxy that the push did not reach is asked about by itself."""

RECONNECTING = 35.0
"""Seconds an istiod must have been ready before its books count, where there was a service before it: one that has just come back does not know the
proxies that have yet to come back to it, and Envoy tries again after 30 s at the latest. Such a one still follows the route it had; and it asks for
everything at once when it comes, so that it may have a new route some milliseconds before the version that is in it."""


class DisobeyedError(ClusterError):
    """Proxies did not follow in time; the text names them."""


@dataclass(frozen=True, slots=True)
class Obeyed:
    """How many proxies were asked about, and how long it took them, in seconds."""

    proxies: int
    seconds: float


@dataclass(slots=True)
class _Watch:
    """What is known of the proxies of one istiod: the newest push of the type that tells, and since when nothing newer has come.

    `push`: the one that brought the change; `found`: whether that was found in this look; `stale`: whether what istiod makes is of before.
    """

    newest: int
    calm: float
    patience: float = _CALM
    push: int | None = None
    stale: bool = False
    found: bool = False
    settled: set[str] = field(default_factory=set)
    since: dict[str, float] = field(default_factory=dict)
    again: dict[str, float] = field(default_factory=dict)

    def may_ask(self, newest: int, now: float) -> bool:
        """Whether istiod may be asked for a configuration: a push has just gone out, or none has for so long that none is about to."""
        if newest <= self.newest and now - self.calm < self.patience:
            return False
        self.patience = _CALM if newest > self.newest else min(2 * self.patience, _CALM_AT_MOST)
        self.newest, self.calm = newest, now
        return True


def wait_for(
    kubectl: Kubectl,
    want: Want,
    timeout: float,
    *,
    age: Callable[[], float],
    tell: Callable[[str], None] = lambda _: None,
    clock: Callable[[], float] = time.monotonic,
    pause: Callable[[float], None] = time.sleep,
) -> Obeyed:
    """Return when every proxy that knows the service does what is wanted; `kubectl` is set to istiod's namespace.

    `timeout` in seconds. An istiod that is away is asked again until then. `age`: for how many seconds, at the most, the service has been
    there; asked where istiod has come back a short time ago. `tell` is given a line about whatever takes long. Raises
    DisobeyedError with the proxies that lag, or ClusterError when istiod does not answer by then; UnaskedError at once where istiod
    cannot be asked at all.
    """
    start = clock()
    away = False
    while True:
        try:
            there = istiods(kubectl)
            ready = min(istiod.ready_for for istiod in there)
            young = RECONNECTING - ready
            # A service that came after istiod did no proxy knows from elsewhere. Kubernetes has both instants in whole seconds.
            if young <= 0 or age() <= ready - 1:
                return _wait(there, want, start, timeout, tell, clock, pause)
            tell(f"istiod has just come back: waiting {young:.0f} s, in which every proxy comes back to it")
            # This wait is not the proxies' fault, and does not count as their delay.
            start += young
            pause(young)
        except (UnaskedError, DisobeyedError):
            raise
        except ClusterError as error:
            disconnect(kubectl)
            if not away:
                tell(f"istiod cannot be asked, trying again for {timeout:g} s: {error}")
            away = True
            if clock() - start >= timeout:
                raise ClusterError(f"istiod could not be asked for {timeout:g} s whether proxies {want}: {error}") from None
            pause(0.5)


def _wait(
    there: list[Istiod],
    want: Want,
    start: float,
    timeout: float,
    tell: Callable[[str], None],
    clock: Callable[[], float],
    pause: Callable[[float], None],
) -> Obeyed:
    watches: dict[str, _Watch] = {}
    told, long = 0, clock() + _LONG
    anew = start + _STALE
    for interval in itertools.chain(_INTERVALS, itertools.repeat(_INTERVALS[-1])):
        lagging: dict[str, Proxy] = {}
        total = 0
        for istiod in there:
            proxies = istiod.proxies()
            total += len(proxies)
            if istiod.pod not in watches:
                known = newest(proxies, want.types[0]) if istiod.before is None else istiod.before.get(want.types[0], 0)
                watches[istiod.pod] = _Watch(known, clock())
            lagging |= {proxy.name: proxy for proxy in _lagging(istiod, proxies, want, watches[istiod.pod], clock())}
        if not lagging:
            return Obeyed(total, clock() - start)
        if clock() - start >= timeout:
            raise DisobeyedError(f"after {timeout:g} s {len(lagging)} of {total} proxies do not {want}: {_names(lagging.values(), want)}")
        if clock() >= long and len(lagging) != told:
            told = len(lagging)
            tell(f"{told} of {total} proxies do not {want} yet: {_names(lagging.values(), want)}")
        if clock() >= anew and any(watch.stale for watch in watches.values()):
            for istiod in there:
                istiod.push_anew()
                watches[istiod.pod].calm, watches[istiod.pod].patience = clock(), _CALM
            anew = math.inf
        pause(_SOON if any(watch.found for watch in watches.values()) else interval)
    raise AssertionError("it looks for ever")


def _lagging(istiod: Istiod, proxies: list[Proxy], want: Want, watch: _Watch, now: float) -> list[Proxy]:
    """The proxies of this istiod that are not known to obey; what is found out is noted in `watch`."""
    kind = want.types[0]
    latest = newest(proxies, kind)
    watch.settled &= {proxy.name for proxy in proxies}
    behind = [proxy for proxy in proxies if proxy.name not in watch.settled]
    watch.found = False
    if watch.push is None and behind and watch.may_ask(latest, now):
        # First one that has been sent the latest: what istiod makes for it is what it made for that push.
        for proxy in sorted(behind, key=lambda proxy: (sent := proxy.sent.get(kind)) is None or sent.push < latest):
            dump = istiod.configuration(proxy.name)
            if not concerned(dump, want):
                watch.settled.add(proxy.name)
                continue
            watch.stale = not declared(dump, want)
            if not watch.stale and _served(istiod, proxy, want):
                watch.push, watch.found = push_of(dump), True
            # Where one waits for the change, all do: no need to ask about the others yet.
            break
    # A version that a proxy has just been told of has pods only once it has asked for those: that is for the next look to see.
    if watch.push is not None and not (watch.found and want.known):
        for proxy in behind:
            if _accepted(proxy, want, watch.push) or _passed_over(istiod, proxy, want, watch, now):
                watch.settled.add(proxy.name)
    return [proxy for proxy in behind if proxy.name not in watch.settled]


def _passed_over(istiod: Istiod, proxy: Proxy, want: Want, watch: _Watch, now: float) -> bool:
    """Whether a proxy that the push did not reach has no use for it, asked now and then."""
    since = watch.since.setdefault(proxy.name, now)
    if now < watch.again.setdefault(proxy.name, since + _PASSED_OVER):
        return False
    watch.again[proxy.name] = now + _PASSED_OVER
    dump = istiod.configuration(proxy.name)
    if not concerned(dump, want):
        return True
    # Or a later push, of another type, has moved the number on; this one's own was accepted long ago.
    return now - since >= 2 * _PASSED_OVER and declared(dump, want) and _served(istiod, proxy, want) and _accepted(proxy, want, 0)


def _accepted(proxy: Proxy, want: Want, push: int) -> bool:
    """Whether the proxy has accepted all that tells, and the first of it by this push or a later one."""
    sent = [proxy.sent.get(kind) for kind in want.types]
    first = sent[0]
    return all(status is None or status.accepted for status in sent) and first is not None and first.push >= push


def _served(istiod: Istiod, proxy: Proxy, want: Want) -> bool:
    """Whether each version that is to be known has a pod that takes requests."""
    return not want.known or want.known <= serving(istiod.endpoints(proxy.name), want.host)


def _names(proxies: Iterable[Proxy], want: Want) -> str:
    """Up to five proxies, each with the reason for which it refused what it was sent, if it did."""
    named = []
    for proxy in proxies:
        refusal = next((status.refusal for kind in want.types if (status := proxy.sent.get(kind)) and status.refusal), "")
        named.append(f"{proxy.name} ({refusal[:200]})" if refusal else proxy.name)
    return ", ".join(named[:5]) + (f" and {len(named) - 5} more" if len(named) > 5 else "")
