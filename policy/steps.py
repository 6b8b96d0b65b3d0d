"""Canaries rise in steps: how far at a time, measured against the route that the stack last wrote."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from fractions import Fraction

from policy.known import Props
from policy.last import Last, last
from policy.routes import default_shares, notes, service
from policy.rule import EVERY_STACK, VIRTUAL_SERVICE, Option, Resource, Rule, Settings, StackRule
from weir.model.changes import percent, percents
from weir.model.numbers import plain
from weir.model.workloads import OWNER

MAX_POINTS = Option(
    25, "by how many points of percent a version may rise at a time", {"type": "number", "exclusiveMinimum": True, "minimum": 0}
)


def too_far(props: Props, before: Last, most: float, stack: str) -> list[str]:
    """A message for each version that gets over `most` points more of the default route than it last had.

    The version that was stable, which weir writes first in a route, may take back all of it: that is an abort, which nothing must stand in
    the way of. After a route that the proxy answered by itself it is the version that is stable now. A service that the stack did not have
    has nothing to compare with.
    """
    name = service(props)
    if name not in before.routes:
        return []
    old, new = percents(before.routes[name].weights), default_shares(props)
    stable = next(iter(old or new), "")
    limit = Fraction(str(most))
    return [
        f"{name}: {version} would go from {percent(was)} to {percent(share)}, which is {_points(share - was)} more; at most {_points(limit)} at a"
        f" time: leave {stable} stable and go in steps, weir set {name} {version}={_plain(was + limit)} --stack {stack} first"
        for version, share in new.items()
        if version != stable and share - (was := old.get(version, Fraction(0))) > limit
    ]


def not_compared(before: Last, stack: str) -> list[str]:
    """That, and why, steps cannot be judged."""
    if not before.unreadable:
        return []
    return [
        f"the last state of {stack} cannot be read, so that canary-step judged nothing ({before.unreadable}); see what pulumi stack export"
        f" --stack {stack} says, and compare by hand: weir diff --stack {stack}"
    ]


def _points(points: Fraction) -> str:
    return f"{_plain(points)} points"


def _plain(number: Fraction) -> int | float:
    return plain(round(Decimal(float(number)), 4))


def _judge_step(props: Props, settings: Settings, stack: str) -> list[str]:
    # Pulumi is not asked for a service whose requests no version gets, nor while nothing is known.
    return too_far(props, last(_full(props, stack)), settings["maxPoints"], stack) if default_shares(props) else []


def _judge_state(resources: Sequence[Resource], _settings: Settings, stack: str) -> list[str]:
    routed = [resource.props for resource in resources if resource.kind == VIRTUAL_SERVICE and default_shares(resource.props)]
    return not_compared(last(_full(routed[0], stack)), stack) if routed else []


def _full(props: Props, stack: str) -> str:
    """The stack with organization and project, which weir writes on every object; the organization stands in no URN."""
    written = (notes(props) or {}).get(OWNER)
    return written if isinstance(written, str) else stack


STEP = Rule(
    name="canary-step",
    description="A version rises in steps; taking a canary back is always allowed.",
    kinds=(VIRTUAL_SERVICE,),
    stacks=EVERY_STACK,
    options={"maxPoints": MAX_POINTS},
    judge=_judge_step,
)
COMPARED = StackRule(
    name="canary-step-compared",
    description="The last state of the stack can be read, so that canary-step can compare.",
    stacks=EVERY_STACK,
    advisory=True,
    judge=_judge_state,
)
