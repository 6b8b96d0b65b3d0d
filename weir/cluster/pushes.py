"""What is known of the pushes of one istiod to its proxies, and when it may be asked for a configuration
(docs/decisions/0012-not-to-ask-while-a-push-begins.md).
"""

from __future__ import annotations

from dataclasses import dataclass, field

from weir.cluster.istiod import Mark, Proxy, newest

CALM = 0.25
"""Seconds without a push after which none is about to begin: istiod sends out a change 0.1 s after it has heard of it,
if no other follows. Where the change does not come, it is twice as long each time, _CALM_AT_MOST in the end.
"""
_CALM_AT_MOST = 2.0

_JUST_NOW = 0.05
"""Seconds after a push in which the next one cannot begin yet."""


@dataclass(slots=True)
class Watch:
    """What is known of the proxies of one istiod.

    `before`: how far istiod had come before the change.
    `base`, `newest`: the newest push of the type that is watched, then and now.
    `risen`: when `newest` last changed.
    `declared`: the push whose configuration has what is wanted, whether or not there are pods for it.
    `push`: the push that brought the change; `found`: whether this look found it.
    `stale`: whether istiod still generates the configuration from before the change.
    `done`, `free`, `rejected`: proxies that have acknowledged the change, that do not use it, and that reject it (with
    the type and Envoy's text).
    `since`, `again`: when a push was first seen to skip a workload, and when istiod may be asked about it again.
    `unconcerned`: workloads that do not use the change.
    """

    before: Mark
    base: int
    newest: int
    risen: float
    asked: int = -1
    ask_from: float = 0.0
    patience: float = CALM
    declared: int | None = None
    push: float | None = None
    stale: bool = False
    found: bool = False
    done: set[str] = field(default_factory=set)
    free: set[str] = field(default_factory=set)
    rejected: dict[str, tuple[str, str]] = field(default_factory=dict)
    since: dict[str, float] = field(default_factory=dict)
    again: dict[str, float] = field(default_factory=dict)
    unconcerned: set[str] = field(default_factory=set)

    def see(self, proxies: list[Proxy], kind: str, now: float) -> list[Proxy]:
        """Note the newest push; those of the proxies of which it is not known yet what they do."""
        latest = newest(proxies, kind)
        if latest > self.newest:
            self.newest, self.risen, self.ask_from, self.patience = latest, now, now, CALM
        self.done &= {proxy.name for proxy in proxies}
        self.rejected.clear()
        self.found = False
        return [proxy for proxy in proxies if proxy.name not in self.done and proxy.name not in self.free]

    def may_ask(self, now: float) -> bool:
        """Whether istiod may be asked for a configuration: a push has just gone out, or none has for so long that none
        is about to.
        """
        if self.newest <= max(self.base, self.asked):
            if now - self.ask_from < self.patience:
                return False
            self.patience = min(2 * self.patience, _CALM_AT_MOST)
        self.asked, self.ask_from = self.newest, now
        return True

    def quiet(self, now: float) -> bool:
        """Whether no push is about to begin: none has for a while, or one has only just gone out."""
        return not _JUST_NOW < now - self.risen < CALM
