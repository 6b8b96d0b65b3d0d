"""What gets much traffic has more than one pod: a single one takes its share of the requests with it when it goes."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

from policy.known import mapping
from policy.routes import default_shares, service
from policy.rule import DEPLOYMENT, PRODUCTION, VIRTUAL_SERVICE, Option, Resource, Settings, StackRule
from policy.workload import identity
from weir.model.changes import percent

OVER_PERCENT = Option(20, "above which share of the default route a version needs them", {"type": "number", "minimum": 0, "maximum": 100})
MIN_REPLICAS = Option(2, "how many pods such a version needs", {"type": "integer", "minimum": 1})


def too_few(resources: Sequence[Resource], over: float, least: int) -> list[str]:
    """A message for each version that gets more than `over` percent of the default route and has less than `least` pods.

    Versions of a service that is routing only have no Deployment here, and are passed over.
    """
    pods = {
        identity(resource.props): mapping(resource.props.get("spec")).get("replicas", 1)
        for resource in resources
        if resource.kind == DEPLOYMENT
    }
    found = []
    for resource in resources:
        if resource.kind != VIRTUAL_SERVICE:
            continue
        name = service(resource.props)
        for version, share in default_shares(resource.props).items():
            count = pods.get((name, version))
            if isinstance(count, int) and count < least and share > Fraction(str(over)):
                found.append(
                    f"{name}: {version} gets {percent(share)} of the requests and has replicas: {count}; above {over} % it needs at least {least}:"
                    f" raise replicas, or send it less"
                )
    return found


def _judge(resources: Sequence[Resource], settings: Settings, _stack: str) -> list[str]:
    return too_few(resources, settings["overPercent"], settings["minReplicas"])


ENOUGH = StackRule(
    name="replicas-for-share",
    description="A version that gets much of the traffic in production has more than one pod.",
    stacks=PRODUCTION,
    options={"overPercent": OVER_PERCENT, "minReplicas": MIN_REPLICAS},
    judge=_judge,
)
