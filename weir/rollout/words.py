"""What a verdict says of two versions, in words that an operator reads once."""

from __future__ import annotations

import math

from weir.analysis import Interval, Share, Verdict
from weir.rollout.state import State


def why_worse(state: State, verdict: Verdict) -> str:
    """What is worse about the version; empty where nothing is."""
    if verdict.decision != "worse":
        return ""
    # Of several metrics, the one with the most evidence is what to look at first.
    name = max(verdict.evidence, key=lambda metric: verdict.evidence[metric])
    chance = f"chance of a false alarm below {percent(1 / verdict.against_enough)}"
    if name == "failures":
        return (
            f"{state.version}: {shares(verdict.canary)} failed, of {state.compared} {shares(verdict.stable)} at the "
            f"same time ({chance})"
        )
    slow = verdict.slowest
    if slow is None:
        return f"{state.version}: its answers are slower than {state.compared}'s at the same time ({chance})"
    less = "" if slow.stable_bound == slow.bound else f" longer than {slow.stable_bound:g} s"
    return (
        f"{state.version}: {_part(slow.canary)} of its answers took longer than {slow.bound:g} s, and "
        f"{_part(slow.stable)} of {state.compared}'s{less} at the same time ({chance})"
    )


def _part(share: Share) -> str:
    return percent(share.bad / share.answers) if share.answers else "none"


def shares(share: Share) -> str:
    """So many of so many, with the share."""
    if not share.answers:
        return "none of 0 requests"
    return f"{share.bad:,} of {share.answers:,} requests ({percent(share.bad / share.answers)})"


def needs(state: State, verdict: Verdict) -> str:
    """What a step still needs that is not proven yet."""
    if not verdict.canary.answers:
        return f"no request of {state.version} was seen yet"
    more = verdict.unproven
    if more.requests is None:
        return f"the requests of this step do not tell yet whether {state.version} is worse"
    return f"about {more.requests:,} more requests of {state.version} would show that it is no worse ({more.metric})"


def percent(share: float) -> str:
    """A share as percent, with two digits that mean something."""
    if share == 0:
        return "0 %"
    digits = max(0, 1 - math.floor(math.log10(100 * share)))
    return f"{100 * share:.{digits}f} %"


def between(interval: Interval) -> str:
    """From percent to percent."""
    return f"{percent(interval.low)} to {percent(1.0 if interval.high is None else interval.high)}"
