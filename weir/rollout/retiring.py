"""What follows a promotion where the config says how long the version that was stable is kept: it is retired by
whoever is at it when that is over.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from weir.cluster.errors import ClusterError
from weir.cluster.kubectl import Kubectl
from weir.errors import WeirError
from weir.rollout import record
from weir.rollout.state import State

LOOK_SECONDS = 15.0
"""How often who waits looks whether somebody else has settled it."""

CLAIM_SECONDS = 300.0
"""For how long a process that retires a version is left alone with it; one that was killed costs others that time."""

Retire = Callable[[State], str | None]
"""Retires the version that was stable: what has become of it, in words; None where it cannot be told yet."""


def seconds_left(state: State) -> float:
    """How long the version that was stable is still kept; 0 where it is due, or there is nothing to wait for."""
    return 0.0 if state.retire is None else max(0.0, (state.retire - datetime.now(UTC)).total_seconds())


def when_due(kubectl: Kubectl, kept: record.Kept, retire: Retire, *, once: bool = False) -> State | None:
    """Wait until the version that was stable is due, and retire it once. Returns what came of it, be it by somebody
    else; None where another rollout of the service has begun meanwhile. `once`: return where it is not due.

    Raises WeirError: the next call tries again.
    """
    began = kept.state.began
    while kept.state.retire is not None:
        if once and seconds_left(kept.state):
            return kept.state
        if left := seconds_left(kept.state):
            time.sleep(min(left, LOOK_SECONDS))
            # Nobody has to answer while there is nothing to do.
            with suppress(ClusterError):
                kept = _now(kubectl, kept)
        else:
            try:
                return _retired(kubectl, kept, retire)
            except record.AnotherWroteError:
                kept = _now(kubectl, kept)
        if kept.state.began != began:
            return None
    return kept.state


def _now(kubectl: Kubectl, kept: record.Kept) -> record.Kept:
    """What is kept now. A state that is gone leaves nothing to retire by."""
    found = record.read(kubectl, kept.state.service)
    return found or replace(kept, state=replace(kept.state, retire=None, retired="its state is gone"))


def _retired(kubectl: Kubectl, kept: record.Kept, retire: Retire) -> State:
    due = kept.state
    # Of two, one writes first; the other finds that it is due later.
    claim = datetime.now(UTC) + timedelta(seconds=CLAIM_SECONDS)
    claimed = _write(kubectl, kept, replace(due, retire=claim))
    try:
        told = retire(due)
    except BaseException:
        # What was wrong is what is said. Where this fails too, it is due again once the claim is over.
        with suppress(WeirError):
            _write(kubectl, claimed, due)
        raise
    return _write(kubectl, claimed, due if told is None else replace(due, retire=None, retired=told)).state


def _write(kubectl: Kubectl, kept: record.Kept, state: State) -> record.Kept:
    return record.write(kubectl, [state], {state.service: kept})[state.service]
