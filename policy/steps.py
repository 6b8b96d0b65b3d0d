"""Canaries rise in steps: how far at a time, measured against the routes that the stack last wrote."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from fractions import Fraction

from policy.known import Props
from policy.last import Last, last
from policy.requests import NARROW_HEADERS
from policy.rises import Rise, rises
from policy.routes import hosts, owner, parts, routed, service
from policy.rule import EVERY_STACK, VIRTUAL_SERVICE, Option, Resource, Rule, Settings, StackRule
from weir.model.routing.resolve import DEFAULT_ROUTE
from weir.model.routing.words import percent
from weir.model.values.numbers import plain

MAX_POINTS = Option(
    25,
    "by how many points of percent a version may rise at a time",
    {"type": "number", "exclusiveMinimum": True, "minimum": 0},
)


def too_far(props: Props, before: Last, settings: Settings, stack: str) -> list[str]:
    """A message for each version that gets over so many points more than it had of requests that are not few: as
    requests or as copies.

    A service that the stack did not have has nothing to compare with.
    """
    limit = Fraction(str(settings["maxPoints"]))
    found = []
    for key, new in parts(props).items():
        old = before.routes.get(key, ())
        if old and new:
            stable = next(iter(old[-1].weights or new[-1].weights), "")
            risen = rises(old, new, hosts(props), settings["narrowHeaders"], limit)
            found += [_message(service(props), rise, limit, stable, stack) for rise in risen]
    return found


def _message(name: str, rise: Rise, limit: Fraction, stable: str, stack: str) -> str:
    version, first = rise.version, _plain(rise.was + limit)
    what = f"{percent(rise.was)} to {percent(rise.share)}"
    default = rise.after.name == DEFAULT_ROUTE
    if not default or rise.before.name != DEFAULT_ROUTE:
        others = "" if rise.before.name == rise.after.name else f" and route {rise.before.name} took before"
        what += f" of the requests that route {rise.after.name} takes{others}"
    much = f"which is {_points(rise.points)} more; at most {_points(limit)} at a time"
    narrower = (
        "" if default else ", or match the route on an exact value of a header that few requests have (narrowHeaders)"
    )
    if rise.copies:
        return (
            f"{name}: copies to {version} would go from {what}, {much}: set percentage: {first} on its mirror "
            f"first{narrower}"
        )
    if default:
        return (
            f"{name}: {version} would go from {what}, {much}: leave {stable} stable and go in steps, weir set {name} "
            f"{version}={first}"
            f" --stack {stack} first"
        )
    return (
        f"{name}: {version} would go from {what}, {much}: leave {stable} stable in the route, canary: {{{version}: "
        f"{first}}} first{narrower}"
    )


def not_compared(before: Last, stack: str) -> list[str]:
    """That, and why, steps cannot be judged."""
    if not before.unreadable:
        return []
    return [
        f"the last state of {stack} cannot be read, so that canary-step judged nothing ({before.unreadable}); see "
        "what pulumi stack export"
        f" --stack {stack} says, and compare by hand: weir diff --stack {stack}"
    ]


def _points(points: Fraction) -> str:
    return f"{_plain(points)} points"


def _plain(number: Fraction) -> int | float:
    return plain(round(Decimal(float(number)), 4))


def _judge_step(props: Props, settings: Settings, stack: str) -> list[str]:
    # Pulumi is not asked for a service whose requests no version gets, nor while nothing is known.
    return too_far(props, last(owner(props, stack)), settings, stack) if routed(props) else []


def _judge_state(resources: Sequence[Resource], _settings: Settings, stack: str) -> list[str]:
    asked = [resource.props for resource in resources if resource.kind == VIRTUAL_SERVICE and routed(resource.props)]
    return not_compared(last(owner(asked[0], stack)), stack) if asked else []


STEP = Rule(
    name="canary-step",
    description="A version rises in steps; taking a canary back is always allowed.",
    kinds=(VIRTUAL_SERVICE,),
    stacks=EVERY_STACK,
    options={"maxPoints": MAX_POINTS, "narrowHeaders": NARROW_HEADERS},
    judge=_judge_step,
)
COMPARED = StackRule(
    name="canary-step-compared",
    description="The last state of the stack can be read, so that canary-step can compare.",
    stacks=EVERY_STACK,
    advisory=True,
    judge=_judge_state,
)
